/* SPDX-License-Identifier: MIT */
/* The guest's memory around RIP and at the top of the stack. */
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vcpu/code.h"
#include "vmm/report/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_text.h"
#include "vmm/guest/symbols.h"
#include "vmm/vcpu/vcpu.h"

#define CODE_BEFORE 16u
#define CODE_BYTES  32u
#define STACK_WORDS 8u
#define STACK_BYTES (STACK_WORDS * 8)
#define SEGMENT_DB  (1u << 14)

must_check bool vcpu_report_paging(struct vcpu *vcpu, struct guest_paging *paging)
{
    static const enum vmcs_field needed[] = {VMCS_GUEST_CR0,
                                             VMCS_GUEST_CR3,
                                             VMCS_GUEST_CR4,
                                             VMCS_GUEST_IA32_EFER,
                                             VMCS_GUEST_IA32_PAT,
                                             VMCS_GUEST_RFLAGS,
                                             VMCS_GUEST_SS_ACCESS_RIGHTS,
                                             VMCS_GUEST_PDPTE0,
                                             VMCS_GUEST_PDPTE1,
                                             VMCS_GUEST_PDPTE2,
                                             VMCS_GUEST_PDPTE3};

    for (unsigned i = 0; i < array_count(needed); i++)
        if (!vmcs_text(needed[i]).readable)
            return false;
    vcpu_paging_all(vcpu, paging);
    return true;
}

/* 64-bit code has no segment base, other code no address above 4 GiB. */
static bool in_64_bit_code(void)
{
    return (vmcs_text(VMCS_GUEST_IA32_EFER).value & EFER_LMA) &&
           (vmcs_text(VMCS_GUEST_CS_ACCESS_RIGHTS).value & CODE_SEGMENT_L);
}

uint64_t vcpu_report_linear_rip(void)
{
    uint64_t rip = vmcs_text(VMCS_GUEST_RIP).value;

    return in_64_bit_code() ? rip : (uint32_t)(vmcs_text(VMCS_GUEST_CS_BASE).value + rip);
}

/* Page by page, so that one that is not there hides no other. there[i]: byte i could be read. */
static void read_bytes(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t linear_address,
                       uint8_t *bytes, bool *there, unsigned count)
{
    for (unsigned done = 0; done < count;) {
        uint64_t linear = linear_address + done, fault;
        unsigned piece = PAGE_SIZE - (unsigned)(linear & (PAGE_SIZE - 1));
        uint32_t error;
        bool good;

        if (piece > count - done)
            piece = count - done;
        if (!(paging->efer & EFER_LMA))
            linear = (uint32_t)linear;
        good =
            guest_linear_read(vcpu, paging, linear, bytes + done, piece, &fault, &error) == GUEST_PAGING_OK;
        for (unsigned i = 0; i < piece; i++)
            there[done + i] = good;
        done += piece;
    }
}

void vcpu_report_code(struct vcpu *vcpu)
{
    uint64_t linear = vcpu_report_linear_rip();
    struct guest_paging paging;
    uint8_t bytes[CODE_BYTES];
    bool there[CODE_BYTES];

    if (!vmcs_text(VMCS_GUEST_RIP).readable || !vcpu_report_paging(vcpu, &paging)) {
        console_printf("adept:   code: unreadable: the VMCS does not say where\n");
        return;
    }
    read_bytes(vcpu, &paging, linear - CODE_BEFORE, bytes, there, CODE_BYTES);
    console_printf("adept:   code: linear=%#llx:", (unsigned long long)linear);
    for (unsigned i = 0; i < CODE_BYTES; i++) {
        bool here = i == CODE_BEFORE;

        if (there[i])
            console_printf(here ? " [%02x]" : " %02x", bytes[i]);
        else
            console_printf(here ? " [--]" : " --");
    }
    console_printf("\n");
}

static uint64_t little_endian(const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

void vcpu_report_stack(struct vcpu *vcpu)
{
    struct vmcs_text rsp = vmcs_text(VMCS_GUEST_RSP);
    unsigned size = in_64_bit_code() ? 8 : vmcs_text(VMCS_GUEST_SS_ACCESS_RIGHTS).value & SEGMENT_DB ? 4 : 2;
    uint64_t linear = rsp.value;
    struct guest_paging paging;
    uint8_t bytes[STACK_BYTES];
    bool there[STACK_BYTES];

    if (!rsp.readable || !vcpu_report_paging(vcpu, &paging)) {
        console_printf("adept:   stack: unreadable: the VMCS does not say where\n");
        return;
    }
    if (size != 8)
        linear =
            (uint32_t)(vmcs_text(VMCS_GUEST_SS_BASE).value + (size == 2 ? (uint16_t)rsp.value : rsp.value));
    read_bytes(vcpu, &paging, linear, bytes, there, STACK_WORDS * size);
    console_printf("adept:   stack: linear=%#llx:", (unsigned long long)linear);
    for (unsigned i = 0; i < STACK_WORDS; i++) {
        char symbol[GUEST_SYMBOL_TEXT];
        uint64_t word = little_endian(bytes + i * size, size);

        if (!there[i * size] || !there[i * size + size - 1]) {
            console_printf(" --");
            continue;
        }
        guest_symbols_text(vcpu->vm->symbols, symbol, sizeof(symbol), word);
        console_printf(" %0*llx%s", (int)size * 2, (unsigned long long)word, symbol);
    }
    console_printf("\n");
}
