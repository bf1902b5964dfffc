# SPDX-License-Identifier: MIT
"""The monitor: its commands by cmd= with transcripts, and by the keys of somebody who types at the console."""
import os
import re

from exits import assemble
from harness import Failure, bochs_version, check, launch

# The monitor's key, and what a terminal sends for others.
OPEN, UP, LEFT, TAB, HOME, DELETE = "\x1d", "\x1b[A", "\x1b[D", "\t", "\x01", "\x1b[3~"

# Where the host's frames are and what its work costs moves with every change of it. In the transcripts they are *.
MOVING = (
    (re.compile(r"(x: hpa)=\S+ .*"), r"\1=*"),
    (re.compile(r"\b(ticks|mean|min|max|log2|eptp|microcode)=(0x)?[0-9a-f:,]+"), r"\1=*"),
    # The timer's exits fall as they like.
    (re.compile(r"(\bexit: count|\bexits|reason=all count)=\d+"), r"\1=*"),
    (re.compile(r"^adept: exits vm=\w+ reason=PREEMPTION_TIMER.*\n?", re.MULTILINE), ""),
    (re.compile(r"^adept: start: .*\n?", re.MULTILINE), ""),
    (re.compile(r"\b(entry|raw|hpa)=0x[0-9a-f]+([0-9a-f]{3})\b"), r"\1=*\2"),
    (re.compile(r"\b(VMCS_LINK_POINTER|HOST_\w+|EPT_POINTER|MSR_BITMAP\w*)(\(\w+\))=\w+"), r"\1\2=*"),
)


STEPS = re.compile(r"^adept: exits vm=(\w+) reason=(?:EXCEPTION_NMI\(0\)|MONITOR_TRAP_FLAG\(37\)) count=(\d+) .*\n", re.MULTILINE)


def however_stepped(text):
    """The same text whether steps were made by the monitor trap flag or by RFLAGS.TF: the sum of both exits, and no word of which it was."""
    text = text.replace("adept: cpus: steps by: monitor trap flag", "adept: cpus: steps by: *").replace("adept: cpus: steps by: RFLAGS.TF, hidden", "adept: cpus: steps by: *")
    text, steps = re.subn(r"reason=(0x0 EXCEPTION_NMI\(0\) qualification=0x4000|0x25 MONITOR_TRAP_FLAG\(37\) qualification=0x0)$", "reason=(step)", text, flags=re.MULTILINE)
    if steps:
        text = re.sub(r"exit_interruption=(0x80000301 \(hardware exception #DB\(1\)\)|0x0 \(none\))", "exit_interruption=(step)", text)
    sums = {}
    for vm, count in STEPS.findall(text):
        sums[vm] = sums.get(vm, 0) + int(count)
    text = STEPS.sub("", text)
    return re.sub(r"^adept: exits vm=(\w+) reason=all ", lambda found: (f"adept: exits vm={found[1]} exceptions_and_steps={sums.pop(found[1])}\n"
                  if found[1] in sums else "") + found[0], text, flags=re.MULTILINE)


def transcript(run):
    """From the first command of the script on, without what the trace says between and what comes after the last guest."""
    lines = [line for line in run.lines if re.match(r"adept> |adept: |\[", line)]
    starts = [number for number, line in enumerate(lines) if line.startswith("adept> ")]
    if not starts:
        raise Failure("no command was executed")
    text = "\n".join(lines[starts[0]:]) + "\n"
    for pattern, replacement in MOVING:
        text = pattern.sub(replacement, text)
    return however_stepped(text)


def compare(context, name, run):
    """The transcript is the one in test/emu/expected."""
    path = os.path.join(context.root, "test", "emu", "expected", name)
    got = transcript(run)
    if context.update:
        with open(path, "w", encoding="utf-8") as expected:
            expected.write(got)
    if not os.path.exists(path):
        raise Failure(f"no expected transcript at {path} (test/run-tests --update writes it)")
    with open(path, encoding="utf-8") as expected:
        if expected.read() != got:
            with open(context.log(name + "-got"), "w", encoding="utf-8") as log:
                log.write(got)
            raise Failure(f"the transcript is not the expected one: diff {path} {context.log(name + '-got')}")


