# SPDX-License-Identifier: MIT
"""The host's own safety nets, by test= words: faults on purpose, an isolation that is broken on purpose, and the other ways to come up."""
import os
import re
import subprocess
import time

from hosts import FIRMWARE
from harness import EMULATOR_TIMEOUT, Failure, check, emulator_test, launch, run_logged


def other_cpu_panics(context):
    """A fault on cpu=1 while the boot CPU prints: the report comes whole, and nothing of the boot CPU's behind its start."""

    def test():
        name = "host-exception-ap"
        run = launch(context, name, CPUS=2, GUEST="hello", CMDLINE="test=host-exception-ap")
        check(context, name, run, 2, [
            r"^adept: the boot CPU prints line 4 of many$",
            r"^adept: panic: exception #PF\(14\) error=0x2 cpu=1 apic=0x1 rip=0x[0-9a-f]+ host_test_page_fault\+0x",
            r"^adept: panic: write of 0x18: not mapped$", r"^adept: panic: rax=[0-9a-f]{16} ", r"^adept: panic: cr0=0x",
            r"^adept: panic: stack\[\d\]=0x[0-9a-f]+ smp_enter\+0x", r"^adept: end: \w+ status=2$"], ran=False)
        start = next(i for i, line in enumerate(run.lines) if line.startswith("adept: panic:"))
        for line in run.lines[start:]:
            if line and not re.match(r"adept: (panic|end|halted):", line):
                raise Failure(f"inside the report: {line}")
    return "host-exception-ap", test


def sleeps(context, name, words):
    """HLT with the local APIC's timer as alarm clock: at least as long as asked, and not much longer."""

    def test():
        run = launch(context, name, GUEST="hello", CMDLINE=f"trace=none test={words}")
        check(context, name, run, 0, [r"^adept: guest hello: pass"])
        found = re.findall(r"^adept: sleep: asked_us=(\d+) slept_us=(\d+) timer_khz=(\d+)$", "\n".join(run.lines), re.MULTILINE)
        if [int(asked) for asked, _, _ in found] != [100, 1000, 5000] or found[0][2] == "0":
            raise Failure(f"not three sleeps by a timer that counts: {found}")
        for asked, slept, _ in found:
            if not int(asked) * 0.99 <= int(slept) <= int(asked) * 1.05 + 100:
                raise Failure(f"{slept} us asleep instead of {asked}")
    return name, test


def last_exits_in_panic(context):
    """A panic after a guest has run names the last exits of that CPU, the guest's last one at the end."""

    def test():
        name = "panic-after-guest"
        run = launch(context, name, GUEST="hello", CMDLINE="trace=all test=panic-after-guest")
        check(context, name, run, 2, [r"^adept: guest hello: pass", r"^adept: panic: asked for by test=panic-after-guest"], ran=False)
        start = next(i for i, line in enumerate(run.lines) if line.startswith("adept: panic:"))
        before = [line for line in run.lines[:start] if re.match(r"#\d+ ", line)]
        after = [line for line in run.lines[start:] if re.search(r"#\d+ cpu=0 vm=hello ", line)]
        if not after:
            raise Failure("no exit is shown in the panic")
        last = re.match(r"#\d+ cpu=0 vm=hello t=\d+ ", before[-1]).group(0)
        if last not in after[-1]:
            raise Failure(f"the last exit in the panic is '{after[-1]}', the last one traced '{before[-1]}'")
    return "panic-after-guest", test


def isolation_broken(context):
    """A frame of the hypervisor's in a guest's EPT must be found: without this, the audit of all other tests proves nothing."""

    def test():
        name = "isolation-foreign"
        run = launch(context, name, GUEST="hello", CMDLINE="trace=none test=isolation-foreign")
        text = "\n".join(run.lines)
        if not re.search(r"^adept: isolation: VIOLATION vm=hello gpa=0x9f000 hpa=0x[0-9a-f]+ owner=0x", text, re.MULTILINE):
            raise Failure("the foreign page is not named")
        if not re.search(r"^adept: isolation: VIOLATION vm=hello foreign_pages=1 foreign_tables=0 ", text, re.MULTILINE):
            raise Failure("the sum of what is wrong is not one page")
        if run.status != 1 or not run.has(r"^adept: guest hello: fail \(isolation violated"):
            raise Failure("a violation does not fail the guest and the run")
        if run.has(r"^adept: isolation: ok"):
            raise Failure("it says ok as well")
    return "isolation-foreign", test


