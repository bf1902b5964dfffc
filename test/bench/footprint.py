# SPDX-License-Identifier: MIT
"""What Adept takes of a machine: bytes of the image (its symbols serve its reports), KiB with 1 and 8 CPUs up and no guest, frames for EPT tables."""
import os
import subprocess

from harness import Failure


def lines_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} fails: {done.stderr.strip()}")
    return [line.split() for line in done.stdout.splitlines()]


def size(files):
    """Bytes of code and constants, and of variables, in object files: without what fills pages up in the image."""
    text, data, bss = map(int, lines_of(["size", "-t", *files])[-1][:3])
    return text, data + bss


def measure(context, rows):
    """Figures by name. rows: of figures.measure()."""
    with open(os.path.join(context.build, "objects"), encoding="utf-8") as file:
        text, data = size([os.path.join(context.root, path) for path in file.read().split()])
    symbols, _ = size([os.path.join(context.build, "obj", "symbols.o")])
    figures = {"image_text bytes": text, "image_data bytes": data, "image_symbols bytes": symbols}
    for row in sorted((row for row in rows if row.taken is not None), key=lambda row: row.name):
        figures[f"{row.name.replace('boot', 'memory')}_cpus KiB"] = row.taken
    figures.update({f"{name} frames": int(count) for name, count in lines_of([os.path.join(context.build, "bench", "ept_tables")])})
    return figures


def show(figures):
    print()
    for key, value in figures.items():
        name, unit = key.split()
        print(f"{name:24} {value:9} {unit}")
