# SPDX-License-Identifier: MIT
"""Device registers in memory: instructions emulated against the device of test=mmio-device, and what is not emulated."""
import re

from exits import assemble, made_guest
from harness import Failure, check, launch

MODELS = ("corei7_icelake_u", "corei5_arrandale_m520")
READ_TICKS_MAX = 750  # of one MOV from a register of the device, there and back, the loop included


def instructions(context, model):
    """Every instruction form in 16-, 32- and 64-bit code does on the device what it does on RAM; and what a read costs."""
    name = f"mmio-{model}"

    def test():
        run = launch(context, name, timeout=120, GUEST=f"{assemble(context, 'mmio')} name=mmio", MODEL=model, CMDLINE="trace=stats test=mmio-device")
        check(context, name, run, 0, [
            r"^adept: guest mmio: pass", *(rf"^\[mmio\] mmio: {bits}-bit code does the same on a device as on RAM$" for bits in (16, 32, 64)),
            r"^\[mmio\] mmio: borders, REP, polling, single steps: all is well$",
            r"^\[mmio\] mmio: page faults of emulated instructions: all is well$"])
        ticks = int(re.search(r"^\[mmio\] mmio: ticks of a read: (\d+)$", "\n".join(run.lines), re.MULTILINE).group(1))
        if ticks > READ_TICKS_MAX:
            raise Failure(f"a read takes {ticks} ticks, more than {READ_TICKS_MAX}")
    return name, test


def tests(context):
    for model in MODELS:
        yield instructions(context, model)
        yield made_guest(context, f"mmio-remembered-{model}", "mmio_remembered", MODEL=model, CMDLINE="trace=none",
                         expect=[r"^\[mmio_remembered\] mmio_remembered: each instruction is the one that is there$"])
        yield made_guest(context, f"mmio-patched-{model}", "patched", MODEL=model, CPUS=2, CMDLINE="trace=stats", options="boot=flat vcpus=2 timeout=60",
                         expect=[r"^\[patched\] patched: each instruction was whole$"])
    # Without the test's word there is no such device, so the guest finds that RAM and the hole differ.
    yield made_guest(context, "mmio-absent", "mmio", status=1, CMDLINE="trace=none", expect=[r"^\[mmio\] FAILED: the device and RAM differ$"])
    yield made_guest(context, "mmio-undecoded", "mmio_undecoded", status=1, CMDLINE="test=mmio-device", forbid=[r"never printed"], expect=[
        r"^#\d+ .* EPT_VIOLATION\(48\) .*gpa=0xa0000 .* -> test ",
        r"^adept: guest mmio_undecoded: fail \(cannot decode bits=16 bytes=26 d9 06 10 00( [0-9a-f]{2}){10} at a device gpa=0xa0010\)$"])
    yield made_guest(context, "mmio-event", "mmio_event", status=1, CMDLINE="test=mmio-device", forbid=[r"never printed"], expect=[
        r"^adept: guest mmio_event: fail \(a device at gpa=0xa00f[ce] is in the way of an event's delivery: vector=96\)$"])
