# SPDX-License-Identifier: MIT
"""The short form of `make bench`: no figure may grow by more than 1 % over test/bench/baseline.json."""
import os
import sys

from harness import Failure

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench"))
import figures  # noqa: E402 (test/bench/figures.py)


def tests(context):
    def test():
        wrong = figures.compare(figures.measure(context, short=True))
        if wrong:
            raise Failure("; ".join(wrong))
    yield "bench-baseline", test