def qemu(context, name, command_line, *options, platform="bios"):
    """Command of a QEMU without VMX that boots an image made for it, its console to the file whose path comes second."""
    image, console = context.log(name) + ".iso", context.log(name) + ".console"
    done = subprocess.run(["iso/single", image, platform, "2", context.kernel, command_line,
                           os.path.join(context.build, "guests", "hello.bin"), "name=hello"],
                          cwd=context.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"iso/single fails: {done.stderr.strip()}")
    open(console, "w", encoding="utf-8").close()
    return ["qemu-system-x86_64", "-cpu", "max,vendor=GenuineIntel,family=6,model=94,stepping=3", "-m", "256", "-display", "none", "-no-reboot",
            "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", f"file:{console}", "-cdrom", image, "-boot", "d",
            *options], console


def lines_of(console):
    with open(console, encoding="utf-8", errors="replace") as text:
        return re.sub(r"\x1b\[[0-9;=?]*[A-Za-z]", "", text.read().replace("\r", "")).split("\n")     # UEFI's colours


def no_acpi(context):
    """QEMU without ACPI tables: the boot CPU alone, said so, and the refusal."""

    def test():
        name = "no-acpi"
        command, console = qemu(context, name, "trace=none", "-machine", "pc,acpi=off", "-smp", "2", "-monitor", "none")
        status = run_logged(command, context.log(name), timeout=EMULATOR_TIMEOUT)
        if status != 2 << 1 | 1:
            raise Failure(f"QEMU ends with status {status}, not {2 << 1 | 1} (refused)")
        text = "\n".join(lines_of(console))
        for pattern in (r"^adept: acpi: .*: only the boot CPU is used$", r"^cpu=0 apic=0x0 vmx=no ", r"^adept: cpus: up=1 of=1 ",
                        r"^adept: refused: .*VMX"):
            if not re.search(pattern, text, re.MULTILINE):
                raise Failure(f"'{pattern}' does not appear (log: {console})")
    return "no-acpi", test


def font(context):
    """drivers/font.c as a dictionary from 16 rows to the character."""
    with open(os.path.join(context.root, "drivers", "font.c"), encoding="utf-8") as source:
        rows = re.findall(r"^    \{(0x[0-9a-f]{2}(?:, 0x[0-9a-f]{2}){15})\},", source.read(), re.MULTILINE)
    if len(rows) != 0x7e - 0x20 + 1:
        raise Failure(f"{len(rows)} glyphs are understood of drivers/font.c")
    return {bytes(int(byte, 16) for byte in row.split(",")): chr(0x20 + index) for index, row in enumerate(rows)}


def text_of_picture(context, path):
    """Lines of text on a screen dump (PPM), by the hypervisor's own font; a cell that is no glyph of it is a failure."""
    with open(path, "rb") as file:
        header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", file.read(64))
        width, height = int(header.group(1)), int(header.group(2))
        file.seek(header.end())
        green = file.read()[1::3]
    glyphs, lines = font(context), []
    for top in range(0, height - height % 16, 16):
        line = ""
        for left in range(0, width - width % 8, 8):
            cell = bytes(sum(0x80 >> x for x in range(8) if green[(top + y) * width + left + x] > 0x7f) for y in range(16))
            if cell not in glyphs:
                raise Failure(f"line {top // 16}, column {left // 8} of the screen is no character")
            line += glyphs[cell]
        lines.append(line.rstrip())
    return lines, width // 8


