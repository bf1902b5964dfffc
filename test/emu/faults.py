# SPDX-License-Identifier: MIT
"""The host's own safety nets, by test= words: faults on purpose, an isolation that is broken on purpose, and the other ways to come up."""
import os
import re
import subprocess

from harness import Failure, check, emulator_test, launch


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
        if run.has(r"^adept: isolation: ok"):
            raise Failure("it says ok as well")
    return "isolation-foreign", test


def no_acpi(context):
    """QEMU without ACPI tables: the boot CPU alone, said so, and the refusal."""

    def test():
        name = "no-acpi"
        image, console = context.log(name) + ".iso", context.log(name) + ".console"
        done = subprocess.run(["iso/single", image, "bios", "2", context.kernel, "trace=none",
                               os.path.join(context.build, "guests", "hello.bin"), "name=hello"],
                              cwd=context.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure("iso/single fails")
        with open(context.log(name), "wb") as log:
            status = subprocess.run([
                "qemu-system-x86_64", "-machine", "pc,acpi=off", "-cpu", "max,vendor=GenuineIntel,family=6,model=94,stepping=3",
                "-smp", "2", "-m", "256", "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none", "-device",
                "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", f"file:{console}", "-cdrom", image, "-boot", "d"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60, check=False).returncode
        if status != 2 << 1 | 1:
            raise Failure(f"QEMU ends with status {status}, not {2 << 1 | 1} (refused)")
        with open(console, encoding="utf-8", errors="replace") as text:
            lines = text.read().replace("\r", "")
        for pattern in (r"^adept: acpi: .*: only the boot CPU is used$", r"^cpu=0 apic=0x0 vmx=no ", r"^adept: cpus: up=1 of=1 ",
                        r"^adept: refused: .*VMX"):
            if not re.search(pattern, lines, re.MULTILINE):
                raise Failure(f"'{pattern}' does not appear (log: {console})")
    return "no-acpi", test


def tests(context):
    yield other_cpu_panics(context)
    yield last_exits_in_panic(context)
    yield isolation_broken(context)
    yield no_acpi(context)
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
