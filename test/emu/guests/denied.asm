; SPDX-License-Identifier: MIT
; Accesses to RAM whose rights the guest has taken away, and a misconfigured entry of such RAM. The test reads the trace.
; With -D END=n alone the n-th of them is made: policy=end is to end the guest there.

%include "guest.inc"

PAGE_AT equ 0x30000

%macro set_rights 1
    mov ebx, PAGE_AT
    mov ecx, 0x1000
    mov edx, %1
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "SET_RIGHTS"
%endmacro

%macro plant 1
    set_rights 7
    mov ebx, PAGE_AT
    mov ecx, (%1) | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "PLANT_FAULT"
%endmacro

%ifndef END
END equ 0
%endif

    guest_start
    check_version
    mov ax, PAGE_AT >> 4
    mov es, ax
    mov dword [es:0], 0x12345678
    mov byte [es:8], 0xcb       ; RETF
%if END = 0 || END = 1
    set_rights 0
    mov eax, [es:0]
    check_equal eax, -1, "a read without any right"
    mov dword [es:0], 0
    inc dword [es:0]
    set_rights 3
    check_equal dword [es:0], 0x12345678, "a write without any right"
%endif
%if END = 0 || END = 2
    set_rights 1
    inc dword [es:0]
    mov byte [es:0], 0
    check_equal dword [es:0], 0x12345678, "a write to read-only RAM"
%endif
%if END = 0 || END = 3
    set_rights 3
    call PAGE_AT >> 4:8         ; goes ahead
%endif
    ; A misconfigured entry of RAM that has no rights by now: as any other access to it.
%if END = 0 || END = 4
    plant PLANT_WRITE_ONLY
    set_rights 0
    mov eax, [es:0]
    check_equal eax, -1, "a read through a bad entry"
    plant PLANT_MEMORY_TYPE_3
    set_rights 1
    mov dword [es:0], 0
    check_equal dword [es:0], 0x12345678, "a write through a bad entry"
%endif
    print "denied: as a bus would", 10
    pass

    guest_routines 16
