# SPDX-License-Identifier: MIT
"""What the emulator tests share: a run of tools/run, its console, and what must and must not be on it."""
import functools
import os
import re
import subprocess
import threading
import time

EMULATOR_TIMEOUT = 60  # seconds; tests that need more say so
EXIT_BUDGET_TICKS = 200000  # of vmm/exit/exit.h: instructions, in Bochs


class Failure(Exception):
    """A test has failed; the text says why, on one line."""


class Context:
    def __init__(self, root, build, jobs, update):
        self.root = root
        self.build = os.path.join(root, build)
        self.jobs = jobs
        self.update = update
        self.kernel = os.path.join(self.build, "adept")
        self.logs = os.path.join(self.build, "test")
        os.makedirs(self.logs, exist_ok=True)

    def log(self, name):
        return os.path.join(self.logs, name + ".log")

    def read_log(self, name):
        with open(self.log(name), encoding="utf-8", errors="replace") as log:
            return log.read()


def run_logged(command, log, timeout=600, environment=None):
    """Runs a command with all it prints going to the file `log`; its exit status, or 124 if it took too long."""
    with open(log, "wb") as output:
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                  timeout=timeout, check=False, env={**os.environ, **(environment or {})}).returncode
        except subprocess.TimeoutExpired:
            output.write(f"\ntimeout after {timeout} s\n".encode())
            return 124


@functools.lru_cache
def nasm_warnings(root):
    """What the Makefile tells nasm about warnings: with WERROR=1 they are errors in the tests' own guests, too."""
    return subprocess.run(["make", "-s", "--no-print-directory", "print-nasm-warnings"], cwd=root, capture_output=True, text=True, check=True).stdout.split()


