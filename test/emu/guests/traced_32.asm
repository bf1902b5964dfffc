; SPDX-License-Identifier: MIT
;
; The same as traced.asm in 32-bit code.

%define MODE 32
%include "test/emu/guests/traced.asm"
