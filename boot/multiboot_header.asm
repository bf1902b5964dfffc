; SPDX-License-Identifier: MIT
;
; What a multiboot loader looks for in the first 8 KiB (multiboot 1) or 32 KiB (multiboot 2) of the file.
; Multiboot Specification 0.6.96, "OS image format"; Multiboot2 Specification 2.0, "OS image format".

%include "layout_abi.inc"

MULTIBOOT1_MAGIC equ 0x1badb002
MULTIBOOT1_FLAGS equ 1 << 0 | 1 << 1       ; modules on page boundaries; memory information

MULTIBOOT2_MAGIC equ 0xe85250d6
MULTIBOOT2_I386  equ 0                     ; entered in 32-bit protected mode, on UEFI too
TAG_OPTIONAL     equ 1

TAG_INFORMATION_REQUEST equ 1
TAG_FRAMEBUFFER         equ 5
TAG_MODULE_ALIGNMENT    equ 6
TAG_RELOCATABLE         equ 10

INFORMATION_COMMAND_LINE equ 1
INFORMATION_LOADER_NAME  equ 2
INFORMATION_MODULE       equ 3
INFORMATION_MEMORY_MAP   equ 6
INFORMATION_FRAMEBUFFER  equ 8
INFORMATION_EFI64_TABLE  equ 12
INFORMATION_ACPI_OLD     equ 14
INFORMATION_ACPI_NEW     equ 15
INFORMATION_EFI_MAP      equ 17
INFORMATION_LOAD_BASE    equ 21

LOAD_ANYWHERE_LOW equ 1                    ; preference of the relocatable tag: the lowest address

section .multiboot progbits alloc noexec nowrite align=8

multiboot1_header:
    dd MULTIBOOT1_MAGIC
    dd MULTIBOOT1_FLAGS
    dd -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)

    align 8
multiboot2_header:
    dd MULTIBOOT2_MAGIC
    dd MULTIBOOT2_I386
    dd multiboot2_end - multiboot2_header
    dd -(MULTIBOOT2_MAGIC + MULTIBOOT2_I386 + (multiboot2_end - multiboot2_header))

    align 8
information_request:
    dw TAG_INFORMATION_REQUEST, TAG_OPTIONAL
    dd information_request_end - information_request
    dd INFORMATION_COMMAND_LINE, INFORMATION_LOADER_NAME, INFORMATION_MODULE, INFORMATION_MEMORY_MAP
    dd INFORMATION_FRAMEBUFFER, INFORMATION_EFI64_TABLE, INFORMATION_ACPI_OLD, INFORMATION_ACPI_NEW
    dd INFORMATION_EFI_MAP, INFORMATION_LOAD_BASE
information_request_end:

    align 8
    dw TAG_MODULE_ALIGNMENT, 0
    dd 8

    align 8
    dw TAG_FRAMEBUFFER, TAG_OPTIONAL
    dd 20
    dd 0, 0, 0                             ; any width, height, depth

; The boot tables map the image with 2 MiB pages: so a multiple of 2 MiB, and below 4 GiB like everything
; that GRUB loads.
    align 8
    dw TAG_RELOCATABLE, 0
    dd 24
    dd LINK_PHYSICAL, 0xffffffff, 0x200000, LOAD_ANYWHERE_LOW

    align 8
    dw 0, 0
    dd 8
multiboot2_end:
