; SPDX-License-Identifier: MIT
;
; Accesses over a page's border, for watches on the one page, on the other, and on both.

%include "guest.inc"

    guest_start
    mov dword [0x2ffe], 0x11223344      ; pages 2 and 3
    mov dword [0x4ffe], 0x55667788      ; pages 4 and 5
    mov dword [0x6ffd], 0x99aabbcc      ; pages 6 and 7
    mov eax, [0x6fff]
    print "watched_border: done", 10
    pass

    guest_routines 16
