; SPDX-License-Identifier: MIT
;
; A multiboot kernel that checks the state it is entered in and every field of its information structure. One
; source, made three ways by test/emu/loading.py: ELF32, ELF64, and with -D ADDRESS_FIELDS a plain file whose header
; says where it goes. It wants mem=16M, arguments as EXPECTED_ARGUMENTS, and two modules.

%include "guest.inc"

MAGIC equ 0x1badb002
BOOTED equ 0x2badb002
%ifdef ADDRESS_FIELDS
FLAGS equ 1 << 16 | 3
EXPECTED_FLAGS equ 0x124f
%else
FLAGS equ 7                     ; and a video mode
EXPECTED_FLAGS equ 0x126f
%endif
BSS_SIZE equ 0x3000
%ifidn __OUTPUT_FORMAT__, elf64
SECTION_ADDRESS equ 16
%else
SECTION_ADDRESS equ 12
%endif

    bits 32
%ifdef ADDRESS_FIELDS
    org 0x100000
%else
    section .text
    global start
%endif
image:
    align 4
header:
    dd MAGIC, FLAGS, -(MAGIC + FLAGS) & 0xffffffff
%ifdef ADDRESS_FIELDS
    dd header, image, image_end, image_end + BSS_SIZE, start
%else
    dd 0, 0, 0, 0, 0
    dd 1, 80, 25, 0             ; a text mode
%endif

start:
    mov [found_eax], eax
    mov [found_ebx], ebx
    mov esp, stack_top
    pushfd
    pop dword [found_flags]
    check_equal dword [found_eax], BOOTED, "entry: EAX"
    test dword [found_flags], 1 << 9 | 1 << 17
    check_condition z, "entry: EFLAGS.IF or VM"
    mov eax, cr0
    and eax, CR0_PE | CR0_PG
    check_equal eax, CR0_PE, "entry: CR0"
; Every segment reaches all memory; the selectors lead nowhere that may be relied on.
    mov ebx, GUEST_ROM_SIGNATURE
    check_equal dword [ds:ebx], "ADEP", "entry: DS"
    check_equal dword [es:ebx], "ADEP", "entry: ES"
    check_equal dword [fs:ebx], "ADEP", "entry: FS"
    check_equal dword [gs:ebx], "ADEP", "entry: GS"
    check_equal dword [ss:ebx], "ADEP", "entry: SS"
    check_equal dword [cs:ebx], "ADEP", "entry: CS"
    mov edi, bss
    mov ecx, BSS_SIZE / 4 - 0x400   ; the stack is at its end
    xor eax, eax
    repe scasd
    check_condition e, "the memory behind the file is not zero"

    mov ebp, [found_ebx]
    check_equal dword [ebp], EXPECTED_FLAGS, "information: flags"
    check_equal dword [ebp + 4], 639, "information: mem_lower"
    check_equal dword [ebp + 8], 15 << 10, "information: mem_upper"
    check_equal dword [ebp + 12], 0x80ffffff, "information: boot_device"
    mov esi, [ebp + 16]
    mov edi, expected_arguments
    call same_string
    check_condition e, "information: cmdline"
    mov esi, [ebp + 64]
    mov edi, expected_loader
    call same_string
    check_condition e, "information: boot_loader_name"
%ifndef ADDRESS_FIELDS
    check_equal dword [ebp + 88], 0xb8000, "information: framebuffer_addr"
    check_equal dword [ebp + 96], 160, "information: framebuffer_pitch"
    check_equal dword [ebp + 100], 80, "information: framebuffer_width"
    check_equal dword [ebp + 104], 25, "information: framebuffer_height"
    check_equal word [ebp + 108], 0x0210, "information: framebuffer_bpp, type"
%endif
%ifndef ADDRESS_FIELDS
    call sections
%endif
    call modules
    call memory_map
    print "multiboot: state and information are right", 10
    pass

