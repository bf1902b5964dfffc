# SPDX-License-Identifier: MIT
"""The shipped guests, and guests made for a test, in Bochs."""
import os
import re

from harness import Failure, bochs_version, check, emulator_test, launch, launcher_error, nasm, new_models

REFERENCE_MODEL = "corei7_icelake_u"
# Every model of Bochs 2.7 with all that Adept requires, oldest first; a newer Bochs has NEW_MODELS beside them.
MODELS = ("corei5_arrandale_m520", "corei7_sandy_bridge_2600k", "corei7_ivy_bridge_3770k", "corei7_haswell_4770",
          "broadwell_ult", "corei3_cnl", "corei7_skylake_x", "corei7_icelake_u", "tigerlake")
GUESTS = ("hello", "tour", "modes", "walk", "identity", "crash")


def passes(guest):
    """What the shipped guest's end looks like: exit status and pattern. `crash` shows what a crash looks like."""
    if guest == "crash":
        return 1, rf"^adept: guest {guest}: fail \(.*triple fault.*\)"
    return 0, rf"^adept: guest {guest}: pass \("


def guest_test(context, name, guest, expect=(), words="", **variables):
    status, pattern = passes(guest)
    return emulator_test(context, name, status=status, expect=[pattern, rf"^adept: exits vm={guest} ", *expect],
                         GUEST=f"{guest} {words}".strip(), **variables)


# Numbers that move with every change of the hypervisor's code, though no run differs from the next: time stamps, ticks, and the
# host's page frames, which depend on the size of the image. In the expected traces each is written as *.
MOVING = (
    (re.compile(r"^adept: version \S+.*$", re.MULTILINE), "adept: version *"),
    (re.compile(r"\bt=\d+"), "t=*"),
    (re.compile(r"^#\d+", re.MULTILINE), "#*"),
    (re.compile(r" x\d+$", re.MULTILINE), ""),
    (re.compile(r"(port=0x3f8 out size=1 value)=0x[0-9a-f]+"), r"\1=*"),
    (re.compile(r"(call=EXIT_COUNT\(\w+\) ebx)=0x[0-9a-f]+"), r"\1=*"), # the result of the one before, which counts the timer's exits
    (re.compile(r"reason=(PREEMPTION_TIMER\(52\)|all) count=\d+"), r"reason=\1 count=*"),
    (re.compile(r"\(\d+\)( x\d+)?$", re.MULTILINE), r"(*)\1"),
    (re.compile(r"\b(ticks|mean|min|max)=\d+"), r"\1=*"),
    (re.compile(r" log2=[\d:,]+$", re.MULTILINE), " log2=*"),
    # Bits 11:9 of the qualification of an EPT violation are there or 0: a processor's choice, and Bochs's from 3.0 on.
    (re.compile(r"\bqual=0x([0-9a-f]+)"), lambda found: f"qual={int(found.group(1), 16) & ~0xe00:#x}"),
    (re.compile(r"\b(entry|raw|hpa)=0x[0-9a-f]+([0-9a-f]{3})\b"), r"\1=*\2"),
)


def normalized(text):
    """Without what moves with every change of the hypervisor's speed: ticks, and where the preemption timer's exits fall, which
    count in the sequence and end a fold."""
    text = text.replace("\r", "")
    for pattern, replacement in MOVING:
        text = pattern.sub(replacement, text)
    lines = []
    for line in text.split("\n"):
        if not (lines and line.startswith("#") and line == lines[-1]):
            lines.append(line)
    return "\n".join(lines)


def of_guest(text, guest):
    """The lines that speak of the guest: its trace, its own output, its exits and its end."""
    keep = re.compile(rf"^(#[\d*]+ .*\bvm={guest}\b|\[{guest}\]|adept: exits vm={guest}\b|adept: guest {guest}:)")
    return "".join(line + "\n" for line in text.split("\n") if keep.match(line))


STEP = re.compile(r"EXCEPTION_NMI\(0\) (cs:ip=\S+) vector=#DB\(1\) -> one instruction done")


def by_trap_flag(text, guest):
    """The trace expected where the monitor trap flag works: each step exits by it, not by #DB. `text` has no other exceptions."""
    text, steps = STEP.subn(r"MONITOR_TRAP_FLAG(37) \1 -> one instruction done", text)
    if not steps:
        return text
    exits = re.compile(rf"^adept: exits vm={guest} reason=EXCEPTION_NMI\(0\) count={steps}( .*)\n", re.MULTILINE)
    counted = exits.search(text)
    if not counted:
        raise Failure(f"the expected trace has {steps} steps, and not as many exits by exceptions")
    lines = exits.sub("", text).splitlines(keepends=True)
    # The lines are in the order of the reasons' numbers; that of all is the last.
    for at, line in enumerate(lines):
        reason = re.match(rf"adept: exits vm={guest} reason=(?:\w+\((\d+)\)|all) ", line)
        if reason and int(reason[1] or 1000) > 37:
            lines.insert(at, f"adept: exits vm={guest} reason=MONITOR_TRAP_FLAG(37) count={steps}{counted[1]}\n")
            break
    return "".join(lines)


