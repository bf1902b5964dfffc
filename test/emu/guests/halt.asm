; SPDX-License-Identifier: MIT
;
; How many programs end.

%include "guest.inc"

    guest_start
    cli
    hlt
    fail "HLT is no end"
    guest_routines 16
