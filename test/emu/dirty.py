# SPDX-License-Identifier: MIT
"""The dirty log and the idle-page map: every source that a processor has gives the same, exact set of pages."""
import re

from exits import assemble, made_guest
from harness import Failure, check, launch

# model: sources it has not, best one, has accessed flags
MODELS = {
    "corei7_skylake_x": ((), 1, True),
    "corei7_haswell_4770": ((1,), 2, True),
    "corei5_arrandale_m520": ((1, 2), 3, False),
}

# What the guest measures: pages that its figure is for, and the most ticks a page may cost.
COSTS = {"split": (512, 8), "seven full logs": (7 * 512, 16), "collect of 2048 more": (2048, 20)}


def costs(context, model):
    """Split, drain and collection by the page, in ticks (instructions, in this emulator)."""
    name = f"dirty-cost-{model}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'dirty_cost')} name=cost mem=32M", MODEL=model, CMDLINE="trace=stats")
        check(context, name, run, 0, [r"^adept: guest cost: pass", r"^adept: exits vm=cost reason=PML_FULL\(62\) "])
        for what, (pages, most) in COSTS.items():
            ticks = int(re.search(rf"^\[cost\] {what} (\w+)$", "\n".join(run.lines), re.MULTILINE).group(1), 16)
            if not 0 < ticks <= most * pages:
                raise Failure(f"{what}: {ticks / pages:.1f} ticks a page, more than {most}")
    return name, test


def tests(context):
    yield costs(context, "corei7_icelake_u")
    yield costs(context, "corei7_skylake_x")
    for model, (missing, best, flags) in MODELS.items():
        expect = [rf"^\[dirty\] best: {best}$", r"^\[dirty\] dirty: all as it should be$"]
        expect += [rf"^\[dirty\] source {n}: {'not on this processor' if n in missing else 'exact'}$" for n in (1, 2, 3)]
        expect += [rf"^\[dirty\] idle pages: {'exact' if flags else 'not on this processor'}$"]
        forbid = [r"-> repair"]
        if 1 in missing:
            forbid += [r"reason=PML_FULL"]
        else:
            expect += [r"^adept: exits vm=dirty reason=PML_FULL\(62\) count=[1-9]"]
        yield made_guest(context, f"dirty-{model}", "dirty", MODEL=model, CMDLINE="trace=stats", options="mem=16M",
                   expect=expect, forbid=forbid)
    # What a drain of the log looks like in the trace.
    yield made_guest(context, "dirty-trace", "dirty", MODEL="corei7_skylake_x", CMDLINE="trace=PML_FULL",
               expect=[r"^#\d+ .* PML_FULL\(62\) .*-> log drained \(\d+\)"])
