# SPDX-License-Identifier: MIT
"""Random real-mode guests: whatever they do, the hypervisor must end each with a verdict and its table of exits.

test/emu/random-guest SEED writes one. Many run in one boot; to replay one alone:
    test/emu/random-guest SEED > /tmp/r.bin && tools/run GUEST='/tmp/r.bin mem=1M timeout=1'
"""
import os
import re
import subprocess

from harness import Failure, check, launch

PER_BOOT = 31  # GRUB passes more, but the hypervisor takes 32 modules
# The models differ in what exits they have: the oldest, one in the middle, the newest.
MODELS = ("corei7_icelake_u", "corei5_arrandale_m520", "corei7_skylake_x")


def batch(context, first, count, model, cpus):
    name = f"fuzz-guests-{first}-to-{first + count - 1}"

    def test():
        directory = os.path.join(context.logs, name)
        os.makedirs(directory, exist_ok=True)
        pieces = []
        for seed in range(first, first + count):
            path = os.path.join(directory, f"r{seed}.bin")
            with open(path, "wb") as output:
                subprocess.run(["test/emu/random-guest", str(seed)], stdout=output, check=True, cwd=context.root, timeout=60)
            if os.path.getsize(path) == 0:
                raise Failure(f"test/emu/random-guest {seed} wrote nothing")
            pieces.append(f"{path} name=r{seed} mem=1M timeout=1")
        run = launch(context, name, timeout=120, GUEST=";".join(pieces), CPUS=cpus, MEM=128, MODEL=model, CMDLINE="trace=stats")
        replay = f"replay: tools/run GUEST='{directory}/rSEED.bin mem=1M timeout=1' MODEL={model}"
        # Guests run in the order of their seeds on each CPU: the first without its audit is where it stopped.
        stuck = [seed for seed in range(first, first + count) if not run.has(rf"^adept: isolation: \w+ vm=r{seed} ")]
        if stuck:
            raise Failure(f"no end of the guests of the seeds {' '.join(map(str, stuck))} (exit status {run.status}; {replay})")
        for seed in range(first, first + count):
            if run.count(rf"^adept: guest r{seed}: (pass|fail) \(") != 1:
                raise Failure(f"guest of seed {seed} has no verdict (exit status {run.status}; {replay})")
            if not run.has(rf"^adept: exits vm=r{seed} reason=all "):
                raise Failure(f"guest of seed {seed} has no table of exits ({replay})")
        try:
            check(context, name, run, status=(0, 1))
        except Failure as failure:
            raise Failure(f"{failure} ({replay})") from failure
        # A generator whose guests all die at once would prove little.
        exits = sum(int(n) for n in re.findall(r"^adept: exits vm=r\d+ reason=all count=(\d+)", run.console, re.MULTILINE))
        if exits < 2 * count:
            raise Failure(f"only {exits} exits in {count} guests")
    return name, test


def tests(context, seed, guests):
    # Two guests at a time on each model; the others one by one, which an emulator does in less than half the time.
    number = 0
    while guests > 0:
        count = min(guests, PER_BOOT)
        yield batch(context, seed, count, MODELS[number % len(MODELS)], 2 if number < len(MODELS) else 1)
        seed, guests, number = seed + count, guests - count, number + 1
