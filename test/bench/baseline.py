# SPDX-License-Identifier: MIT
"""test/bench/baseline.json, and the rule: a figure may not grow by more than 1 % over it."""
import json
import os
import re

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
GROWTH = 1.01
# The compiler whose code the baseline and the goals are of. Another one's makes some instructions more of the same source: its figures
# may be that much over them. What the source itself adds, the reference shows.
REFERENCE = r"gcc \(.*\) 12\."
OTHER_COMPILER = 1.05
# Where gcc 14 (Debian 13) makes more than that: 154 ticks for 145; four ticks for each byte of a loop of some forty.
FURTHER = {"ept_4k": 1.06, "rep_outsb": 1.1}


def slack(build):
    """1 for the reference compiler, OTHER_COMPILER for any other one that has made what is in `build`."""
    with open(os.path.join(build, "flags"), encoding="utf-8") as flags:
        return 1 if re.search("^" + REFERENCE, flags.read(), re.MULTILINE) else OTHER_COMPILER


def read():
    with open(PATH, encoding="utf-8") as file:
        return json.load(file)


def write(measured):
    with open(PATH, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=1)
        file.write("\n")


def compare(measured, baseline, goals, factor=1):
    """Figures by name. goals: what a figure must not exceed, once the baseline has reached it. factor: slack() of the build.

    Two lists of lines: what is wrong (grown, missed, in one of the two alone), and what has become better.
    """
    wrong, better = [], []
    for name, value in measured.items():
        if name not in baseline:
            wrong.append(f"{name}: not in the baseline; test/bench/run --update writes it")
        elif value > baseline[name] * GROWTH * (factor if factor == 1 else max(factor, FURTHER.get(name.split()[0], factor))):
            wrong.append(f"{name}: {value}, more than 1 % over the baseline's {baseline[name]}")
        elif name in goals and value > goals[name] * factor and goals[name] >= baseline[name]:
            wrong.append(f"{name}: {value}, more than the goal of {goals[name]} that the baseline's {baseline[name]} has reached")
        elif value < baseline[name]:
            better.append(f"{name}: {value}, and {baseline[name]} in the baseline, which can be lowered: test/bench/run --update")
    wrong += [f"{name}: in the baseline and not measured" for name in baseline if name not in measured]
    return wrong, better
