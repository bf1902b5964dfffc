# SPDX-License-Identifier: MIT
"""The conformance tester (vmm/check/conformance/conformance.c): what the processor makes of EPT entries, against the model; and that it can fail."""
import os
import re

from harness import Failure, check, emulator_test, launch, run_logged

NAME = {"read bit": "page-walk violation without the read bit", "bit 12": "bit 12 of a large page's entry ignored",
        "flags": "guest's accessed and dirty flags written to memory that is not writable"}


def last_line(run):
    lines = [line for line in run.lines if line]
    return lines[-1] if lines else ""


def conforms(context, model, cases, seed, systematic, departures, begin):
    """So many cases on a model: no mismatch, and of the emulator's departures these and no others."""

    def test():
        name = f"conformance-{model}"
        run = launch(context, name, timeout=400, GUEST="none", MODEL=model, CMDLINE=f"conformance={cases},{seed}")
        check(context, name, run, 0, [
            rf"^conformance: begin cases={cases} seed={seed} systematic={systematic} {begin} execute_only=1 physical_width=40 machine=bochs$",
            r"^conformance: done=\d+ violation=\d+ misconfiguration=\d+ random=\d+ confined=\d+ ", r"^adept: end: poweroff status=0$"],
            forbid=[r"^conformance: (mismatch|failed)", r"^adept: panic"], ran=False)
        end = re.fullmatch(r"conformance: (\d+) cases, 0 mismatches, (\d+) known departures", last_line(run))
        if not end or int(end.group(1)) != cases or not 0 < int(end.group(2)) < cases // 5:
            raise Failure(f"the last line is '{last_line(run)}'")
        named = re.findall(r'^conformance: departure emulator="Bochs" name="([^"]+)" cases=\d+ manual="SDM vol. 3, [^"]+"$',
                           "\n".join(run.lines), re.MULTILINE)
        if sorted(named) != sorted(NAME[key] for key in departures):
            raise Failure(f"departures named: {named}")
        random, done = (int(re.search(rf"^conformance: done=.*{key}=(\d+)", "\n".join(run.lines), re.MULTILINE).group(1))
                        for key in ("random", "misconfiguration"))
        if random < cases // 8 or done < cases // 4:
            raise Failure("too few random cases, or too few misconfigurations")
    return f"conformance-{model}", test


def target(context):
    """`make conformance`: its last line is the result, and a mismatch is a status that is not 0."""

    def make(name, *variables):
        status = run_logged(["make", "--no-print-directory", f"BUILD={context.build}", "conformance", "EMU=bochs", "CASES=1500", *variables],
                            context.log(name), environment={"TMPDIR": context.logs})
        return status, context.read_log(name).replace("\r", "").strip().splitlines()

    def test():
        status, lines = make("conformance-target", "SEED=5", "MODEL=corei7_skylake_x")
        if status != 0 or not re.fullmatch(r"conformance: 1500 cases, 0 mismatches, \d+ known departures", lines[-1]):
            raise Failure(f"status {status}, the last line is '{lines[-1]}'")
        if not any(re.match(r"conformance: begin cases=1500 seed=5 ", line) for line in lines):
            raise Failure("the seed is not SEED")
        status, lines = make("conformance-target-fails", "CMDLINE=test=conformance-wrong")
        if status == 0 or not any(re.fullmatch(r"conformance: 1500 cases, 1 mismatches, \d+ known departures", line) for line in lines):
            raise Failure(f"a mismatch, and status {status}")
    return "conformance-target", test


def in_the_menu(context):
    """The entry of the ISO's menu halts, with the result as its last line."""

    def test():
        name = "conformance-menu"
        with open(os.path.join(context.root, "iso", "menu"), encoding="utf-8") as file:
            option = re.search(r"'(conformance=)\d+( on_end=halt)'", file.read())
        if not option:
            raise Failure("iso/menu has no entry of the conformance test")
        run = launch(context, name, GUEST="none", CMDLINE=f"{option.group(1)}1000{option.group(2)}")
        check(context, name, run, 0, [r"^adept: end: halt status=0$", r"^adept: halted: "], ran=False)
        if not re.fullmatch(r"conformance: 1000 cases, 0 mismatches, \d+ known departures", last_line(run)):
            raise Failure(f"the last line is '{last_line(run)}'")
    return "conformance-menu", test


def tests(context):
    flags, none = "ad=1 large_1g=1", "ad=0 large_1g=0"

    # All systematic cases, and more than 40000 random ones.
    yield conforms(context, "corei7_icelake_u", 300000, 1, 257568, ("read bit", "flags", "bit 12"), flags)
    yield conforms(context, "corei7_haswell_4770", 30000, 2, 257568, ("read bit", "flags", "bit 12"), flags)
    yield conforms(context, "corei5_arrandale_m520", 30000, 3, 128400, ("flags", "bit 12"), none)

    # It can fail: a prediction that is wrong, a flag changed behind the processor's back, a byte written where no case writes.
    for word, differs in (("wrong", r"differs=(address|result) "), ("flag", r"differs=ept-entry .* expected_raw=0x[0-9a-f]+ got_raw=0x"),
                          ("stray", r"differs=memory hpa=0x[0-9a-f]+fff8 ")):
        yield emulator_test(context, f"conformance-{word}", status=1, ran=False, GUEST="none", CMDLINE=f"conformance=2000 test=conformance-{word}",
                            expect=[rf"^conformance: mismatch case=\d+ seed=1 kind=\w+ access=\S+ .* level1=0x[0-9a-f]+ {differs}",
                                    r"^conformance: 2000 cases, 1 mismatches, \d+ known departures$", r"^adept: end: poweroff status=1$"])
    # Where the machine is no emulator that is known to depart, each departure is a mismatch; sixteen are shown.
    yield emulator_test(context, "conformance-processor", status=1, ran=False, GUEST="none",
                        CMDLINE="conformance=4000 test=conformance-processor", forbid=[r"^conformance: departure"],
                        expect=[r"machine=processor$", r"(?:^conformance: mismatch .*\n(?:.*\n)*?){16}^conformance: done=",
                                r'differs=qualification expected="EPT violation qual=0x83 .*" got="EPT violation qual=0x82 ',
                                r"^conformance: 4000 cases, [1-9]\d+ mismatches, 0 known departures$"])
    # With several CPUs the emulator is known all the same, and guests of the image are not run.
    yield emulator_test(context, "conformance-cpus", ran=False, GUEST="hello", CPUS=2, CMDLINE="conformance=1000,9", forbid=[r"^\[hello\]"],
                        expect=[r" seed=9 .* machine=bochs$", r"^conformance: 1000 cases, 0 mismatches, [1-9]\d* known departures$"])
    yield emulator_test(context, "conformance-unknown", GUEST="hello", CMDLINE="conformance=many", forbid=[r"^conformance: "],
                        expect=[r"^adept: command line: conformance: 'many' is no number of cases, or no seed$", r"^adept: guest hello: pass"])
    yield emulator_test(context, "conformance-refused", status=2, ran=False, GUEST="none", MODEL="core2_penryn_t9600",
                        CMDLINE="conformance=1000", expect=[r"^adept: refused: "], forbid=[r"^conformance: "])
    yield target(context)
    yield in_the_menu(context)
