# SPDX-License-Identifier: MIT
"""What exits do, one by one, by guests made for it (test/emu/guests), and faults forced into the hypervisor."""
import os
import re

from harness import Failure, check, emulator_test, launch, nasm


def assemble(context, name):
    """Assembles test/emu/guests/NAME.asm; gives the binary's path."""
    return nasm(context, f"test/emu/guests/{name}.asm", f"guest-{name}.bin", "-f", "bin")


def made_guest(context, test_name, guest, status=0, expect=(), forbid=(), options="", **variables):
    """A test whose guest is assembled when it runs: the tests are listed before anything is built."""

    def test():
        run = launch(context, test_name, GUEST=f"{assemble(context, guest)} name={guest} {options}".strip(), **variables)
        verdict = "pass" if status == 0 else "fail"
        check(context, test_name, run, status, [rf"^adept: guest {guest}: {verdict} \(", *expect], forbid)
    return test_name, test


def denied_end(context, source, number, policy, why):
    """The guest makes one access alone, and its policy ends it there."""
    name = f"{source.replace('_', '-')}-end-{number}"

    def test():
        guest = nasm(context, f"test/emu/guests/{source}.asm", f"{name}.bin", "-f", "bin", f"-DEND={number}")
        run = launch(context, name, GUEST=f"{guest} name=denied policy={policy}", CMDLINE="trace=stats")
        check(context, name, run, 1, [rf"^adept: guest denied: fail \({why} cs:ip="])
    return name, test


def apic_moved_identity(context):
    """It ends with its local APIC over the machine's RAM: that page, too, is given back, and another one finds all of it."""
    name = "apic-moved-identity"

    def test():
        guest = nasm(context, "test/emu/guests/apic_moved.asm", f"{name}.bin", "-f", "bin", "-DIDENTITY")
        run = launch(context, name, GUEST="; ".join([f"{guest} name={again} memory=identity timeout=60" for again in ("first", "second")]),
                     CMDLINE="trace=none guests=sequential")
        check(context, name, run, 0, [rf"^\[{again}\] apic_moved: registers and memory$" for again in ("first", "second")],
              forbid=[r"isolation: VIOLATION"])
    return name, test


def nothing_lost_uncounted(context):
    """Every exit of a guest that floods the trace is printed, folded, or counted as lost: the sum is exact."""

    def test():
        name = "trace-flood"
        run = launch(context, name, GUEST=f"{assemble(context, 'flood')} name=flood")
        check(context, name, run, 0, [r"^adept: guest flood: pass", r"^\[flood\] flood: done$", r"-> emulated \(\d+\) x\d{4}$"])
        printed = sum(int(repeats or 1) for repeats in re.findall(r"^#\d+ .*?(?: x(\d+))?$", "\n".join(run.lines), re.MULTILINE))
        lost = sum(int(count) for count in re.findall(r"^adept: trace: cpu=\d+ lost=(\d+) ", "\n".join(run.lines), re.MULTILINE))
        total = int(re.search(r"^adept: exits vm=flood reason=all count=(\d+)", "\n".join(run.lines), re.MULTILINE).group(1))
        timer = re.search(r"^adept: exits vm=flood reason=PREEMPTION_TIMER\(52\) count=(\d+)", "\n".join(run.lines), re.MULTILINE)
        total -= int(timer.group(1)) if timer else 0  # not traced unless a list names it
        if lost == 0:
            raise Failure("nothing was lost: the flood is too small to prove anything")
        if printed + lost != total:
            raise Failure(f"{printed} exits printed and {lost} lost are not {total}")
    return "trace-flood", test


def bounded_tables(context):
    """A guest that touches 2032 holes 2 MiB apart, each with a table of its own, never has more than its share of tables."""

    def test():
        name = "holes"
        run = launch(context, name, GUEST=f"{assemble(context, 'holes')} name=holes", CMDLINE="trace=stats", MEM=64)
        check(context, name, run, 0, [r"^adept: guest holes: pass"])
        tables = int(re.search(r"^adept: isolation: ok vm=holes pages=\d+ tables=(\d+)", "\n".join(run.lines), re.MULTILINE).group(1))
        if tables > 64 + 9:
            raise Failure(f"{tables} tables at its end")
    return "holes", test


