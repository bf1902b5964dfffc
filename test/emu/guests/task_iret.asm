; SPDX-License-Identifier: MIT
;
; The same as task.asm by IRET.

%define BY_IRET
%include "test/emu/guests/task.asm"
