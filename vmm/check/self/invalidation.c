/* SPDX-License-Identifier: MIT */
/* Every type of INVEPT and INVVPID. SDM vol. 3, "INVEPT", "INVVPID": what succeeds and what is refused. */
#include "vmm/check/self/invalidation.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/invept.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "ept/caps.h"
#include "ept/eptp.h"
#include "vmm/host/cpu.h"
#include "vmm/host/frame.h"

#define SOME_VPID     0x1234
#define SOME_ADDRESS  UINT64_C(0x400000)
#define NOT_CANONICAL (UINT64_C(1) << 62)
#define INVEPT_BITS   (EPT_CAP_INVEPT_SINGLE_CONTEXT | EPT_CAP_INVEPT_ALL_CONTEXTS)
#define INVVPID_BITS  (UINT64_C(0xf) << 40)

static void print_type(const char *instruction, const char *type, bool exists, enum vmx_status status)
{
    console_printf("adept: invalidate: %s %s: %s\n", instruction, type,
                   exists ? vmx_status_text(status) : "not on this processor");
}

static void print_refusal(const char *what, enum vmx_status status)
{
    console_printf("adept: invalidate: %s: %s\n", what,
                   status == VMX_FAIL_INVALID || status == VMX_FAIL_VALID ? "refused" : "NOT REFUSED");
}

static void each_type(uint64_t caps, uint64_t eptp)
{
    for (unsigned i = INVEPT_SINGLE_CONTEXT; i < INVEPT_TYPE_END; i++) {
        enum invept_type type = (enum invept_type)i;
        bool exists = invept_type_exists(caps, type);
        uint64_t operand = type == INVEPT_ALL_CONTEXTS ? 0 : eptp;

        print_type("INVEPT", invept_type_name(type), exists, exists ? vmx_invept(type, operand) : VMX_OK);
    }
    for (unsigned i = 0; i < INVVPID_TYPE_END; i++) {
        enum invvpid_type type = (enum invvpid_type)i;
        bool exists = invvpid_type_exists(caps, type);
        uint16_t vpid = type == INVVPID_ALL_CONTEXTS ? 0 : SOME_VPID;

        print_type("INVVPID", invvpid_type_name(type), exists,
                   exists ? vmx_invvpid(type, vpid, SOME_ADDRESS) : VMX_OK);
    }
}

static void refusals(uint64_t caps, uint64_t eptp)
{
    print_refusal("INVEPT of a type that does not exist",
                  vmx_invept((enum invept_type)INVEPT_TYPE_END, eptp));
    print_refusal("INVVPID of a type that does not exist",
                  vmx_invvpid((enum invvpid_type)INVVPID_TYPE_END, SOME_VPID, 0));
    if (invept_type_exists(caps, INVEPT_SINGLE_CONTEXT)) /* no memory type and no walk length */
        print_refusal("INVEPT single-context of no EPTP",
                      vmx_invept(INVEPT_SINGLE_CONTEXT, eptp & ~UINT64_C(0xfff)));
    if (invvpid_type_exists(caps, INVVPID_SINGLE_CONTEXT))
        print_refusal("INVVPID single-context of VPID 0", vmx_invvpid(INVVPID_SINGLE_CONTEXT, 0, 0));
    if (invvpid_type_exists(caps, INVVPID_INDIVIDUAL_ADDRESS))
        print_refusal("INVVPID individual-address of an address that is not canonical",
                      vmx_invvpid(INVVPID_INDIVIDUAL_ADDRESS, SOME_VPID, NOT_CANONICAL));
}

static enum vmx_status ask(uint64_t caps, enum invvpid_type wanted)
{
    switch (wanted) {
    case INVVPID_INDIVIDUAL_ADDRESS:
        return invvpid_address(caps, SOME_VPID, SOME_ADDRESS);
    case INVVPID_SINGLE_CONTEXT:
        return invvpid_context(caps, SOME_VPID);
    case INVVPID_RETAINING_GLOBALS:
        return invvpid_not_global(caps, SOME_VPID);
    case INVVPID_ALL_CONTEXTS:
        break;
    }
    return invvpid_all(caps);
}

/* The functions of arch/x86/invept.c, as if the processor had any part of what it has. */
static void fallbacks(uint64_t caps, uint64_t eptp)
{
    unsigned right = 0, wrong = 0;

    for (uint64_t bits = 0; bits < 64; bits++) {
        uint64_t have = caps & (~(INVEPT_BITS | INVVPID_BITS) | (bits & 15) << 40 | (bits >> 4) << 25);

        for (unsigned wanted = 0; wanted < INVVPID_TYPE_END; wanted++) {
            enum invvpid_type type;
            bool can = invvpid_type_for(have, (enum invvpid_type)wanted, &type);

            *((ask(have, (enum invvpid_type)wanted) == VMX_OK) == can ? &right : &wrong) += 1;
        }
        for (unsigned wanted = INVEPT_SINGLE_CONTEXT; wanted < INVEPT_TYPE_END; wanted++) {
            enum invept_type type;
            bool can = invept_type_for(have, (enum invept_type)wanted, &type);
            enum vmx_status status =
                wanted == INVEPT_SINGLE_CONTEXT ? invept_context(have, eptp) : invept_all(have);

            *((status == VMX_OK) == can ? &right : &wrong) += 1;
        }
    }
    console_printf("adept: invalidate: fallbacks right=%u wrong=%u\n", right, wrong);
}

void invalidation_test(void)
{
    uint64_t caps = vmx_shared_capabilities()->ept_vpid, root = frame_alloc(FRAME_HOST), eptp;
    struct ept_caps ept;

    if (root == FRAME_ALLOC_FAILED || ept_caps_init(&ept, caps, cpuid_physical_width()) != EPT_OK) {
        console_printf("adept: invalidate: no EPT here\n");
        return;
    }
    eptp = eptp_make(&ept, root);
    each_type(caps, eptp);
    refusals(caps, eptp);
    fallbacks(caps, eptp);
    frame_free_run(root, 1, FRAME_HOST);
}
