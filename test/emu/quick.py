# SPDX-License-Identifier: MIT
"""Quick exits, answered before any C: the same as the slow ones in all that a guest can see and in the trace, and taken whenever nothing else is due."""
import re

from exits import assemble
from harness import Failure, check, launch


def same(context, guest, model):
    """A guest that prints all that it is told, with and without quick exits."""
    name = f"quick-same-{guest.replace('_', '-')}-{model}"

    def lines(slow):
        run = launch(context, name + ("-slow" if slow else ""), MODEL=model, GUEST=f"{assemble(context, guest)} name=quick boot=flat timeout=20",
                     CMDLINE="trace=none" + (" test=no-quick-exits" if slow else ""))
        check(context, name, run)
        # Subleaves always go through C, so that the mean tells less than the quickest one.
        quickest = int(re.search(r"reason=CPUID\(10\) count=\d+ ticks=\d+ mean=\d+ min=(\d+)", run.console).group(1))
        if slow == (quickest < 100):
            raise Failure(f"the quickest CPUID exit takes {quickest} ticks {'without' if slow else 'with'} quick exits")
        # What tells of the clock's rate differs from boot to boot.
        return [line for line in run.lines if line.startswith("[quick] ") and not line.startswith(("[quick] cpuid 15 ", "[quick] cpuid 16 "))]

    def test():
        quick, slow = lines(False), lines(True)
        if len(quick) < 80:
            raise Failure(f"the guest prints {len(quick)} lines only")
        for one, other in zip(quick, slow):
            if one != other:
                raise Failure(f"'{one}' with quick exits, '{other}' without")
        if len(quick) != len(slow):
            raise Failure(f"{len(quick)} lines with quick exits, {len(slow)} without")
    return name, test


def check_numbers(run):
    """Of the lines of exits: they are numbered one after the other, but for the timer's, and none begins before the last one has ended."""
    exits = [[int(number or 1) for number in found.groups()] for found in
             (re.match(r"#(\d+) .* t=(\d+) .* \((\d+)\)(?: x(\d+))?$", line) for line in run.lines) if found]
    timer = int((re.search(r"reason=PREEMPTION_TIMER\(\d+\) count=(\d+)", run.console) or [0, 0])[1])
    missing, last, last_time = 0, 0, 0
    for number, time, ticks, count in exits:
        if number <= last or time < last_time:
            raise Failure(f"exit {number} at {time} comes after exit {last}, which ended at {last_time}")
        missing += number - last - 1
        last, last_time = number + count - 1, time + ticks * count
    total = int(re.search(r"reason=all count=(\d+)", run.console).group(1))
    if missing + total - last != timer:
        raise Failure(f"of {total} exits {missing + total - last} have no record, and {timer} are the timer's")


def merged(run):
    """Lines of exits and of the guest, without times; what is the same in a row is one line with the sum: the timer's exits end a fold."""
    lines = []
    for line in run.lines:
        if line.startswith("[traced] "):
            lines.append([line, 1])
        elif line.startswith("#"):
            line, count = re.sub(r"^#\d+|\bt=\d+", "*", line), int((re.search(r" x(\d+)$", line) or [0, 1])[1])
            line = re.sub(r"\(\d+\)( x\d+)?$", "", line)
            if lines and lines[-1][0] == line:
                lines[-1][1] += count
            else:
                lines.append([line, count])
    return [f"{line}x{count}" for line, count in lines]


def traced(context, guest, model):
    """The trace of a guest, with and without quick exits: the same records, folded in the same places, but for times."""
    name = f"quick-trace-{guest.replace('_', '-')}-{model}"

    def lines(slow):
        run = launch(context, name + ("-slow" if slow else ""), MODEL=model, GUEST=f"{assemble(context, guest)} name=traced boot=flat timeout=20",
                     CMDLINE="trace=all input=nobody" + (" test=no-quick-exits" if slow else ""))
        check(context, name, run, forbid=[r"^adept: trace: "])
        for reason in ("CPUID", "VMCALL", "RDMSR", "IO", "EPT_VIOLATION"):
            least = int(re.search(rf"reason={reason}\(\d+\) .* min=(\d+)", run.console).group(1))
            if slow == (least < 170):
                raise Failure(f"the least of {reason} is {least} ticks {'without' if slow else 'with'} quick exits")
        check_numbers(run)
        return merged(run)

    def test():
        quick, slow = lines(False), lines(True)
        if len(quick) < 200:
            raise Failure(f"there are {len(quick)} records and lines only")
        for one, other in zip(quick, slow):
            if one != other:
                raise Failure(f"'{one}' with quick exits, '{other}' without")
        if len(quick) != len(slow):
            raise Failure(f"{len(quick)} records with quick exits, {len(slow)} without")
    return name, test


def tests(context):
    for guest in ("traced", "traced_32", "traced_64"):
        yield traced(context, guest, "corei7_icelake_u")
    yield traced(context, "traced", "corei7_sandy_bridge_2600k")
    for guest in ("quick", "quick_32", "quick_64"):
        yield same(context, guest, "corei7_icelake_u")
    yield same(context, "quick", "corei7_sandy_bridge_2600k")