def screen(context, name, platform, *options):
    """The screen at the end has the end of what the serial console has, line for line."""

    def test():
        picture = context.log(name) + ".ppm"
        command, console = qemu(context, name, "on_end=halt", "-machine", "q35", "-monitor", "stdio", *options, platform=platform)
        with open(context.log(name), "wb") as log:
            machine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
            try:
                end = time.monotonic() + EMULATOR_TIMEOUT
                while not any(line.startswith("adept: halted") for line in lines_of(console)[:-1]):
                    if time.monotonic() > end or machine.poll() is not None:
                        raise Failure("it does not come to its end")
                    time.sleep(0.1)
                time.sleep(0.5)     # the last lines are drawn after they are sent
                machine.communicate(f'screendump "{picture}"\nquit\n'.encode(), timeout=20)
            finally:
                machine.kill()
                machine.wait()
        shown, columns = text_of_picture(context, picture)
        while shown and not shown[-1]:
            shown.pop()
        if not any(line.startswith("adept: refused:") for line in shown):
            raise Failure("the refusal is not on the screen")
        lines = lines_of(console)[:-1]
        wrapped = [line[at:at + columns].rstrip() for line in lines for at in range(0, max(len(line), 1), columns)]
        if len(shown) < 10 or shown != wrapped[-len(shown):]:
            raise Failure(f"the screen is not the end of the console: {shown[-3:]}")
    return name, test


def tests(context):
    yield sleeps(context, "host-sleep", "host-sleep")
    yield sleeps(context, "host-sleep-x2apic", "x2apic,host-sleep")
    yield other_cpu_panics(context)
    yield last_exits_in_panic(context)
    yield isolation_broken(context)
    yield no_acpi(context)
    # GRUB sets a graphics mode on QEMU even by BIOS: this is what a laptop without a serial port shows.
    yield screen(context, "framebuffer-bios", "bios")
    yield screen(context, "framebuffer-uefi", "uefi", "-bios", FIRMWARE)
    # The live page tables: code is not writable, data is not executable.
    for word, said, how in (("host-write-text", r"error=0x3 .*\bhost_test_page_fault\+0x", r"write of 0x[0-9a-f]+: the page's rights forbid it"),
                            ("host-execute-data", r"error=0x11 .*", r"execution of 0x[0-9a-f]+: the page's rights forbid it")):
        yield emulator_test(context, word, status=2, ran=False, GUEST="hello", CMDLINE=f"test={word}", expect=[
            rf"^adept: panic: exception #PF\(14\) {said}", rf"^adept: panic: {how}$", r"^adept: panic: stack\[1\]=0x[0-9a-f]+ \w+\+0x"])
    # x2APIC mode asked for: every CPU is started and addressed by its MSRs.
    for model in ("corei7_icelake_u", "corei7_haswell_4770"):
        yield emulator_test(context, f"x2apic-{model}", GUEST="hello", CPUS=4, MODEL=model, CMDLINE="trace=none test=x2apic,host-nmi", expect=[
            *(rf"^cpu={cpu} apic=0x{cpu:x} vmx=on " for cpu in range(4)), r"^adept: cpus: up=4 of=4 apic=x2apic$",
            r"^adept: nmi: survived", r"^adept: guest hello: pass"])
    # VMX is switched off everywhere before the machine ends.
    yield emulator_test(context, "vmx-off", GUEST="hello", CPUS=4, CMDLINE="trace=none test=vmx-off", forbid=["VMXOFF fails"],
                        expect=[rf"^adept: cpu={cpu} vmx=off$" for cpu in range(4)])
    # An MSR that the processor does not have raises #GP in the host, as on a machine; Bochs else lets it read as zero.
    yield emulator_test(context, "absent-msrs", GUEST="modes", BAD_MSRS="fault", CMDLINE="trace=none test=host-absent-msr",
                        expect=[r"^adept: msr: 0x12345678 is absent: read survived, write survived$", r"^adept: guest modes: pass"])
    yield emulator_test(context, "absent-msrs-penryn", status=2, ran=False, GUEST="hello", BAD_MSRS="fault", MODEL="core2_penryn_t9600",
                        forbid=[r"^adept: panic:"], expect=[r"^adept: refused: .*(EPT|secondary)", r"^adept: end: \w+ status=2$"])
    # A console that is not COM1, on a machine whose only UART it is.
    yield emulator_test(context, "console-com2", GUEST="hello", SERIAL=2, CMDLINE="trace=VMCALL console=0x2f8", expect=[
        r"^adept: console: uart=0x2f8 ", r"^\[hello\] ", r"^#\d+ .* VMCALL\(18\)", r"^adept: guest hello: pass"])
