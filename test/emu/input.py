# SPDX-License-Identifier: MIT
"""What is typed at the console: which guest gets it, and how it arrives there."""
from exits import assemble
from harness import check, launch


def bios(context, model):
    """INT 16h waits asleep for each key, and gets it."""
    name = f"input-bios-{model}"

    def test():
        run = launch(context, name, CMDLINE="trace=stats", MODEL=model, GUEST=f"{assemble(context, 'typed_bios')} name=bios",
                     answers=[(r"\[bios\] typed_bios: waits", "Hello, {World} 42!\r"), (r"\[bios\] Hello", "\x1b")])
        check(context, name, run, 0, [r"^\[bios\] Hello, \{World\} 42!$", r"^\[bios\] typed_bios: done$", r"reason=HLT\(12\)"])
    return name, test


def interrupts(context, model):
    """Each character is a receive interrupt of COM1's and the interrupts of a key that is pressed and released."""
    name = f"input-interrupts-{model}"

    def test():
        run = launch(context, name, CMDLINE="trace=stats", MODEL=model,
                     GUEST=f"{assemble(context, 'typed_interrupts')} name=typed boot=flat",
                     answers=[(r"typed_interrupts: waits", "a1B\r")])
        check(context, name, run, 0, [r"^\[typed\] characters: 61 31 42 0d$", r"^\[typed\] keys: 1e 9e 02 82 2a 30 b0 aa 1c 9c$"])
    return name, test


def chosen(context):
    """input= names the guest that gets it, and the first one gets nothing."""
    def test():
        guest = assemble(context, "typed_bios")
        run = launch(context, "input-chosen", CMDLINE="trace=none input=second", CPUS=2,
                     GUEST=f"{guest} name=first timeout=20; {guest} name=second",
                     answers=[(r"\[second\] typed_bios: waits", "for me\r\x1b")])
        check(context, "input-chosen", run, 1, [r"^\[second\] for me$", r"^adept: guest second: pass", r"^adept: guest first: fail \(timeout\)"],
              forbid=[r"^\[first\] for me"])
    return "input-chosen", test


def nobody(context):
    def test():
        run = launch(context, "input-nobody", CMDLINE="trace=none input=nobody", GUEST="hello")
        check(context, "input-nobody", run, 0, [r"^adept: input: no guest 'nobody': nobody gets what is typed$"])
    return "input-nobody", test


def tests(context):
    for model in ("corei7_icelake_u", "corei5_arrandale_m520"):
        yield bios(context, model)
        yield interrupts(context, model)
    yield chosen(context)
    yield nobody(context)