def scripted(context, name, guest, script, status=0, options="", cmdline="trace=none", **variables):
    """A run with cmd=, its transcript as expected, and the same twice."""

    def test():
        runs = []
        for again in ("", "-again"):
            run = launch(context, name + again, GUEST=f"{assemble(context, guest)} name=g boot=flat {options}".strip(),
                         CMDLINE=f'{cmdline} cmd="{script}"', **variables)
            check(context, name + again, run, status)
            runs.append(run)
        compare(context, name, runs[0])
        if runs[0].console != runs[1].console:
            raise Failure(f"two runs differ: diff {context.log(name)} {context.log(name + '-again')}")
    return name, test


LOOKING = ("vms; cpus; regs; x gpa 0x7c00 40; x gpa 0x7c05+3; x/4w gpa 0x7c00; x/2g gva 0x7c01; x/3h gva 0x7c00; wait 5; x/s gpa 0x2000; "
           "x gpa 0x2000+22; x/w gpa 0x3000; ept walk 0x3000; ept walk 0x90000; walk 0x3000; ept type 0xb8000; ept dump; ept audit; stats; "
           "vmcs guest_cr; vmcs GUEST_RIP; continue; regs; x/w gpa 0x3000; ept walk 0x3000; vms; ept audit; stats")

ERRORS = ("nothing; v; vm; vm 7; vm elsewhere; vcpu; vcpu 1; x; x gpa; x spa 0; x gpa zero; x gpa 0xa0000; x gpa 0x9fff8+16; x gpa 0+0; x gpa 0 0; "
          "x gpa 0 65537; x gpa 0xffffffffffffffff 2; x/q gpa 0; x/0w gpa 0; x hpa 0xfee00000; x hpa 0xfffffffffffff000; x gva 0xa0000; ept; ept walk; "
          "ept walk nowhere; ept type; ept protect; ept protect 0; ept protect 0 rwz; ept protect 0xa0000 r; ept protect 0 w; ept drop none; walk; trace; "
          "trace reasons NOTHING; trace filter port; trace of; stats xml; dirty; dirty show; dirty stop; wait; wait 0; wait soon; inject; inject 256; inject 14 many; "
          "vmcs NO_SUCH_FIELD; help nothing; 1 2 3 4 5 6 7 8 9 10 11; x gpa 1 2 3 4 5 6 7 8 9 10; continue; stop; continue; wait 1; kill; inject 3; "
          "dirty start; ept drop; ept protect 0 r")

# Numbers that no memory has, and none that a guest could take harm from.
ABSURD = ("ept protect 0+0xffffffffffffffff rwx; ept protect 0xfffffffffffff000+0x1000 r; ept drop 0+0xffffffffffffffff; ept drop 0xffffffffffffffff; "
          "ept walk 0xffffffffffffffff; ept type 0xffffffffffffffff; x gva 0x100007c00 4; x gva 0xfffffffc 8; x/s gva 0xffffffffffffffff; x hpa 0xffffffffff 4; x/s hpa 0xfed00000; "
          "x/65535g gpa 0; x gpa 0xfffffffffffffff8 8; wait 0xffffffffffffffff; inject 14 0x8000; inject 0x100000000; step 0xffffffffffffffff; vcpu 0xffffffff; "
          "watch 0+0x10000 w log; watch 0x7c00+4 rwx log; watch 0x7c02+4 r log; break 0x7c00; watch; watch delete 1; watch delete 2; ept dump; watch delete 3; break delete 4; ept dump; "
          "regs vcpu=0; stats json now; step 1 2; ep dump walk audit type")

CHANGING = ("x/w hpa 0x100000; wait 8; dirty start; dirty start; wait 2; dirty show; dirty show; ept audit; dirty stop; ept drop 0x3000; ept walk 0x3000; "
            "wait 2; ept walk 0x3000; ept drop 0x2000+0x2000; ept drop; ept walk 0x7c00; ept protect 0x2000+0x1000 rx; ept walk 0x2000; wait 4; "
            "ept walk 0x2000; ept walk 0x3000; ept dump; ept protect 0x2000 rwx; ept dump; inject 0x40; inject 0x40; wait 2; x/w gpa 0x3004; stop; continue; "
            "x/w gpa 0x3004")


# Through all of stepped.asm from 0x7c3a on, one instruction at a time: PUSHF, PUSHFD, INT, POPF, STI, IRET, MOV SS, POP SS, REP MOVSB, CPUID, UD2.
STEPPING = "cpus; step; step 0; step many; break 0x7c3a; break; continue; " + "step; " * 41 + "step 5; cpus; break delete 1; break; continue; step"

WATCHING = ("watch 0x3000+4 rw; watch 0x4ffa+2 w log; watch 0x3010 w log; watch 0x7d45+2 r log; watch; continue; x/w gpa 0x3000; ept protect 0x3000 rwx; "
            "ept dump; continue; watch delete 2; continue; watch delete 4; watch 0x7cf9 x; continue; regs; continue")

# Each part of an access over a page's border is told of by the watches on its page, and by no others.
BORDER = "watch 0x2ffe+4 rw log; watch 0x5000+2 w log; watch 0x5002 w log; watch 0x6ffd w log; watch 0x7001+4 rw log; watch 0x7000 r log; continue"

# INT and IRET, STI and HLT, a breakpoint on REP, one in a loop; both kinds on one page.
BREAKING = ("break 0x7c48; break 0x7c72; watch 0x7c4d x log; continue; continue; step; continue; break; watch; break delete 1; break delete 2; watch delete 3; continue; "
            "break 0x7c3a")

MODES = ("break 0x7e00; break 0x8000; break 0x8200; continue; step 2; continue; step 9; continue; break 0x8259; continue; step; step; break 0x8261; continue; "
         "watch 0x13100+8 w log; watch 0x20000+4 rw log; watch 0x10000+16 w log; walk 0x20000; continue")

WRONG = ("watch 0; watch 0 q; watch 0 none; watch 0 rr; watch 0 r maybe; watch 0 r log more; watch 0+65537 r; watch 0xa0000 w; watch 0x9ffff+2 w; watch; watch delete; "
         "watch 0xffffffffffffffff r; watch 0xfffffffffffffff0+16 w; break 0x100007c00; break 0xffffffffffffffff; watch delete 0; watch delete 1; watch delete 17; break nowhere; break 0xa0000; break 1 2; break delete 1; break; step 0; step 1000001; step 1 2; "
         + "watch 0 r log; " * 17 + "watch delete 1; break 0x7c00; watch delete 1; break delete 2; continue; watch; break; step")


SELF_TEST = {"corei5_arrandale_m520": r"absent", "corei7_icelake_u": r"broken exit=VMCALL\(18\) rip=0x1002", "tigerlake": r"broken exit=VMCALL\(18\) rip=0x1002"}


# What the hypervisor does, HLT with an interrupt that waits and with one that comes later, the guest's own single step, INT3, a fault, REP.
EXITS = ("break 0x7e00; continue; break delete 1; " + "step; " * 14 + "step 3; break 0x7f17; continue; break delete 1; " + "step; " * 9 + "break 0x7f54; continue; break delete 1; "
         "vmcs GUEST_INTERRUPTIBILITY; step; step; step; break 0x8000; continue; break delete 1; " + "step; " * 7 + "step 7; " + "step; " * 9
         + "break 0x805d; continue; break delete 1; " + "step; " * 12 + "break 0x8200; continue; step 5; regs")

# Loads of SS in each mode, one instruction a step; breakpoints right behind them; loads that fault.
LOADS_OF_SS = ("break 0x7e00; break 0x7e0e; break 0x7e17; continue; step; step; step; continue; vmcs GUEST_INTERRUPTIBILITY; step; continue; step; "
               "break delete 1; break delete 2; break delete 3; break 0x8009; break 0x8020; break 0x802d; continue; step; vmcs GUEST_SS; step; continue; step; continue; step; "
               "break 0x8043; break 0x8222; continue; step; step 4; vmcs GUEST_SS; step; step 3; continue; step; step; break 0x8404; break 0x8410; continue; vmcs GUEST_SS; "
               "continue; step; watch 0x3010+4 w; continue; continue")


def step_of_two(context):
    """A load of SS that the hypervisor leaves to the processor runs with the instruction behind it, and the line says so: its operand may not be read."""
    def test():
        name = "monitor-step-pair"
        run = launch(context, name, GUEST=f"{assemble(context, 'stepped_ss')} name=g boot=flat", CPUS=1,
                     CMDLINE='trace=none cmd="break 0x801a; continue; ept protect 0x3000 x; step; ept protect 0x3000 rwx; step; continue"')
        # The monitor trap flag, where it works, ends the step between the two.
        steps = ("802a instructions=2", "802c") if bochs_version() < (3, 0) else ("8020", "802a")
        check(context, name, run, 0, [r"^\[g\] stepped_ss: done$", *(rf"^adept: step: vm=g vcpu=0 cs:ip=0008:{step} code=" for step in steps)])
    return "monitor-step-pair", test


def stepped_on(context, model):
    """The same where the processor has no monitor trap flag, where it has one that does not work, and where it works: the self-test has found out."""
    def test():
        name = f"monitor-step-{model}"
        run = launch(context, name, GUEST=f"{assemble(context, 'stepped')} name=g boot=flat", MODEL=model, CPUS=1,
                     CMDLINE='trace=none cmd="watch 0x3000+4 w log; step 900; cpus; continue"')
        found, by = (SELF_TEST[model], r"RFLAGS\.TF, hidden") if bochs_version() < (3, 0) else ("works", "monitor trap flag")
        check(context, name, run, 0, [r"^\[g\] stepped: done$", rf"^adept: cpus: steps by: {by}$",
                                      rf'^adept: self-test: monitor_trap_flag={found} steps_by="{by}"$',
                                      r"^adept: watch: .*gpa=0x3000 access=W width=4 old=0x0 new=0x11223344$"], forbid=[r"^\[g\] .*(TF|changed)"])
    return f"monitor-step-{model}", test


def trap_flag_pretended(context):
    """With a self-test that says `works` steps set the flag and nothing else, which in Bochs 2.7 ends them at the next exit; with `absent` they set TF."""
    def test():
        text = {}
        for word, by in (("works", "monitor trap flag"), ("absent", r"RFLAGS\.TF, hidden")):
            name = f"monitor-trap-{word}"
            run = launch(context, name, GUEST=f"{assemble(context, 'stepped')} name=g boot=flat", MODEL="corei7_icelake_u", CPUS=1,
                         CMDLINE=f'trace=all test=monitor-trap-{word} cmd="break 0x7c3a; continue; step; continue"')
            check(context, name, run, 0, [rf'^adept: self-test: monitor_trap_flag={word} steps_by="{by}"$', r"^\[g\] stepped: done$"])
            text[word] = "\n".join(run.lines)
        # PUSHF is one byte long.
        if not re.search(r"^adept: step: .* cs:ip=0000:7c3b ", text["absent"], re.MULTILINE) or "vector=#DB(1) -> one instruction done" not in text["absent"]:
            raise Failure("without the flag TF was not set")
        stepped = re.search(r"^adept: step: .* cs:ip=0000:7c3b ", text["works"], re.MULTILINE) is not None
        if stepped != (bochs_version() >= (3, 0)) or "vector=#DB(1) -> one instruction done" in text["works"]:
            raise Failure("with the flag TF was set, too")
    return "monitor-trap-pretended", test


def watched_apic(context):
    """Watches come and go while the local APIC lies over their page, and hold when the memory is back."""

    def test():
        name = "monitor-watch-apic"
        run = launch(context, name, GUEST=f"{assemble(context, 'apic_watched')} name=g boot=flat mem=8M", CPUS=1,
                     CMDLINE='trace=none cmd="watch 0x300030+4 rw log; watch 0x300080+4 r log; break 0x7d00; continue; watch delete 1; watch 0x300040 r log; '
                     'ept audit; continue"')
        check(context, name, run, 0, [
            r"^\[g\] apic_watched: done$", r"^adept: watch: .* #1 gpa=0x300030 access=W ", r"^adept: watch: .* #2 gpa=0x300080 access=R ",
            r"^adept: break: .* cs:ip=0000:7d00 ", r"RAM or ROM of the guest's"],
            forbid=[r"#1 gpa=0x300030 access=R", r"isolation: VIOLATION"])
    return "monitor-watch-apic", test


def watched_together(context, vcpus):
    """Several vCPUs write to one page at the same time: each write is told of once, with the values of that write."""
    def test():
        name = f"monitor-watch-vcpus-{vcpus}"
        run = launch(context, name, GUEST=f"{assemble(context, 'watched_together')} name=g boot=flat vcpus={vcpus}", CPUS=vcpus,
                     CMDLINE='trace=none cmd="watch 0x3000+4 w log; continue"')
        check(context, name, run, 0, [r"^\[g\] watched_together: done$"])
        told = re.findall(r"^adept: watch: vm=g vcpu=(\d) .* gpa=0x3000 access=W width=4 old=0x(\w+) new=0x(\w+)$", "\n".join(run.lines), re.MULTILINE)
        # The lines of two vCPUs may come in another order than their writes.
        if sorted((int(old, 16), int(new, 16)) for _, old, new in told) != [(n, n + 1) for n in range(20 * vcpus)]:
            raise Failure(f"{len(told)} writes, or wrong values")
        if any(sum(vcpu == str(n) for vcpu, _, _ in told) != 20 for n in range(vcpus)):
            raise Failure("a vCPU's writes are missing")
    return f"monitor-watch-vcpus-{vcpus}", test


