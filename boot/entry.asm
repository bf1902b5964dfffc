; SPDX-License-Identifier: MIT
;
; The first instruction: from the loader's 32-bit protected mode to adept_main() in 64-bit mode.
;
; The image may stand elsewhere than linked (relocatable tag), by a multiple of 2 MiB: nothing in the 32-bit
; part may use an absolute address. EBP holds the physical address of boot_entry; memory in other sections
; is found through words that hold its distance from themselves.
;
; At entry (both protocols): EAX magic, EBX the loader's information, paging off, interrupts off; all else
; is the firmware's.

%include "layout_abi.inc"

MAGIC_MULTIBOOT1 equ 0x2badb002
MAGIC_MULTIBOOT2 equ 0x36d76289

; HOST_CR0, HOST_CR4 and EFER of arch/x86/control_registers.h; control_registers_set() adds what depends on
; the CPU.
BOOT_CR0 equ 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1 << 0
BOOT_CR4 equ 1 << 7 | 1 << 6 | 1 << 5
MSR_EFER equ 0xc0000080
BOOT_EFER equ 1 << 11 | 1 << 8

CPUID_NX equ 1 << 20
CPUID_LM equ 1 << 29

PAGE_PRESENT_WRITE equ 0x03
PAGE_LARGE         equ 0x83

COM1          equ 0x3f8
DEBUG_EXIT    equ 0xf4
VGA_TEXT      equ 0xb8000
POLL_BOUND    equ 100000
STATUS_REFUSED equ 2

BOOT_STACK_SIZE equ 32768

%define BY_BASE(label) ebp + (label) - boot_entry

section .boot progbits alloc exec nowrite align=16
bits 32

global boot_entry
boot_entry:
    cli
    cld
    cmp eax, MAGIC_MULTIBOOT2
    je .find_myself
    cmp eax, MAGIC_MULTIBOOT1
    jne .halt                           ; started by whom, and what may be written? Not even a stack is known

; The second word of the information serves as a stack for one CALL and is put back.
.find_myself:
    mov edx, [ebx + 4]
    lea esp, [ebx + 8]
    call .here
.here:
    pop ebp
    mov [ebx + 4], edx
    sub ebp, .here - boot_entry
    mov edi, eax                        ; the magic, for C
    mov esi, ebx                        ; the information, for C
    rdtsc
    mov [BY_BASE(boot_tsc)], eax
    mov [BY_BASE(boot_tsc) + 4], edx

    lea esp, [BY_BASE(stack_distance)]
    add esp, [esp]

; Long mode and no-execute must be there.
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb .refuse
    mov eax, 0x80000001
    cpuid
    and edx, CPUID_LM | CPUID_NX
    cmp edx, CPUID_LM | CPUID_NX
    jne .refuse

    call build_tables
    mov eax, BOOT_CR4
    mov cr4, eax
    mov ecx, MSR_EFER
    mov eax, BOOT_EFER
    xor edx, edx
    wrmsr

    lea eax, [BY_BASE(boot_gdt)]
    mov [BY_BASE(boot_gdtr.base)], eax
    lgdt [BY_BASE(boot_gdtr)]
    mov eax, BOOT_CR0
    mov cr0, eax
    push dword 8
    lea eax, [BY_BASE(long_mode)]
    push eax
    retf

.refuse:
    lea esi, [BY_BASE(no_long_mode)]
    call print_early
    mov al, STATUS_REFUSED
    out DEBUG_EXIT, al
.halt:
    hlt
    jmp .halt

; Writes the eight boot tables and loads CR3. Maps the first 4 GiB at 0 and at DIRECT_MAP_BASE, and the
; image's 2 MiB pages at its link address; all of it writable and executable until paging_init().
build_tables:
    push edi
    lea ebx, [BY_BASE(tables_distance)]
    add ebx, [ebx]
    mov edi, ebx
    xor eax, eax
    mov ecx, 8 * 4096 / 4
    rep stosd

    lea eax, [ebx + 0x1000 + PAGE_PRESENT_WRITE]
    mov [ebx], eax                                          ; PML4[0] -> low PDPT
    mov [ebx + 8 * ((DIRECT_MAP_BASE >> 39) & 511)], eax    ; the same for the direct map
    lea eax, [ebx + 0x6000 + PAGE_PRESENT_WRITE]
    mov [ebx + 8 * 511], eax                                ; PML4[511] -> high PDPT
    lea eax, [ebx + 0x7000 + PAGE_PRESENT_WRITE]
    mov [ebx + 0x6000 + 8 * ((KERNEL_VIRTUAL_BASE >> 30) & 511)], eax

    lea eax, [ebx + 0x2000 + PAGE_PRESENT_WRITE]            ; low PDPT -> four page directories
    lea edi, [ebx + 0x1000]
    mov ecx, 4
.pdpt:
    mov [edi], eax
    add eax, 0x1000
    add edi, 8
    loop .pdpt

    lea edi, [ebx + 0x2000]
    mov eax, PAGE_LARGE
    mov ecx, 4 * 512
.low:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop .low

    ; The entry lies in the image's first 2 MiB: that page comes first, and eight cover the 16 MiB that
    ; linker.ld allows, one more its end. (LINK_PHYSICAL is a multiple of 2 MiB.)
    mov eax, ebp
    and eax, ~0x1fffff
    or eax, PAGE_LARGE
    lea edi, [ebx + 0x7000 + 8 * (LINK_PHYSICAL >> 21)]
    mov ecx, 9
.image:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop .image

    mov cr3, ebx
    pop edi
    ret

; Prints the string at ESI on COM1, each wait bounded, and in VGA's first line: a machine without long mode
; has text mode.
print_early:
    mov edi, VGA_TEXT
.next:
    lodsb
    test al, al
    jz .done
    mov ah, 0x4f
    cmp al, 10
    je .serial
    mov [edi], ax
    add edi, 2
.serial:
    mov bl, al
    mov ecx, POLL_BOUND
    mov edx, COM1 + 5
.wait:
    in al, dx
    test al, 0x20
    loopz .wait
    mov edx, COM1
    mov al, bl
    out dx, al
    jmp .next
.done:
    ret

bits 64
long_mode:
    mov rax, .high
    jmp rax
.high:
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov rsp, boot_stack_top
    mov edi, edi
    mov esi, esi
    mov edx, ebp
    mov rax, boot_entry - KERNEL_VIRTUAL_BASE
    sub rdx, rax                        ; image_load_delta
    xor ebp, ebp                        ; where stack traces end
    extern adept_main
    mov rax, adept_main
    call rax
    ud2                                 ; adept_main does not return

    align 8
boot_gdt:
    dq 0
    dq 0x00209a0000000000               ; 64-bit code
boot_gdt_end:
boot_gdtr:
    dw boot_gdt_end - boot_gdt - 1
.base:
    dd 0

    align 8
; When the hypervisor was entered, for vmm/report/start.c. Written before paging makes this section read-only.
global boot_tsc
boot_tsc:
    dq 0
stack_distance:
    dd boot_stack_top - $
tables_distance:
    dd boot_tables - $

no_long_mode:
    db "adept: refused: long mode or no-execute is missing (a 64-bit processor with both is needed; look for "
    db '"Execute Disable" in the firmware settings)', 10, 0

section .bss nobits alloc noexec write align=4096
; PML4, low PDPT, four page directories, high PDPT, image's page directory. The APs pass through them too.
global boot_tables
boot_tables:
    resb 8 * 4096
global boot_stack_bottom
boot_stack_bottom:
    resb BOOT_STACK_SIZE
global boot_stack_top
boot_stack_top:
