; SPDX-License-Identifier: MIT
;
; The same as traced.asm in 64-bit code.

%define MODE 64
%include "test/emu/guests/traced.asm"
