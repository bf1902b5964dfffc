; SPDX-License-Identifier: MIT
;
; The same as quick.asm in 32-bit code.

%define MODE 32
%include "test/emu/guests/quick.asm"
