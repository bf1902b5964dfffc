/* SPDX-License-Identifier: MIT */
/* The exit qualification of an EPT violation, decoded and in words. */
#include "ept/qualification.h"
#include "ept/entry.h"

static bool bit(uint64_t raw, uint64_t mask)
{
    return (raw & mask) != 0;
}

struct ept_qualification ept_qualification_decode(uint64_t raw, bool advanced_information)
{
    struct ept_qualification result = {
        .access = (uint8_t)(raw & EPT_RIGHTS),
        .rights = (uint8_t)(raw >> EPT_QUALIFICATION_RIGHTS_SHIFT & EPT_RIGHTS),
        .linear_valid = bit(raw, EPT_QUALIFICATION_LINEAR_VALID),
        .nmi_unblocking = bit(raw, EPT_QUALIFICATION_NMI_UNBLOCKING),
        .shadow_stack = bit(raw, EPT_QUALIFICATION_SHADOW_STACK),
        .page_shadow_stack = bit(raw, EPT_QUALIFICATION_PAGE_SHADOW_STACK),
        .paging_verification = bit(raw, EPT_QUALIFICATION_PAGING_VERIFICATION),
        .asynchronous = bit(raw, EPT_QUALIFICATION_ASYNCHRONOUS),
    };
    bool translated = bit(raw, EPT_QUALIFICATION_TRANSLATED);

    result.page_walk = result.linear_valid && !translated;
    result.linear_known = advanced_information && result.linear_valid && translated;
    if (result.linear_known) {
        result.linear_user = bit(raw, EPT_QUALIFICATION_LINEAR_USER);
        result.linear_writable = bit(raw, EPT_QUALIFICATION_LINEAR_WRITABLE);
        result.linear_no_execute = bit(raw, EPT_QUALIFICATION_LINEAR_NX);
    }
    return result;
}

void ept_rights_text(unsigned rights, char *buffer, size_t size)
{
    const char letters[] = "RWX";

    if (size == 0)
        return;
    for (unsigned n = 0; n < 3 && n < size - 1; n++)
        buffer[n] = (rights >> n & 1) != 0 ? letters[n] : '-';
    buffer[size - 1 < 3 ? size - 1 : 3] = '\0';
}

void ept_qualification_rights_text(uint64_t raw, char *buffer, size_t size)
{
    ept_rights_text((unsigned)(raw >> EPT_QUALIFICATION_RIGHTS_SHIFT), buffer, size);
}

void ept_qualification_access_text(uint64_t raw, char *buffer, size_t size)
{
    const char letters[] = "RWX";
    size_t length = 0;

    if (size == 0)
        return;
    for (unsigned n = 0; n < 3; n++) {
        if ((raw >> n & 1) != 0 && length < size - 1)
            buffer[length++] = letters[n];
    }
    if (length == 0 && size > 1)
        buffer[length++] = '-';
    buffer[length] = '\0';
}

struct words {
    char *buffer;
    size_t size, length;
};

static void put(struct words *words, const char *text)
{
    for (; *text != '\0'; text++) {
        if (words->length + 1 < words->size)
            words->buffer[words->length] = *text;
        words->length++;
    }
}

static void add(struct words *words, bool applies, const char *text)
{
    if (!applies)
        return;
    if (words->length > 0)
        put(words, ", ");
    put(words, text);
}

size_t ept_qualification_text(const struct ept_qualification *qualification, char *buffer, size_t size)
{
    struct words words = {buffer, size, 0};
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    add(&words, qualification->access == 0, "no access");
    add(&words, bit(qualification->access, EPT_READ), "read");
    add(&words, bit(qualification->access, EPT_WRITE), "write");
    add(&words, bit(qualification->access, EPT_EXECUTE), "fetch");
    ept_rights_text(qualification->rights, rights, sizeof(rights));
    add(&words, true, "page ");
    put(&words, rights);
    add(&words, qualification->page_walk, "guest page walk");
    add(&words, qualification->linear_valid && !qualification->page_walk, "final translation");
    add(&words, !qualification->linear_valid, "no linear address");
    if (qualification->linear_known) {
        add(&words, true, qualification->linear_user ? "user" : "supervisor");
        add(&words, true, qualification->linear_writable ? "writable" : "not writable");
        add(&words, qualification->linear_no_execute, "execute-disable");
    }
    add(&words, qualification->shadow_stack, "shadow stack");
    add(&words, qualification->page_shadow_stack, "shadow-stack page");
    add(&words, qualification->paging_verification, "paging verification");
    add(&words, qualification->asynchronous, "asynchronous");
    add(&words, qualification->nmi_unblocking, "NMI unblocking");
    if (size > 0)
        buffer[words.length < size ? words.length : size - 1] = '\0';
    return words.length;
}
