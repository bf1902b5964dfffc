/* SPDX-License-Identifier: MIT */
/*
 * The RDMSR and WRMSR exits, and the bitmap that says which MSRs exit at all. What is not known here does not
 * exist for a guest: #GP. SDM vol. 4, "Architectural MSRs".
 */
#include "vmm/exit/msr.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "ept/page_type.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/host/panic.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/apic_page.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/vm/devices.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/pause.h"
#include "vmm/vm/tables.h"
#include "vmm/vcpu/vmcs.h"

#define MISC_ENABLE_FAST_STRINGS (UINT64_C(1) << 0)
/* Three bytes of VEX, opcode, ModRM, four bytes of the MSR's number. */
#define WRMSRNS_IMMEDIATE_LENGTH 9

/* The bitmap's four parts. SDM vol. 3, "MSR-Bitmap Address". */
#define BITMAP_READ_LOW   0
#define BITMAP_READ_HIGH  1024
#define BITMAP_WRITE_LOW  2048
#define BITMAP_WRITE_HIGH 3072
#define MSR_HIGH_BASE     0xc0000000u

static void allow(uint8_t *bitmap, uint32_t msr, bool read, bool write)
{
    bool high = msr >= MSR_HIGH_BASE;
    uint32_t index = msr & 0x1fff;

    if (read)
        bitmap[(high ? BITMAP_READ_HIGH : BITMAP_READ_LOW) + index / 8] &= (uint8_t) ~(1u << index % 8);
    if (write)
        bitmap[(high ? BITMAP_WRITE_HIGH : BITMAP_WRITE_LOW) + index / 8] &= (uint8_t) ~(1u << index % 8);
}

/*
 * MSRs whose guest value stands in the VMCS, or is switched when a vCPU is loaded: the guest reads and writes
 * them itself. So is all of EFER, by every entry and exit; the processor refuses the bits that CPUID does not
 * tell of, and an exit saves the entry control that goes with LMA.
 */
void msr_bitmap_fill(void *bitmap)
{
    static const uint32_t own[] = {MSR_IA32_FS_BASE,     MSR_IA32_GS_BASE,      MSR_IA32_KERNEL_GS_BASE,
                                   MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
                                   MSR_IA32_STAR,        MSR_IA32_LSTAR,        MSR_IA32_CSTAR,
                                   MSR_IA32_FMASK,       MSR_IA32_EFER};

    memset(bitmap, 0xff, PAGE_SIZE);
    for (unsigned i = 0; i < array_count(own); i++)
        allow(bitmap, own[i], true, true);
    allow(bitmap, MSR_IA32_TIME_STAMP_COUNTER, true, false);
    allow(bitmap, MSR_IA32_PAT, true, false);
    if (guest_cpuid_has_rdtscp())
        allow(bitmap, MSR_IA32_TSC_AUX, true, true);
}

/* Each byte is 0, 1, 4, 5, 6 or 7. */
static bool pat_valid(uint64_t value)
{
    const uint64_t each = UINT64_C(0x0101010101010101);

    return (value & 0xf8 * each) == 0 && (value & ~(value >> 1) & 0x02 * each) == 0;
}

/* The TSC as the guest sees it is the processor's plus an offset; a write changes the offset. */
static bool write_tsc(struct vm *vm, uint64_t value)
{
    uint64_t tsc = tsc_read();

    if (vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PRIMARY, VMX_USE_TSC_OFFSETTING))
        return false;
    vmcs_write(VMCS_TSC_OFFSET, value - tsc);
    vm_lock_devices(vm);
    lapic_set_tsc(&vm->pc->lapic, value, guest_time_now(&vm->time, tsc));
    bus_device_accessed(&vm->pc->bus, &vm->pc->lapic);
    vm_unlock_devices(vm);
    return true;
}

