# SPDX-License-Identifier: MIT
"""Running the measuring guests, and what becomes of their figures. test/bench/bench.inc says what a guest prints."""
import concurrent.futures
import json
import os
import re
import subprocess
import threading

from harness import Failure, check, launch

BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
MODES = {"16": "real", "32": "32-bit", "64": "64-bit"}
# An emulated second has so many instructions, so that the preemption timer (every 2 ms) disturbs few of the measurements.
IPS = 50000000
GROWTH = 1.01

# What others need for the same, as far as it is known: Linux KVM 6.12 with mitigations=off, BitVisor; and what Adept must reach.
PEERS = {
    "vmcall": (974, 336, 60),
    "cpuid_0": (1072, 428, 100),
    "rdmsr": (1215, 370, 100),
    "in_absent": (3398, 339, 110),
    "mmio_read": (3868, 5905, 600),
    "ept_4k": (3065, 827, 200),
    "ept_2m": (2927, 921, 220),
    "ept_new_1g": (None, 1628, 900),
    "pml_drain_page": (82, None, 16),
    "dirty_collect_page": (162, None, 20),
    "split_page": (355, None, 8),
    "trace_record": (None, None, 40),
}

# Guest, the words of its string, megabytes of the machine, and the hypervisor's command line.
GUESTS = (
    ("exits", "mem=64M", 256, "trace=none input=nobody"),
    ("memory", "mem=1280M", 1500, "trace=none input=nobody"),
)
# What a trace record adds: this guest with the trace off, and with all of it on.
TRACED = tuple(("trace", "mem=640M", 900, f"trace={trace} input=nobody") for trace in ("none", "all trace_to=ram"))


class Row:
    """A figure: ticks of one operation in the guest, net; VMREADs and VMWRITEs for it, None if not counted."""

    def __init__(self, name, mode, median, smallest, largest, vmread=None, vmwrite=None):
        self.name, self.mode = name, mode
        self.median, self.min, self.max = median, smallest, largest
        self.vmread, self.vmwrite = vmread, vmwrite

    def key(self):
        return f"{self.name} {self.mode}"

    def as_json(self):
        return {name: getattr(self, name) for name in ("name", "mode", "median", "min", "max", "vmread", "vmwrite")}


def assemble(context, name, mode, short):
    """Assembles test/bench/NAME.asm for a mode; gives the binary's path."""
    path = os.path.join(context.logs, f"bench-{name}-{mode}{'-short' if short else ''}.bin")
    made = f"{path}.{threading.get_ident()}"  # several runs want it at the same time: none must see a half-written file
    command = ["nasm", "-f", "bin", "-w+all", "-Werror", f"-DMODE={mode}", *(["-DSHORT"] if short else []), "-Iguests/", "-Itest/bench/",
               f"-I{context.build}/gen/", f"test/bench/{name}.asm", "-o", made]
    done = subprocess.run(command, cwd=context.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"test/bench/{name}.asm does not assemble: {done.stderr.strip().splitlines()[0]}")
    os.replace(made, path)
    return path


def tidy(number):
    """A count for one operation, of a sum that a few timer exits have added to."""
    return round(number, 1) if number % 1 > 0.05 else int(number)


def parse(run):
    """Rows of a run, by name."""
    rows = {}
    for found in re.finditer(r"^\[\w+\] bench (\S+) (\d+)((?: [0-9a-f]+){7})$", "\n".join(run.lines), re.MULTILINE):
        name, mode = found.group(1), found.group(2)
        count, base, reads, writes, smallest, median, largest = (int(word, 16) for word in found.group(3).split())
        rows[name] = Row(name, MODES[mode], median - base, smallest - base, largest - base, tidy(reads / count), tidy(writes / count))
    return rows


def run_guest(context, guest, mode, short, counting):
    name, words, memory, command_line = guest
    test = f"bench-{name}-{mode}{'-short' if short else ''}{'-counting' if counting else ''}{'-traced' if 'trace=all' in command_line else ''}"
    kernel = os.path.join(context.build, "counting", "adept") if counting else context.kernel
    run = launch(context, test, timeout=300, GUEST=f"{assemble(context, name, mode, short)} name=bench boot=flat {words}", MEM=memory,
                 IPS=IPS, CMDLINE=command_line, KERNEL=kernel)
    check(context, test, run)
    return parse(run)