def cold_tables(context, model, most):
    """A guest with a hot set and a stream, and few tables: all its data is right, and what it uses all the time stays mapped."""
    name = f"tables-{model}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'tables')} name=tables mem=64M tables=16", MODEL=model, CMDLINE="trace=stats")
        check(context, name, run, 0, [r"^adept: guest tables: pass", r"^adept: tables: vm=tables limit=16 taken_back=\d+ dropped=0$"])
        touches, exits = (int(n, 16) for n in
                          re.search(r"^\[tables\] stream touches and exits: (\w+) (\w+)$", "\n".join(run.lines), re.MULTILINE).groups())
        if not touches <= exits <= most:
            raise Failure(f"{exits} exits, not {touches} to {most}")
    return name, test


def line_then_silence(context, cpus):
    """A line is printed to its end though the guest then never exits again: nothing but the launcher's timeout ends the run."""
    name = f"line-then-silence-{cpus}"

    def test():
        run = launch(context, name, timeout=12, GUEST=f"{assemble(context, 'line')} name=line", CPUS=cpus, CMDLINE="trace=none")
        check(context, name, run, status=124, ran=False,
              expect=[r"^\[line\] line: a line that is longer than a UART's FIFO, from a guest that then never exits again$"])
    return name, test


def verw_is_last(context):
    """In the way into a guest that mitigations= takes, VERW is the last instruction before each entry."""

    def test():
        with open(os.path.join(context.build, "adept.dis"), encoding="utf-8") as listing:
            code = re.search(r"<vmx_run_cleared>:\n(.*?)\n\n", listing.read(), re.DOTALL).group(1)
        mnemonics = [line.split("\t")[-1].split()[0] for line in code.splitlines() if "\t" in line]
        entries = [i for i, mnemonic in enumerate(mnemonics) if mnemonic in ("vmresume", "vmlaunch")]
        if len(entries) != 2 or any(mnemonics[i - 1] != "verw" for i in entries):
            raise Failure(f"not VERW before each of two entries: {mnemonics}")
    return "mitigations-verw-last", test


