# SPDX-License-Identifier: MIT
"""The two-dimensional walk: what Adept predicts against what the processor does (guests/walk.asm), and walk= on the command line."""
from harness import emulator_test

# Fault predictions alone where the EPT has no accessed and dirty flags. That the guest passes on every model, guests.py tests.
WITHOUT_FLAGS = ("corei5_arrandale_m520", "corei7_ivy_bridge_3770k")
WITH_FLAGS = ("corei7_haswell_4770", "corei7_skylake_x", "corei7_icelake_u")
# Title, probes, references to reach a byte, EPT entries whose flags are compared.
MODES = (("no paging", 11, 4, 55), ("32-bit paging", 18, 14, 147), ("4 MiB pages", 14, 9, 87), ("PAE paging", 24, 14, 198),
         ("4-level paging", 24, 24, 246))


def lines(flags):
    return [rf"^\[walk\] walk: {title}: {probes} probes as predicted, {references} references to reach a byte, "
            rf"{compared if flags else 0} flags compared$" for title, probes, references, compared in MODES]


def tests(context):
    for model in WITH_FLAGS:
        yield emulator_test(context, f"walk-{model}", GUEST="walk", MODEL=model, CMDLINE="trace=stats", expect=[
            *lines(True), r"^adept: walk-check: vm=walk checks=92 faults=42 entries=738 differences=0 flags=compared$",
            r"^adept: walk-check: vm=walk known departure x9: a page walk's violation lacks the read bit ",
            r"^adept: guest walk: pass"], forbid=[r"departure x\d+: the guest's accessed", r"no accessed and dirty flags"])
    for model in WITHOUT_FLAGS:
        yield emulator_test(context, f"walk-{model}", GUEST="walk", MODEL=model, CMDLINE="trace=stats", expect=[
            r"^\[walk\] walk: this processor has no accessed and dirty flags for EPT: fault predictions alone$", *lines(False),
            r"^adept: walk-check: vm=walk checks=92 faults=36 entries=0 differences=0 flags=absent$",
            r"^adept: walk-check: vm=walk known departure x6: the guest's accessed and dirty flags are written through read-only ",
            r"^adept: guest walk: pass"], forbid=[r"departure x\d+: a page walk"])
    # The comparison notices a prediction that is wrong: the walk of the page behind.
    yield emulator_test(context, "walk-wrong", status=1, GUEST="walk", CMDLINE="trace=stats test=walk-wrong", expect=[
        r"^\[walk\] walk: no paging: not as predicted: read$",
        r"^adept: walk-check: vm=walk first difference: entry at 0x[0-9a-f]+ level=1", r"^adept: guest walk: fail"])

    # The walk at a guest's end, line by line.
    yield emulator_test(context, "walk-option", GUEST="walk", CMDLINE="trace=none walk=0x400008", expect=[
        r"^adept: walk: vm=walk gva=0x400008 access=R mode=4-level cr3=0x12000 eptp=0x[0-9a-f]+5e$",
        r"^adept: walk: vm=walk #1 ept level=4 gpa=0x12000 hpa=0x[0-9a-f]+ entry=0x[0-9a-f]+107 rights=RWX type=WB sets=A$",
        r"^adept: walk: vm=walk #4 ept level=1 gpa=0x12000 hpa=0x[0-9a-f]+090 entry=0x[0-9a-f]+337 rights=RWX type=WB leaf sets=AD$",
        r"^adept: walk: vm=walk #5 guest level=4 gpa=0x12000 hpa=0x[0-9a-f]+000 entry=0x13023 rights=RWX/supervisor type=WB sets=A$",
        r"^adept: walk: vm=walk #24 ept level=1 gpa=0x30008 .* type=WB leaf sets=A$",
        r"^adept: walk: vm=walk end=done references=24 gpa=0x30008 hpa=0x[0-9a-f]+008 page=0x1000 pat=WB$"],
        forbid=[r"walk: vm=walk #25 "])
    yield emulator_test(context, "walk-option-fault", GUEST="walk", CMDLINE="trace=none walk=0x402000", expect=[
        r"^adept: walk: vm=walk end=#PF references=20 error=0x0$"])
    yield emulator_test(context, "walk-option-no-paging", GUEST="hello", CMDLINE="trace=none walk=0xa0000", expect=[
        r"^adept: walk: vm=hello gva=0xa0000 access=R mode=no paging ",
        r"^adept: walk: vm=hello end=EPT violation references=4 gpa=0xa0000 qual=0x[13579bdf]81 \(.*\)$"])
    yield emulator_test(context, "walk-option-unknown", GUEST="hello", CMDLINE="trace=none walk=here", expect=[
        r"^adept: command line: walk: 'here' is no address"], forbid=[r"^adept: walk: "])
