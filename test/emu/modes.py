# SPDX-License-Identifier: MIT
"""A guest's processor: the state that it keeps over exits, the modes that it may enter, and what CPUID says of them."""
from exits import assemble, made_guest
from harness import check, launch

# With AVX-512, with AVX, with PCID and no more than FXSAVE.
MODELS = ("corei7_icelake_u", "corei7_haswell_4770", "corei5_arrandale_m520")


def two(context, guest, cpus):
    """Two guests of one program, each with numbers of its own: at once, or the second where the first has been."""
    name = f"{guest}-{'together' if cpus == 2 else 'after-another'}"

    def test():
        path = assemble(context, guest)
        run = launch(context, name, CPUS=cpus, CMDLINE="trace=stats",
                     GUEST=f"{path} name=first boot=flat timeout=60;{path} name=second boot=flat timeout=60")
        check(context, name, run, 0, [r"^adept: guest first: pass \(hypercall", r"^adept: guest second: pass \(hypercall"])
    return name, test


def tests(context):
    for model in MODELS:
        for guest, expect in (
                ("vectors", [rf" reason={reason}\(" for reason in ("HLT", "PREEMPTION_TIMER", "EPT_VIOLATION", "CR_ACCESS", "IO")]),
                ("syscalls", []),
                ("breakpoints", []),
                ("switches", []),
                # What five-level paging does is not tested: a model that has it wants a test.
                ("features", [r"^\[features\] features: no five-level paging$"])):
            yield made_guest(context, f"{guest}-{model}", guest, MODEL=model, CMDLINE="trace=stats", options="boot=flat timeout=60",
                             expect=expect)
    for model in ("corei7_skylake_x", "tigerlake"):
        yield made_guest(context, f"features-{model}", "features", MODEL=model, CMDLINE="trace=stats", options="boot=flat timeout=60",
                         expect=[r"^\[features\] features: no five-level paging$"])
    for guest in ("vectors", "syscalls", "breakpoints"):
        for cpus in (1, 2):
            yield two(context, guest, cpus)