def tests(context):
    # What takes long is done in parts, with interrupts in between; check() looks at the longest exit of this run as of every other.
    for model in ("corei7_icelake_u", "corei5_arrandale_m520"):
        yield made_guest(context, f"long-exits-{model}", "long_exits", options="mem=64M timeout=120", MODEL=model, CMDLINE="trace=none",
                         timeout=240, expect=[r"^adept: exits vm=long_exits reason=all .* max=\d{5,6} "])
    # All modes and back: what exits are two writes of CR0.NE, which is the host's, and three accesses to CR8. The switches are free.
    yield emulator_test(context, "mode-switches", GUEST="modes", CMDLINE="trace=stats",
                        expect=[r"^adept: exits vm=modes reason=CR_ACCESS\(28\) count=5 "])
    for model in ("corei7_icelake_u", "corei5_arrandale_m520", "corei7_haswell_4770"):
        yield made_guest(context, f"reinject-{model}", "reinject", MODEL=model,
                         # An instruction whose exception is not delivered again would be executed, and exit, again: once each it must be.
                         expect=[r"^#\d+ .* RDMSR\(31\) .* -> inject #GP", r"^#\d+ .* EXCEPTION_NMI\(0\) .* -> inject #DB",
                                 r"^adept: exits vm=reinject reason=RDMSR\(31\) count=3 ",
                                 r"^adept: exits vm=reinject reason=EXCEPTION_NMI\(0\) count=3 "])
        yield made_guest(context, f"events-{model}", "events", MODEL=model, CMDLINE="trace=stats", options="timeout=20")
        for guest in ("apics", "apics_64", "device_interrupts", "interrupt_faults", "rates"):
            yield made_guest(context, f"{guest.replace('_', '-')}-{model}", guest, MODEL=model, CMDLINE="trace=stats", options="boot=flat timeout=60")
        # On a processor that is as fast as one: the handler and its exits take less than the least period.
        yield made_guest(context, f"periods-{model}", "periods", MODEL=model, CMDLINE="trace=stats", options="boot=flat timeout=60", IPS=50000000)
        # Nobody reads the console for this one: its devices' deadlines alone bring it back in time.
        for guest in ("apics", "device_interrupts"):
            yield made_guest(context, f"{guest.replace('_', '-')}-no-input-{model}", guest, MODEL=model, CMDLINE="trace=stats input=nobody",
                             options="boot=flat timeout=60")
        yield made_guest(context, f"events-no-input-{model}", "events", MODEL=model, CMDLINE="trace=stats input=nobody", options="timeout=20")
        yield made_guest(context, f"mtrr-{model}", "mtrr", MODEL=model, CMDLINE="trace=stats")
        yield made_guest(context, f"v86-{model}", "v86", MODEL=model, expect=[r"^\[v86\] \(\)$"], CMDLINE="trace=stats")
        yield made_guest(context, f"steps-{model}", "steps", MODEL=model, options="timeout=5", CMDLINE="trace=stats")
        yield made_guest(context, f"shadows-{model}", "shadows", MODEL=model, options="boot=flat timeout=30", CMDLINE="trace=stats", expect=[
            *(rf"^\[shadows\] shadows: {text}$" for text in ("interrupts", "TF", "breakpoints that MOV SS holds back", "breakpoints on devices"))])
        yield made_guest(context, f"privileged-{model}", "privileged", MODEL=model, CMDLINE="trace=stats", options="timeout=20")
        for name, words in (("cpuid", "trace=stats"), ("cpuid-slow", "trace=stats test=no-quick-exits")):
            yield made_guest(context, f"{name}-{model}", "cpuid", MODEL=model, CMDLINE=words, options="timeout=20")
        yield made_guest(context, f"instructions-{model}", "instructions", MODEL=model,
                         expect=[r"^\[instructions\] outsb upwards, outsb downwards$", r"reason=XSETBV\(55\)",
                                 r"reason=WBINVD\(54\)", r"reason=INVD\(13\)", r"reason=CR_ACCESS\(28\)"]
                         if "arrandale" not in model else [r"reason=WBINVD\(54\)", r"reason=INVD\(13\)"])
    # A bus lock before an exit of another reason: the exit is what it is without.
    for words in ("trace=all", "trace=none"):
        yield emulator_test(context, f"bus-lock-{words.split('=')[1]}", GUEST="tour", CMDLINE=f"test=bus-lock {words}", expect=[
            r"^adept: bus-locks: vm=tour count=\d{2,}$", r"^adept: exits vm=tour reason=EPT_VIOLATION\(48\) count=\d+ "])
    # What the processor lets guests read, and VERW before each entry: no exit is quick then.
    yield verw_is_last(context)
    for model, affected in (("corei7_icelake_u", "no"), ("corei7_skylake_x", "yes")):
        yield emulator_test(context, f"mitigations-{model}", GUEST="tour", MODEL=model, CMDLINE="trace=stats mitigations=all", expect=[
            rf"^adept: weakness: itlb_multihit affected={affected}\b", r"^adept: weakness: mds affected=", r"^adept: weakness: l1tf affected=",
            r"^adept: weakness: tsx_async_abort affected=", r"^adept: weakness: mmio_stale_data affected=",
            r"^adept: weakness: reg_file_data_sampling affected=", r"reason=VMCALL\(18\) count=\d+ ticks=\d+ mean=\d+ min=1[5-9]\d "])
    yield made_guest(context, "mitigations-vcpus", "vcpus", options="vcpus=4", CPUS=4, CMDLINE="trace=none mitigations=verw")
    # As below another hypervisor: CS in real mode alone, in exits of each kind, and what is traced through C is all there.
    yield emulator_test(context, "spare-cs", GUEST="modes", CMDLINE="test=spare-cs trace=all", expect=[
        r"^adept: workaround: spare-cs: ", r"^#\d+ .* cs:ip=0000:[0-9a-f]{4} ", r"^#\d+ .* IO\(30\) cs:ip=----:[0-9a-f]{8} .* -> uart",
        r"^#\d+ .* cs:ip=----:[0-9a-f]{16} "], forbid=[r"cs:ip=[0-9a-f]{4}:[0-9a-f]{8}"])
    yield nothing_lost_uncounted(context)
    for cpus in (1, 2):
        yield line_then_silence(context, cpus)

    yield bounded_tables(context)
    # With the whole EPT dropped each time it would be 1500 exits, on both; one has accessed flags.
    yield cold_tables(context, "corei7_icelake_u", 560)
    yield cold_tables(context, "corei5_arrandale_m520", 900)
    for model in ("corei7_icelake_u", "corei7_skylake_x", "corei5_arrandale_m520"):
        yield made_guest(context, f"merge-{model}", "merge", MODEL=model, CMDLINE="trace=stats input=nobody",
                         expect=[r"^\[merge\] merge: the large pages are back$"])

    for model in ("corei7_icelake_u", "corei5_arrandale_m520"):
        yield made_guest(context, f"tasks-{model}", "tasks", MODEL=model, expect=[
            r"^#\d+ .* TASK_SWITCH\(9\) .* -> emulated", r"^#\d+ .* TASK_SWITCH\(9\) .* -> inject #TS",
            r"^\[tasks\] tasks: T, virtual-8086 mode, paging: all is well$"])

    # The machine's interrupt, pending when a guest starts, exits and goes nowhere.
    yield made_guest(context, "external-interrupt", "interrupt", CMDLINE="test=guest-interrupt",
                     expect=[r"^#\d+ .* EXTERNAL_INTERRUPT\(1\) .*\(248\) -> resume"])
    # What firmware left on: a message of a device waits below the task priority, and a timer's pins are masked.
    yield made_guest(context, "firmware-interrupt", "interrupt", CMDLINE="test=firmware-interrupt", forbid=[r"EXTERNAL_INTERRUPT\(1\)"])
    yield made_guest(context, "firmware-pins", "interrupt", CMDLINE="test=firmware-pins", forbid=[r"EXTERNAL_INTERRUPT\(1\)"],
                     expect=[r"^adept: interrupts: firmware left open=[1-9]\d* of=24 pins of I/O APICs: masked$"])
    # An EPT that does not become better by what the engine does: the guest ends, told why, after 16 exits.
    yield emulator_test(context, "ept-no-progress", status=1, GUEST="hello;modes", CMDLINE="test=ept-wrong-root",
                        expect=[r"^adept: guest hello: fail \(no progress: 16 EPT faults in a row at gpa=0x7c00 rip=0x7c00\)",
                                r"^adept: exits vm=hello reason=EPT_VIOLATION\(48\) count=16 ", r"^adept: guest modes: fail \(no progress"])

    # Processors that can be stopped by a change of page size: large pages are not executable there. Icelake is not one of them.
    yield emulator_test(context, "itlb-multihit", GUEST="tour", MODEL="corei7_skylake_x", CMDLINE="trace=none dump=ept", expect=[
        r"^adept: workaround: itlb-multihit: ", r"^\[tour\] tour: violation no execute at level 2 \(2M page\): not on this processor$",
        r"^adept: ept: vm=tour .*x2M rights=RW- "], forbid=[r"^adept: ept: vm=tour .*x2M rights=RWX"])
    yield emulator_test(context, "itlb-multihit-not", GUEST="tour", CMDLINE="trace=none dump=ept", expect=[
        r"^\[tour\] tour: violation no execute at level 2 \(2M page\): repaired$", r"^adept: ept: vm=tour .*x2M rights=RWX "],
        forbid=[r"^adept: workaround: itlb-multihit"])

    # Policies: end instead of ignore, all at once and one by one.
    for name, policy, why in (("policy-end", "policy=end", "write to ROM: gpa=0xf0000 access=W"),
                              ("policy-hole", "policy=rom:ignore,hole:end", "access to a hole: gpa=0xa0000 access=R"),
                              ("policy-nx", "policy=nx:end", "fetch from no-execute memory: gpa=0x50000 access=X")):
        yield emulator_test(context, name, status=1, GUEST=f"tour {policy}", CMDLINE="trace=stats",
                            expect=[rf"^adept: guest tour: fail \({re.escape(why)}", r"^adept: report: vm=tour "])

    # RAM whose rights the guest has taken away: what it is called, and that a misconfigured entry makes no difference.
    violation = r"^#\d+ .* EPT_VIOLATION\(48\) .* gpa=0x30000 .* access="
    yield made_guest(context, "denied", "denied", CMDLINE="trace=EPT_VIOLATION,EPT_MISCONFIG", expect=[
        violation + "R page=--- -> no right to it: as an empty bus", violation + "W page=--- -> no right to it: as an empty bus",
        violation + "R?W page=--- -> no right to it: as an empty bus", violation + "W page=R-- -> read-only: write goes nowhere",
        violation.replace("0x30000", "0x30008") + "X page=[R-][W-]- -> no-execute: goes ahead, as told",
        r"^#\d+ .* EPT_MISCONFIG\(49\) .* gpa=0x30000 .* -> entry cleared", r"^\[denied\] denied: as a bus would$"],
        forbid=[r"-> rom:", r"-> hole:"])
    for number, policy, why in ((1, "end", "access without the right to it: gpa=0x30000 access=R"),
                                (2, "rom:end", "access without the right to it: gpa=0x30000 access=R?W"),
                                (3, "nx:end", "fetch from no-execute memory: gpa=0x30008 access=X"),
                                (4, "end", "access without the right to it: gpa=0x30000 access=R")):
        yield denied_end(context, "denied", number, policy, why)
    yield made_guest(context, "denied-ports", "denied_ports", CMDLINE="trace=none", expect=[r"^\[denied_ports\] denied: ports$"])
    for number, policy, why in ((1, "end", "access to a hole: gpa=0x50000000 access=R"), (2, "hole:end", "access to a hole: gpa=0xa0000 access=W"),
                                (3, "end", "write to ROM: gpa=0xf0020 access=W"),
                                (4, "rom:end", "access without the right to it: gpa=0x30000 access=W")):
        yield denied_end(context, "denied_ports", number, policy, why)

    # The local APIC's page over memory.
    for vcpus in (1, 2):
        yield made_guest(context, f"apic-moved-{vcpus}", "apic_moved", CPUS=vcpus, options=f"mem=8M vcpus={vcpus} timeout=60",
                         CMDLINE="trace=none", expect=[r"^\[apic_moved\] apic_moved: registers and memory$", r"^adept: isolation: ok "])
    yield apic_moved_identity(context)

    # What a report of a crash holds.
    yield emulator_test(context, "crash-report", status=1, GUEST="crash", expect=[
        r"^adept: report: vm=crash cpu=0 ended: triple fault$", r"^adept:   regs: rip=0x[0-9a-f]+ rflags=", r"^adept:   segs: cs=0x0 +base=0x0 ",
        r"^adept:   code: linear=0x[0-9a-f]+:( [0-9a-f]{2}){16} \[[0-9a-f]{2}\]( [0-9a-f]{2}){15}$", r"^adept:   #\d+ .* TRIPLE_FAULT\(2\)", r"^adept: report: end vm=crash$"])
    yield emulator_test(context, "dump-vmcs", GUEST="hello", CMDLINE="trace=none dump=vmcs", expect=[
        r"^adept: vmcs: control EPT_POINTER\(0x201a\)=0x[0-9a-f]+5e$", r"^adept: vmcs: guest GUEST_RIP\(0x681e\)=0x",
        r"^adept: vmcs: control ENCLS_EXITING_BITMAP\(0x202e\)=absent$"])
    yield emulator_test(context, "dump-ept-identity", GUEST="identity", CMDLINE="trace=none dump=ept", MODEL="tigerlake", expect=[
        r"^adept: ept: vm=identity gpa=0xb8000-0xb8fff hpa=0xb8000 pages=1x4K rights=RW- type=UC ipat=0 accessed=1 dirty=1$",
        r"^adept: ept: vm=identity gpa=0x[0-9a-f]+-0x[0-9a-f]+ hpa=0x[0-9a-f]+ pages=\d+x2M rights=RWX type=WB "])

    # Strings that make no sense.
    yield emulator_test(context, "guest-too-large", status=1, ran=False, GUEST="hello mem=3G", MEM=256,
                        expect=[r"^adept: guest hello: fail \(memory is missing", r"^adept: end: "])
    yield emulator_test(context, "guest-beyond-its-memory", status=1, ran=False, GUEST="hello load=0x9fff0000", MEM=256,
                        expect=[r"^adept: guest hello: fail \(its 512 bytes do not fit into its RAM at load=0x9fff0000\)"])
    # Entered above its code it runs through zeroed memory (ADD [BX+SI], AL), wraps at 64 KiB, and comes to its code from below.
    yield emulator_test(context, "guest-entry", GUEST="hello boot=flat entry=0000:9000", CMDLINE="trace=EPT_VIOLATION",
                        expect=[r"^#1 .* cs:ip=0000:9000 gpa=0x9000 ", r"^adept: guest hello: pass"])