def stepped_through(context, guest, end=(0, r"^adept: guest g: pass ")):
    """Each instruction of a guest that checks itself is a step of its own: nothing in it may notice. Its end ends `step`, too."""
    def test():
        name = f"monitor-through-{guest.replace('_', '-')}"
        run = launch(context, name, GUEST=f"{assemble(context, guest)} name=g timeout=60", CPUS=1, CMDLINE='trace=none cmd="step 1000000; regs"')
        check(context, name, run, end[0], [end[1]], forbid=[r"FAILED", r"^adept: step: "])
        steps = re.search(r"^adept: exits vm=g reason=all count=(\d+) ", "\n".join(run.lines), re.MULTILINE)
        if int(steps.group(1)) < 10:
            raise Failure("it was not stepped")
    return f"monitor-through-{guest.replace('_', '-')}", test


def watched_and_logged(context, model):
    """A dirty log, of each kind, has what is written to watched pages, too."""
    def test():
        name = f"monitor-watch-dirty-{model}"
        run = launch(context, name, GUEST=f"{assemble(context, 'stepped')} name=g boot=flat", MODEL=model, CPUS=1,
                     CMDLINE='trace=none cmd="dirty start; watch 0x3000+4 w log; wait 1; watch 0x4ffa+2 w log; break 0x7c84; continue; dirty show; dirty stop; ept audit; '
                     'break delete 3; continue"')
        check(context, name, run, 0, [r"^\[g\] stepped: done$", r"^adept: break: .* cs:ip=0000:7c84 #3 ", r"^adept: watch: .* #1 gpa=0x3000 access=W width=4 old=0x0 new=0x11223344$",
                                      r"^adept: watch: .* #2 gpa=0x4ffa access=W ", r"^adept: dirty: show vm=g gpa=0x3000-0x4fff pages=2$"])
    return f"monitor-watch-dirty-{model}", test


def stopped_together(context):
    """A watch stops all vCPUs, the one that it was is chosen, and steps alone; then all go on."""
    def test():
        name = "monitor-stop-vcpus"
        run = launch(context, name, GUEST=f"{assemble(context, 'watched_together')} name=g boot=flat vcpus=3", CPUS=3,
                     CMDLINE='trace=none cmd="watch 0x3000+4 w; continue; regs; continue; vms; continue; x/w gpa 0x3000; step 3; x/w gpa 0x3000; vcpu 0; regs; '
                     'watch delete 1; continue; vms"')
        check(context, name, run, 0, [r"^\[g\] watched_together: done$", r"^adept: vms: 0 name=g state=stopped", r"^adept: vms: 0 name=g state=passed",
                                      r"^adept: step: vm=g vcpu=\d cs:ip="])
        if run.count(r"^adept: watch: vm=g vcpu=\d .* old=") < 3:
            raise Failure("it has stopped less than three times")
    return "monitor-stop-vcpus", test


def help_is_whole(context):
    """help names every command of the table, and each has arguments and a sentence."""
    def test():
        with open(os.path.join(context.root, "vmm", "monitor", "commands.def"), encoding="utf-8") as table:
            names = re.findall(r"^MONITOR_COMMAND\((\w+),", table.read(), re.MULTILINE)
        run = launch(context, "monitor-help", GUEST=f"{assemble(context, 'monitored')} name=g", CMDLINE='trace=none cmd="help; help x; help ep"')
        check(context, "monitor-help", run, 0, [rf"^adept: help: {name}\b.*: \w" for name in names])
        if run.count(r"^adept: help: ") != len(names) + 2 or len(names) < 15:
            raise Failure(f"{run.count('^adept: help: ')} lines of help for {len(names)} commands")
    return "monitor-help", test


