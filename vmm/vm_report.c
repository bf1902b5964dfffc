/* SPDX-License-Identifier: MIT */
/* The report at a VM's end: why, registers, code, events, the last exits, the EPT, and whether isolation
 * held. */
#include "vmm/vm_report.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/cpu.h"
#include "vmm/ept_dump.h"
#include "vmm/guest_memory.h"
#include "vmm/guest_output.h"
#include "vmm/host_test.h"
#include "vmm/isolation.h"
#include "vmm/memtype_report.h"
#include "vmm/screen_report.h"
#include "vmm/vm.h"
#include "vmm/vmcs_dump.h"
#include "vmm/walk_report.h"

#define LAST_EXITS 16
#define CODE_BYTES 16

static unsigned long long field(enum vmcs_field which)
{
    uint64_t value;

    return vmx_read(which, &value) == VMX_OK ? value : 0;
}

static void print_registers(const struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->registers.gpr;
    static const char *const names[GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

    for (unsigned i = 0; i < GPR_COUNT; i += 4) {
        console_printf("adept:  ");
        for (unsigned j = i; j < i + 4; j++)
            console_printf(" %s=%#llx", names[j],
                           j == GPR_RSP ? field(VMCS_GUEST_RSP) : (unsigned long long)gpr[j]);
        console_printf("\n");
    }
    console_printf("adept:   rip=%#llx rflags=%#llx cr0=%#llx cr2=%#llx cr3=%#llx cr4=%#llx efer=%#llx\n",
                   field(VMCS_GUEST_RIP), field(VMCS_GUEST_RFLAGS), field(VMCS_GUEST_CR0),
                   (unsigned long long)cr2_read(), field(VMCS_GUEST_CR3), field(VMCS_GUEST_CR4),
                   field(VMCS_GUEST_IA32_EFER));
}

static void print_segments(void)
{
    static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

    for (unsigned i = 0; i < array_count(names); i++)
        console_printf("adept:   %s=%04llx base=%#llx limit=%#llx rights=%#llx\n", names[i],
                       field((enum vmcs_field)(VMCS_GUEST_ES_SELECTOR + 2 * i)),
                       field((enum vmcs_field)(VMCS_GUEST_ES_BASE + 2 * i)),
                       field((enum vmcs_field)(VMCS_GUEST_ES_LIMIT + 2 * i)),
                       field((enum vmcs_field)(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * i)));
    console_printf("adept:   gdtr base=%#llx limit=%#llx idtr base=%#llx limit=%#llx\n",
                   field(VMCS_GUEST_GDTR_BASE), field(VMCS_GUEST_GDTR_LIMIT), field(VMCS_GUEST_IDTR_BASE),
                   field(VMCS_GUEST_IDTR_LIMIT));
}

static void print_event(void)
{
    console_printf("adept:   exit_reason=%#llx qualification=%#llx gpa=%#llx gla=%#llx\n",
                   field(VMCS_EXIT_REASON), field(VMCS_EXIT_QUALIFICATION),
                   field(VMCS_GUEST_PHYSICAL_ADDRESS), field(VMCS_GUEST_LINEAR_ADDRESS));
    console_printf(
        "adept:   interruption_information=%#llx error=%#llx idt_vectoring_information=%#llx error=%#llx\n",
        field(VMCS_EXIT_INTERRUPTION_INFORMATION), field(VMCS_EXIT_INTERRUPTION_ERROR_CODE),
        field(VMCS_IDT_VECTORING_INFORMATION), field(VMCS_IDT_VECTORING_ERROR_CODE));
    console_printf("adept:   activity=%#llx interruptibility=%#llx pending_debug=%#llx dr7=%#llx\n",
                   field(VMCS_GUEST_ACTIVITY_STATE), field(VMCS_GUEST_INTERRUPTIBILITY_STATE),
                   field(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), field(VMCS_GUEST_DR7));
}

static void print_code(struct vcpu *vcpu)
{
    uint64_t linear = field(VMCS_GUEST_CS_BASE) + field(VMCS_GUEST_RIP), fault;
    struct guest_paging paging;
    uint8_t code[CODE_BYTES];
    uint32_t error;

    guest_paging_state(vcpu, &paging);
    paging.user = false; /* the report may look where the guest's privilege may not */
    paging.rflags_ac = true;
    if (!(paging.efer & EFER_LMA))
        linear = (uint32_t)linear;
    if (guest_linear_read(vcpu, &paging, linear, code, sizeof(code), &fault, &error) != GUEST_PAGING_OK) {
        console_printf("adept:   code at %#llx: not in memory\n", (unsigned long long)linear);
        return;
    }
    console_printf("adept:   code at %#llx:", (unsigned long long)linear);
    for (unsigned i = 0; i < sizeof(code); i++)
        console_printf(" %02x", code[i]);
    console_printf("\n");
}

static void print_crash(struct vcpu *vcpu)
{
    const struct vm *vm = vcpu->vm;

    console_printf("adept: report: vm=%s cpu=%u ended: %s\n", vm->config.name, vcpu->cpu->percpu->index,
                   vm->end.why);
    print_registers(vcpu);
    print_segments();
    print_event();
    print_code(vcpu);
    console_printf("adept:   last exits:\n");
    trace_print_last(vcpu->cpu, LAST_EXITS);
    console_printf("adept: report: end vm=%s\n", vm->config.name);
}

void vm_report(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    if (!vcpu->ran)
        return;
    guest_output_flush(vcpu);
    trace_report_begin();
    if (vm->end.verdict != VM_PASSED && !vm->end.by_guest)
        print_crash(vcpu);
    if (vm->config.dump_vmcs)
        vmcs_dump();
    if (vm->config.dump_ept)
        ept_dump_print(vm);
    if (vm->config.dump_screen)
        screen_report(vm);
    for (unsigned i = 0; i < vm->config.memtype.count; i++)
        memtype_report(vcpu, vm->config.memtype.gpa[i]);
    host_test_before_audit(vm);
    walk_report(vcpu);
    if (!isolation_check(vm)) /* our own fault, whatever the guest says of itself */
        vm->end = (struct vm_end){.verdict = VM_FAILED, .why = "isolation violated: see above"};
    trace_report_end();
}
