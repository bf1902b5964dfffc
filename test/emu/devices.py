# SPDX-License-Identifier: MIT
"""A guest's PC: each device as a guest finds it by its ports, and what the hypervisor says of it."""
import re

from exits import assemble, made_guest
from harness import Failure, check, launch

MODELS = ("corei7_icelake_u", "corei5_arrandale_m520")


PIT_HZ = 1193182


def rates(context, model):
    """The 8254 and the clock keep the rates that they have, by the TSC, within 0.1 %."""
    name = f"device-pit-{model}"

    def test():
        run = launch(context, name, CMDLINE="trace=none", MODEL=model, GUEST=f"{assemble(context, 'device_pit')} name=pit")
        check(context, name, run)
        said = re.search(r"^\[pit\] pit: (\d+) ticks in two seconds and (\d+) ticks of the TSC$", "\n".join(run.lines), re.MULTILINE)
        khz = re.search(r"^adept: tsc: khz=(\d+) ", "\n".join(run.lines), re.MULTILINE)
        if not said or not khz:
            raise Failure("the guest or the hypervisor did not say its numbers")
        seconds = int(said.group(2)) / (1000 * int(khz.group(1)))
        for what, value, expected in (("8254", int(said.group(1)) / seconds, PIT_HZ), ("clock", seconds, 2)):
            if abs(value / expected - 1) > 0.001:
                raise Failure(f"{what}: {value}, not {expected}")
    return name, test


def memory_size(context, size, kib):
    """What fw_cfg and the CMOS memory say of the RAM is what mem= gave."""

    def test():
        name = f"device-memory-{size}"
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{assemble(context, 'device_memory')} name=memory mem={size}")
        check(context, name, run, 0, [rf"^\[memory\] fw_cfg, e820 and CMOS agree on 0x{kib:08x} KiB$"])
    return f"device-memory-{size}", test


def resets(context):
    """Each way to reset the machine ends the guest, and the line names it."""
    for way, port in (("keyboard", "0x64"), ("port92", "0x92"), ("cf9", "0xcf9")):
        yield reset(context, way, port)


def reset(context, way, port):
    name = f"device-reset-{way}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'reset_' + way)} name=reset")
        check(context, name, run, 1, [rf"^adept: guest reset: fail \(guest reset: port {port}\)$"], forbid=[r"^adept: report:"])
    return name, test


def tests(context):
    for model in MODELS:
        for guest, expect in (
                ("device_uart", [r"^\[device_uart\] com2: from COM2$", r"^\[device_uart\] com4: from COM4$", r"^\[device_uart\] uart: all is well$",
                                 r" port=0x3ff .* -> uart \(\d+\)"]),
                ("device_keyboard", [r"^\[device_keyboard\] keyboard: all is well$", r" port=0x64 .* -> keyboard \(\d+\)"]),
                ("device_ports", [r"^\[device_ports\] ports: all is well$", r" port=0xcfc .* -> pci \(\d+\)", r" port=0x300 .* -> no device \(\d+\)"]),
                ("device_vga", [r"^adept: screen: vm=device_vga columns=80 rows=25 start=0x50 cursor=2,5$",
                                r"^adept: screen: vm=device_vga row=0 \|Hello from 0xb8000$", r"^adept: screen: vm=device_vga row=24 \|    last row$"]),
                ("device_readback", [r"^adept: screen: vm=device_readback columns=40 rows=25 start=0x0 cursor=2,3$",
                                     r"^adept: screen: vm=device_readback row=0 \|A$", r"^adept: screen: vm=device_readback row=1 \|B$",
                                     r"^adept: screen: vm=device_readback row=2 \|  C$"])):
            yield made_guest(context, f"{guest.replace('_', '-')}-{model}", guest, MODEL=model, expect=expect,
                             CMDLINE="trace=IO", options="dump=screen")
        # Nobody reads the console for it: the timers' deadlines alone bring the guest back in time.
        yield made_guest(context, f"device-timers-{model}", "timers", MODEL=model, CMDLINE="trace=stats input=nobody",
                         options="boot=flat timeout=60")
        yield rates(context, model)
    yield memory_size(context, "5M", 5 << 10)
    yield memory_size(context, "70M", 70 << 10)
    yield from resets(context)
    yield made_guest(context, "device-power-off", "power_off", expect=[
        r"^adept: guest power_off: pass \(power off\)$", r" port=0x604 out size=2 value=0x2000 -> acpi_pm \(\d+\)$"])
    yield made_guest(context, "device-screen-graphics", "device_graphics", CMDLINE="trace=none dump=screen",
                     expect=[r"^adept: screen: vm=device_graphics absent why=\"it is in no text mode\"$"])
    yield from screens_absent(context)


def screens_absent(context):
    def test():
        name = "device-screen-identity"
        run = launch(context, name, GUEST="identity", CMDLINE="trace=none dump=screen", MODEL="tigerlake")
        check(context, name, run, 0, [r"^adept: screen: vm=identity absent why="])
        if run.count(r"^adept: screen: .* row="):
            raise Failure("rows of a screen that is not the guest's")
    yield "device-screen-identity", test