/* The local APIC's registers: IA32_APIC_BASE, IA32_TSC_DEADLINE, and all of them in x2APIC mode. */
static bool write_apic(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct vm *vm = vcpu->vm;
    bool written;

    if (msr == MSR_IA32_APIC_BASE) /* the memory map changes with it */
        vm_pause(vm);
    vm_lock_devices(vm);
    written = pc_write_apic_msr(vm->pc, msr, value, guest_time_now(&vm->time, tsc_read()));
    vm_unlock_devices(vm);
    if (msr == MSR_IA32_APIC_BASE) {
        exit_quick_apic_changed(vm);
        vm_apic_moved(vm);
        vm_unpause(vm);
    }
    interrupts_look(vcpu->vm);
    return written;
}

static bool read_apic(struct vm *vm, uint32_t msr, uint64_t *value)
{
    bool there;

    vm_lock_devices(vm);
    there = lapic_read_msr(&vm->pc->lapic, msr, value, guest_time_now(&vm->time, tsc_read()));
    vm_unlock_devices(vm);
    return there;
}

enum msr_write {
    MSR_REFUSED, /* #GP */
    MSR_WRITTEN,
    MSR_UNFINISHED, /* the instruction is to be begun again */
};

/*
 * What was mapped with a type that the guest's MTRRs no longer give goes, and what has one type again becomes
 * large again. Part for part, at least one, as long as the exit may take. true: all of it is done.
 */
static bool follow_types(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    struct ept_retyped part;
    uint64_t merged;

    while (ept_guest_mtrr_step(&vm->ept, &part)) {
        if (!vm_flush(vm, part.flush) || !vm_merge(vm, part.start, part.end - part.start, &merged))
            vm_end(vm, VM_FAILED, "INVEPT fails after a change of the MTRRs");
        if (tsc_read() >= exit_piece_end(vcpu))
            break;
    }
    return !ept_guest_mtrr_pending(&vm->ept);
}

/*
 * The other vCPUs are kept out of the engine: the types are a part of the memory map. A register has its new
 * value at once, and the memory that is touched from then on its new type; the instruction ends when all of
 * it has. Who writes in between, another vCPU or an interrupt's handler, ends that first.
 */
static enum msr_write write_mtrr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct vm *vm = vcpu->vm;
    enum msr_write written = MSR_WRITTEN;
    uint64_t old;

    if (!guest_mtrr_read(&vm->guest_mtrr, msr, &old))
        return MSR_REFUSED;
    vm_pause(vm);
    if (!follow_types(vcpu)) {
        written = MSR_UNFINISHED;
    } else {
        switch (guest_mtrr_write(&vm->guest_mtrr, msr, value)) {
        case GUEST_MTRR_CHANGED:
            ept_guest_mtrr_begin(&vm->ept, &vm->guest_mtrr);
            if (!follow_types(vcpu))
                written = MSR_UNFINISHED;
            break;
        case GUEST_MTRR_SAME:
            break;
        case GUEST_MTRR_NOT_ONE:
        case GUEST_MTRR_INVALID:
            written = MSR_REFUSED;
        }
    }
    vm_unpause(vm);
    return written;
}

static const struct {
    uint32_t number;
    uint64_t value;
} constants[] = {
#define CONSTANT_MSR(number, value) {number, value},
#include "vmm/exit/constant_msrs.def"
#undef CONSTANT_MSR
};

/* Each has its place of the table: two at one place are two cases with one label. */
static inline void each_has_its_place(unsigned place)
{
    switch (place) {
#define CONSTANT_MSR(number, value) case (number) % QUICK_MSRS:
#include "vmm/exit/constant_msrs.def"
#include "vmm/devices/pc.h"
#undef CONSTANT_MSR
    default:
        break;
    }
}

