# SPDX-License-Identifier: MIT
"""The dirty log and the idle-page map: every source that a processor has gives the same, exact set of pages."""
import os
import sys

from exits import made_guest
from harness import Failure

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench"))
import figures  # noqa: E402 (test/bench/figures.py)

# model: sources it has not, best one, has accessed flags
MODELS = {
    "corei7_skylake_x": ((), 1, True),
    "corei7_haswell_4770": ((1,), 2, True),
    "corei5_arrandale_m520": ((1, 2), 3, False),
}


def costs(context, model):
    """`make bench` measures on one processor: what it costs by the page on another with a log is within the same bounds."""
    name = f"dirty-cost-{model}"

    def test():
        rows = figures.run_guest(context, figures.guest_named("dirty"), "16", ["short"], model)
        for what in ("split_page", "pml_drain_page", "dirty_collect_page"):
            ticks, most = rows[what].median, figures.PEERS[what][2]
            if not 0 < ticks <= most:
                raise Failure(f"{what}: {ticks} ticks a page, more than {most}")
    return name, test


def tests(context):
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
