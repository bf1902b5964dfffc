# SPDX-License-Identifier: MIT
"""Several vCPUs of one guest: in the EPT at once, started and ended, scheduled beside other guests; cross-CPU invalidation, and what happens
without it; VPIDs; every type of INVEPT and INVVPID."""
import os
import re

from exits import assemble, made_guest
from harness import Failure, check, emulator_test, launch, run_logged

MODELS = ("corei7_icelake_u", "corei5_arrandale_m520")
LONG_PERIOD = 20000000  # instructions a second: the 2 ms after which a guest exits anyway are then several times as long as a harvest


def same_memory(context, vcpus, cpus, model):
    """test/emu/guests/vcpus.asm: the same pages, neighbours, rights taken away, holes, a dirty log; ended by the last vCPU."""
    name = f"vcpus-{vcpus}-of-{cpus}-{model}"

    def test():
        guest = f"{assemble(context, 'vcpus')} name=v vcpus={vcpus} timeout=60"
        run = launch(context, name, timeout=120, GUEST=guest, CPUS=cpus, MODEL=model, CMDLINE="trace=VMCALL")
        said = ("the same pages", "neighbouring pages", "the same large pages", "holes and ROM", "tables run out", "a dirty log", "done")
        check(context, name, run, 0, [
            *(rf"^\[v\] vcpus: {text}$" for text in said), r"^adept: guest v: pass \(hypercall END code=0x0\)",
            *(rf"^#\d+ cpu={n} vm=v vcpu={n} t=\d+ VMCALL\(18\) .* call=VCPU_COUNT" for n in range(vcpus)),
            rf"^#\d+ cpu={vcpus - 1} vm=v vcpu={vcpus - 1} .* call=END\(", r"^adept: shootdown: vm=v requests=[1-9]"],
            [r"FAILED", r"vcpu=" + str(vcpus)])
        tables = int(re.search(r"^adept: isolation: ok vm=v pages=\d+ tables=(\d+)", "\n".join(run.lines), re.MULTILINE).group(1))
        if tables > 73:
            raise Failure(f"{tables} tables at its end")
        if run.count(r"^\[v\] vcpus: rights taken away and given back$") != 2:
            raise Failure("rights are to be taken away on two pages")
    return name, test


def invalidated(context, vcpus, model="corei7_icelake_u"):
    """shootdown.asm: no CPU uses a translation that was to be gone; all of them are asked to leave the guest, by interrupt and by NMI."""
    name = f"shootdown-{vcpus}-{model}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'shootdown')} name=s vcpus={vcpus} timeout=60", CPUS=vcpus, MODEL=model,
                     IPS=LONG_PERIOD, CMDLINE="trace=stats")
        check(context, name, run, 0, [
            r"^\[s\] shootdown: interrupts off: stale pages: 0x0000$",
            r"^\[s\] shootdown: interrupts on: stale pages: 0x0000$", r"^adept: guest s: pass"])
        line = re.search(r"^adept: shootdown: vm=s requests=(\d+) interrupts=(\d+) nmis=(\d+) invalidations=(\d+) ", "\n".join(run.lines), re.MULTILINE)
        if line is None:
            raise Failure("no line about shootdowns")
        requests, interrupts, nmis, invalidations = map(int, line.groups())
        # 2 x 128 harvests, each with all others in the guest; by NMI only where Bochs keeps the interrupt back; each CPU once a request.
        if requests != 256 or interrupts < 256 * (vcpus - 1) or not 0 < nmis < interrupts:
            raise Failure(f"requests={requests} interrupts={interrupts} nmis={nmis}")
        if not 256 * vcpus <= invalidations <= 256 * vcpus + 4 * vcpus:
            raise Failure(f"invalidations={invalidations} for {requests} requests")
    return name, test


def without_flush(context):
    """The same guest with a hypervisor that leaves the flush out: the stale translation shows, or the guest could not show one."""
    name = "shootdown-left-out"

    def test():
        build = os.path.join(context.build, "no-flush")
        command = ["make", f"-j{context.jobs}", f"BUILD={build}", "EXTRA_CFLAGS=-DTEST_NO_FLUSH", "kernel"]
        if run_logged(command, context.log(name + "-build")) != 0:
            raise Failure("a hypervisor without flushes does not build")
        for vcpus in (2, 4):
            run = launch(context, f"{name}-{vcpus}", GUEST=f"{assemble(context, 'shootdown')} name=s vcpus={vcpus} timeout=60", CPUS=vcpus,
                         IPS=LONG_PERIOD, CMDLINE="trace=none", KERNEL=os.path.join(build, "adept"))
            check(context, f"{name}-{vcpus}", run, 1, [r"^\[s\] FAILED: another CPU used a translation that was to be gone$"])
    return name, test


