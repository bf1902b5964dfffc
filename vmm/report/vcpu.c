/* SPDX-License-Identifier: MIT */
/* The last exit, general-purpose and control registers. */
#include "vmm/report/vcpu.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "ept/qualification.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/report/vcpu_words.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_text.h"
#include "vmm/guest/symbols.h"
#include "vmm/vcpu/vcpu.h"

/* Of a field's value in brackets; nothing if it has none. */
static void print_words(size_t (*words)(char *, size_t, uint64_t), const struct vmcs_text *field)
{
    char text[VCPU_WORDS_MAX];

    if (!field->readable)
        return;
    (void)words(text, sizeof(text), field->value);
    console_printf(" (%s)", text);
}

static void print_qualification(uint32_t reason, uint64_t raw)
{
    char text[EPT_QUALIFICATION_TEXT_SIZE];
    struct ept_qualification qualification;

    if (reason != EXIT_EPT_VIOLATION)
        return;
    qualification = ept_qualification_decode(raw, false);
    (void)ept_qualification_text(&qualification, text, sizeof(text));
    console_printf(" (%s)", text);
}

/* What the VMCS still holds of earlier exits is left out. */
static void print_addresses(uint32_t reason, uint64_t qualification)
{
    if (reason != EXIT_EPT_VIOLATION && reason != EXIT_EPT_MISCONFIG)
        return;
    console_printf(" gpa=%s", vmcs_text(VMCS_GUEST_PHYSICAL_ADDRESS).text);
    if (reason == EXIT_EPT_VIOLATION && (qualification & EPT_QUALIFICATION_LINEAR_VALID))
        console_printf(" gla=%s", vmcs_text(VMCS_GUEST_LINEAR_ADDRESS).text);
}

void vcpu_report_exit(const struct vcpu *vcpu)
{
    struct vmcs_text reason = vmcs_text(VMCS_EXIT_REASON), qualification = vmcs_text(VMCS_EXIT_QUALIFICATION);
    uint32_t basic = (uint32_t)reason.value & EXIT_REASON_BASIC_MASK;

    if (vcpu->exit_count == 0 && !vcpu->entry_failed) {
        console_printf(
            "adept:   exit: none yet\n"); /* and the fields tell of whatever the processor began with */
        return;
    }
    console_printf("adept:   exit: count=%llu", (unsigned long long)vcpu->exit_count);
    if (vcpu->entry_error != 0) {
        console_printf(" none: the VM entry failed: vm_instruction_error=%u (%s)\n", vcpu->entry_error,
                       vmx_error_text(vcpu->entry_error));
        return;
    }
    console_printf(" reason=%s", reason.text);
    if (reason.readable)
        console_printf(" %s(%u)%s", exit_reason_name(basic), basic,
                       reason.value & EXIT_REASON_ENTRY_FAILURE ? " entry-failure" : "");
    console_printf(" qualification=%s", qualification.text);
    if (reason.readable && qualification.readable) {
        print_qualification(basic, qualification.value);
        print_addresses(basic, qualification.value);
    }
    console_printf("\nadept:   exit: instruction_length=%s instruction_information=%s\n",
                   vmcs_text(VMCS_EXIT_INSTRUCTION_LENGTH).text,
                   vmcs_text(VMCS_EXIT_INSTRUCTION_INFORMATION).text);
}

/* Aligned: a register's place on its line is always the same. */
static void print_register(const char *name, uint64_t value)
{
    console_printf(" %s=0x%016llx%s", name, (unsigned long long)value, name[2] == '\0' ? " " : "");
}

