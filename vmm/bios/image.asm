; SPDX-License-Identifier: MIT
;
; The real-mode part of the guests' BIOS (guests/bios/), as bytes of the image.

    section .rodata
    global bios_image, bios_image_end
    align 16
bios_image:
    incbin "bios.bin"
bios_image_end:
