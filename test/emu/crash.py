# SPDX-License-Identifier: MIT
"""Crash reports: every way into one, and what stands in it, number by number."""
import os
import re

from exits import assemble, made_guest
from harness import Failure, check, emulator_test, launch, nasm

HEX = "0x[0-9a-f]+"
MODEL = "corei7_icelake_u"


def report_of(run, guest):
    """The lines of a guest's crash report, first and last one included."""
    start = [i for i, line in enumerate(run.lines) if line.startswith(f"adept: report: vm={guest} cpu=")]
    end = [i for i, line in enumerate(run.lines) if line == f"adept: report: end vm={guest}"]
    if len(start) != 1 or len(end) != 1 or end[0] < start[0]:
        raise Failure(f"not one report of {guest}: it begins {len(start)} times and ends {len(end)} times")
    return run.lines[start[0]:end[0] + 1]


def holds(lines, *patterns):
    """Each pattern matches one whole line, in this order."""
    at = 0
    for pattern in patterns:
        while at < len(lines) and not re.fullmatch(pattern, lines[at]):
            at += 1
        if at == len(lines):
            raise Failure(f"no line, or not at its place: {pattern}")
        at += 1


# Every group of a report, in order; a report without one of them is not whole.
GROUPS = ["exit", "regs", "ctrl", "segs", "event", "code", "stack"]


def whole(lines):
    groups = [found.group(1) for found in (re.match(r"adept:   (\w+):", line) for line in lines) if found]
    order = [group for i, group in enumerate(groups) if i == 0 or groups[i - 1] != group]
    if order[:len(GROUPS)] != GROUPS or "exits" not in order:
        raise Failure(f"the report has {order}")
    for line in lines[1:-1]:
        if not line.startswith("adept:   "):
            raise Failure(f"between the report's lines: {line}")


def wreck_guest(context, options=""):
    return f"{assemble(context, 'wreck')} name=wreck {options}".strip()


