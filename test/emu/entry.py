# SPDX-License-Identifier: MIT
"""The VM-entry checker against the processor: each rule broken alone, random changes, and the words that a failed entry gets."""
import re

from harness import NEW_MODELS, Failure, bochs_version, check, emulator_test, launch, new_models

# Rules whose VMCS cannot be made on a model (it lacks what they are about), and rules that Bochs does not check, by name and version.
POSTED = {"posted_interrupts_need", "posted_interrupt_vector", "posted_interrupt_descriptor"}
CET = {"host_cet_without_wp", "guest_cet_without_wp"}
NEVER = {"guest_bndcfgs", "blocking_enclave", "pending_rtm", "msr_load_x2apic", "eptp_accessed_dirty"}


def absent_rules(model):
    """None: not known."""
    if model == "corei7_icelake_u":
        return NEVER | CET | (POSTED if bochs_version() < (3, 0) else set())
    return NEVER | {"event_error_code"} if model in NEW_MODELS else None


def departures_allowed():
    old = {"entry_to_smm", "host_perf_global", "guest_perf_global", "guest_debugctl", "guest_64bit_paging", "rip_linear", "activity_event", "blocking_nmi",
           "single_step_pending", "single_step_not_pending", "msr_load_smm"}
    return old if bochs_version() < (3, 0) else old | {"posted_interrupts_need", "host_cet_without_wp"}


def rules(context, model):
    name = f"entry-rules-{model}"

    def test():
        run = launch(context, name, GUEST="hello", CPUS=1, MODEL=model, CMDLINE="trace=none test=entry-rules")
        check(context, name, run, 0, [r"^adept: guest hello: pass"], [r"entry-test: mismatch", r"entry-test: .* cannot be written"])
        text = "\n".join(run.lines)
        absent = set(re.findall(r"^adept: entry-test: absent rule=(\w+)$", text, re.MULTILINE))
        departures = set(re.findall(r"^adept: entry-test: departure rule=(\w+) ", text, re.MULTILINE))
        sums = re.search(r"^adept: entry-test: rules=(\d+) refused=(\d+) absent=(\d+) mismatches=0 departures=(\d+)$", text, re.MULTILINE)
        if not sums:
            raise Failure("no line of sums without mismatches")
        total, refused, missing, departed = map(int, sums.groups())
        if total < 200 or refused + missing + departed != total:
            raise Failure(f"{total} rules are not {refused} + {missing} + {departed}")
        if absent_rules(model) not in (None, absent):
            raise Failure(f"absent are {sorted(absent)}")
        if refused < 150 or not departures <= departures_allowed():
            raise Failure(f"{refused} refused, departures {sorted(departures)}")
    return name, test


def random_cases(context, model):
    name = f"entry-random-{model}"

    def test():
        run = launch(context, name, GUEST="hello", CPUS=1, MODEL=model, CMDLINE="trace=none test=entry-random")
        check(context, name, run, 0, [r"^adept: guest hello: pass"], [r"entry-test: mismatch"])
        sums = re.search(r"^adept: entry-test: random=10000 entered=(\d+) refused=(\d+) not_tried=(\d+) mismatches=0 departures=(\d+)$",
                         "\n".join(run.lines), re.MULTILINE)
        if not sums:
            raise Failure("no line of sums without mismatches")
        entered, refused, not_tried, departed = map(int, sums.groups())
        if entered < 3000 or refused < 3000 or entered + refused + not_tried != 10000 or departed > 500:
            raise Failure(f"entered {entered}, refused {refused}, not tried {not_tried}, departures {departed}")
    return name, test


def broken(context, what, failure, *rules_named):
    """An entry that fails names the broken rules: before it, and in the guest's report. The machine goes on to its end."""
    lines = [rf"^adept: entry-check: vm=hello rule={rule} section=\"{section}\" .*{field}.* why=\"" for rule, section, field in rules_named]
    return emulator_test(context, f"entry-broken-{what}", status=1, GUEST="hello", CMDLINE=f"trace=none test=entry-broken-{what}",
                         expect=[*lines, rf"^adept: guest hello: fail \(VM entry failed: {failure}"])


def tests(context):
    for model in ("corei7_icelake_u", "corei7_haswell_4770", "corei5_arrandale_m520", *new_models()):
        yield rules(context, model)
    for model in ("corei7_icelake_u", *new_models()):
        yield random_cases(context, model)
    yield random_cases(context, "corei5_arrandale_m520")
    yield broken(context, "controls", "error 7: VM entry with invalid control fields",
                 ("eptp_reserved", "VM-Execution Control Fields", r"EPT_POINTER\(0x201a\)=0x[0-9a-f]+ must_be_1=0x0 may_be_1=0x[0-9a-f]+"))
    yield broken(context, "host", "error 8: VM entry with invalid host-state fields",
                 ("host_tr_null", "Checks on Host Segment and Descriptor-Table Registers", r"HOST_TR_SELECTOR\(0x0c0c\)=0x0"))
    yield broken(context, "guest", r"ENTRY_GUEST_STATE\(33\)",
                 ("tr_type", "Checks on Guest Segment Registers", r"GUEST_TR_ACCESS_RIGHTS\(0x4822\)=0x82"),
                 ("rflags_reserved", "Checks on Guest RIP, RFLAGS, and SSP", r"GUEST_RFLAGS\(0x6820\)=0x0 must_be_1=0x2 may_be_1=0x3f7fd7"))
