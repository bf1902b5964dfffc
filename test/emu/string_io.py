# SPDX-License-Identifier: MIT
"""INS and OUTS, and what else is done to a guest's memory in its stead: faults, flags of the guest's tables, devices, other vCPUs."""
import re

from exits import assemble, made_guest
from harness import Failure, check, launch

MODELS = ("corei7_icelake_u", "corei5_arrandale_m520")
KEY_BITS = 6  # that test=key-id-bits takes


def width(context, word, key_bits):
    """64-bit code; and the width of physical addresses that a guest is told: the processor's less the key-id bits of memory encryption."""
    name = f"string-io-64-{word}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'string_io_64')} name=s", CMDLINE=f"trace=none test={word}")
        check(context, name, run, 0, [r"^adept: guest s: pass", r"^\[s\] string_io: 64-bit code: all is well$"])
        lines = "\n".join(run.lines)
        processor = int(re.search(r"^adept: processor: .* physical_width=(\d+) ", lines, re.MULTILINE).group(1))
        told = int(re.search(r"^\[s\] physical width: ([0-9a-f]+)$", lines, re.MULTILINE).group(1), 16)
        if told != processor - key_bits:
            raise Failure(f"{told} of {processor} bits")
    return name, test


def tests(context):
    for model in MODELS:
        yield made_guest(context, f"string-io-{model}", "string_io", MODEL=model, CMDLINE="trace=none test=mmio-device", expect=[
            rf"^\[string_io\] string_io: {part}: all is well$" for part in (
                "real mode", "segments", "steps and breakpoints", "paging", "devices, ROM and holes", "CPL 3")])
    # As if the exit told neither address size nor segment.
    yield made_guest(context, "string-io-decoded", "string_io", CMDLINE="trace=none test=mmio-device,string-io-decoded", expect=[
        r"^\[string_io\] string_io: CPL 3: all is well$"])
    yield width(context, "string-io-decoded", 0)
    yield width(context, "key-id-bits", KEY_BITS)
    yield made_guest(context, "string-io-identity", "string_io_identity", options="memory=identity", CMDLINE="trace=none", expect=[
        r"^\[string_io_identity\] string_io: video memory: all is well$"])
    # What nobody answers.
    yield made_guest(context, "string-io-hole-ends", "string_io", status=1, options="policy=hole:end", CMDLINE="trace=none test=mmio-device", expect=[
        r"^adept: guest string_io: fail \(access to a hole: gpa=0x8000000 access=R cs:ip="])
    yield made_guest(context, "string-io-rom-ends", "string_io", status=1, options="policy=rom:end", CMDLINE="trace=none test=mmio-device", expect=[
        r"^adept: guest string_io: fail \(write to ROM: gpa=0xf0001 access=W cs:ip="])
    for model in MODELS:
        yield made_guest(context, f"table-race-{model}", "table_race", options="vcpus=2", CPUS=2, MODEL=model, timeout=120, CMDLINE="trace=none test=mmio-device",
                         expect=[r"^\[table_race\] table_race: all is well$"])
