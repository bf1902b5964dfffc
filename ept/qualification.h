/* SPDX-License-Identifier: MIT */
/* The exit qualification of an EPT violation. SDM vol. 3, table "Exit Qualification for EPT Violations". */
#ifndef EPT_QUALIFICATION_H
#define EPT_QUALIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EPT_QUALIFICATION_READ    (UINT64_C(1) << 0)
#define EPT_QUALIFICATION_WRITE   (UINT64_C(1) << 1)
#define EPT_QUALIFICATION_EXECUTE (UINT64_C(1) << 2)
#define EPT_QUALIFICATION_RIGHTS_SHIFT                                                                       \
    3 /* 5:3: AND of R, W, X of all entries used; 0 if one was not present */
#define EPT_QUALIFICATION_EXECUTE_USER (UINT64_C(1) << 6) /* undefined without mode-based execute control */
#define EPT_QUALIFICATION_LINEAR_VALID (UINT64_C(1) << 7)
#define EPT_QUALIFICATION_TRANSLATED                                                                         \
    (UINT64_C(1) << 8) /* 0: an access of the guest's page walk. Needs bit 7 */
#define EPT_QUALIFICATION_LINEAR_USER                                                                        \
    (UINT64_C(1) << 9) /* 9-11: only with advanced exit information, bits 7 and 8 */
#define EPT_QUALIFICATION_LINEAR_WRITABLE (UINT64_C(1) << 10)
#define EPT_QUALIFICATION_LINEAR_NX       (UINT64_C(1) << 11)
#define EPT_QUALIFICATION_NMI_UNBLOCKING                                                                     \
    (UINT64_C(1) << 12) /* due to IRET; undefined if an event was being delivered */
#define EPT_QUALIFICATION_SHADOW_STACK (UINT64_C(1) << 13)
#define EPT_QUALIFICATION_PAGE_SHADOW_STACK                                                                  \
    (UINT64_C(1) << 14) /* bit 60 of the entries: supervisor shadow stack page */
#define EPT_QUALIFICATION_PAGING_VERIFICATION (UINT64_C(1) << 15)
#define EPT_QUALIFICATION_ASYNCHRONOUS        (UINT64_C(1) << 16)

struct ept_qualification {
    uint8_t access;    /* EPT_READ | EPT_WRITE | EPT_EXECUTE that was tried; read and write for a
                          read-modify-write */
    uint8_t rights;    /* what the entries allow */
    bool linear_valid; /* the VMCS's guest-linear-address field is valid */
    bool page_walk;    /* the access was to a guest paging structure on the way to it (linear_valid) */
    bool linear_known; /* the three below are valid */
    bool linear_user, linear_writable, linear_no_execute;
    bool nmi_unblocking, shadow_stack, page_shadow_stack, paging_verification, asynchronous;
};

/* advanced_information: bit 22 of IA32_VMX_EPT_VPID_CAP; without it bits 11:9 say nothing. */
struct ept_qualification ept_qualification_decode(uint64_t raw, bool advanced_information);

/* Room for the words of the two functions below. */
#define EPT_QUALIFICATION_WORD_SIZE 4

/* The access as letters that apply, "R", "W", "RW", "X", "-" for none; bits 2:0. size >=
 * EPT_QUALIFICATION_WORD_SIZE. */
void ept_qualification_access_text(uint64_t raw, char *buffer, size_t size);

/* The rights as three places, "RWX", "R-X", "---"; bits 5:3. size >= EPT_QUALIFICATION_WORD_SIZE. */
void ept_qualification_rights_text(uint64_t raw, char *buffer, size_t size);

/* The same three places for R, W, X bits as such (bits 2:0 of an entry, of a region). */
void ept_rights_text(unsigned rights, char *buffer, size_t size);

/* Enough for every word of ept_qualification_text(). */
#define EPT_QUALIFICATION_TEXT_SIZE 192

/*
 * Everything that bits say, in words divided by ", ": "write, page R-X, final translation, user, writable".
 * Always terminated, cut at size; returns the whole length.
 */
size_t ept_qualification_text(const struct ept_qualification *qualification, char *buffer, size_t size);

#endif
