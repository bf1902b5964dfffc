# SPDX-License-Identifier: MIT
"""What is said about exits: the statistics, the trace, its sinks and filters, and tools/adept-trace."""
import csv
import json
import os
import re
import subprocess
import time

from bench import baseline
from exits import assemble
from harness import Failure, Run, check, launch, run_logged


def statistics(run, vm):
    """The table of a VM's exits: reason -> its figures, histogram as {bin: count}."""
    table = {}
    for line in re.findall(rf"^adept: exits vm={vm} (.*)$", "\n".join(run.lines), re.MULTILINE):
        values = dict(word.split("=", 1) for word in line.split())
        row = {key: int(values[key]) for key in ("count", "ticks", "mean", "min", "max")}
        row["log2"] = {int(n): int(count) for n, count in (pair.split(":") for pair in values["log2"].split(","))}
        table[values["reason"]] = row
    return table


def check_row(reason, row):
    if sum(row["log2"].values()) != row["count"]:
        raise Failure(f"{reason}: the histogram has not {row['count']} exits")
    if not row["min"] <= row["mean"] <= row["max"] or row["mean"] != row["ticks"] // row["count"]:
        raise Failure(f"{reason}: min, mean and max do not fit: {row}")
    if (max(row["min"], 1).bit_length() - 1, max(row["max"], 1).bit_length() - 1) != (min(row["log2"]), max(row["log2"])):
        raise Failure(f"{reason}: min and max are not in the first and last bin: {row}")


SUBJECTS = {"port": ("IO",), "msr": ("RDMSR", "WRMSR"), "cpuid": ("CPUID",), "hypercall": ("VMCALL",),
            "page": ("EPT_VIOLATION", "EPT_MISCONFIG")}


def exit_statistics(context, quick):
    """Table and JSON lines of the same guest say the same; sums, bounds and bins fit; each kind's subjects add up to its reasons' counts.

    quick: with quick exits. Which of them a moment that is due makes slow differs from run to run, and with it their ticks.
    """
    name_of_test = "exit-statistics" + ("-quick" if quick else "")

    def test():
        guest = f"{assemble(context, 'exit_cost')} name=cost"
        command_line = "trace=none" + ("" if quick else " test=no-quick-exits")
        text = launch(context, name_of_test + "-text", GUEST=guest, CMDLINE=command_line + " input=nobody")
        check(context, name_of_test + "-text", text, 0, [r"^adept: exits vm=cost reason=all "])
        lines = launch(context, name_of_test + "-json", GUEST=guest, CMDLINE=command_line + " input=nobody stats=json")
        check(context, name_of_test + "-json", lines, 0, forbid=[r"^adept: (exits|subjects) "])
        objects = [json.loads(line) for line in lines.lines if line.startswith("{")]
        reasons = {o["reason"]: o for o in objects if "reason" in o}
        subjects = [o for o in objects if "subject" in o]
        table = statistics(text, "cost")
        if {name.split("(")[0] for name in table} != set(reasons) or len(table) < 6:
            raise Failure("the table and the JSON lines have not the same reasons")
        for name, row in table.items():
            check_row(name, row)
            same = reasons[name.split("(")[0]]
            same = {**same, "log2": {int(n): count for n, count in same["log2"].items()}}
            if same["vm"] != "cost" or (same["number"] >= 0) != name.endswith(f"({same['number']})"):
                raise Failure(f"{name}: JSON says {same}")
            # The preemption timer's exits, and with them the sum, fall as they like.
            if "PREEMPTION" not in name and name != "all" and any(same[key] != row[key] for key in (["count"] if quick else row)):
                raise Failure(f"{name}: JSON says {same}, the table {row}")
        if table["all"]["count"] != sum(row["count"] for name, row in table.items() if name != "all"):
            raise Failure("reason=all is not the sum of the others")
        for kind, of in SUBJECTS.items():
            wanted = sum(reasons[reason]["count"] for reason in of if reason in reasons)
            counted = sum(o["count"] for o in subjects if o["subject"] == kind)
            ticks = sum(o["ticks"] for o in subjects if o["subject"] == kind)
            if counted != wanted or ticks != sum(reasons[reason]["ticks"] for reason in of if reason in reasons):
                raise Failure(f"{kind}: {counted} exits counted by subject, {wanted} by reason")
            printed = sum(int(n) for n in re.findall(rf"^adept: subjects vm=cost {kind}=\S+ count=(\d+)", "\n".join(text.lines), re.MULTILINE))
            if printed != wanted:
                raise Failure(f"{kind}: {printed} exits in the lines, {wanted} by reason")
        for kind, value, count in (("port", "0x1234", 1000), ("msr", "0x1b", 1000), ("cpuid", "0x0", 2000), ("hypercall", "0x12345678", 1000)):
            if not any((o["subject"], o["value"], o["count"]) == (kind, value, count) for o in subjects):
                raise Failure(f"{kind} {value} was not counted {count} times")
    return name_of_test, test


