# SPDX-License-Identifier: MIT
"""The short form of `make bench`: no figure may grow by more than 1 % over test/bench/baseline.json; and that this is what is checked."""
import os
import sys

from harness import Failure

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench"))
import baseline  # noqa: E402 (test/bench/baseline.py)
import figures  # noqa: E402 (test/bench/figures.py)
import footprint  # noqa: E402 (test/bench/footprint.py)


def verdict(measured, kept, goals=None):
    """What compare() has to say, for short: the first words behind each figure's name."""
    wrong, better = baseline.compare(measured, kept, goals or {})
    return [line.split(": ")[1] for line in wrong], [line.split(": ")[1] for line in better]


def rule():
    """The rule itself, on figures made up and on every one of the baseline's."""
    def expect(found, wrong, better):
        if len(found[0]) != len(wrong) or len(found[1]) != len(better) or not all(
                text.startswith(begin) for text, begin in zip(found[0] + found[1], wrong + better)):
            raise Failure(f"{found} instead of {wrong}, {better}")

    expect(verdict({"a": 1011}, {"a": 1000}), ["1011, more than 1 % over"], [])
    expect(verdict({"a": 1009}, {"a": 1000}), [], [])
    expect(verdict({"a": 1010}, {"a": 1000}), [], [])
    expect(verdict({"a": 58}, {"a": 57}), ["58, more than 1 % over"], [])
    expect(verdict({"a": 999}, {"a": 1000}), [], ["999, and 1000 in the baseline, which can be lowered"])
    expect(verdict({"a": 1000}, {"a": 1000, "b": 1}), ["in the baseline and not measured"], [])
    expect(verdict({"a": 1000, "b": 1}, {"a": 1000}), ["not in the baseline"], [])
    expect(verdict({"a": 201}, {"a": 200}, {"a": 200}), ["201, more than the goal of 200"], [])
    expect(verdict({"a": 200}, {"a": 200}, {"a": 200}), [], [])
    expect(verdict({"a": 301}, {"a": 300}, {"a": 200}), [], [])
    kept = baseline.read()
    for name, value in kept.items():
        more = value * 1.011 or 1
        expect(verdict({**kept, name: more}, kept), [f"{more}, more than 1 % over"], [])
        expect(verdict({**kept, name: value * 1.009}, kept), [], [])


def tests(context):
    def test():
        rows = figures.measure(context, short=True)
        wrong, _ = baseline.compare({**figures.medians(rows), **footprint.measure(context, rows)}, baseline.read(), figures.goals(rows))
        if wrong:
            raise Failure("; ".join(wrong))
    yield "bench-rule", rule
    yield "bench-baseline", test
