# SPDX-License-Identifier: MIT
"""What Adept takes of a machine: bytes of the image, KiB with 1 and 8 CPUs up and no guest, frames for EPT tables."""
import os
import subprocess

from harness import Failure

# Sections of the image: code; constants and variables; the tables of symbols, for its reports.
PARTS = {"image_text": (".boot", ".text"), "image_data": (".rodata", ".data", ".bss"), "image_symbols": (".symbols",)}


def lines_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} fails: {done.stderr.strip()}")
    return [line.split() for line in done.stdout.splitlines()]


def measure(context, rows):
    """Figures by name."""
    sections = {words[0]: int(words[1]) for words in lines_of(["size", "-A", os.path.join(context.build, "adept.elf")]) if len(words) == 3 and words[1].isdigit()}
    figures = {f"{part} bytes": sum(sections[name] for name in names) for part, names in PARTS.items()}
    for row in sorted((row for row in rows if row.taken is not None), key=lambda row: row.name):
        figures[f"{row.name.replace('boot', 'memory')}_cpus KiB"] = row.taken
    figures.update({f"{name} frames": int(count) for name, count in lines_of([os.path.join(context.build, "bench", "ept_tables")])})
    return figures


def show(figures):
    print()
    for key, value in figures.items():
        name, unit = key.split()
        print(f"{name:24} {value:9} {unit}")