def decode(context, name, path, *arguments, status=0):
    """What build/adept-trace makes of a captured stream."""
    done = subprocess.run([os.path.join(context.build, "adept-trace"), *arguments, path], capture_output=True, check=False)
    with open(context.log(name + ".decoded"), "wb") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode != status:
        raise Failure(f"adept-trace ends with {done.returncode}, not {status}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("ascii")


def exit_lines(text):
    """The lines of exits, and of those that are missing."""
    return [line for line in text.replace("\r", "").split("\n") if re.match(r"#\d+ |adept: trace: cpu=\d+ (lost|suppressed)=", line)]


def traced_exits(lines):
    """How many exits these lines stand for: printed and folded, lost, suppressed."""
    counted = [0, 0, 0]
    for line in lines:
        missing = re.match(r"adept: trace: cpu=\d+ (lost|suppressed)=(\d+) ", line)
        if missing:
            counted[1 if missing.group(1) == "lost" else 2] += int(missing.group(2))
        else:
            counted[0] += int((re.search(r" x(\d+)$", line) or [0, 1])[1])
    return counted


def total_exits(run, vm):
    """All exits of a VM but those of the preemption timer, which are not traced."""
    table = statistics(run, vm)
    return table["all"]["count"] - table.get("PREEMPTION_TIMER(52)", {"count": 0})["count"]


FRAME_START, FRAME_ESCAPE = 0xff, 0xfe


def frames(stream):
    """The frames of a stream: (kind, bytes on the line); kind 0 is an exit. An own reading of vmm/trace/frame.h."""
    found = []
    for piece in bytes(b for b in stream if b >= 0x80).split(bytes([FRAME_START]))[1:]:
        head = 1 if piece[0] - 0x80 < 125 else 3
        length = piece[0] - 0x80 if head == 1 else 125 + (piece[1] - 0x80) * 64 + piece[2] - 0x80
        if len(piece) != head + length:
            raise Failure(f"a frame of {len(piece)} bytes says {length}")
        unit = piece[head] - 0x80
        found.append((unit >> 1 & 31 if unit & 0x40 else 0, 1 + len(piece)))
    return found


def check_frame_sizes(stream):
    all_frames = frames(stream)
    exits = sorted(size for kind, size in all_frames if kind == 0)
    if len(exits) < 400 or exits[len(exits) // 2] > 16:
        raise Failure(f"{len(exits)} frames of exits, their median has {exits[len(exits) // 2]} bytes")
    mean = sum(size for _, size in all_frames) / len(exits)
    if mean > 20:
        raise Failure(f"{mean:.1f} bytes an exit, key frames and names among them")


def check_json(text, lines):
    """The rules of the Trace Event Format, and that the events are the lines' exits."""
    document = json.loads(text)
    if not isinstance(document["traceEvents"], list) or document["displayTimeUnit"] not in ("ms", "ns"):
        raise Failure("this is no Trace Event Format object")
    last, named, slices, maps = {}, set(), 0, 0
    for event in document["traceEvents"]:
        track = (event["pid"], event["tid"])
        if event["ph"] == "M":
            if event["name"] not in ("process_name", "thread_name") or not event["args"]["name"]:
                raise Failure(f"a metadata event that is none: {event}")
            named.add((event["name"], track))
            continue
        if event["ph"] == "X":
            slices += 1
            if ("process_name", track) not in named or ("thread_name", track) not in named:
                raise Failure(f"a slice on a track without a name: {event}")
            if event["dur"] < 0 or event["ts"] < last.get(track, 0) or not event["name"] or event["args"]["count"] < 1:
                raise Failure(f"a slice that begins before the last one ended, or ends before it began: {event}")
            last[track] = event["ts"] + event["dur"]
        elif event["ph"] == "i":
            maps += event["name"].startswith("EPT map ")
            if event["s"] not in "tpg" or event["ts"] < 0:
                raise Failure(f"an instant that is none: {event}")
        else:
            raise Failure(f"an event of another kind: {event}")
    mapped = sum(bool(re.search(r" -> (map|repair) ", line)) for line in lines)
    exits = sum(line.startswith("#") for line in lines)
    if (slices, maps) != (exits, mapped) or mapped == 0:
        raise Failure(f"{slices} slices and {maps} instants of {exits} exits and {mapped} maps")


def check_csv(text, lines):
    rows = list(csv.DictReader(text.splitlines()))
    exits = [line for line in lines if line.startswith("#")]
    if len(rows) != len(lines):
        raise Failure(f"{len(rows)} rows of {len(lines)} lines")
    for row, line in zip((row for row in rows if row["sequence"]), exits):
        if not line.startswith(f"#{row['sequence']} cpu={row['cpu']} vm={row['vm']} ") or f" t={row['t']} {row['reason']}({row['number']}) " not in line \
                or f" {row['what']} (" not in line:
            raise Failure(f"row and line differ: {row} {line}")


def binary_beside(context):
    """Frames on COM2, text on the console: the decoder says the same as the console, to the tick; sizes; CSV; JSON."""

    def test():
        name = "trace-binary-com2"
        stream = os.path.join(context.logs, name + ".stream")
        run = launch(context, name, GUEST="tour", CMDLINE="trace=all trace_to=text,binary,com2", TRACE=stream)
        check(context, name, run, 0, [r"^adept: trace: frames on uart=0x2f8 baud=115200: ok$", r"^adept: guest tour: pass"])
        if re.search("[\x80-\xff\ufffd]", run.console):
            raise Failure("there are frames on the console")
        lines = exit_lines(run.console)
        decoded = decode(context, name, stream)
        if decoded.splitlines() != lines:
            raise Failure(f"the decoded text is not the console's: {context.log(name + '.decoded')}")
        with open(stream, "rb") as file:
            check_frame_sizes(file.read())
        check_csv(decode(context, name, stream, "-f", "csv"), lines)
        check_json(decode(context, name, stream, "-f", "json"), lines)
    return "trace-binary-com2", test


def binary_mixed(context):
    """Frames and text on one line: without the bytes that are frames the console is as ever, and the decoder has both, in order."""

    def test():
        name = "trace-binary-mixed"
        run = launch(context, name, GUEST="tour", CMDLINE="trace=all trace_to=text,binary", CPUS=2)
        path = context.log(name)
        with open(path, "rb") as file:
            stream = file.read()
        text = bytes(b for b in stream if b < 0x80).decode().replace("\r", "")
        run = Run(run.status, text)
        check(context, name, run, 0, [r"^adept: guest tour: pass", r"^\[tour\] "])
        decoded = decode(context, name, path).splitlines()
        both = exit_lines("\n".join(decoded))
        if both[0::2] != both[1::2] or both[0::2] != exit_lines(text):
            raise Failure(f"text and frames do not say the same: {context.log(name + '.decoded')}")
        others = [line for line in decoded if line not in set(both)]
        if others != [line for line in text.splitlines() if line not in set(both)]:
            raise Failure("the decoder changes text that is not its own")
        # No frame is within a line: what is before each is a line's end, or another frame.
        for start in (at for at, byte in enumerate(stream) if byte == FRAME_START):
            if stream[start - 1] < 0x80 and stream[start - 1] != 10:
                raise Failure(f"a frame cuts a line, at byte {start} of {path}")
        # Cut and damaged: what comes out is still what went in, in its order, and the loss is said.
        binary = bytes(b for b in stream if b >= 0x80)
        third, half = len(binary) // 3, len(binary) // 2
        damaged = os.path.join(context.logs, name + ".damaged")
        with open(damaged, "wb") as file:
            file.write(binary[third:half] + bytes([binary[half] ^ 0x15]) + binary[half + 1:half + 900] + binary[half + 940:-7])
        rest = exit_lines(decode(context, name, damaged, status=1))
        sent = iter(both[0::2])
        if not all(line in sent for line in rest) or len(rest) < len(both) // 8:
            raise Failure(f"of a damaged stream come records that nobody sent, or too few: {len(rest)} of {len(both) // 2}")
        with open(context.log(name + ".decoded"), encoding="utf-8") as file:
            if not re.search(r"^adept-trace: cpu=0 missing=\d+ frames", file.read(), re.MULTILINE):
                raise Failure("nobody says that frames are missing")
    return "trace-binary-mixed", test


def a_million(context):
    """A million exits as frames: those that came out, were folded and were lost are exactly all of them."""

    def test():
        name = "trace-million"
        stream = os.path.join(context.logs, name + ".stream")
        run = launch(context, name, timeout=400, GUEST=f"{assemble(context, 'flood_million')} name=flood", CMDLINE="trace_to=binary,com2", TRACE=stream)
        check(context, name, run, 0, [r"^adept: guest flood: pass", r"^\[flood\] flood: done$"], forbid=[r"^#\d"])
        printed, lost, _ = traced_exits(exit_lines(decode(context, name, stream)))
        total = total_exits(run, "flood")
        if total < 1000000 or lost == 0 or printed < 20000 or printed + lost != total:
            raise Failure(f"{printed} exits in frames and {lost} lost are not {total}")
    return "trace-million", test


def live(context):
    """A serial line, read as it comes: a pseudo-terminal stands for it. And what the program says to wrong arguments."""

    def test():
        name = "adept-trace-live"
        stream = os.path.join(context.logs, name + ".stream")
        run = launch(context, name, GUEST="hello", CMDLINE="trace=all trace_to=text,binary,com2", TRACE=stream)
        check(context, name, run, 0)
        with open(stream, "rb") as file:
            data = file.read()
        master, slave = os.openpty()
        with subprocess.Popen([os.path.join(context.build, "adept-trace"), "-b", "9600", os.ttyname(slave)], stdout=subprocess.PIPE) as process:
            wanted = exit_lines(run.console)
            time.sleep(0.5)  # until it has made the line raw
            os.close(slave)
            half = data.index(b"\xff", len(data) // 2)
            os.write(master, data[:half])
            first = process.stdout.readline().decode().rstrip("\n")  # before the rest is sent
            os.write(master, data[half:])
            lines = [first] + [process.stdout.readline().decode().rstrip("\n") for _ in wanted[1:]]
            os.close(master)
            rest, status = process.stdout.read(), process.wait(10)
        if lines != wanted or rest or status != 0:
            raise Failure(f"from the line came {len(lines)} lines, status {status}, not what is on the console")
        decode(context, name, stream, "-f", "xml", status=2)
        decode(context, name, os.path.join(context.logs, "there-is-no-such-file"), status=2)
        decode(context, name, stream, "-b", "1", status=2)
    return "adept-trace-live", test


def ram(context):
    """trace_to=ram: no line of an exit, but the newest in a report; guests' lines as ever."""

    def test():
        name = "trace-ram"
        run = launch(context, name, GUEST="hello", CMDLINE="trace=all trace_to=ram test=panic-after-guest")
        check(context, name, run, 2, [r"^\[hello\] hello: all is well$", r"^adept: panic", r"^adept:   #\d+ cpu=0 vm=hello .* VMCALL\(18\) .* -> guest ended"],
              forbid=[r"^#\d+ "], ran=False)
    return "trace-ram", test


def ram_wraps(context):
    """A ring that nobody drains has the newest exits, in their order, when quick ones have filled it more than once."""

    def test():
        name = "trace-ram-wraps"
        run = launch(context, name, GUEST=f"{assemble(context, 'flood')} name=flood", CMDLINE="trace=CPUID,VMCALL trace_to=ram test=panic-after-guest")
        check(context, name, run, 2, [r"^\[flood\] flood: done$", r"^adept: panic"], ran=False)
        exits = [[int(number or 1) for number in found] for found in
                 re.findall(r"^adept:   #(\d+) cpu=0 vm=flood .* \(\d+\)(?: x(\d+))?$", "\n".join(run.lines), re.MULTILINE)]
        # Not recorded are the text's exits, which come before the last one, and the timer's, which end a fold, too.
        gaps = [other - number - count for (number, count), (other, _) in zip(exits, exits[1:-1])]
        folded = [count for _, count in exits[:-1] if count > 1]
        if len(exits) != 32 or sum(folded) != 5000 or len(folded) > 25 or any(gap not in (0, 1) for gap in gaps):
            raise Failure(f"of the newest exits come {len(exits)} records, {folded} folded, with gaps of {gaps}")
    return "trace-ram-wraps", test


def filters(context):
    """filter= lets pass what it says, and only that."""

    def test():
        def lines(number, options):
            run = launch(context, f"trace-filter-{number}", GUEST="hello", CMDLINE=options)
            check(context, f"trace-filter-{number}", run, 0)
            return exit_lines(run.console)

        everything = lines(0, "trace=all")
        for number, (term, wanted) in enumerate((
                ("port:0xe9", r" port=0xe9 "), ("-port:0x3f8", r"^(?!.* port=0x3f8 )"), ("cpuid:0x40000000-0x400000ff", r" leaf=0x40000000 "),
                ("cpuid:1,VMCALL", r" leaf=0x1 | VMCALL\("), ("gpa:0x7000-0x7fff", r" EPT_VIOLATION\("), ("rip:0x7c00-0x7c5f,-reason:IO", r"^(?!.*IO\().* cs:ip=0000:7c[0-5]"),
                ("vm:nobody", "^$"), ("cpu:0", ""), ("cpu:1", "^$"), ("vm:hello,-gpa:0-0xffffffff", r"^(?!.*EPT_VIOLATION)")), 1):
            got = [re.sub(r" t=\d+| \(\d+\)( x\d+)?$", "", line) for line in lines(number, f"trace=all filter={term}")]
            # Folding goes by what is recorded, so compare what the exits were about.
            want = [re.sub(r" t=\d+| \(\d+\)( x\d+)?$", "", line) for line in everything if re.search(wanted, line)]
            if [re.sub(r"^#\d+ ", "", line) for line in got] != [re.sub(r"^#\d+ ", "", line) for line in want]:
                raise Failure(f"filter={term}: {len(got)} lines, not these {len(want)}")
    return "trace-filter", test


def rate(context):
    """trace_rate= suppresses, and what was suppressed, printed and lost are all."""

    def test():
        name = "trace-rate"
        run = launch(context, name, GUEST=f"{assemble(context, 'flood')} name=flood", CMDLINE="trace_rate=200")
        check(context, name, run, 0, [r"^adept: guest flood: pass", r"^adept: trace: cpu=0 suppressed=\d+ exits were above trace_rate=$"])
        printed, lost, suppressed = traced_exits(exit_lines(run.console))
        total = total_exits(run, "flood")
        if suppressed < 1000 or printed < 200 or printed + lost + suppressed != total:
            raise Failure(f"{printed} printed, {lost} lost and {suppressed} suppressed are not {total}")
    return "trace-rate", test


EXITS_OF_COST = ("vmcall", "cpuid", "same", "rdmsr", "in", "in_uart", "out_uart", "wrmsr", "hypervisor_leaf", "version", "mov_cr", "mmio", "touch")


def costs(run):
    """What exits cost the guest exit_cost: name -> the least ticks."""
    return {name: int(least, 16) for name, least in re.findall(r"^\[cost\] (\w+) (\w{8}) \w{8}$", "\n".join(run.lines), re.MULTILINE)}


def cost(context):
    """A record adds at most 40 ticks to an exit, quick or through C, a trace that is off at most 3 to one that goes through C: against a hypervisor without a trace."""

    def test():
        build = os.path.join(context.build, "no-trace")
        command = ["make", f"-j{context.jobs}", f"BUILD={build}", "EXTRA_CFLAGS=-DTEST_NO_TRACE", "kernel"]
        if run_logged(command, context.log("trace-cost.build"), timeout=900) != 0:
            raise Failure(f"it does not build: {context.log('trace-cost.build')}")
        figures = {}
        for what, cmdline, kernel in (("without", "trace=none test=no-quick-exits", os.path.join(build, "adept")), ("off", "trace=none test=no-quick-exits", context.kernel),
                                      ("on", "trace=all trace_to=ram test=no-quick-exits", context.kernel),
                                      ("quick-off", "trace=none", context.kernel), ("quick-on", "trace=all trace_to=ram", context.kernel)):
            run = launch(context, f"trace-cost-{what}", GUEST=f"{assemble(context, 'exit_cost')} name=cost", CMDLINE=cmdline + " input=nobody", KERNEL=kernel)
            check(context, f"trace-cost-{what}", run, 0, [r"^adept: guest cost: pass"])
            figures[what] = costs(run)
        print(f"trace-cost: {figures}", flush=True)
        for name, least in figures["off"].items():
            if least - figures["without"][name] > 3:
                raise Failure(f"{name}: {least} ticks with the trace off, {figures['without'][name]} without one")
        for on, off in (("quick-on", "quick-off"), ("on", "off")):
            for name in EXITS_OF_COST:
                if name == "same" and on == "on":
                    continue  # folded by C, which compares all of it
                added = figures[on][name] - figures[off][name]
                if not 10 < added <= 40 * baseline.slack(context.build):
                    raise Failure(f"the record of {name} adds {added} ticks: {on}")
    return "trace-cost", test


def tests(context):
    yield exit_statistics(context, False)
    yield exit_statistics(context, True)
    yield binary_beside(context)
    yield binary_mixed(context)
    yield a_million(context)
    yield live(context)
    yield ram(context)
    yield ram_wraps(context)
    yield filters(context)
    yield rate(context)
    yield cost(context)