def trace_command(context):
    """trace on, off and filter change what is recorded from there on."""
    def test():
        run = launch(context, "monitor-trace", GUEST=f"{assemble(context, 'monitored')} name=g boot=flat",
                     CMDLINE='trace=none cmd="wait 8; trace reasons CPUID; wait 3; trace off; wait 3; trace on"')
        check(context, "monitor-trace", run, 0, [r"^#\d+ .* VMCALL\(18\) .*call=END"])
        traced = re.findall(r"^#(\d+) .*CPUID\(10\).*?(?: x(\d+))?$", "\n".join(run.lines), re.MULTILINE)
        if len(traced) < 2 or traced[0] != ("9", "3") or traced[1][0] != "15":
            raise Failure(f"these CPUIDs were traced (number, repeats): {traced}")
        # As filter= and trace_rate=: from its 6th to its 28th exit the guest does nothing but CPUID.
        run = launch(context, "monitor-trace-terms", GUEST=f"{assemble(context, 'monitored')} name=g boot=flat",
                     CMDLINE='trace=all cmd="wait 8; trace filter -reason:CPUID; wait 3; trace filter none; wait 3; trace rate 1; wait 6; trace rate 0"')
        check(context, "monitor-trace-terms", run, 0, [r"^#\d+ .* VMCALL\(18\) .*call=END", r"^adept: trace: cpu=0 suppressed=5 exits "])
        traced = re.findall(r"^#(\d+) .*CPUID\(10\).*?(?: x(\d+))?$", "\n".join(run.lines), re.MULTILINE)
        if traced != [("4", ""), ("6", "3"), ("12", "3"), ("15", ""), ("21", "8")]:
            raise Failure(f"with a filter and a limit these CPUIDs were traced (number, repeats): {traced}")
    return "monitor-trace", test


def several_guests(context):
    """Each guest is looked at on its own CPU, while it runs; one is ended, and the other goes on."""
    def test():
        name = "monitor-guests"
        guests = f"{assemble(context, 'spin')} name=a; {assemble(context, 'spin')} name=b timeout=9"
        run = launch(context, name, GUEST=guests, CPUS=2,
                     CMDLINE='trace=none cmd="vm b; vm a; stop; vm 1; vcpu 0; regs; vm a; kill; vm b; x gpa 0x7c00 3; vm a; regs; vm b; kill"')
        check(context, name, run, 1, [r"^adept: guest a: fail \(killed by the monitor\)$", r"^adept: guest b: fail \(killed by the monitor\)$", r"^adept: x: gpa=0x7c00 fa fc ea ", r"^adept: vm: 1 name=b$"])
    return name_of(several_guests), test


def name_of(function):
    return "monitor-" + function.__name__.replace("_", "-")


def script_goes_on(context):
    """A guest that ends by itself while the script waits for it: what follows about another one is executed by that one's CPU, at once."""
    def test():
        name = "monitor-script-goes-on"
        guests = f"{assemble(context, 'monitored')} name=a boot=flat; {assemble(context, 'spin')} name=b timeout=30"
        run = launch(context, name, GUEST=guests, CPUS=2, CMDLINE='trace=none cmd="vm a; continue; vm b; x gpa 0x7c00 3; kill"')
        check(context, name, run, 1, [r"^adept: guest a: pass", r"^adept: x: gpa=0x7c00 fa fc ea ", r"^adept: guest b: fail \(killed by the monitor\)$"])
    return "monitor-script-goes-on", test


def steps_end_early(context):
    """`step N` ends at a breakpoint and behind a watch that stops."""
    def test():
        name = "monitor-step-ends"
        run = launch(context, name, GUEST=f"{assemble(context, 'stepped')} name=g boot=flat", CPUS=1,
                     CMDLINE='trace=none cmd="break 0x7c44; step 5000; break delete 1; watch 0x3000+4 w; step 5000; watch delete 1; continue"')
        check(context, name, run, 0, [r"^\[g\] stepped: done$", r"^adept: break: vm=g vcpu=0 cs:ip=0000:7c44 #1 gva=0x7c44 hits=1$",
                                      r"^adept: watch: vm=g vcpu=0 cs:ip=(\S+) #1 gpa=0x3000 access=W width=4 old=0x0 new=0x11223344$"])
        steps = [line for line in run.lines if line.startswith("adept: step: ")]
        # The MOV is nine bytes long: the one step that is told of ends right behind it.
        place = re.search(r"watch: vm=g vcpu=0 cs:ip=0000:(\w+) #1 gpa", "\n".join(run.lines)).group(1)
        if len(steps) != 1 or f"cs:ip=0000:{int(place, 16) + 9:04x} " not in steps[0]:
            raise Failure(f"the steps that were told of: {steps}")
    return "monitor-step-ends", test


