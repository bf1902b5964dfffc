# SPDX-License-Identifier: MIT
"""Running the measuring guests, and the table of their figures. test/bench/bench.inc says what a guest prints."""
import concurrent.futures
import json
import os
import re

from harness import Failure, check, launch, nasm

MODES = {"16": "real", "32": "32-bit", "64": "64-bit"}

# What others need for the same, as far as it is known: Linux KVM 6.12 with mitigations=off, BitVisor; and what Adept must reach.
PEERS = {
    "vmcall": (974, 336, 60),
    "cpuid_0": (1072, 428, 100),
    "rdmsr": (1215, 370, 100),
    "in_absent": (3398, 339, 110),
    "mmio_read": (3868, 5905, 600),
    "rep_insb": (None, None, 40),
    "ept_4k": (3065, 827, 200),
    "ept_2m": (2927, 921, 220),
    "ept_new_1g": (None, 1628, 900),
    "pml_drain_page": (82, None, 16),
    "dirty_collect_page": (162, None, 20),
    "split_page": (355, None, 8),
    "trace_record": (None, None, 40),
}

# A guest measures all pages of an operation together, and all elements of a string; its row is for one.
PAGES = {"rep_insb": 512, "rep_outsb": 512, "split_page": 512, "merge_page": 512, "pml_drain_page": 512, "dirty_collect_page": 4096,
         "ept_4k_1_cpu": 1000, "ept_4k_2_cpus": 1000, "ept_4k_8_cpus": 1000}
# Rows without an instruction of the guest's own in them; and those that begin with TRACE_RECORD, which are differences.
HOST_ALONE = ("external_interrupt", "shootdown_2", "shootdown_8", "boot_1", "boot_8")
TRACE_RECORD = "trace_record"


class Guest:
    """test/bench/NAME.asm, the modes it is run in, the words of its string, and the machine. start: its first mode's run gives the row boot_CPUS, too."""

    def __init__(self, name, words, memory=256, cpus=1, modes=tuple(MODES), start=False, command_line="trace=none input=nobody"):
        self.name, self.words, self.memory, self.cpus, self.modes = name, words, memory, cpus, modes
        self.start, self.command_line = start, command_line


GUESTS = (
    Guest("memory", "mem=1280M", memory=1500),
    Guest("shootdown", "mem=32M vcpus=8", cpus=8, modes=("16",), start=True),
    Guest("shootdown", "mem=16M vcpus=2", cpus=2, modes=("16",)),
    Guest("cpus", "mem=64M vcpus=8", cpus=8, modes=("16",)),
    Guest("exits", "mem=64M"),
    Guest("dirty", "mem=32M", start=True),
)
# What a trace record adds: this guest with the trace off, and with all of it on.
UNTRACED = Guest("trace", "mem=640M", memory=900)
TRACED = Guest("trace", "mem=640M", memory=900, command_line="trace=all trace_to=ram input=nobody")


def guest_named(name):
    """The first of that name."""
    return next(one for one in GUESTS if one.name == name)


class Row:
    """A figure: ticks of one operation in the guest, net; VMREADs and VMWRITEs for it, None if not counted."""

    def __init__(self, name, mode, median, smallest, largest, vmread=None, vmwrite=None):
        self.name, self.mode = name, mode
        self.median, self.min, self.max = median, smallest, largest
        self.vmread, self.vmwrite = vmread, vmwrite
        self.taken = None  # KiB of the machine, where it is known

    def key(self):
        return f"{self.name} {self.mode}"

    def host(self):
        """Instructions that the host executes: the guest's own is one of the ticks."""
        return self.median if self.name in HOST_ALONE or self.name.startswith(TRACE_RECORD) else tidy(self.median - 1 / PAGES.get(self.name, 1))

    def as_json(self):
        return {name: getattr(self, name) for name in ("name", "mode", "median", "min", "max", "vmread", "vmwrite")}


def assemble(context, guest, mode, words):
    """Assembles a guest for a mode, with words of `short` and `counting` defined; gives the binary's path."""
    binary = "-".join(["bench", guest.name, *([f"{guest.cpus}cpus"] if guest.cpus > 1 else []), mode, *words]) + ".bin"
    return nasm(context, f"test/bench/{guest.name}.asm", binary, "-f", "bin", "-Itest/bench/",
                f"-DMODE={mode}", f"-DCPUS={guest.cpus}", *(f"-D{word.upper()}" for word in words))


def tidy(number, noise=0.0):
    """Two digits behind the point, and none if there is no more than noise."""
    whole, number = round(number), round(number, 2)
    return whole if abs(number - whole) <= noise else number


def parse(run):
    """Rows of a run, by name."""
    rows = {}
    for found in re.finditer(r"^\[\w+\] bench (\S+) (\d+)((?: [0-9a-f]+){7})$", "\n".join(run.lines), re.MULTILINE):
        name, mode = found.group(1), found.group(2)
        count, base, reads, writes, smallest, median, largest = (int(word, 16) for word in found.group(3).split())
        pages = PAGES.get(name, 1)
        noise = 0.05 if pages == 1 else 0.0  # exits of the hypervisor's timer are counted, or come later for others
        rows[name] = Row(name, MODES[mode], *(tidy((ticks - base) / pages) for ticks in (median, smallest, largest)),
                         *(tidy((counted - (counted >> 31 << 32)) / count / pages, noise) for counted in (reads, writes)))
    return rows


