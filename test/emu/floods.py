# SPDX-License-Identifier: MIT
"""A guest that floods the trace, or the console, keeps nobody waiting: another guest's report, its end, a command of the monitor.
Nor does one that is in a call which takes seconds."""
import re

from exits import assemble
from harness import Failure, check, launch, nasm
from monitor import OPEN

# vmm/trace/trace.h: what a CPU's rings hold.
RING_EXITS, RING_LINES = 2048, 1365
# Lines between what a report is about, and the call for it; and, behind what is typed, until it is read.
NEWER = 200
IPS = 1000000  # instructions a second, so that the emulated UART keeps nobody waiting


def between(run, first, last):
    """How many lines of the console stand between the first line like `first` and the next like `last`."""
    numbers = [number for number, line in enumerate(run.lines) if re.search(first, line)]
    if not numbers:
        raise Failure(f"'{first}' does not appear")
    for number in range(numbers[0] + 1, len(run.lines)):
        if re.search(last, run.lines[number]):
            return number - numbers[0] - 1
    raise Failure(f"'{last}' does not appear behind '{first}'")


def flooded(context, kind, cmdline, ring, commands):
    """Beside a flood on one CPU a guest ends on the second, one crashes on the third, and then somebody types commands: (text, what answers
    it)."""
    name = f"flood-{kind}"

    def test():
        guests = "; ".join(f"{assemble(context, guest)} name={as_name}" for guest, as_name in
                           ((f"endless_{kind}", "flood"), ("late_crash", "crash"), ("late_end", "end")))
        seen, answers, key = r"^adept: isolation: ok vm=crash", [], OPEN
        for command, answer in commands:
            answers.append(("(?m)" + seen, f"{key}{command}\r"))
            seen, key = answer, ""
        run = launch(context, name, timeout=240, GUEST=guests, CPUS=3, IPS=IPS, CMDLINE=cmdline, answers=answers)
        check(context, name, run, 1, [r"^\[end\] late_end: ends$", r"^adept: guest end: pass", r"^adept: guest crash: fail \(triple fault\)",
                                      r"^adept: guest flood: fail \(killed by the monitor\)"])
        waits = {"report": (between(run, r"vm=crash .*TRIPLE_FAULT", r"^adept: report: vm=crash"), NEWER),
                 "end": (between(run, r"vm=end .*call=END", r"^adept: isolation: ok vm=end"), NEWER)}
        seen = r"^adept: isolation: ok vm=crash"
        for command, answer in commands:
            waits[command] = (between(run, seen, answer), ring + NEWER)
            seen = answer
        late = [f"{what} came after {lines} lines, not {most}" for what, (lines, most) in waits.items() if lines > most]
        if late:
            raise Failure("; ".join(late))
    return name, test


def alone(context, kind, cmdline, ring):
    """The same flood on the machine's only CPU, which also reads what is typed."""
    name = f"flood-alone-{kind}"

    def test():
        first = r"(?m)^\[flood\] x|CPUID\(10\)"
        run = launch(context, name, GUEST=f"{assemble(context, f'endless_{kind}')} name=flood", IPS=IPS, CMDLINE=cmdline,
                     answers=[(first, OPEN + "kill\r")])
        check(context, name, run, 1, [r"^adept: guest flood: fail \(killed by the monitor\)"])
        lines = between(run, first, r"adept: isolation: ok vm=flood")
        if lines > ring + NEWER:
            raise Failure(f"kill came after {lines} lines, not {ring + NEWER}")
    return name, test


def in_a_call(context, kind, definition):
    """timeout=, and stop and kill at the monitor, reach a guest in the middle of one call that takes seconds."""
    begun, forbid = r"long_call: begins", [r"long_call: came back"]
    # More exits than calls: it was in the middle of one.
    parts = r"^adept: exits vm=call reason=VMCALL\(18\) count=([3-9]|\d{2,}) "

    def run(name, options, why, answers=()):
        guest = nasm(context, "test/emu/guests/long_call.asm", f"{name}.bin", "-f", "bin", *definition)
        run = launch(context, name, GUEST=f"{guest} name=call {options}".strip(), CMDLINE="trace=none", answers=answers)
        check(context, name, run, 1, [rf"^\[call\] {begun}$", rf"^adept: guest call: fail \({why}\)$", parts], forbid)
        return run

    def ends():
        run(f"timeout-in-a-{kind}", "timeout=1", "timeout")

    def killed():
        run(f"kill-in-a-{kind}", "", "killed by the monitor", [(begun, OPEN + "kill\r")])

    def stopped():
        name = f"stop-in-a-{kind}"
        stopped = run(name, "", "killed by the monitor", [
            (begun, OPEN + "stop\r"), (r"stop: vm=call", "vms\r"), (r"name=call state=stopped", "kill\r")])
        if not stopped.has(r"^adept: vms: 0 name=call state=stopped "):
            raise Failure("it did not stop")
    return [(f"timeout-in-a-{kind}", ends), (f"kill-in-a-{kind}", killed), (f"stop-in-a-{kind}", stopped)]


def tests(context):
    yield alone(context, "exits", "trace=CPUID", RING_EXITS)
    yield alone(context, "lines", "trace=none", RING_LINES)
    kill = ("kill", r"adept: isolation: ok vm=flood")
    yield flooded(context, "exits", "trace=CPUID,TRIPLE_FAULT,VMCALL", RING_EXITS, [kill])
    yield flooded(context, "lines", "trace=TRIPLE_FAULT,VMCALL", RING_LINES,
                  [("vms", r"vms: 0 name=flood"), ("vm flood", r"vm: 0 name=flood"), kill])
    for kind, definition in (("hypercall", ()), ("service", ("-DSERVICE",))):
        yield from in_a_call(context, kind, definition)
