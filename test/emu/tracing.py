# SPDX-License-Identifier: MIT
"""What is said about exits: the statistics, the trace, its sinks and filters, and tools/adept-trace."""
import json
import re

from exits import assemble
from harness import Failure, check, launch


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
        text = launch(context, name_of_test + "-text", GUEST=guest, CMDLINE=command_line)
        check(context, name_of_test + "-text", text, 0, [r"^adept: exits vm=cost reason=all "])
        lines = launch(context, name_of_test + "-json", GUEST=guest, CMDLINE=command_line + " stats=json")
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


def tests(context):
    yield exit_statistics(context, False)
    yield exit_statistics(context, True)