def parse_start(run, cpus):
    """The row of the hypervisor's own start, without what the console's devices took; and the KiB of the machine that it has taken."""
    console = "\n".join(run.lines)
    found = re.search(r"^adept: start: ticks=(\d+) console=(\d+) cpus=(\d+) image=(\d+) KiB host=(\d+) KiB$", console, re.MULTILINE)
    if not found or int(found.group(3)) != cpus:
        raise Failure(f"no line about the start with {cpus} CPUs")
    ticks = round(int(found.group(1)) - int(found.group(2)), -3)  # what was read from the disk before shifts the timers by a few hundred
    counted = re.search(r"^adept: start: vmread=(\d+) vmwrite=(\d+)$", console, re.MULTILINE)
    row = Row(f"boot_{cpus}", MODES["16"], ticks, ticks, ticks, *(map(int, counted.groups()) if counted else ()))
    row.taken = int(found.group(4)) + int(found.group(5))
    return row


def run_guest(context, guest, mode, words=(), model="corei7_icelake_u"):
    """Rows of one run, by name. words: `short`, fewer repetitions; `counting`, by the hypervisor in $BUILD/counting."""
    binary = assemble(context, guest, mode, words)
    test = f"{os.path.basename(binary)[:-len('.bin')]}-{model}{'-traced' if guest == TRACED else ''}"
    kernel = os.path.join(context.build, "counting", "adept") if "counting" in words else context.kernel
    # With others that run meanwhile, exits of the hypervisor's timer, every 2 ms, would be counted too often.
    ips = 50000000 if "counting" in words and guest.cpus > 1 else 4000000
    run = launch(context, test, timeout=300, IPS=ips, GUEST=f"{binary} name=bench boot=flat {guest.words}", MEM=guest.memory, CPUS=guest.cpus, MODEL=model,
                 CMDLINE=guest.command_line, KERNEL=kernel)
    check(context, test, run)
    rows = parse(run)
    if not rows:
        raise Failure(f"the guest {guest.name} prints no row for mode {mode}")
    if guest.start and mode == guest.modes[0]:
        row = parse_start(run, guest.cpus)
        rows[row.name] = row
    return rows


def added(without, traced):
    """The rows trace_record_NAME, and trace_record, the dearest of those: what `traced` needs beyond `without`."""
    def less(one, other):
        return None if one is None or other is None else tidy(one - other)
    rows = [Row(f"{TRACE_RECORD}_{name}", on.mode, *(less(getattr(on, figure), getattr(off, figure)) for figure in ("median", "min", "max", "vmread", "vmwrite")))
            for name, on, off in ((name, traced[name], off) for name, off in without.items())]
    worst = max(rows, key=lambda row: row.median)
    return [Row(TRACE_RECORD, worst.mode, worst.median, worst.min, worst.max, worst.vmread, worst.vmwrite), *rows]


def measure(context, short=False):
    """All rows. The counting hypervisor must have been built in $BUILD/counting, but for the short form, which does not count."""
    words = ["short"] if short else []
    with concurrent.futures.ThreadPoolExecutor(context.jobs) as pool:
        def start(guest, mode):
            return (pool.submit(run_guest, context, guest, mode, words), None if short else pool.submit(run_guest, context, guest, mode, ["counting"]))

        def rows_of(job):
            measured, counted = job
            for row in measured.result().values():
                other = counted.result()[row.name] if counted else None
                row.vmread, row.vmwrite = (other.vmread, other.vmwrite) if other else (None, None)
            return measured.result()

        jobs = [start(guest, mode) for guest in GUESTS for mode in guest.modes]
        pairs = [(start(UNTRACED, mode), start(TRACED, mode)) for mode in UNTRACED.modes]
        rows = [row for job in jobs for row in rows_of(job).values()]
        for without, traced in pairs:
            rows += added(rows_of(without), rows_of(traced))
    return rows


def show(rows):
    """The table."""
    print(f"{'operation':24} {'mode':7} {'median':>8} {'min':>8} {'max':>8} {'host':>8} {'vmread':>7} {'vmwrite':>7} {'KVM':>7} {'BitVisor':>8} {'goal':>5}")
    for row in rows:
        def text(value):
            return "-" if value is None else str(value)
        kvm, bitvisor, goal = PEERS.get(row.name, (None, None, None))
        verdict = "" if goal is None else " reached" if row.median <= goal else " MISSED"
        print(f"{row.name:24} {row.mode:7} {row.median:8} {row.min:8} {row.max:8} {row.host():8} {text(row.vmread):>7} {text(row.vmwrite):>7} "
              f"{text(kvm):>7} {text(bitvisor):>8} {text(goal):>5}{verdict}")


def write_json(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        json.dump([row.as_json() for row in rows], file, indent=1)
        file.write("\n")


def medians(rows):
    """What the baseline keeps of them."""
    return {row.key(): row.median for row in rows}


def goals(rows):
    return {row.key(): PEERS[row.name][2] for row in rows if row.name in PEERS}