def expected_trace(context, name, guest, kernel):
    """The guest's trace on the reference model is the one in test/emu/expected, and two runs do not differ in one byte."""

    def test():
        status, pattern = passes(guest)
        runs = []
        for again in ("", "-again"):
            run = launch(context, name + again, GUEST=guest, MODEL=REFERENCE_MODEL, CMDLINE="trace=all", KERNEL=kernel)
            check(context, name + again, run, status, [pattern])
            runs.append(run)
        if runs[0].console != runs[1].console:
            raise Failure(f"two runs differ: diff {context.log(name)} {context.log(name + '-again')}")
        path = os.path.join(context.root, "test", "emu", "expected", guest)
        got = of_guest(normalized(runs[0].console), guest)
        if not re.search(r"^#\* ", got, re.MULTILINE):
            raise Failure("no exit was traced")
        if context.update and kernel == context.kernel:
            if bochs_version() >= (3, 0):
                raise Failure("the traces kept are those of Bochs 2.7: update them there")
            with open(path, "w", encoding="utf-8") as expected:
                expected.write(got)
        if not os.path.exists(path):
            raise Failure(f"no expected trace at {path} (test/run-tests --update writes it)")
        with open(path, encoding="utf-8") as expected:
            want = expected.read()
        if bochs_version() >= (3, 0):
            want = by_trap_flag(want, guest)
        if got != want:
            with open(context.log(name + "-got"), "w", encoding="utf-8") as log:
                log.write(got)
            raise Failure(f"the trace is not the expected one: diff {path} {context.log(name + '-got')}")
    return name, test


def cpu_lines(cpus, vmx):
    return [rf"^cpu={cpu} apic=0x{cpu:x} vmx={vmx}\b" for cpu in range(cpus)]


def boot_sector(context, name, code):
    """Writes a 512-byte boot sector and gives its path."""
    path = os.path.join(context.logs, name + ".bin")
    with open(path, "wb") as output:
        output.write(code.ljust(510, b"\0") + b"\x55\xaa")
    return path


# mov al, 'B'; out 0xe9, al; mov al, 10; out 0xe9, al; xor al, al; out 0xf4, al; hlt; jmp $-1
PASSING = bytes([0xb0, 0x42, 0xe6, 0xe9, 0xb0, 0x0a, 0xe6, 0xe9, 0x30, 0xc0, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd])
# The same with the value 3 to port 0xf4.
FAILING = PASSING.replace(bytes([0x30, 0xc0]), bytes([0xb0, 0x03]))
# jmp $
LOOPING = bytes([0xeb, 0xfe])