def not_started(context):
    """A virtual processor that the guest has not started cannot be stepped, and nothing waits for it."""
    def test():
        name = "monitor-not-started"
        run = launch(context, name, GUEST=f"{assemble(context, 'watched_together')} name=g boot=flat vcpus=2", CPUS=2,
                     CMDLINE='trace=none cmd="vcpu 1; step; inject 0x40; regs; vcpu 0; step; continue"')
        check(context, name, run, 0, [r"^adept: step: vcpu=1 does not run: ", r"^adept: inject: vcpu=1 does not run: ", r"^adept: step: vm=g vcpu=0 cs:ip=",
                                      r"^\[g\] watched_together: done$"])
    return "monitor-not-started", test


def typed_while_stepping(context):
    """Typed during `step N`: what shows the guest shows it between two instructions; a second step is refused; stop ends the first."""
    def test():
        name = "monitor-typed-stepping"
        run = launch(context, name, CMDLINE="trace=none", CPUS=1, GUEST=f"{assemble(context, 'spin')} name=g", answers=[
            (r"adept: module", OPEN), (r"adept> ", "step 1000000\r"), (r"adept> ", "vmcs GUEST_RFLAGS\r"), (r"GUEST_RFLAGS\S+=", "step\r"),
            (r"a step is under way", "stop\r"), (r"stop: vm=g", "step\r"), (r"adept: step: vm=g", "vmcs GUEST_RFLAGS\r"), (r"GUEST_RFLAGS\S+=", "kill\r")])
        check(context, name, run, 1, [r"^adept: guest g: fail \(killed by the monitor\)$"])
        flags = [int(value, 16) for value in re.findall(r"GUEST_RFLAGS\(\w+\)=(\w+)$", "\n".join(run.lines), re.MULTILINE)]
        if len(flags) != 2 or any(value & 0x100 for value in flags):
            raise Failure(f"RFLAGS were {[hex(value) for value in flags]}")
    return "monitor-typed-stepping", test


def typed(context):
    """Somebody opens the monitor while a guest waits for keys, edits, looks back, completes; no key of it reaches the guest."""
    def test():
        name = "monitor-typed"
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{assemble(context, 'typed_bios')} name=bios", answers=[
            (r"typed_bios: waits", "to the guest\r" + OPEN + "\x1b" + OPEN + OPEN),
            (r"adept> ", "vmz\x7fs\r"),
            (r"vms: 0 name=bios state=runs", "gs" + HOME + "re\r"),
            (r"--more--", " "),
            (r"code: [^$]*adept> ", UP + LEFT * 4 + "x/s gpa 0xf0000" + "\x0b\r"),
            (r'gpa=0xf0000 "ADEPT ROM', "ep" + TAB + "wa" + TAB + "0x7c00\r"),
            (r"ept: walk vm=bios gpa=0x7c00 end=", "st" + TAB + TAB),
            (r"stats +stop", "o" + TAB + "\r"),
            (r"stop: vm=bios", UP + UP + UP + UP + "\x15vm b" + TAB + "\r"),
            (r"vm: 0 name=bios", "nonsense\r"),
            (r"expected: a command", "contnue" + LEFT * 3 + "i\r" + OPEN),
            (r"continue", "more\r\x1b"),
        ])
        check(context, name, run, 0, [r"^\[bios\] to the guest$", r"^\[bios\] more$", r"^\[bios\] typed_bios: done$"], forbid=[r"^\[bios\].*(vms|regs|stop)"])
        if run.count(r"^\[bios\]") != 4:
            raise Failure("the guest was given more, or less, than was typed for it")
    return name_of(typed), test


def typed_at_a_busy_guest(context):
    """A guest that never exits by itself, its interrupts off: reached, stopped, looked at, ended."""
    def test():
        name = "monitor-busy"
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{assemble(context, 'deaf')} name=deaf; {assemble(context, 'deaf')} name=other", CPUS=2,
                     answers=[
                         (r"adept: module", OPEN), (r"adept> ", "vm other\r"), (r"vm: 1 name=other", "stop\r"), (r"stop: vm=other", "regs\r"),
                         (r"--more--", "q"), (r"adept> ", "vms\r"), (r"name=other state=stopped", "kill\r"), (r"guest other|adept> $", "vm 0\r"),
                         (r"vm: 0 name=deaf", "kill\r")])
        check(context, name, run, 1, [r"^adept: guest deaf: fail \(killed by the monitor\)$", r"^adept: guest other: fail \(killed by the monitor\)$"])
    return name_of(typed_at_a_busy_guest), test