def others_left_alone(context):
    """A VM's shootdowns reach the CPUs that run it, and no other: one that runs another guest is not made to exit."""
    name = "shootdown-own-cpus"

    def test():
        guests = f"{assemble(context, 'shootdown')} name=s vcpus=2; {assemble(context, 'spin')} name=spin timeout=3"
        run = launch(context, name, GUEST=guests, CPUS=4, CMDLINE="trace=stats")
        check(context, name, run, 1, [r"^adept: guest s: pass", r"^adept: guest spin: fail \(timeout\)",
                                      r"^adept: exits vm=s reason=EXTERNAL_INTERRUPT\(1\) ", r"^adept: exits vm=s reason=EXCEPTION_NMI\(0\) ",
                                      r"^adept: exits vm=spin reason=PREEMPTION_TIMER\(52\) "],
              [r"^adept: exits vm=spin reason=(EXTERNAL_INTERRUPT|EXCEPTION_NMI)"])
    return name, test


def turns(context, vcpus):
    """Those who make the hypervisor park the others, again and again, take turns; and one who is parked and only wants to run has its 10 us (500
    instructions in Bochs) between any two of them."""
    name = f"vcpus-turns-{vcpus}"

    def test():
        run = launch(context, name, GUEST=f"{assemble(context, 'vcpus_turns')} name=t vcpus={vcpus} timeout=20", CPUS=vcpus, CMDLINE="trace=stats")
        check(context, name, run, 0, [r"^adept: guest t: pass"])
        requests = int(re.search(r"^adept: shootdown: vm=t requests=(\d+) ", "\n".join(run.lines), re.MULTILINE).group(1))
        # The first vCPU runs 400,000 instructions; each read that parks it is two requests.
        if requests / 2 > 400000 / 500:
            raise Failure(f"{requests / 2} pauses while the first vCPU ran 400,000 instructions")
    return name, test


def scheduled(context, name, cpus, counts, options=""):
    """Guests of several vCPUs and others, more than there are CPUs: all end, in whatever order, and none waits for another for ever."""

    def test():
        guests = "; ".join(f"{assemble(context, 'vcpus')} name=g{n} vcpus={count}" if count > 1 else f"hello name=g{n}"
                           for n, count in enumerate(counts))
        run = launch(context, name, timeout=180, GUEST=guests, CPUS=cpus, CMDLINE=f"trace=stats {options}")
        check(context, name, run, 0, [rf"^adept: guest g{n}: pass" for n in range(len(counts))])
    return name, test


def vpids(context, name, cmdline, expected, **variables):
    """The VPIDs of guests that run one after the other, as their VMCSs have them."""

    def test():
        run = launch(context, name, CMDLINE=f"trace=none dump=vmcs {cmdline}", **variables)
        check(context, name, run)
        found = re.findall(r"^adept: vmcs: control VPID\(0x0000\)=(\S+)$", "\n".join(run.lines), re.MULTILINE)
        if found != expected:
            raise Failure(f"VPIDs {found} instead of {expected}")
    return name, test