def added(without, traced):
    """The rows trace_record_NAME, and trace_record, the dearest of those: what `traced` needs beyond `without`."""
    def less(one, other):
        return None if one is None or other is None else one - other
    rows = [Row("trace_record_" + name, on.mode, *(less(getattr(on, figure), getattr(off, figure)) for figure in ("median", "min", "max", "vmread", "vmwrite")))
            for name, on, off in ((name, traced[name], off) for name, off in without.items())]
    worst = max(rows, key=lambda row: row.median)
    return [Row("trace_record", worst.mode, worst.median, worst.min, worst.max, worst.vmread, worst.vmwrite), *rows]


def with_counts(measured, counted):
    """The measured rows with what the counting hypervisor has counted, None if there is none."""
    for row in measured.values():
        other = counted.result()[row.name] if counted else None
        row.vmread, row.vmwrite = (other.vmread, other.vmwrite) if other else (None, None)
    return measured


def measure(context, short=False):
    """All rows. The counting hypervisor must have been built in $BUILD/counting, but for the short form, which does not count."""
    jobs = [(guest, mode) for guest in (*GUESTS, *TRACED) for mode in MODES]
    rows, untraced = [], {}
    with concurrent.futures.ThreadPoolExecutor(context.jobs) as pool:
        ticks = [pool.submit(run_guest, context, guest, mode, short, False) for guest, mode in jobs]
        counts = [None if short else pool.submit(run_guest, context, guest, mode, short, True) for guest, mode in jobs]
        for (guest, mode), measured, counted in zip(jobs, ticks, counts):
            found = measured.result()
            if not found:
                raise Failure(f"the guest {guest[0]} prints no row for mode {mode}")
            with_counts(found, counted)
            if guest not in TRACED:
                rows += found.values()
            elif guest == TRACED[0]:
                untraced[mode] = found
            else:
                rows += added(untraced[mode], found)
    return rows


def show(rows):
    """The table. `host` is what the host executes: the guest's own instruction is one of the ticks, but not of a difference."""
    print(f"{'operation':24} {'mode':7} {'median':>7} {'min':>7} {'max':>7} {'host':>7} {'vmread':>7} {'vmwrite':>7} {'KVM':>7} {'BitVisor':>8} {'goal':>5}")
    for row in rows:
        def text(value):
            return "-" if value is None else str(value)
        kvm, bitvisor, goal = PEERS.get(row.name, (None, None, None))
        verdict = "" if goal is None else " reached" if row.median <= goal else " MISSED"
        host = row.median - (0 if row.name.startswith("trace_record") else 1)
        print(f"{row.name:24} {row.mode:7} {row.median:7} {row.min:7} {row.max:7} {host:7} {text(row.vmread):>7} {text(row.vmwrite):>7} "
              f"{text(kvm):>7} {text(bitvisor):>8} {text(goal):>5}{verdict}")


def write_json(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        json.dump([row.as_json() for row in rows], file, indent=1)
        file.write("\n")


def write_baseline(rows):
    with open(BASELINE, "w", encoding="utf-8") as file:
        json.dump({row.key(): row.median for row in rows}, file, indent=1)
        file.write("\n")


def compare(rows):
    """What has grown by more than 1 % over the baseline, or is in one of the two alone: a line each."""
    with open(BASELINE, encoding="utf-8") as file:
        baseline = json.load(file)
    measured = {row.key(): row.median for row in rows}
    lines = [f"{key}: {value} ticks, more than the baseline's {baseline[key]}" for key, value in measured.items()
             if key in baseline and value > baseline[key] * GROWTH]
    lines += [f"{key}: in the baseline and not measured" for key in baseline if key not in measured]
    lines += [f"{key}: not in the baseline; test/bench/run --update writes it" for key in measured if key not in baseline]
    return lines
