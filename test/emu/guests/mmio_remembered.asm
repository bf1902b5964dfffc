; SPDX-License-Identifier: MIT
;
; An instruction at a device's register that is another one though its linear address is the same: because its bytes have changed, or an entry of the
; paging that leads to them, at each level, or CR3. It is executed twice each time, so that the hypervisor may remember it.

%include "guest.inc"

HPET_PERIOD equ 0xfed00004              ; not 0, and not at the start of a page
PML4 equ 0x10000
PDPT equ 0x11000
DIRECTORY_LOW equ 0x12000
DIRECTORY_HIGH equ 0x13000              ; of the fourth GiB
TABLE_OF_A equ 0x14000                  ; identical but for CODE
TABLE_OF_B equ 0x15000
PML4_OF_B equ 0x16000
PDPT_OF_B equ 0x17000
DIRECTORY_OF_B equ 0x18000
FRAME_A equ 0x30000                     ; MOV EAX, [RDI]; RET
FRAME_B equ 0x31000                     ; MOV EBX, [RDI]; RET
CODE equ 0x40000                        ; linear
LOADS_EAX equ 0xc3078b
LOADS_EBX equ 0xc31f8b

    guest_start
    check_version
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:protected
    bits 32
protected:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    cld
    xor eax, eax
    mov edi, PML4
    mov ecx, 0x9000 / 4
    rep stosd
    mov dword [PML4], PDPT | 3
    mov dword [PDPT], DIRECTORY_LOW | 3
    mov dword [PDPT + 3 * 8], DIRECTORY_HIGH | 3
    mov dword [DIRECTORY_LOW], TABLE_OF_A | 3
    mov dword [DIRECTORY_HIGH + 0x1f6 * 8], 0xfec00000 | 0x83
    mov dword [PML4_OF_B], PDPT_OF_B | 3
    mov dword [PDPT_OF_B], DIRECTORY_OF_B | 3
    mov dword [PDPT_OF_B + 3 * 8], DIRECTORY_HIGH | 3
    mov dword [DIRECTORY_OF_B], TABLE_OF_B | 3
    mov eax, 3
    xor ecx, ecx
.page:
    mov [TABLE_OF_A + ecx * 8], eax
    mov [TABLE_OF_B + ecx * 8], eax
    add eax, 0x1000
    inc ecx
    cmp ecx, 512
    jb .page
    mov dword [TABLE_OF_A + (CODE >> 12) * 8], FRAME_A | 3
    mov dword [TABLE_OF_B + (CODE >> 12) * 8], FRAME_B | 3
    mov dword [FRAME_A], LOADS_EAX
    mov dword [FRAME_B], LOADS_EBX
    mov eax, cr4
    or eax, 1 << 5
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp CODE64:code_64
    bits 64
code_64:
    mov edi, HPET_PERIOD
    mov ebp, [rdi]
    test ebp, ebp
    check_condition nz, "the period of the HPET is not 0"

%macro loads_eax 1
    call execute
    check_equal eax, ebp, %1, ": EAX"
    check_equal ebx, 0, %1, ": EBX"
%endmacro

%macro loads_ebx 1
    call execute
    check_equal ebx, ebp, %1, ": EBX"
    check_equal eax, 0, %1, ": EAX"
%endmacro

    loads_eax "as it is at first"
    mov dword [FRAME_A], LOADS_EBX
    loads_ebx "other bytes"
    mov dword [FRAME_A], LOADS_EAX
    loads_eax "the first bytes again"

    mov dword [TABLE_OF_A + (CODE >> 12) * 8], FRAME_B | 3
    invlpg [CODE]
    loads_ebx "another page"
    mov dword [TABLE_OF_A + (CODE >> 12) * 8], FRAME_A | 3
    invlpg [CODE]
    loads_eax "the first page again"

%macro by_entry 3                       ; entry, its value for B, its value for A
    mov dword [%1], %2 | 3
    mov rax, cr3
    mov cr3, rax
    loads_ebx "another table"
    mov dword [%1], %3 | 3
    mov rax, cr3
    mov cr3, rax
    loads_eax "the first table again"
%endmacro

    by_entry DIRECTORY_LOW, TABLE_OF_B, TABLE_OF_A
    by_entry PDPT, DIRECTORY_OF_B, DIRECTORY_LOW
    by_entry PML4, PDPT_OF_B, PDPT

    mov eax, PML4_OF_B
    mov cr3, rax
    loads_ebx "another CR3"
    mov eax, PML4
    mov cr3, rax
    loads_eax "the first CR3 again"
    print "mmio_remembered: each instruction is the one that is there", 10
    pass

; Twice; what the second time has loaded: EAX or EBX.
execute:
    mov ecx, CODE
    call rcx
    xor eax, eax
    xor ebx, ebx
    call rcx
    ret

    guest_routines 16
    guest_routines 64
    align 8, db 0
gdt:
    dq 0
code_32: dq 0x00cf9b000000ffff
data_32: dq 0x00cf93000000ffff
code_64_descriptor: dq 0x00af9b000000ffff
gdt_pointer:
    dw $ - gdt - 1
    dd gdt
CODE32 equ code_32 - gdt
DATA32 equ data_32 - gdt
CODE64 equ code_64_descriptor - gdt
