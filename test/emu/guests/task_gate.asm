; SPDX-License-Identifier: MIT
;
; The same as task.asm by a task gate.

%define BY_GATE
%include "test/emu/guests/task.asm"