%ifndef ADDRESS_FIELDS
; The section headers lie behind the modules, and what their names and the symbols' names are at, too.
sections:
    mov ebx, [ebp + 36]
    mov eax, [ebp + 24]
    mov eax, [eax + 16 + 4]     ; the last module's end
    cmp ebx, eax
    check_condition ae, "sections: their headers lie over a module"
    mov ecx, [ebp + 28]
    mov esi, [ebp + 40]
    cmp esi, ecx
    check_condition b, "sections: no section of names"
    imul esi, [ebp + 32]
    add esi, ebx
    mov edi, [esi + SECTION_ADDRESS]
    cmp edi, ebx
    check_condition a, "sections: the names have no address"
    mov eax, [esi]              ; where in them is their own section's
    add edi, eax
    mov esi, expected_names
    mov ecx, 10
    repe cmpsb
    check_condition e, "sections: the name of the names"
    xor edx, edx                ; sections of type 2: symbols
    mov ecx, [ebp + 28]
    mov esi, ebx
.next:
    cmp dword [esi + 4], 2
    jne .other
    inc edx
    cmp dword [esi + SECTION_ADDRESS], ebx
    check_condition a, "sections: the symbols have no address"
    mov edi, [esi + SECTION_ADDRESS]
    check_equal dword [edi], 0, "sections: the first symbol"
.other:
    cmp dword [esi + SECTION_ADDRESS], header
    jne .not_code
    or edx, 0x100               ; the code's own address stays
.not_code:
    add esi, [ebp + 32]
    loop .next
    check_equal edx, 0x101, "sections: symbols and code"
    ret
%endif

modules:
    check_equal dword [ebp + 20], 2, "information: mods_count"
    mov ebx, [ebp + 24]
    mov esi, [ebx + 8]
    mov edi, expected_first
    call same_string
    check_condition e, "first module: string"
    mov esi, [ebx + 16 + 8]
    mov edi, expected_second
    call same_string
    check_condition e, "second module: string"
    mov eax, [ebx]
    or eax, [ebx + 16]
    test eax, 0xfff
    check_condition z, "modules: not on page boundaries"
    cmp dword [ebx], image_end + BSS_SIZE
    check_condition ae, "first module: lies over the kernel"
    mov eax, [ebx + 4]
    cmp [ebx + 16], eax
    check_condition ae, "second module: lies over the first"
    sub eax, [ebx]
    check_equal eax, 5000, "first module: length"
    mov eax, [ebx + 16 + 4]
    sub eax, [ebx + 16]
    check_equal eax, 3, "second module: length"
    mov eax, [ebx]
    check_equal dword [eax], "1111", "first module: begin"
    check_equal dword [eax + 4996], "1111", "first module: end"
    check_equal byte [eax + 5000], 0, "first module: what is behind it"
    mov eax, [ebx + 16]
    mov eax, [eax]
    check_equal eax, 0x323232, "second module: content"
    ret

; Usable memory is what mem= says less what is reserved, and begins where it should.
memory_map:
    mov ebx, [ebp + 48]
    mov ecx, [ebp + 44]
    add ecx, ebx
    xor esi, esi
    check_equal dword [ebx + 4], 0, "memory map: the first range"
    check_equal dword [ebx + 12], 639 << 10, "memory map: the first range's length"
    check_equal dword [ebx + 20], 1, "memory map: the first range's type"
.next:
    check_equal dword [ebx], 20, "memory map: size of an entry"
    cmp dword [ebx + 20], 1
    jne .reserved
    add esi, [ebx + 12]
.reserved:
    add ebx, [ebx]
    add ebx, 4
    cmp ebx, ecx
    jb .next
    check_equal ebx, ecx, "memory map: length"
    check_equal esi, (639 << 10) + (15 << 20), "memory map: usable bytes"
    ret

; ZF: the strings at ESI and EDI are the same. Prints the first.
same_string:
    push esi
    call print_32
    pop esi
    print 10
.next:
    mov al, [esi]
    cmp al, [edi]
    jne .return
    inc esi
    inc edi
    test al, al
    jnz .next
.return:
    ret

    guest_routines 32

expected_arguments: db EXPECTED_ARGUMENTS, 0
expected_loader: db "Adept", 0
expected_first: db EXPECTED_FIRST, 0
expected_second: db EXPECTED_SECOND, 0
expected_names: db ".shstrtab", 0
found_eax: dd 0
found_ebx: dd 0
found_flags: dd 0
image_end:
%ifdef ADDRESS_FIELDS
bss equ image_end
stack_top equ image_end + BSS_SIZE
%else
    section .bss
    align 16
bss: resb BSS_SIZE
stack_top:
%endif
