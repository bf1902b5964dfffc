# SPDX-License-Identifier: MIT
"""Quick exits, answered before any C: the same as the slow ones in all that a guest can see, and taken whenever nothing else is due."""
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
        mean = int(re.search(r"reason=CPUID\(10\) count=\d+ ticks=\d+ mean=(\d+)", run.console).group(1))
        if slow == (mean < 180):
            raise Failure(f"the mean of a CPUID exit is {mean} ticks {'without' if slow else 'with'} quick exits")
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


def tests(context):
    for guest in ("quick", "quick_32", "quick_64"):
        yield same(context, guest, "corei7_icelake_u")
    yield same(context, "quick", "corei7_sandy_bridge_2600k")