void msr_constants_fill(struct quick_msr *table)
{
    each_has_its_place(0);
    /* A place that no constant has is found by none: the number that stands there has another place. */
    for (unsigned place = 0; place < QUICK_MSRS; place++)
        table[place].number.key = (place + 1) % QUICK_MSRS;
    for (unsigned i = 0; i < array_count(constants); i++) {
        struct quick_msr *msr = &table[constants[i].number % QUICK_MSRS];

        msr->number.key = constants[i].number;
        msr->low = (uint32_t)constants[i].value;
        msr->high = (uint32_t)(constants[i].value >> 32);
    }
}

/* Those that the bitmap passes through never come here. */
static bool read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct quick_msr *constant = &vcpu->quick_msrs[msr % QUICK_MSRS];

    if (lapic_has_msr(msr))
        return read_apic(vcpu->vm, msr, value);
    if (constant->number.key == msr) {
        *value = (uint64_t)constant->high << 32 | constant->low;
        return true;
    }
    if (msr == MSR_IA32_P5_MC_ADDR || msr == MSR_IA32_P5_MC_TYPE) {
        *value = 0; /* a machine check exception is the machine's: a guest has none */
        return true;
    }
    return guest_mtrr_read(&vcpu->vm->guest_mtrr, msr, value);
}

static enum msr_write write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_IA32_TIME_STAMP_COUNTER:
        return write_tsc(vcpu->vm, value) ? MSR_WRITTEN : MSR_REFUSED;
    case MSR_IA32_PAT:
        if (!pat_valid(value))
            return MSR_REFUSED;
        vmcs_write(VMCS_GUEST_IA32_PAT, value);
        return MSR_WRITTEN;
    case MSR_IA32_DEBUGCTL:     /* no branch records, no BTF */
    case MSR_IA32_BIOS_SIGN_ID: /* written with 0 before it is read */
    case MSR_IA32_P5_MC_ADDR:
    case MSR_IA32_P5_MC_TYPE:
        return value == 0 ? MSR_WRITTEN : MSR_REFUSED;
    case MSR_IA32_MISC_ENABLE:
        return value == MISC_ENABLE_FAST_STRINGS ? MSR_WRITTEN : MSR_REFUSED;
    default:
        if (!lapic_has_msr(msr))
            return write_mtrr(vcpu, msr, value);
        return write_apic(vcpu, msr, value) ? MSR_WRITTEN : MSR_REFUSED;
    }
}

enum exit_action exit_rdmsr(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->registers.gpr;
    uint64_t value;

    exit_count_subject(vcpu, SUBJECT_MSR, (uint32_t)gpr[GPR_RCX]);
    if (!read_msr(vcpu, (uint32_t)gpr[GPR_RCX], &value))
        return exit_inject_gp(vcpu);
    gpr[GPR_RAX] = (uint32_t)value;
    gpr[GPR_RDX] = value >> 32;
    return EXIT_ACTION_ADVANCE;
}

enum exit_action exit_wrmsr(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    exit_count_subject(vcpu, SUBJECT_MSR, (uint32_t)gpr[GPR_RCX]);
    switch (write_msr(vcpu, (uint32_t)gpr[GPR_RCX], (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX])) {
    case MSR_REFUSED:
        return exit_inject_gp(vcpu);
    case MSR_UNFINISHED:
        return exit_again(vcpu);
    case MSR_WRITTEN:
        break;
    }
    return !vm_has_ended(vcpu->vm) ? EXIT_ACTION_ADVANCE : EXIT_ACTION_STOP;
}

/*
 * The newest Bochs leaves by this reason for WRMSRNS without an immediate operand, too, for which processors
 * use WRMSR's. The length tells them apart. CPUID hides the form with an operand from guests; the other one
 * works where the processor has it, as it does for an MSR that the bitmap passes through.
 */
enum exit_action exit_wrmsrns(struct vcpu *vcpu)
{
    return vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH) < WRMSRNS_IMMEDIATE_LENGTH ? exit_wrmsr(vcpu)
                                                                              : exit_inject_ud(vcpu);
}
