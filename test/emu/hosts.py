# SPDX-License-Identifier: MIT
"""Machines that cannot run guests, the boot by UEFI, and the launcher's own errors."""
import os

from harness import EMULATOR_TIMEOUT, Failure, emulator_test, launch, launcher_error, run_logged
from guests import cpu_lines


FIRMWARE = "/usr/share/ovmf/OVMF.fd"


def shipped_image(context, name, media, serial=True):
    """build/adept.iso in QEMU without VMX: it must come as far as the refusal, and end QEMU with its status."""

    def test():
        console = context.log(name + ".console")
        command = ["qemu-system-x86_64", "-machine", "q35", "-cpu", "max,vendor=GenuineIntel,family=6,model=94,stepping=3", "-m", "256", "-display", "none", "-monitor", "none",
                   "-no-reboot", "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                   "-serial", f"file:{console}" if serial else "none", *media]
        status = run_logged(command, context.log(name), timeout=EMULATOR_TIMEOUT)
        if status != 2 << 1 | 1:
            raise Failure(f"QEMU ends with status {status}, not {2 << 1 | 1} (refused)")
        if serial:
            with open(console, encoding="utf-8", errors="replace") as text:
                if "adept: refused: " not in text.read():
                    raise Failure(f"no refusal on the console (log: {console})")
    return name, test


def tests(context):
    refused = {"status": 2, "ran": False, "forbid": [r"^adept: panic:", r"^#\d+ "], "GUEST": "hello"}
    ends = r"^adept: end: \w+ status=2"
    # AMD: no VMX. Penryn: VMX without EPT. Lynnfield: EPT without unrestricted guest.
    yield emulator_test(context, "refused-ryzen", expect=[r"^adept: refused: .*(VMX|Intel)", ends], MODEL="ryzen", **refused)
    yield emulator_test(context, "refused-penryn", expect=[r"^adept: refused: .*(EPT|secondary)", ends],
                        MODEL="core2_penryn_t9600", **refused)
    yield emulator_test(context, "refused-lynnfield", expect=[r"^adept: refused: .*(?i:unrestricted)", ends],
                        MODEL="corei5_lynnfield_750", **refused)
    for name, uefi in (("refused-tcg-bios", 0), ("refused-tcg-uefi", 1)):
        # By UEFI, GRUB puts modules at 0x2000; Adept moves them above 1 MiB.
        yield emulator_test(context, name, expect=[r"^adept: refused: .*VMX", ends, *cpu_lines(4, "no"),
                                                   r"^adept: module: base=0x[0-9a-f]{6,} "], EMU="tcg",
                            UEFI=uefi, CPUS=4, **refused)
    yield emulator_test(context, "refused-tcg-multiboot1", expect=[r"^adept: refused: .*VMX", ends, *cpu_lines(2, "no")],
                        EMU="tcg", MULTIBOOT=1, CPUS=2, **refused)
    # More than 4 GiB: memory above it is mapped and used.
    yield emulator_test(context, "refused-tcg-5-GiB", expect=[r"^adept: refused: .*VMX", ends], EMU="tcg", MEM=5120, **refused)

    # The image for CD and USB as it ships, through its menu: on the oldest and on the newest way to boot, with a UART and without.
    iso = os.path.join(context.build, "adept.iso")
    cd, usb = ["-cdrom", iso, "-boot", "d"], ["-drive", f"file={iso},format=raw,if=none,id=usb,readonly=on", "-device", "qemu-xhci",
                                              "-device", "usb-storage,drive=usb"]
    yield shipped_image(context, "iso-cd-bios", cd)
    yield shipped_image(context, "iso-usb-bios", usb)
    yield shipped_image(context, "iso-cd-uefi", [*cd, "-bios", FIRMWARE])
    yield shipped_image(context, "iso-usb-uefi", [*usb, "-bios", FIRMWARE])
    yield shipped_image(context, "iso-no-serial", cd, serial=False)
    yield emulator_test(context, "iso-menu", ISO=iso, timeout=120, expect=[r"^adept: guest tour: pass"])

    yield launcher_error(context, "launcher-no-guest", "no guest 'nope'", GUEST="nope")
    yield launcher_error(context, "launcher-bad-model", "no such processor", MODEL="z80")
    yield launcher_error(context, "launcher-bad-memory", "MEM=6T is not a size in MiB, or in GiB with a G", MEM="6T")
    yield launcher_error(context, "launcher-bad-cpus", "CPUS=many", CPUS="many")
    yield launcher_error(context, "launcher-bad-emulator", "EMU=vmware", EMU="vmware")
    yield launcher_error(context, "launcher-bad-serial", "SERIAL=3", SERIAL=3)
    yield launcher_error(context, "launcher-bad-msrs", "BAD_MSRS=maybe", BAD_MSRS="maybe")
    yield launcher_error(context, "launcher-bochs-uefi", "UEFI=1 needs", UEFI=1)
    yield launcher_error(context, "launcher-quote", "GRUB would interpret", CMDLINE="trace='all'")

    def timeout():
        path = os.path.join(context.logs, "launcher-timeout.bin")
        with open(path, "wb") as output:
            output.write(bytes([0xeb, 0xfe]))
        run = launch(context, "launcher-timeout", timeout=6, GUEST=path, CMDLINE="trace=none")
        said = context.read_log("launcher-timeout.launcher")
        if run.status != 124 or "timeout after 6 s" not in said:
            raise Failure(f"exit status {run.status} instead of 124")
    yield "launcher-timeout", timeout