def paged(context):
    """Long output stops after a screenful: a line, a page, no more."""
    def test():
        name = "monitor-paged"
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{assemble(context, 'typed_bios')} name=bios", answers=[
            (r"typed_bios: waits", OPEN), (r"adept> ", "vmcs\r"), (r"--more--", "\r"), (r"--more--", " "), (r"--more--", "q"),
            (r"adept> ", "kill\r")])
        check(context, name, run, 1)
        shown = run.count(r"^adept: vmcs: ")
        if shown != 22 + 1 + 22:
            raise Failure(f"{shown} lines of 45")
    return name_of(paged), test


def output_beside_the_prompt(context):
    """What is traced while somebody types keeps whole lines, and the prompt comes back behind it."""
    def test():
        name = "monitor-beside"
        run = launch(context, name, CMDLINE="trace=VMCALL,CPUID", GUEST=f"{assemble(context, 'typed_bios')} name=bios", answers=[
            (r"typed_bios: waits", OPEN + "reg"), (r"adept> reg", "s" + OPEN + "a\r" + OPEN),
            (r"\[bios\] a[^$]*adept> regs", "\r"), (r"--more--", "qkill\r")])
        check(context, name, run, 1, [r"^\[bios\] a$"])
        if not run.has(r"^adept:   regs: "):
            raise Failure("the line that was begun before was not executed")
    return name_of(output_beside_the_prompt), test


def reboot(context):
    def test():
        name = "monitor-reboot"
        run = launch(context, name, CMDLINE='trace=none cmd="reboot"', GUEST=f"{assemble(context, 'monitored')} name=g")
        check(context, name, run, 1, [r"^adept: end: reboot status=1$"], ran=False)
    return name_of(reboot), test


def tests(context):
    yield scripted(context, "monitor-looking", "monitored", LOOKING, CPUS=1)
    yield scripted(context, "monitor-errors", "monitored", ERRORS, CPUS=1)
    yield scripted(context, "monitor-absurd", "monitored", ABSURD, CPUS=1)
    yield scripted(context, "monitor-changing", "monitored", CHANGING, CPUS=1)
    yield scripted(context, "monitor-stepping", "stepped", STEPPING, CPUS=1)
    yield scripted(context, "monitor-watching", "stepped", WATCHING, CPUS=1)
    yield watched_apic(context)
    yield scripted(context, "monitor-watch-border", "watched_border", BORDER, CPUS=1)
    yield scripted(context, "monitor-breaking", "stepped", BREAKING, CPUS=1)
    yield scripted(context, "monitor-modes", "stepped_modes", MODES, CPUS=1)
    yield scripted(context, "monitor-step-exits", "stepped_exits", EXITS, status=1, CPUS=1)
    yield scripted(context, "monitor-step-ss", "stepped_ss", LOADS_OF_SS, CPUS=1)
    yield step_of_two(context)
    yield scripted(context, "monitor-wrong", "monitored", WRONG, CPUS=1)
    for model in ("corei5_arrandale_m520", "corei7_icelake_u", "tigerlake"):
        yield stepped_on(context, model)
    yield trap_flag_pretended(context)
    for model in ("corei5_arrandale_m520", "corei7_haswell_4770", "corei7_icelake_u"):
        yield watched_and_logged(context, model)
    # SYSCALL, SYSRET, SYSENTER; virtual-8086 mode; its own single step over what the hypervisor does, holes, ROM; I/O and string I/O; task switches.
    for guest in ("syscalls", "v86", "steps", "instructions", "tasks"):
        yield stepped_through(context, guest)
    for vcpus in (2, 4):
        yield watched_together(context, vcpus)
    yield stopped_together(context)
    yield help_is_whole(context)
    yield trace_command(context)
    yield several_guests(context)
    yield script_goes_on(context)
    yield steps_end_early(context)
    yield not_started(context)
    yield typed_while_stepping(context)
    yield typed(context)
    yield typed_at_a_busy_guest(context)
    yield paged(context)
    yield output_beside_the_prompt(context)
    yield reboot(context)
