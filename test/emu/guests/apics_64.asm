; SPDX-License-Identifier: MIT
;
; The same as apics.asm in 64-bit code.

%define LONG
%include "test/emu/guests/apics.asm"