def tests(context):
    for model in MODELS:
        yield same_memory(context, 2, 2, model)
        yield same_memory(context, 4, 4, model)
    yield same_memory(context, 8, 8, "corei7_skylake_x")
    yield same_memory(context, 2, 4, "corei7_haswell_4770")

    for vcpus in (2, 3, 4, 8):
        yield turns(context, vcpus)

    # More than the machine has: one line, and the others run.
    yield emulator_test(context, "vcpus-too-many", status=1, ran=False, GUEST="hello name=a vcpus=3; hello name=b", CPUS=2, CMDLINE="trace=none", expect=[
        r"^adept: guest a: fail \(vcpus=3: only 2 CPUs are up with VMX \(give it fewer, or the machine more\)\)$", r"^adept: isolation: ok vm=b ",
        r"^adept: guest b: pass"], forbid=[r"^adept: panic:"])
    # vCPUs that are never started cost nothing and end with the guest.
    yield emulator_test(context, "vcpus-not-started", GUEST="hello vcpus=4", CPUS=4, CMDLINE="trace=all", expect=[
        r"^#1 cpu=0 vm=hello vcpu=0 ", r"^adept: isolation: ok vm=hello", r"^adept: guest hello: pass"], forbid=[r"vcpu=[1-3]"])
    for model in MODELS:
        yield made_guest(context, f"vcpus-in-the-bios-{model}", "bios_vcpus", options="vcpus=2 timeout=60", CPUS=2, MODEL=model,
                         CMDLINE="trace=none", expect=[r"^\[bios_vcpus\] bios_vcpus: each call goes through its own page tables$"])
    yield made_guest(context, "vcpus-second-crashes", "second-crash", status=1, options="vcpus=2", CPUS=2, expect=[
        r"^adept: report: vm=second-crash cpu=1 vcpu=1 ended: triple fault$", r"^adept:   #\d+ cpu=1 vm=second-crash vcpu=1 .* TRIPLE_FAULT\(2\)",
        r"rsi=0x000000005ec04d00", r"^adept: isolation: ok vm=second-crash "])
    yield made_guest(context, "vcpus-timeout", "spin", status=1, options="vcpus=2 timeout=1", CPUS=2, expect=[
        r"^adept: guest spin: fail \(timeout\)", r"^adept: isolation: ok vm=spin "])

    # HLT with interrupts disabled: of one vCPU it is no end while another works; of all it is, and on_halt= says which.
    worked = r"\[%s\] halts: one works, the other is halted$"
    halted = r"^adept: guest %s: fail \(HLT with interrupts disabled: a pass with on_halt=pass\)$"
    passed = r"^adept: guest %s: pass \(HLT with interrupts disabled\)$"
    yield made_guest(context, "halt-one-of-two", "halts", options="vcpus=2 timeout=20", CPUS=2, expect=[
        "^" + worked % "halts", r"^adept: guest halts: pass \(hypercall END"])
    yield made_guest(context, "halt-all", "halts_all", status=1, options="vcpus=2 timeout=20", CPUS=2, expect=[
        "^" + worked % "halts_all", halted % "halts_all", r"^adept: report: vm=halts_all "])
    yield made_guest(context, "halt-all-passes", "halts_all", options="vcpus=2 timeout=20 on_halt=pass", CPUS=2, expect=[
        "^" + worked % "halts_all", passed % "halts_all"], forbid=[r"adept: report:"])
    yield made_guest(context, "halt-fails", "halt", status=1, expect=[halted % "halt", r"-> guest ended \("])
    yield made_guest(context, "halt-passes", "halt", options="on_halt=pass vcpus=2", CPUS=2, expect=[passed % "halt"])

    yield scheduled(context, "vcpus-two-guests", 2, (2, 2))
    yield scheduled(context, "vcpus-two-guests-sequential", 2, (2, 1, 2), "guests=sequential")
    yield scheduled(context, "vcpus-many-guests", 3, (2, 1, 3, 2, 1, 2))

    for vcpus in (2, 4, 8):
        yield invalidated(context, vcpus)
    yield invalidated(context, 4, "corei7_haswell_4770")
    yield without_flush(context)
    yield others_left_alone(context)

    for model in MODELS:
        yield emulator_test(context, f"invalidate-{model}", GUEST="hello", MODEL=model, CMDLINE="trace=none test=invalidate", expect=[
            *(rf"^adept: invalidate: INVEPT {kind}: VMsucceed$" for kind in ("single-context", "all-contexts")),
            *(rf"^adept: invalidate: INVVPID {kind}: VMsucceed$" for kind in
              ("individual-address", "single-context", "all-contexts", "single-context-retaining-globals")),
            r"^adept: invalidate: INVVPID single-context of VPID 0: refused$", r"^adept: invalidate: fallbacks right=384 wrong=0$"],
            forbid=["NOT REFUSED"])

    # Never 0, not the same again at once, used again when there are no others, and none where there are none. 0x1 was the start-up self-test's.
    three = "hello name=a; hello name=b; hello name=c"
    yield vpids(context, "vpid", "", ["0x2", "0x3", "0x4"], GUEST=three)
    yield vpids(context, "vpid-few", "test=vpid-few", ["0x2", "0x1", "0x2"], GUEST=three)
    yield vpids(context, "vpid-vcpus", "", ["0x2", "0x5"], GUEST="hello name=a vcpus=3; hello name=b vcpus=3", CPUS=3)
    yield vpids(context, "vpid-none", "test=vpid-none", ["0x0", "0x0", "0x0"], GUEST=three)
    for word in ("vpid-few", "vpid-none"):
        yield made_guest(context, f"vcpus-{word}", "vcpus", options="vcpus=4 timeout=60", CPUS=4, CMDLINE=f"trace=stats test={word}")
    # Controls that a hypervisor below may force to 1, on: INVLPG and MOV to CR3 invalidate what they must.
    yield made_guest(context, "forced-exits", "instructions", CMDLINE="trace=stats test=forced-exits", expect=[
        rf"^adept: exits vm=instructions reason={reason}\(" for reason in ("INVLPG", "RDTSC", "PAUSE", "CR_ACCESS")])
    yield emulator_test(context, "forced-exits-modes", GUEST="modes; walk", CMDLINE="trace=stats test=forced-exits", expect=[
        r"^adept: guest modes: pass", r"^adept: guest walk: pass"])