def nasm(context, source, target, *options):
    """Assembles a guest of the tests' own to the file TARGET among the logs; gives its path."""
    path = os.path.join(context.logs, target)
    # Two tests may want the same guest at the same time: neither must see the other's half-written file.
    made = f"{path}.{threading.get_ident()}"
    command = ["nasm", *nasm_warnings(context.root), "-I.", "-Iguests/", f"-I{context.build}/gen/", *options, source, "-o", made]
    done = subprocess.run(command, cwd=context.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{source} does not assemble: {done.stderr.strip().splitlines()[0]}")
    os.replace(made, path)
    return path


@functools.lru_cache
def bochs_version():
    """(2, 7) for Bochs 2.7: what it says of itself."""
    said = subprocess.run(["bochs", "--help", "cpu"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return tuple(map(int, re.search(r"Bochs x86 Emulator (\d+)\.(\d+)", said.stdout + said.stderr).groups()))


# Processors that Bochs has since 3.0.
NEW_MODELS = ("sapphire_rapids", "arrow_lake")


def new_models():
    """Those of them that the Bochs here has: all or none."""
    return NEW_MODELS if bochs_version() >= (3, 0) else ()


class Run:
    """One run of the launcher: exit status and console lines (without their line ends, and without what the monitor's prompt wrote and
    took away again)."""

    def __init__(self, status, console):
        self.status = status
        self.console = console
        self.lines = re.sub(r"[^\n]*\x1b\[K", "", console.replace("\r", "")).split("\n")

    def has(self, pattern):
        return re.search(pattern, "\n".join(self.lines), re.MULTILINE) is not None

    def count(self, pattern):
        return len(re.findall(pattern, "\n".join(self.lines), re.MULTILINE))


# The variables that decide a run: those of the caller's environment must not leak into a test.
VARIABLES = ("GUEST", "CPUS", "MEM", "EMU", "MODEL", "CMDLINE", "TIMEOUT", "UEFI", "MULTIBOOT", "IPS", "SERIAL", "TRACE", "INPUT", "BAD_MSRS", "ISO", "KERNEL")


def type_answers(process, log, answers):
    """Types each text of `answers`, (pattern, text) in order, when what has come since the last one matches its pattern."""
    seen = 0
    for pattern, text in answers:
        while True:
            with open(log, encoding="utf-8", errors="replace", newline="") as console:
                found = re.search(pattern, console.read()[seen:])
            if found:
                break
            if process.poll() is not None:
                return
            time.sleep(0.05)
        seen += found.end()
        process.stdin.write(text.encode())
        process.stdin.flush()


def launch(context, name, timeout=EMULATOR_TIMEOUT, answers=(), **variables):
    """Runs tools/run; console to NAME.log, what the launcher itself says to NAME.launcher.log.

    answers: what to type at the console, see type_answers().
    """
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    environment["BUILD"] = context.build
    environment["TMPDIR"] = context.logs
    arguments = {"EMU": "bochs", "CPUS": 1, "TIMEOUT": timeout, **({"INPUT": "-"} if answers else {}), **variables}
    command = ["tools/run", *(f"{key}={value}" for key, value in arguments.items())]
    with open(context.log(name), "wb") as console, open(context.log(name + ".launcher"), "wb") as launcher:
        launcher.write((" ".join(repr(word) for word in command) + "\n").encode())
        launcher.flush()
        with subprocess.Popen(command, cwd=context.root, stdin=subprocess.PIPE, stdout=console, stderr=launcher,
                              env=environment) as process:
            try:
                type_answers(process, context.log(name), answers)
                if not answers:
                    process.stdin.close()
                status = process.wait(timeout + 60)
            finally:
                process.kill()
    with open(context.log(name), encoding="utf-8", errors="replace", newline="") as console:
        return Run(status, console.read())


def first_complaint(context, name, run):
    """The most telling line of a run that went wrong, for its FAIL line."""
    for line in run.lines:
        if re.match(r"adept: (panic|refused|isolation: VIOLATION|guest .*: fail)", line):
            return line
    lines = context.read_log(name + ".launcher").strip().splitlines()
    return lines[-1] if len(lines) > 1 else "no complaint on the console"


def long_exits(run):
    """The table lines of reasons of which an exit took longer than one may (vmm/exit/exit.h). With several CPUs Bochs counts the others' instructions,
    too, and an exit waits for the guest's other vCPUs; while the monitor prints, it may wait for the console."""
    if not run.has(r"^adept: cpus: up=1 ") or run.has(r"^adept> "):
        return
    for line in run.lines:
        longest = re.match(r"adept: exits vm=\S+ reason=[A-Z_]+\(\d+\) .* max=(\d+) ", line)
        if longest and int(longest.group(1)) > EXIT_BUDGET_TICKS:
            yield line


def check(context, name, run, status=0, expect=(), forbid=(), ran=True):
    """Fails unless exit status and console are as told. Patterns are searched line by line (^ and $ match at lines).

    ran: guests ran, so the hypervisor must have audited who owns what they could reach, and said so.
    """
    statuses = status if isinstance(status, tuple) else (status,)
    if run.status not in statuses:
        raise Failure(f"exit status {run.status}, not {' or '.join(map(str, statuses))}: {first_complaint(context, name, run)}")
    forbid = [*forbid, r"isolation: VIOLATION"]
    if ran:
        # Each guest of the run must have its audit, not just one of them.
        guests = re.findall(r"^adept: guest (\S+): (?:pass|fail) \(", "\n".join(run.lines), re.MULTILINE)
        if not guests:
            raise Failure(f"no guest has an end: {first_complaint(context, name, run)}")
        expect = [*expect, *(rf"^adept: isolation: ok vm={re.escape(guest)} " for guest in guests), r"^adept: end: "]
        forbid += [r"^adept: panic:"]
    for line in long_exits(run):
        raise Failure(f"an exit took more than {EXIT_BUDGET_TICKS} ticks: {line}")
    for pattern in forbid:
        for line in run.lines:
            if re.search(pattern, line):
                raise Failure(f"'{pattern}' must not appear: {line}")
    for pattern in expect:
        if not run.has(pattern):
            raise Failure(f"'{pattern}' does not appear: {first_complaint(context, name, run)}")


def launcher_error(context, name, pattern, **variables):
    """tools/run says in one line what is wrong, and does not start an emulator."""

    def test():
        run = launch(context, name, **variables)
        said = context.read_log(name + ".launcher").splitlines()[1:]
        if run.status != 2 or run.console:
            raise Failure(f"exit status {run.status}, console of {len(run.console)} bytes")
        if len(said) != 1 or pattern not in said[0]:
            raise Failure(f"it says {said}, not one line with '{pattern}'")
    return name, test


def emulator_test(context, name, status=0, expect=(), forbid=(), ran=True, timeout=EMULATOR_TIMEOUT, **variables):
    """A test that is one run: (name, function)."""

    def test():
        run = launch(context, name, timeout=timeout, **variables)
        check(context, name, run, status, expect, forbid, ran)
    return name, test
