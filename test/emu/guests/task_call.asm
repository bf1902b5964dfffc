; SPDX-License-Identifier: MIT
;
; The same as task.asm by CALL.

%define BY_CALL
%include "test/emu/guests/task.asm"
