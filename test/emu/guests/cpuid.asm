; SPDX-License-Identifier: MIT
;
; CPUID by the manual: a leaf above the highest one gives the data of the highest basic leaf, whatever XCR0 is; SYSCALL is told of in 64-bit mode
; alone. In real mode, 64-bit and compatibility mode.

%include "test/emu/guests/long_mode.inc"

CR4_OSXSAVE equ 1 << 18
SYSCALL_BIT equ 11
HYPERVISOR equ 0x40000000

    guest_start
    check_version
    xor eax, eax
    cpuid
    mov [highest], eax
    check_equal eax, 0x16, "the highest basic leaf: the rates of the clocks"
    mov eax, 0x15
    cpuid
    test ecx, ecx
    check_condition nz, "leaf 15H: the rate of the TSC"
    mov eax, 0x80000000
    cpuid
    mov [highest_extended], eax
    cmp eax, 0x80000008
    check_condition e, "the highest extended leaf"
    mov eax, HYPERVISOR
    cpuid
    check_equal eax, HYPERVISOR, "the highest leaf of the hypervisor's"
    mov eax, 0x80000001
    cpuid
    bt edx, SYSCALL_BIT
    check_condition nc, "SYSCALL in real mode"
    bt edx, 29
    check_condition c, "long mode in real mode"

    enter_long_mode
    xor ecx, ecx
    call compare_all
    mov ecx, 1
    call compare_all
    mov ecx, 2
    call compare_all
    print "cpuid: leaves above the highest", 10
    mov eax, 1
    cpuid
    test ecx, 1 << 26
    jz .no_xsave
    mov rax, cr4
    or eax, CR4_OSXSAVE
    mov cr4, rax
    xor ecx, ecx
    xor edx, edx
    mov eax, 7
    xsetbv
    xor ecx, ecx
    call compare_all
    mov eax, 1
    xor ecx, ecx
    xor edx, edx
    xsetbv
    xor ecx, ecx
    call compare_all
    print "cpuid: the same after changes of XCR0", 10
.no_xsave:
    mov eax, 0x80000001
    cpuid
    bt edx, SYSCALL_BIT
    check_condition c, "SYSCALL in 64-bit mode"
    mov eax, 0x80000001
    mov ecx, 5
    cpuid
    bt edx, SYSCALL_BIT
    check_condition c, "SYSCALL in 64-bit mode, ECX not 0"
    push qword LONG_CODE32
    push qword .compatibility
    retfq
    bits 32
.compatibility:
    mov eax, 0x80000001
    xor ecx, ecx
    cpuid
    mov esi, edx
    jmp LONG_CODE64:.long
    bits 64
.long:
    bt esi, SYSCALL_BIT
    check_condition nc, "SYSCALL in compatibility mode"
    bt esi, 29
    check_condition c, "long mode in compatibility mode"
    print "cpuid: SYSCALL", 10
    pass

; All leaves of the list that are above their range's highest, with this ECX.
compare_all:
    mov [subleaf], ecx
    mov esi, leaves
.next:
    mov eax, [rsi]
    cmp eax, 0x80000000
    jae .compare
    cmp eax, HYPERVISOR
    jae .compare
    cmp eax, [highest]
    jbe .skip
.compare:
    mov ecx, [subleaf]
    cpuid
    mov [data], eax
    mov [data + 4], ebx
    mov [data + 8], ecx
    mov [data + 12], edx
    mov eax, [highest]
    mov ecx, [subleaf]
    cpuid
    check_equal eax, [data], "EAX of a leaf above the highest"
    check_equal ebx, [data + 4], "EBX of a leaf above the highest"
    check_equal ecx, [data + 8], "ECX of a leaf above the highest"
    check_equal edx, [data + 12], "EDX of a leaf above the highest"
.skip:
    add esi, 4
    cmp esi, leaves_end
    jb .next
    ret

    long_routines
    guest_routines 64
    guest_routines 16
    align 4, db 0
highest: dd 0
highest_extended: dd 0
subleaf: dd 0
data: times 4 dd 0
leaves: dd 0x0c, 0x0d, 0x0e, 0x14, 0x15, 0x16, 0x17, 0x1f, 0x20, 0x1000, 0x3fffffff, HYPERVISOR + 1, HYPERVISOR + 0x1f, HYPERVISOR + 0x20, 0x4fffffff
    dd 0x50000000, 0x7fffffff, 0x80000009, 0x8000001f, 0x80000020, 0x8fffffff, 0xc0000000, 0xffffffff
leaves_end:
