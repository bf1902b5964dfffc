# SPDX-License-Identifier: MIT
"""test/run-tests itself, and `make size`."""
import os
import re

from harness import Failure
from tooling import captured, fresh

# What test/run-tests prints of a pretended failure, and the order in which it runs tests beside a build.
PRETENDED = """
import importlib.machinery, importlib.util, sys, time
loader = importlib.machinery.SourceFileLoader("run_tests", "test/run-tests")
run_tests = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
loader.exec_module(run_tests)
context = run_tests.Context(".", sys.argv[1], 2, False)
run_tests.programs_of = lambda context, names: [name for name in names if name.startswith("host-")]
def fails():
    with open(context.log("host-fails"), "w") as log:
        log.writelines(f"line {i}\\n" for i in range(1, 41))
    raise run_tests.Failure("pretended")
tests = [("host-fails", fails), ("emulated", lambda: time.sleep(0.1))]
report = run_tests.Report({name: 1 for name in ("programs", "host-fails", "emulated")})
run_tests.run_beside(context, report, ("programs", lambda: time.sleep(1)), tests)
print(report.passed, report.failed)
"""

# The test size-bounds fails a room that has more lines of code than this: the count of 2026-12-01, rounded up to the next 50. Who makes a room
# larger raises its bound in the same commit, and says why.
BOUNDS = {
    "arch/x86": 4300, "boot": 1150, "build": 550, "drivers": 1650, "ept": 5000, "guests": 2500,
    "test": 51850, "tools": 1500, "vmm": 1100, "vmm/bios": 2050, "vmm/check": 3850, "vmm/debug": 1400,
    "vmm/devices": 5300, "vmm/emulate": 3750, "vmm/exit": 2750, "vmm/guest": 1400, "vmm/host": 2400, "vmm/monitor": 2000,
    "vmm/quick": 850, "vmm/report": 1550, "vmm/trace": 2150, "vmm/vcpu": 1950, "vmm/vm": 2650,
}


def failure_is_told(context):
    """A failure: its log's last lines and the command that runs it alone, at once. A test that needs a program waits for its build alone."""

    def test():
        name = "runner-failure"
        said = captured(context, name, ["python3", "-c", PRETENDED, fresh(context, name)]).splitlines()
        order = [match.group(1) for line in said if (match := re.match(r"\[ *\d+/3\] (?:ok  |FAIL) ([\w-]+)", line))]
        if order != ["emulated", "programs", "host-fails"]:
            raise Failure(f"the tests ran in the order {order}")
        at = next(i for i, line in enumerate(said) if "FAIL host-fails: pretended" in line)
        if said[at + 1:at + 17] != [f"    | line {i}" for i in range(26, 41)] + ["    alone: make test ONLY==host-fails"]:
            raise Failure(f"the failure is told as {said[at:]}")
        if not re.search(r"\(\d\.\d s; \d:\d\d left\)$", said[0]) or said[-1] != "2 ['host-fails']":
            raise Failure(f"progress or sum: {said[0]}, {said[-1]}")
    return "runner-failure", test


def parts_are_all(context):
    """Each test is in `make test` or in `make test-rest`, none in both, and each row of test/long-tests names one."""

    def test():
        name = "runner-parts"
        fresh(context, name)

        def listed(*options):
            return captured(context, name, ["test/run-tests", "--list", *options]).split()

        builds = {"build", "build-host-tests"}  # each part builds what it needs
        quick, rest, everything = (listed("--part", part) for part in ("quick", "rest", "all"))
        if sorted(set(quick) | set(rest)) != sorted(everything) or set(quick) & set(rest) != builds:
            raise Failure(f"not in one part: {sorted(set(quick) ^ set(rest) ^ set(everything))}, in both: {sorted(set(quick) & set(rest) - builds)}")
        with open(os.path.join(context.root, "test", "long-tests"), encoding="utf-8") as table:
            patterns = [line.split()[0] for line in table if line.strip() and not line.startswith("#")]
        for pattern in patterns:
            if not any(re.fullmatch(pattern.replace("*", ".*"), test) for test in rest):
                raise Failure(f"test/long-tests: no test is called {pattern}")
        for wanted in ("=tsan-ept_stress", "=vpid"):
            if [test for test in listed("--only", wanted) if test not in builds] != [wanted[1:]]:
                raise Failure(f"ONLY={wanted} does not run that test alone")
    return "runner-parts", test


SMALL_TREE = {
    "boot/a.c": '/* one\n * two */\nint a; // three\n\nchar *b = "/* no comment */";\n/* x */ int c;\n',
    "vmm/exit/b.asm": "; words\nmov eax, 1 ; more\n\n  ; again\nret\n",
    "vmm/main.c": "int main;\n",
    "vmm/check/self/c.h": "#define C 1\n",
    "tools/d": "#!/bin/bash\n# words\necho\n",
}


def size_counts(context):
    def test():
        name = "size-counts"
        path = fresh(context, name)
        for file, text in {**SMALL_TREE, "image": "x" * 1234}.items():
            os.makedirs(os.path.join(path, os.path.dirname(file)), exist_ok=True)
            with open(os.path.join(path, file), "w", encoding="utf-8") as made:
                made.write(text)
        said = captured(context, name, ["tools/size", path, "image"])
        wanted = [["boot", "3"], ["tools", "1"], ["vmm", "1"], ["vmm/check", "1"], ["vmm/exit", "2"], ["all", "8"], ["image", "1234"]]
        if [line.split()[:2] for line in said.splitlines()] != wanted:
            raise Failure("it counts a known tree wrong: " + "; ".join(said.splitlines()))
    return "size-counts", test


def size_bounds(context):
    def test():
        fresh(context, "size-bounds")
        rows = dict(line.split()[:2] for line in captured(context, "size-bounds", ["tools/size", "."]).splitlines())
        rows.pop("all")
        if set(rows) != set(BOUNDS):
            raise Failure(f"rooms without a bound, or bounds without a room: {sorted(set(rows) ^ set(BOUNDS))}")
        over = [f"{room} has {count} lines, its bound is {BOUNDS[room]}" for room, count in rows.items() if int(count) > BOUNDS[room]]
        if over:
            raise Failure("; ".join(over) + " (test/emu/runner.py)")
    return "size-bounds", test


def tests(context):
    yield failure_is_told(context)
    yield parts_are_all(context)
    yield size_counts(context)
    yield size_bounds(context)
