; SPDX-License-Identifier: MIT
;
; The same as halts.asm, and in the end both vCPUs are halted.

%define ALL
%include "test/emu/guests/halts.asm"