def wreck(context, name, options="", symbol=False, maps=""):
    """A triple fault in 64-bit code: registers, segments, code with a missing page, both walks, all by their values."""

    def mark(text):
        return rf" symbol={text}" if symbol else ""

    def test():
        guest = wreck_guest(context, options)
        if maps:
            path = os.path.join(context.logs, f"{name}.map")
            with open(path, "w", encoding="ascii") as file:
                file.write(maps)
            guest += f" map={name}.map; {path}"
        run = launch(context, name, GUEST=guest, MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest wreck: fail \(triple fault\)$"], forbid=[r"^adept: guest crash-symbols"])
        lines = report_of(run, "wreck")
        whole(lines)
        holds(lines, r"adept: report: vm=wreck cpu=0 ended: triple fault",
              r"adept:   exit: count=\d+ reason=0x2 TRIPLE_FAULT\(2\) qualification=0x0",
              rf"adept:   exit: instruction_length={HEX} instruction_information={HEX}",
              rf"adept:   regs: rax=0x1111222233334444 rcx=0x{'0' * 8}c0000080 rdx=0x0{{16}} rbx=0x{'0' * 10}400000",
              r"adept:   regs: rsp=0x0{12}7bf8 rbp=0x0{16} rsi=.*",
              r"adept:   regs: r8 =?.*|adept:   regs: r8=0x0{16} .*",
              r"adept:   regs: r12=.* r15=0xfedcba9876543210",
              rf"adept:   regs: rip=0x400005{mark('window_next[+]0x0')} rflags={HEX} \([A-Z ]+\) mode=\"64-bit\"",
              rf"adept:   ctrl: cr0={HEX} \(PE ET NE WP PG\) read_shadow={HEX}",
              r"adept:   ctrl: cr2=0x401000 cr3=0x12000",
              rf"adept:   ctrl: cr4={HEX} \(PAE .*\) read_shadow={HEX}",
              rf"adept:   ctrl: efer=0x500 \(LME LMA\) pat={HEX}.*",
              rf"adept:   ctrl: dr0=0x0 dr1=0x0 dr2=0x0 dr3=0x0 dr6={HEX} dr7=0x400",
              r"adept:   ctrl: sysenter_cs=0x0 .* lstar=0x0 .*",
              r"adept:   segs: es=0x10 +base=0x0 +limit=0xffffffff rights=0xc093 \(data read-write accessed dpl=0 present 32-bit granularity=4K\)",
              r"adept:   segs: cs=0x8 +base=0x0 +limit=0x0 +rights=0x209b \(code execute-read accessed dpl=0 present 64-bit granularity=1\)",
              r"adept:   segs: ss=0x10 .*", r"adept:   segs: ds=0x10 .*", r"adept:   segs: fs=0x0 .*", r"adept:   segs: gs=0x0 .*",
              r"adept:   segs: ldtr=0x0 .* \(LDT .*\)", r"adept:   segs: tr=0x0 .* \(busy TSS .*\)",
              rf"adept:   segs: gdtr +base={HEX} +limit=0x17", r"adept:   segs: idtr +base=0x0 +limit=0x0",
              r"adept:   event: exit_interruption=0x0 \(none\) error_code=0x0", r"adept:   event: idt_vectoring=.*",
              r"adept:   event: entry_interruption=0x0 \(none\) .*",
              r"adept:   event: activity=0x0 \(active\) interruptibility=0x0 \(none\) pending_debug=0x0 \(none\)",
              # The page before is not mapped; the rest is what the guest's source says.
              rf"adept:   code: linear=0x400005:{' --' * 11} e8 00 00 00 00 \[c6\] 04 25 00 10 40 00 5a{' 90' * 8}",
              rf"adept:   stack: linear=0x7bf8: 0{{10}}400005{mark('window_next[+]0x0')} [0-9a-f]{{16}} .*",
              r"adept:   paging: linear=0x400005 mode=\"4-level\" cr3=0x12000",
              r"adept:   paging: linear=0x400005 level=4 entry=0x12000 raw=0x13023 rights=RWX/supervisor accessed",
              r"adept:   paging: linear=0x400005 level=3 entry=0x13000 raw=0x14023 rights=RWX/supervisor accessed",
              r"adept:   paging: linear=0x400005 level=2 entry=0x14010 raw=0x16023 rights=RWX/supervisor accessed",
              r"adept:   paging: linear=0x400005 level=1 entry=0x16000 raw=0x20023 rights=RWX/supervisor leaf accessed",
              r"adept:   paging: linear=0x400005 end=mapped gpa=0x20005 page=0x1000",
              rf"adept:   ept: gpa=0x20005 eptp={HEX}5e root={HEX}000",
              rf"adept:   ept: gpa=0x20005 level=4 entry={HEX} raw={HEX} rights=RWX table={HEX} accessed",
              rf"adept:   ept: gpa=0x20005 level=3 entry={HEX} raw={HEX} rights=RWX table={HEX} accessed",
              rf"adept:   ept: gpa=0x20005 level=2 entry={HEX} raw={HEX} rights=RWX table={HEX} accessed",
              rf"adept:   ept: gpa=0x20005 level=1 entry={HEX}100 raw={HEX} rights=RWX page={HEX}000 type=WB accessed dirty",
              rf"adept:   ept: gpa=0x20005 end=\"mapped\" hpa={HEX}005 rights=RWX map=RAM map_rights=RWX",
              r"adept:   paging: linear=0x401000 mode=\"4-level\" cr3=0x12000",
              r"adept:   paging: linear=0x401000 level=1 entry=0x16008 raw=0x300[0-9a-f]1 rights=R-X/supervisor leaf.*",
              r"adept:   paging: linear=0x401000 end=mapped gpa=0x30000 page=0x1000",
              rf"adept:   ept: gpa=0x30000 level=1 entry={HEX}180 raw={HEX}2 rights=-W- page={HEX} type=WB.* misconfigured=\"write without read\"",
              r"adept:   ept: gpa=0x30000 end=\"misconfigured\" map=RAM map_rights=RWX",
              r"adept:   exits: the last 32 of cpu=0 .*",
              r"adept:   #\d+ cpu=0 vm=wreck .* TRIPLE_FAULT\(2\) cs:ip=0008:0000000000400005 .*",
              r"adept: report: end vm=wreck")
    return name, test


def last_exits(context):
    """Exactly the newest 32 exits, in order, each as the trace had it."""

    def test():
        name = "crash-last-exits"
        run = launch(context, name, GUEST="tour policy=nx:end", MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest tour: fail \(fetch from no-execute memory: gpa=0x50000 access=X"])
        lines = report_of(run, "tour")
        whole(lines)
        shown = [line[len("adept:   "):] for line in lines if line.startswith("adept:   #")]
        traced = [line for line in run.lines if re.match(r"#\d+ ", line)]
        if len(shown) != 32 or shown != traced[-32:]:
            raise Failure(f"{len(shown)} exits, which are not the last 32 of the {len(traced)} traced ones")
        holds(lines, r"adept:   ept: gpa=0x50000 level=1 .* rights=RW- page=.*", rf"adept:   ept: gpa=0x50000 end=\"mapped\" hpa={HEX}000 rights=RW- map=RAM map_rights=RW-",
              r"adept:   exits: the last 32 of cpu=0 .*", r"adept:   #\d+ .* EPT_VIOLATION\(48\) .* gpa=0x50000 .* -> guest ended .*",
              r"adept: report: end vm=tour")
    return "crash-last-exits", test


def policy(context):
    """A guest that its policy ends: the qualification in words, the address in the EPT, and in the guest's paging."""

    def test():
        name = "crash-policy"
        run = launch(context, name, GUEST="tour policy=hole:end", CMDLINE="trace=stats", MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest tour: fail \(access to a hole: gpa=0xa0000 access=R"])
        lines = report_of(run, "tour")
        whole(lines)
        holds(lines, r"adept:   exit: count=\d+ reason=0x30 EPT_VIOLATION\(48\) qualification=0x[13579bdf]81 \(read, page ---, final translation[^)]*\)"
              r" gpa=0xa0000 gla=0xa0000",
              rf"adept:   ept: gpa=0xa0000 level=1 entry={HEX}500 raw=0x0 rights=--- not-present",
              r"adept:   ept: gpa=0xa0000 end=\"not present\" map=(hole|nothing).*",
              r"adept:   paging: linear=0xa0000 mode=\"no paging\" cr3=.*",
              r"adept:   paging: linear=0xa0000 end=mapped gpa=0xa0000 page=0x1000",
              r"adept: report: end vm=tour")
    return "crash-policy", test


def misconfiguration(context):
    """A misconfiguration that no repair ends: what the VM's own EPT says of the address, and that the processor has another."""

    def test():
        name = "crash-misconfiguration"
        run = launch(context, name, GUEST="hello", CMDLINE="trace=none test=ept-bad-root", MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest hello: fail \(no progress: 16 EPT faults in a row at gpa=0x7c00 "])
        lines = report_of(run, "hello")
        whole(lines)
        holds(lines, r"adept:   exit: count=16 reason=0x31 EPT_MISCONFIG\(49\) qualification=0x[0-9a-f]+ gpa=0x7c00",
              rf"adept:   ept: gpa=0x7c00 eptp={HEX} root={HEX} the processor has another root",
              r"adept:   ept: gpa=0x7c00 end=\".*\".* map=RAM map_rights=RWX", r"adept:   exits: the last 32 .*")
    return "crash-misconfiguration", test


def entry_failures(context):
    """VM entries that fail: by an exit reason, and by an error of the instruction."""
    for what, first in (("guest", rf"adept:   exit: count=\d+ reason=0x80000021 ENTRY_GUEST_STATE\(33\) entry-failure qualification={HEX}"),
                        ("controls", r"adept:   exit: count=0 none: the VM entry failed: vm_instruction_error=7 \(.*\)")):
        name = f"crash-entry-{what}"

        def test(name=name, what=what, first=first):
            run = launch(context, name, GUEST="hello", CMDLINE=f"trace=none test=entry-broken-{what}", MODEL=MODEL)
            check(context, name, run, 1, [r"^adept: guest hello: fail \(VM entry failed: "])
            lines = report_of(run, "hello")
            if not any(line.startswith("adept: entry-check: vm=hello rule=") for line in lines):
                raise Failure("the report names no rule")
            holds(lines, first, r"adept:   regs: rip=0x7c00 .*", r"adept:   segs: cs=0x0 .*", r"adept: report: end vm=hello")
        yield name, test


def several(context):
    """The report is about the vCPU that ended the VM; the others get a line each, with their own CPU's numbers."""

    def test():
        name = "crash-vcpus"
        run = launch(context, name, GUEST=f"{assemble(context, 'second-crash')} name=two vcpus=3", CPUS=3, MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest two: fail \(triple fault\)$"])
        lines = report_of(run, "two")
        whole(lines)
        holds(lines, r"adept: report: vm=two cpu=1 vcpu=1 ended: triple fault",
              r"adept:   vcpu=0 cpu=0 cs:ip=0000:7c[0-9a-f]{2} mode=\"real\" activity=active exits=\d+ last=\w+\(\d+\)",
              r"adept:   vcpu=2 cpu=2 never started")
        if sum(line.startswith("adept:   vcpu=") for line in lines) != 2:
            raise Failure("not two lines of two others")
    return "crash-vcpus", test


def nothing_readable(context):
    """The VMCS is taken away before the report: every field says so, the rest is there, and the machine goes on."""

    def test():
        name = "crash-no-vmcs"
        run = launch(context, name, GUEST="crash; hello", CMDLINE="test=report-no-vmcs dump=vmcs,ept,screen memtype=0x7c00 walk=0x7c00", MODEL=MODEL)
        check(context, name, run, 1, [
            r"^adept: walk: vm=crash gva=0x7c00 unreadable: no VMCS$", r"^adept: memtype: vm=crash gpa=0x7c00 .*unreadable: no VMCS$",
            r"^adept: vmcs: guest GUEST_RIP\(0x681e\)=absent$",
            r"^adept: guest crash: fail \(triple fault\)$", r"^adept: guest hello: pass"])
        lines = report_of(run, "crash")
        whole(lines)
        holds(lines, r"adept:   exit: count=\d+ reason=unreadable qualification=unreadable",
              r"adept:   regs: rax=0x[0-9a-f]{16} .*", r"adept:   regs: rsp=unreadable +rbp=0x[0-9a-f]{16} .*",
              r"adept:   regs: rip=unreadable rflags=unreadable", r"adept:   ctrl: cr0=unreadable read_shadow=unreadable",
              r"adept:   segs: es=unreadable +base=unreadable +limit=unreadable rights=unreadable",
              r"adept:   event: idt_vectoring=unreadable error_code=unreadable",
              r"adept:   code: unreadable: .*", r"adept:   stack: unreadable: .*", r"adept:   #\d+ .* TRIPLE_FAULT\(2\) .*")
    return "crash-no-vmcs", test


def fault_in_report(context):
    """A part of a guest's report faults in the hypervisor: it says so, the next parts follow, other guests run on."""

    def test():
        name = "crash-report-faults"
        run = launch(context, name, GUEST=f"crash; {wreck_guest(context)}; hello", CMDLINE="test=report-fault", CPUS=2, MODEL=MODEL)
        check(context, name, run, 1, [r"^adept: guest crash: fail \(triple fault\)$", r"^adept: guest hello: pass"])
        for guest in ("crash", "wreck"):
            lines = report_of(run, guest)
            holds(lines, r"adept:   exit: .*", r"adept:   test: this line is not ended",
                  rf"adept: report: vm={guest} part=test is cut off: exception #PF\(14\) in the hypervisor while reporting: error=0x2 "
                  rf"cr2=0x18 rip={HEX} host_test_page_fault\+{HEX} vmm/check/self/faults\.c",
                  r"adept:   regs: .*", r"adept:   segs: .*", r"adept:   stack: .*", r"adept:   paging: .*", r"adept:   exits: .*",
                  rf"adept:   #\d+ .* vm={guest} .* TRIPLE_FAULT\(2\) .*")
        # The guest's CR2 outlives the fault.
        holds(report_of(run, "wreck"), r"adept:   ctrl: cr2=0x401000 .*")
    return "crash-report-faults", test


def assertion_in_report(context):
    return emulator_test(context, "crash-report-asserts", status=2, ran=False, GUEST="crash", CMDLINE="trace=none test=report-assert", expect=[
        r"^adept: report: vm=crash cpu=0 ended: triple fault$", r"^adept: panic: while a report was printed$",
        r"^adept: panic: impossible: vcpu == NULL is false \(vmm/check/self/faults\.c:\d+ cpu=0 apic=0x0\)$",
        rf"^adept: panic: stack\[\d+\]={HEX} vm_report\+{HEX} vmm/report/vm\.c$", r"^adept: end: \w+ status=2$"])


PANIC_REST = [r"^adept: panic: rip=[0-9a-f]{16} rflags=0x[0-9a-f]+ cs=0x8 ss=0x10$", r"^adept: panic: cr0=0x[0-9a-f]+ cr2=0x[0-9a-f]+ cr3=0x[0-9a-f]+ cr4=0x[0-9a-f]+$",
              r"^adept: panic: efer=0x[0-9a-f]+ ", r"^adept: panic: code:( [0-9a-f]{2}){16}$",
              r"^adept: panic: stack\[0\]=0x[0-9a-f]+ \w+\+0x[0-9a-f]+ vmm/check/self/faults\.c$", r"^adept: panic: stack\[\d\]=0x[0-9a-f]+ run\+0x[0-9a-f]+ vmm/main\.c$"]


def host(context):
    """The hypervisor's own ends: what stands in a panic, and a panic of the panic."""
    quiet = {"status": 2, "ran": False, "GUEST": "hello"}
    yield emulator_test(context, "crash-host-exception", CMDLINE="test=host-exception", **quiet, expect=[
        rf"^adept: panic: exception #PF\(14\) error=0x2 cpu=0 apic=0x0 rip={HEX} host_test_page_fault\+{HEX} vmm/check/self/faults\.c$",
        r"^adept: panic: write of 0x18: not mapped$", r"^adept: panic: rax=[0-9a-f]{16} rbx=[0-9a-f]{16} ", r"^adept: panic: r12=[0-9a-f]{16} ",
        # The function that faults has no frame yet: its caller is not in the chain of frames.
        rf"^adept: panic: rsp\+0x0={HEX} host_test_run\+{HEX} vmm/check/self/faults\.c$", *PANIC_REST])
    yield emulator_test(context, "crash-host-assert", CMDLINE="test=host-assert", **quiet, expect=[
        r"^adept: panic: impossible: value != ASSERT_VALUE is false \(vmm/check/self/faults\.c:\d+ cpu=0 apic=0x0\)$",
        # The registers are those at the assertion, not those of the function that prints them.
        r"^adept: panic: rax=.* rdx=000000005eed0002$", r"^adept: panic: rsi=000000005eed0006 ", r"^adept: panic: r8 =000000005eed0008 ",
        r"^adept: panic: r12=000000005eed000c ",
        rf"^adept: panic: stack\[0\]={HEX} host_test_assert\+{HEX} vmm/check/self/faults\.c$", *PANIC_REST])
    # The rest of the report comes although a part of it faults; a panic in it ends it, and says so.
    yield emulator_test(context, "crash-panic-faults", CMDLINE="test=host-panic,panic-report-fault", **quiet, expect=[
        r"^adept: panic: asked for by test=host-panic \(", *PANIC_REST,
        rf"^adept: panic: exception #PF\(14\) error=0x2 while reporting part=last-exits rip={HEX} host_test_page_fault\+{HEX} vmm/check/self/faults\.c cr2=0x18$",
        r"^adept: end: \w+ status=2$"])
    yield emulator_test(context, "crash-panic-panics", CMDLINE="test=host-panic,panic-report-panic", **quiet, expect=[
        r"^adept: panic: asked for by test=host-panic \(", *PANIC_REST,
        rf"^adept: panic: panic while reporting, rip={HEX} panic_in_hook\+{HEX} vmm/check/self/faults\.c$", r"^adept: end: \w+ status=2$"],
        forbid=["the report of cpu=0 panics"])


NM = "                 U printf\n0000000000007c00 T start\n0000000000400000 T window\n0000000000400005 t window_next\n"


def maps(context):
    """map=: names from nm and from nasm; a map without a symbol, or that is not there, is one line and does no harm."""
    yield wreck(context, "crash-symbols-nm", symbol=True, maps=NM)

    def from_nasm():
        name = "crash-symbols-nasm"
        paths = {kind: os.path.join(context.logs, f"{name}.{kind}") for kind in ("asm", "map")}
        with open(paths["asm"], "w", encoding="ascii") as file:
            file.write(f'[map symbols {paths["map"]}]\n%include "test/emu/guests/second-crash.asm"\n')
        binary = nasm(context, paths["asm"], f"{name}.bin", "-f", "bin")
        run = launch(context, name, GUEST=f"{paths['map']}; {binary} name=two vcpus=2 map={name}.map", CPUS=2, CMDLINE="trace=none")
        check(context, name, run, 1, [r"^adept: guest two: fail \(triple fault\)$"], forbid=[r"^adept: \S+: map=", r"^adept: guest crash"])
        holds(report_of(run, "two"), rf"adept:   regs: rip={HEX} symbol=second\+{HEX} .*",
              rf"adept:   vcpu=0 cpu=0 cs:ip=0000:7c[0-9a-f]{{2}} symbol=[\w.@]+\+{HEX} mode=.*")
    yield "crash-symbols-nasm", from_nasm

    def bad():
        name = "crash-symbols-bad"
        path = os.path.join(context.logs, f"{name}.map")
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * 16 + b"\n00007c00 T\x1b[2J\n")
        run = launch(context, name, GUEST=f"crash map={name}.map; {path}; hello map=nothing.map", CMDLINE="trace=none")
        check(context, name, run, 1, [rf"^adept: crash: map={name}\.map: no symbol is in it \(", r"^adept: hello: map=nothing\.map: no module has that file name \(",
                                      r"^adept: report: end vm=crash$", r"^adept: guest hello: pass"], forbid=["symbol="])
        if run.count(r"map=(nothing|crash)\S*: ") != 2:
            raise Failure("not one line for each map")
    yield "crash-symbols-bad", bad


def readme(context):
    """README's excerpt of a crash report: each of its lines stands in that report, in that order."""

    def test():
        with open(os.path.join(context.root, "README.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        excerpts = [block.splitlines() for block in blocks if block.startswith("adept: report: vm=crash ")]
        if len(excerpts) != 1 or len(excerpts[0]) < 10:
            raise Failure(f"README.md has {len(excerpts)} excerpts of a crash report, or a short one")
        run = launch(context, "readme-crash", GUEST="crash", MODEL=MODEL)
        check(context, "readme-crash", run, 1)
        holds(report_of(run, "crash"), *(re.sub(r"(count=)\d+", r"\1\\d+", re.escape(line)) for line in excerpts[0] if line != "..."))
    return "readme-crash", test


def tests(context):
    yield wreck(context, "crash-wreck")
    yield readme(context)
    yield last_exits(context)
    yield policy(context)
    yield misconfiguration(context)
    yield from entry_failures(context)
    # An exit that has no handler.
    yield emulator_test(context, "crash-unhandled-exit", status=1, GUEST="crash; hello", CMDLINE="test=unhandled-exit", expect=[
        r"^adept: guest crash: fail \(unexpected exit reason GDTR_IDTR\(46\): access to GDTR or IDTR\)$",
        r"^adept: report: vm=crash cpu=0 ended: unexpected exit reason GDTR_IDTR\(46\)", r"^adept:   exit: count=\d+ reason=0x2e GDTR_IDTR\(46\) ",
        r"^adept:   code: linear=0x[0-9a-f]+:( [0-9a-f]{2}){16} \[0f\] 01 1e ", r"^adept: report: end vm=crash$", r"^adept: guest hello: pass"])
    # An instruction that exits and has no handler is undefined to the guest, and the trace has the reason's name.
    yield emulator_test(context, "crash-undefined-exit", status=1, GUEST="crash; hello", CMDLINE="test=undefined-exit", expect=[
        r"^#\d+ .* vm=crash .* GDTR_IDTR\(46\) .* -> inject #UD ", r"^adept: guest crash: fail \((?!unexpected)", r"^adept: guest hello: pass"])
    yield several(context)
    yield nothing_readable(context)
    yield fault_in_report(context)
    yield assertion_in_report(context)
    yield from host(context)
    yield from maps(context)
