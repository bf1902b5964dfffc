; SPDX-License-Identifier: MIT
;
; Echoes what is typed, read by INT 16h AH=00h, which sleeps until a key comes. Escape ends it.

%include "guest.inc"

    guest_start
    sti
    print "typed_bios: waits", 10
next_key:
    mov ah, 0
    int 0x16
    cmp al, 27
    je done
    cmp al, 13
    jne echo
    mov al, 10
echo:
    call put_16
    jmp next_key
done:
    print "typed_bios: done", 10
    pass

    guest_routines 16
    times 510 - ($ - $$) db 0
    dw 0xaa55
