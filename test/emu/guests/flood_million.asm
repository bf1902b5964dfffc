; SPDX-License-Identifier: MIT
;
; flood.asm with a million exits.

%define PAIRS 500000
%include "test/emu/guests/flood.asm"