def tests(context):
    for model in (*MODELS, *new_models()):
        for guest in GUESTS:
            yield guest_test(context, f"guest-{guest}-{model}", guest, MODEL=model)
    # The compiler changes ticks and addresses, but not what happens.
    for guest in ("hello", "tour"):
        yield expected_trace(context, f"trace-{guest}", guest, context.kernel)
        yield expected_trace(context, f"trace-{guest}-clang", guest, os.path.join(context.build, "clang", "adept"))

    for cpus in (1, 2, 4, 8):
        yield guest_test(context, f"cpus-{cpus}", "hello", expect=cpu_lines(cpus, "on"), CPUS=cpus, CMDLINE="trace=none")
    for mem in (64, 128, 512, 2048):
        yield guest_test(context, f"mem-{mem}", "tour", MEM=mem, CMDLINE="trace=stats")
    if bochs_version() >= (3, 0):
        # RAM beyond 4 GiB. Bochs swaps what is more than 2 GiB of it, and loses it there: no run may touch more, and an identity guest
        # gets cleared RAM, all of it.
        beyond = [r"^adept: memory: ram=(5|6)\d{3} MiB .* top=0x1[89a-f]\d{7} "]
        for model in (REFERENCE_MODEL, "sapphire_rapids"):
            yield guest_test(context, f"mem-6G-{model}", "tour", words="mem=512M; hello mem=512M", MEM="6G", MODEL=model, CPUS=2,
                             CMDLINE="trace=stats", timeout=240, expect=beyond)
    else:
        yield launcher_error(context, "mem-6G", "takes at most 2048, and 3.0 takes more", MEM="6G")
    yield guest_test(context, "modes-clang", "modes", KERNEL=os.path.join(context.build, "clang", "adept"), CPUS=2)
    yield guest_test(context, "multiboot1", "hello", MULTIBOOT=1)
    yield guest_test(context, "multiboot1-identity", "identity", MULTIBOOT=1, CPUS=2)

    together = [r"^adept: guest hello: pass", r"^adept: guest tour: pass", r"^adept: guest modes: pass"]
    yield emulator_test(context, "guests-parallel", expect=together, GUEST="hello;tour;modes", CPUS=4)
    yield emulator_test(context, "guests-more-than-cpus", expect=together, GUEST="hello;tour;modes", CPUS=2,
                        CMDLINE="trace=none")
    yield emulator_test(context, "guests-sequential", expect=together, GUEST="hello;tour;modes", CPUS=4,
                        CMDLINE="trace=none guests=sequential")
    # A guest that crashes takes no other with it.
    yield emulator_test(context, "guests-all", status=1, CPUS=4, GUEST="all", CMDLINE="trace=stats",
                        expect=[*together, r"^adept: guest identity: pass", r"^adept: guest crash: fail \(.*triple fault"])
    # A machine without a text screen, as by UEFI: the guest looks where none answers.
    def no_screen():
        name = "guest-identity-no-screen"
        path = nasm(context, "guests/identity.asm", "identity-no-screen.bin", "-f", "bin", "-DVGA_TEXT=0xa0000")
        run = launch(context, name, GUEST=f"{path} name=identity memory=identity", CMDLINE="trace=stats")
        check(context, name, run, 0, [r"^\[identity\] identity: no text screen at 0xb8000: it reads as all ones$", r"^adept: guest identity: pass"])
    yield "guest-identity-no-screen", no_screen
    yield guest_test(context, "guest-identity-screen", "identity", CMDLINE="trace=stats",
                     expect=[r"^\[identity\] identity: text written at 0xb8000 and read back$"])
    # The same program twice, and memory given to each.
    yield emulator_test(context, "guests-twice", GUEST="hello name=a mem=4M;hello name=b mem=8M cpu=1", CPUS=2,
                        expect=[r"^\[a\] ", r"^\[b\] ", r"^adept: guest a: pass", r"^adept: guest b: pass"])

    path = boot_sector(context, "own-boot-sector", PASSING)
    yield emulator_test(context, "own-boot-sector", GUEST=path, CMDLINE="trace=stats",
                        expect=[r"^\[own-boot-sector\] B$", r"^adept: guest own-boot-sector: pass"], forbid=[r"^#\d+ "])
    path = boot_sector(context, "own-failing", FAILING)
    yield emulator_test(context, "own-failing", status=1, GUEST=path, expect=[r"^adept: guest own-failing: fail \("])
    path = boot_sector(context, "own-looping", LOOPING)
    yield emulator_test(context, "own-looping", status=1, GUEST=f"{path} timeout=1", CMDLINE="trace=stats",
                        expect=[r"^adept: guest own-looping: fail \("])

    yield emulator_test(context, "trace-none", GUEST="hello", CMDLINE="trace=none", forbid=[r"^#\d+ "])
    yield emulator_test(context, "trace-list", GUEST="hello", CMDLINE="trace=VMCALL", forbid=[r"^#\d+ .*CPUID\("])
    yield emulator_test(context, "dump-ept", GUEST="hello", CMDLINE="trace=none dump=ept", expect=[r"(?i)\bgpa\b|gpa="])
    yield emulator_test(context, "command-line-unknown", GUEST="hello", CMDLINE="nonsense odd=1 trace=none",
                        expect=[r"^adept: command line: .*nonsense", r"^adept: command line: .*odd"])
    yield emulator_test(context, "guest-string-unknown", GUEST="hello colour=red", CMDLINE="trace=none",
                        expect=[r"^adept: (?!boot:|module:).*colour"])
    yield emulator_test(context, "command-line-cpus", GUEST="hello", CPUS=4, CMDLINE="trace=none cpus=2",
                        expect=[*cpu_lines(2, "on"), r"^adept: cpus: up=2 "], forbid=[r"^cpu=2 "])
    yield emulator_test(context, "end-halt", GUEST="hello", CMDLINE="trace=none on_end=halt", expect=[r"^adept: end: halt status=0"])
    yield emulator_test(context, "end-reboot", GUEST="hello", CMDLINE="trace=none on_end=reboot",
                        expect=[r"^adept: end: reboot status=0"])

    # The hypervisor's own faults are told with the function's name, never a silent reset.
    for word, said in (("host-exception", r"exception #PF\(14\) .*\bhost_test_page_fault\+0x"),
                       ("host-undefined", r"exception #UD\(6\) .*\bhost_test_undefined\+0x"),
                       ("host-stack-overflow", r"stack overflow: .*guard page"),
                       ("host-panic", r".*asked for by test=host-panic")):
        yield emulator_test(context, word, status=2, ran=False, GUEST="hello", CPUS=2, CMDLINE=f"test={word}",
                            expect=[rf"^adept: panic: {said}", r"^adept: panic: stack\[\d+\]=0x[0-9a-f]+ \w+\+0x",
                                    r"^adept: end: \w+ status=2"])
    # An NMI while the hypervisor itself runs is survived.
    yield emulator_test(context, "host-nmi", GUEST="hello", CPUS=2, CMDLINE="test=host-nmi trace=none",
                        expect=[r"^adept: nmi: survived", r"^adept: guest hello: pass"])
    # A CPU that does not come is named, and the others carry on.
    yield emulator_test(context, "cpu-mute", GUEST="hello", CPUS=4, CMDLINE="test=ap-mute trace=none",
                        expect=[r"^adept: cpu apic=0x3 does not answer", r"^adept: cpus: up=3 of=4", r"^adept: guest hello: pass"])
