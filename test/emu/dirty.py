# SPDX-License-Identifier: MIT
"""The dirty log and the idle-page map: every source that a processor has gives the same, exact set of pages."""
from exits import made_guest

# model: sources it has not, best one, has accessed flags
MODELS = {
    "corei7_skylake_x": ((), 1, True),
    "corei7_haswell_4770": ((1,), 2, True),
    "corei5_arrandale_m520": ((1, 2), 3, False),
}


def tests(context):
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
