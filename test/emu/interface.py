# SPDX-License-Identifier: MIT
"""What a guest is promised: its hypercalls and ports, its string, its registers, and nothing of the guest before it."""
import re

from exits import assemble
from harness import Failure, check, launch


def calls(context):
    """Two of the same guest, one of them traced: what they print, what they count, how much memory they are told."""

    def test():
        name = "calls"
        path = assemble(context, "calls")
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{path} name=quiet mem=5M;{path} name=traced trace=all")
        printed = [rf"^\[{guest}\] {line}$" for guest in ("quiet", "traced") for line in
                   (r"one by one: a\\b\\x09c", "a string: first line", "second line", "ADEPT ROM", "by port 0x402")]
        check(context, name, run, 0, [
            *printed, r"^\[quiet\] +5120 KiB of memory$", r"^\[traced\] +16384 KiB of memory$",
            r"^adept: guest quiet: pass \(hypercall END code=0x0\)", r"^adept: guest traced: pass",
            r"^#\d+ cpu=0 vm=traced .* VMCALL\(18\) .* call=PUT_STRING\(0x41440003\) .* -> call refused",
            r"^#\d+ cpu=0 vm=traced .* -> unknown call"], forbid=[r"^#\d+ .*\bvm=quiet\b"])
        for guest in ("quiet", "traced"):
            said = re.search(rf"^\[{guest}\] exits in all: +(\d+)$", "\n".join(run.lines), re.MULTILINE)
            counted = re.search(rf"^adept: exits vm={guest} reason=all count=(\d+) ", "\n".join(run.lines), re.MULTILINE)
            if not said or not counted or said.group(1) != counted.group(1):
                raise Failure(f"{guest}: EXIT_COUNT and the table of exits differ")
            long_line = "".join(re.findall(rf"^\[{guest}\] (=+)(?: \[line goes on\])?$", "\n".join(run.lines), re.MULTILINE))
            if len(long_line) != 4095:
                raise Failure(f"{guest}: {len(long_line)} of 4095 characters of one PUT_STRING are printed")
    return "calls", test


def long_lines(context):
    """A line of 1024 characters stays one, whatever way it comes on; a longer one ends with a mark, and nothing is lost."""
    name = "long-lines"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'long_lines')} name=g", CMDLINE="trace=none")
        check(context, name, run, 0, [r"^adept: guest g: pass"])
        ways = {"a": "", "b": "com2: ", "c": "", "d": "", "e": ""}
        expected = [f"[g] {prefix}{text}" for letter, prefix in ways.items()
                    for text in (letter * 1024, letter * 1024 + " [line goes on]", letter * 6)]
        got = [line for line in run.lines if line.startswith("[g] ")]
        if got != expected:
            raise Failure(f"the guest's lines have lengths {[len(line) for line in got]}, not {[len(line) for line in expected]}")
    return name, test


def moved(context):
    def test():
        run = launch(context, "load-entry", GUEST=f"{assemble(context, 'moved')} name=moved load=0x10000 entry=1000:0000")
        check(context, "load-entry", run, 0, [
            r"^\[moved\] moved: all is where it was put$", r"^#1 .* EPT_VIOLATION\(48\) cs:ip=1000:0000 gpa=0x10000 ",
            r"^adept: guest moved: pass \(port 0xf4 value=0x0\)"])
    return "load-entry", test


def registers(context, model):
    """The first guest fills every register and its RAM; the second, on the same CPU and memory, must find none of it."""
    name = f"registers-{model}"

    def test():
        path = assemble(context, "registers")
        run = launch(context, name, MODEL=model, CMDLINE="trace=-EPT_VIOLATION", MEM=64,
                     GUEST=f"{path} name=first boot=flat mem=40M;{path} name=second boot=flat mem=40M")     # room for one of them: the other gets its frames
        check(context, name, run, 0, [
            rf"^\[{guest}\] registers: initial state, and kept over exits$" for guest in ("first", "second")] + [
            r"^adept: guest first: pass", r"^adept: guest second: pass", r"^#\d+ .*vm=second .* WBINVD\(54\)"])
    return name, test


def tests(context):
    yield calls(context)
    yield long_lines(context)
    yield moved(context)
    # With AVX-512, with AVX, and with FXSAVE alone.
    for model in ("corei7_icelake_u", "corei7_haswell_4770", "corei5_arrandale_m520"):
        yield registers(context, model)