void vcpu_report_registers(const struct vcpu *vcpu)
{
    static const char *const names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    struct vmcs_text rsp = vmcs_text(VMCS_GUEST_RSP), rip = vmcs_text(VMCS_GUEST_RIP),
                     rflags = vmcs_text(VMCS_GUEST_RFLAGS), cr0 = vmcs_text(VMCS_GUEST_CR0),
                     efer = vmcs_text(VMCS_GUEST_IA32_EFER), rights = vmcs_text(VMCS_GUEST_CS_ACCESS_RIGHTS);
    char symbol[GUEST_SYMBOL_TEXT];

    for (unsigned i = 0; i < GPR_COUNT; i++) {
        if (i % 4 == 0)
            console_printf("adept:   regs:");
        if (i == GPR_RSP && !rsp.readable)
            console_printf(" rsp=%-18s", rsp.text);
        else
            print_register(names[i], i == GPR_RSP ? rsp.value : vcpu->registers.gpr[i]);
        if (i % 4 == 3)
            console_printf("\n");
    }
    console_printf("adept:   regs: rip=%s", rip.text);
    if (rip.readable) {
        guest_symbols_text(vcpu->vm->symbols, symbol, sizeof(symbol), vcpu_report_linear_rip());
        console_printf("%s", symbol);
    }
    console_printf(" rflags=%s", rflags.text);
    print_words(vcpu_rflags_words, &rflags);
    if (cr0.readable && efer.readable && rflags.readable && rights.readable)
        console_printf(" mode=\"%s\"", vcpu_mode_words(cr0.value, efer.value, rflags.value, rights.value));
    console_printf("\n");
}

static void print_control(const char *name, enum vmcs_field field, enum vmcs_field shadow,
                          size_t (*words)(char *, size_t, uint64_t))
{
    struct vmcs_text value = vmcs_text(field);

    console_printf("adept:   ctrl: %s=%s", name, value.text);
    print_words(words, &value);
    console_printf(" read_shadow=%s\n", vmcs_text(shadow).text);
}

void vcpu_report_control_registers(const struct vcpu *vcpu)
{
    struct vmcs_text efer = vmcs_text(VMCS_GUEST_IA32_EFER);

    (void)vcpu; /* what is no VMCS field stays in the processor while the vCPU is on it */
    print_control("cr0", VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, vcpu_cr0_words);
    console_printf("adept:   ctrl: cr2=%#llx cr3=%s\n", (unsigned long long)cr2_read(),
                   vmcs_text(VMCS_GUEST_CR3).text);
    print_control("cr4", VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, vcpu_cr4_words);
    console_printf("adept:   ctrl: efer=%s", efer.text);
    print_words(vcpu_efer_words, &efer);
    console_printf(" pat=%s", vmcs_text(VMCS_GUEST_IA32_PAT).text);
    if (guest_cpuid_xcr0_bits() != 0)
        console_printf(" xcr0=%#llx", (unsigned long long)xcr0_read());
    console_printf("\nadept:   ctrl: dr0=%#llx dr1=%#llx dr2=%#llx dr3=%#llx dr6=%#llx dr7=%s\n",
                   (unsigned long long)dr0_read(), (unsigned long long)dr1_read(),
                   (unsigned long long)dr2_read(), (unsigned long long)dr3_read(),
                   (unsigned long long)dr6_read(), vmcs_text(VMCS_GUEST_DR7).text);
    console_printf("adept:   ctrl: sysenter_cs=%s sysenter_esp=%s sysenter_eip=%s star=%#llx lstar=%#llx "
                   "fmask=%#llx kernel_gs_base=%#llx\n",
                   vmcs_text(VMCS_GUEST_IA32_SYSENTER_CS).text, vmcs_text(VMCS_GUEST_IA32_SYSENTER_ESP).text,
                   vmcs_text(VMCS_GUEST_IA32_SYSENTER_EIP).text, (unsigned long long)msr_read(MSR_IA32_STAR),
                   (unsigned long long)msr_read(MSR_IA32_LSTAR), (unsigned long long)msr_read(MSR_IA32_FMASK),
                   (unsigned long long)msr_read(MSR_IA32_KERNEL_GS_BASE));
}
