# SPDX-License-Identifier: MIT
"""The Makefile, the scripts around it, the image's menu, and the documents: what they promise, without an emulator."""
import hashlib
import os
import re
import shutil
import subprocess

from harness import Failure, check, launch
from guests import normalized

HYPERVISOR_TREES = ("boot", "arch/x86", "ept", "vmm", "drivers")


def captured(context, name, command, environment=None, status=0):
    """Runs a command; what it prints on standard output. Standard error goes to NAME.log with it."""
    done = subprocess.run(command, cwd=context.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=300, env=environment)
    with open(context.log(name), "a", encoding="utf-8") as log:
        log.write(f"{command}\n{done.stdout}{done.stderr}")
    if done.returncode != status:
        raise Failure(f"{' '.join(command[:3])}...: exit status {done.returncode}, not {status}")
    return done.stdout


def make_environment():
    """Without the flags of a make around this one; the choice of a compiler stays, as the build has been made with it."""
    return {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "V")}


def read(context, path):
    with open(os.path.join(context.root, path), encoding="utf-8") as text:
        return text.read()


def fresh(context, name):
    """An empty directory of the test's own, and no log of an earlier run."""
    path = os.path.join(context.logs, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    open(context.log(name), "w", encoding="utf-8").close()
    return path


# --- make --------------------------------------------------------------------------------------------------------------
def help_lists_all(context):
    def test():
        targets = set(re.search(r"^\.PHONY: (all .*)$", read(context, "Makefile"), re.MULTILINE).group(1).split()) - {"FORCE"}
        if len(targets) < 10:
            raise Failure(f"the Makefile has {len(targets)} targets")
        fresh(context, "make-help")
        said = captured(context, "make-help", ["make", "-s", "help"], make_environment())
        for target in sorted(targets):
            if not re.search(rf"\bmake {target}\b", said):
                raise Failure(f"it does not name {target}")
        for variable in ("V=1", "CLANG=1", "CROSS_COMPILE=", "GUEST=", "ONLY="):
            if variable not in said:
                raise Failure(f"it does not name {variable}")
    return "make-help", test


def clean_removes(context):
    def test():
        path = fresh(context, "make-clean")
        os.makedirs(os.path.join(path, "obj", "ept"))
        open(os.path.join(path, "obj", "ept", "map.o"), "w", encoding="utf-8").close()
        captured(context, "make-clean", ["make", "-s", f"BUILD={path}", "clean"], make_environment())
        if os.path.exists(path):
            raise Failure(f"{path} is still there")
    return "make-clean", test


def users_of(context, header):
    """The C sources that include a header, directly or not: found by reading, not by what the compiler has noted."""
    direct = {}
    for tree in HYPERVISOR_TREES:
        for folder, _, files in os.walk(os.path.join(context.root, tree)):
            for file in (file for file in files if file.endswith((".c", ".h", ".def"))):
                path = os.path.relpath(os.path.join(folder, file), context.root)
                direct[path] = set(re.findall(r'^\s*#\s*include\s*"([^"]+)"', read(context, path), re.MULTILINE))
    users = {header}
    while True:
        more = {path for path, included in direct.items() if included & users} - users
        if not more:
            return {path for path in users if path.endswith(".c")}
        users |= more


def copy_of_build(context, name):
    """The build as it is, for another directory: dependency files and stamps name the new place, nothing is out of date."""
    path = fresh(context, name)
    for part in ("obj", "gen", "guests", "bios", "tools", "flags", "objects", "adept-trace", "adept", "adept.elf", "adept-nosym.elf", "adept.map", "adept.dis"):
        source, target = os.path.join(context.build, part), os.path.join(path, part)
        if os.path.isdir(source):
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    for folder, _, files in os.walk(path):
        for file in files:
            if file.endswith(".d") or (folder in (path, os.path.join(path, "tools")) and file in ("flags", "objects")):
                file = os.path.join(folder, file)
                times = os.stat(file)
                with open(file, encoding="utf-8") as text:
                    content = text.read().replace(context.build, path)
                with open(file, "w", encoding="utf-8") as text:
                    text.write(content)
                os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return path


def rebuilds_exactly_users(context):
    """make -W HEADER takes the header as new: with V=1 the compiler must be seen on each of its users and on nothing else."""

    def test():
        name = "make-header"
        path = copy_of_build(context, name)
        make = ["make", "--no-print-directory", f"BUILD={path}", "V=1"]
        # The version alone may have changed since the build, by a commit or an edit: after that, nothing is out of date.
        said = captured(context, name, [*make, "all"], make_environment())
        if set(re.findall(r" -c (\S+) -o ", said)) - {"vmm/main.c"} or captured(context, name, [*make, "all"], make_environment()).strip():
            raise Failure("a copy of the build is out of date before anything was touched")
        for header, guests in (("ept/qualification.h", False), ("vmm/hypercall_abi.h", True)):
            said = captured(context, name, [*make, "-W", header, "all"], make_environment())
            rebuilt = set(re.findall(r"^\S*(?:gcc|clang)\b.* -c (\S+\.c) -o ", said, re.MULTILINE))
            expected = users_of(context, header)
            if not expected:
                raise Failure(f"nothing uses {header}")
            if rebuilt != expected:
                raise Failure(f"{header}: rebuilt though no user: {sorted(rebuilt - expected)}, not rebuilt: {sorted(expected - rebuilt)}")
            assembled = set(re.findall(r"^nasm -f bin .* (guests/\S+\.asm) -o ", said, re.MULTILINE))
            wanted = {f"guests/{file}" for file in os.listdir(os.path.join(context.root, "guests")) if file.endswith(".asm")}
            wanted.add("guests/bios/bios.asm")
            if assembled != (wanted if guests else set()):
                raise Failure(f"{header}: guests assembled: {sorted(assembled)}")
        shutil.rmtree(path)
    return "make-header", test


def cross_compile(context):
    """A toolchain of another prefix, made of links to this machine's own tools, builds the whole hypervisor, and only it is called."""

    def test():
        name = "make-cross"
        path = fresh(context, name)
        tools = os.path.join(path, "bin")
        os.makedirs(tools)
        for tool in ("gcc", "ld", "nm", "objcopy", "objdump"):
            # Scripts, not links: gcc looks for its parts beside the name it is called by.
            with open(os.path.join(tools, f"pretended-{tool}"), "w", encoding="utf-8") as script:
                script.write(f'#!/bin/sh\necho {tool} >> "{path}/called"\nexec {shutil.which(tool)} "$@"\n')
            os.chmod(os.path.join(tools, f"pretended-{tool}"), 0o755)
        environment = {key: value for key, value in make_environment().items() if key not in ("CC", "CLANG")}
        environment["PATH"] = tools + ":" + environment["PATH"]
        said = captured(context, name, ["make", f"BUILD={path}/build", "V=1", "CROSS_COMPILE=pretended-", "kernel"], environment)
        if re.search(r"^(gcc|ld|nm|objcopy|objdump) ", said, re.MULTILINE):
            raise Failure("a tool without the prefix is called")
        with open(f"{path}/called", encoding="utf-8") as called:
            if set(called.read().split()) != {"gcc", "ld", "nm", "objcopy", "objdump"}:
                raise Failure("not every tool was called by its prefix")
        if not os.path.exists(f"{path}/build/adept"):
            raise Failure("no hypervisor")
        shutil.rmtree(path)
    return "make-cross", test


def rooms_look_one_way(context):
    """An include against each pair of rooms that test/layering's table does not have, all at once: each is named, and so is a line too many."""

    def test():
        name = "layering-rooms"
        path = fresh(context, name)
        for part in ("vmm", "test"):
            os.makedirs(os.path.join(path, part))
        for script in ("layering", "layering-left"):
            shutil.copy2(os.path.join(context.root, "test", script), os.path.join(path, "test"))
        shutil.copytree(os.path.join(context.root, "vmm"), os.path.join(path, "vmm"), dirs_exist_ok=True)
        with open(os.path.join(path, "test", "layering"), encoding="utf-8") as script:
            table = re.search(r"declare -A rooms=\((.*?)\n\)", script.read(), re.DOTALL)[1]
        may = {room: others.strip("'\"").replace("$core", "host trace vm vcpu exit").split() for room, others in re.findall(r"\[(\w+)\]=('[^']*'|\"[^\"]*\")", table)}
        if len(may) < 14:
            raise Failure(f"the table has {len(may)} rooms")
        wanted = set()
        for room, others in may.items():
            for other in set(may) - {room, *others}:
                wanted.add((f"vmm/{room}/to_{other}.c", f"vmm/{other}/new.h"))
                with open(os.path.join(path, f"vmm/{room}/to_{other}.c"), "w", encoding="utf-8") as source:
                    source.write(f'#include "vmm/{other}/new.h"\n#include "vmm/plug.h"\n' + "".join(f'#include "vmm/{fine}/new.h"\n' for fine in others))
        with open(os.path.join(path, "test", "layering-left"), "a", encoding="utf-8") as left:
            left.write("vmm/vm/vm.c vmm/monitor/gone.h\n")
        os.makedirs(os.path.join(path, "vmm", "attic"))
        done = subprocess.run([os.path.join(path, "test", "layering"), "--rooms"], capture_output=True, text=True, check=False)
        found = set(re.findall(r"^test/layering: (\S+) includes (\S+): the room", done.stderr, re.MULTILINE))
        if done.returncode == 0 or found != wanted:
            raise Failure(f"not seen: {sorted(wanted - found)[:3]}, seen for nothing: {sorted(found - wanted)[:3]}")
        for line in ("vmm/attic/ is a room that the table does not have", "vmm/vm/vm.c does not include vmm/monitor/gone.h any more"):
            if line not in done.stderr:
                raise Failure(f"not said: {line}")
        shutil.rmtree(path)
    return "layering-rooms", test


def without(context, rooms):
    """A hypervisor without these outer rooms: it builds, boots `hello`, and prints its trace."""
    name = "without-" + rooms

    def test():
        build = os.path.join(fresh(context, name), "build")
        captured(context, name, ["make", "--no-print-directory", f"BUILD={build}", f"WITHOUT={rooms}", "kernel", "guests"], make_environment())
        left_out = {"all": ("monitor", "report", "check"), "report": ("report", "monitor")}.get(rooms, (rooms,))
        with open(os.path.join(build, "objects"), encoding="utf-8") as objects:
            linked = objects.read()
        for room in ("monitor", "report", "check", "exit"):
            if (f"/vmm/{room}/" in linked) == (room in left_out):
                raise Failure(f"vmm/{room} is {'in' if room in left_out else 'not in'} it")
        run = launch(context, name, BUILD=build, GUEST="hello", CPUS=1)
        check(context, name, run, 0, [r"^#1 cpu=0 vm=hello .* EPT_VIOLATION\(48\)", r"^\[hello\] hello from real mode", r"^adept: guest hello: pass"],
              ran="report" not in left_out)
        shutil.rmtree(os.path.dirname(build))
    return name, test


def warnings_stop_nobody(context):
    """A tool that warns of something new stops a build with WERROR=1 alone: each kind of tool, by a wrapper that adds a warning."""

    def test():
        name = "make-warnings"
        path = fresh(context, name)
        tools = {}
        with open(os.path.join(path, "new_warning.h"), "w", encoding="utf-8") as header:
            header.write("#warning a new warning\n")
        for tool, warning in (("gcc", f"-include {path}/new_warning.h"), ("clang", f"-include {path}/new_warning.h"), ("nasm", "--before '%warning \"a new warning\"'")):
            tools[tool] = os.path.join(path, tool)
            with open(tools[tool], "w", encoding="utf-8") as script:
                script.write(f'#!/bin/sh\nexec {shutil.which(tool)} "$@" {warning}\n')
            os.chmod(tools[tool], 0o755)
        environment = {key: value for key, value in make_environment().items() if key not in ("CC", "CLANG", "WERROR")}
        warning = [f"CC={tools['gcc']}", f"HOSTCC={tools['gcc']}", f"FUZZCC={tools['clang']}", f"NASM={tools['nasm']}"]
        for target, *options in (("obj/ept/walk.o",), ("obj/ept/walk.o", f"CC={tools['clang']}"), ("obj/arch/x86/vmx_entry.o",), ("guests/hello.bin",),
                                 ("bios/bios.bin",), ("tools/drivers/format.o",), ("host/obj/ept/walk.o",), ("tsan/obj/ept/walk.o",),
                                 ("fuzz/obj/ept/walk.o",), ("observed/obj/memory_accesses.o",), ("bench/ept_tables",)):
            made = os.path.join(path, "build")
            shutil.rmtree(made, ignore_errors=True)
            command = ["make", f"BUILD={made}", *warning, *options, f"{made}/{target}"]
            told = context.read_log(name).count("a new warning")
            captured(context, name, command, environment)
            if context.read_log(name).count("a new warning") == told:
                raise Failure(f"{target} {options}: the pretended tool has not warned")
            captured(context, name, [*command, "WERROR=1"], environment, status=2)
        shutil.rmtree(path)
    return "make-warnings", test


# --- Scripts -----------------------------------------------------------------------------------------------------------
def two_msrs_at_one_place(context):
    """vmm/exit/constant_msrs.def: a constant MSR that has the place of another stops the build; one at a free place does not."""
    def test():
        name = "constant-msrs"
        fresh(context, name)
        for number, status in (("0x8b", 2), ("0x1a9", 2), ("0x1ad", 0)):  # those of IA32_BIOS_SIGN_ID, IA32_DEBUGCTL; nobody's
            build = os.path.join(fresh(context, f"{name}-{number}"), "build")
            captured(context, name, ["make", f"BUILD={build}", f"EXTRA_CFLAGS=-DTEST_CONSTANT_MSR={number}", f"{build}/obj/vmm/exit/msr.o"],
                     make_environment(), status)
        if context.read_log(name).count("duplicate case value") != 2:
            raise Failure("the compiler does not say why")
    return "constant-msrs", test


def deps_without_apt(context):
    """On a machine with neither apt-get nor the packages: package names of Fedora and Arch, and failure. With all there: silence."""

    def test():
        name = "deps"
        path = fresh(context, name)
        for tool in ("bash", "cut", "tr", "sort", "uname", "dirname", "awk", "env", "gcc", "ld", "make", "git", "grep"):
            os.symlink(shutil.which(tool), os.path.join(path, tool))
        for kind, fedora, arch in (("run", "nasm xorriso mtools bochs", "nasm libisoburn mtools bochs"),
                                   ("test", "nasm clang qemu-system-x86-core", "nasm clang qemu-system-x86")):
            done = subprocess.run(["tools/deps", kind], cwd=context.root, capture_output=True, text=True, check=False, timeout=60,
                                  env={"PATH": path, "EMU": "bochs"})
            with open(context.log(name), "a", encoding="utf-8") as log:
                log.write(done.stdout + done.stderr)
            if done.returncode != 1:
                raise Failure(f"tools/deps {kind}: exit status {done.returncode}")
            for manager, packages in (("dnf install", fedora), ("pacman -S", arch)):
                line = re.search(rf"{manager} (.*)", done.stderr)
                missing = set(packages.split()) - set(line.group(1).split() if line else ())
                if missing:
                    raise Failure(f"tools/deps {kind}: its '{manager}' line does not name {sorted(missing)}")
        done = subprocess.run(["tools/deps", "test"], cwd=context.root, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0 or done.stdout or done.stderr:
            raise Failure(f"with everything installed it does not just pass: {done.stderr.strip()}")
    return "deps", test


def chooses_emulator(context):
    """KVM only where processor, nesting, device and QEMU are all there; a pretended machine each time."""

    def test():
        name = "check-host-choose"
        path = fresh(context, name)
        tools = os.path.join(path, "bin")
        os.makedirs(tools)
        for tool in ("bash", "cat", "grep"):
            os.symlink(shutil.which(tool), os.path.join(tools, tool))
        qemu = os.path.join(tools, "qemu-system-x86_64")
        for vmx, nested, device, has_qemu, wanted, why in (
                (True, "Y", True, True, "kvm", "nested virtualization is on"), (True, "1", True, True, "kvm", "nested virtualization is on"),
                (False, "Y", True, True, "bochs", "no vmx"), (True, "N", True, True, "bochs", "nested virtualization is off"),
                (True, "0", True, True, "bochs", "nested virtualization is off"), (True, None, True, True, "bochs", "nested virtualization is off"),
                (True, "Y", False, True, "bochs", "no "), (True, "Y", True, False, "bochs", "qemu-system-x86_64 is not installed")):
            parameters = os.path.join(path, "parameters")
            shutil.rmtree(parameters, ignore_errors=True)
            if nested is not None:
                os.makedirs(parameters)
                with open(os.path.join(parameters, "nested"), "w", encoding="utf-8") as file:
                    file.write(nested + "\n")
            with open(os.path.join(path, "cpuinfo"), "w", encoding="utf-8") as file:
                file.write(f"model name\t: pretended\nflags\t\t: fpu {'vmx ' if vmx else 'svm vmxnet '}sse2\n")
            if has_qemu and not os.path.exists(qemu):
                os.symlink("/bin/true", qemu)
            if not has_qemu and os.path.exists(qemu):
                os.remove(qemu)
            said = captured(context, name, ["tools/check-host", "--choose"], {
                "PATH": tools, "ADEPT_CPUINFO": os.path.join(path, "cpuinfo"), "ADEPT_KVM_PARAMETERS": parameters,
                "ADEPT_KVM_DEVICE": "/dev/null" if device else os.path.join(path, "no-device")})
            if said.split(" ", 1)[0] != wanted or why not in said or said.count("\n") != 1:
                raise Failure(f"vmx={vmx} nested={nested} device={device} qemu={has_qemu}: '{said.strip()}', not {wanted}")
    return "check-host-choose", test


def sums_of_ci(context):
    """.ci/run ends with one sum of both releases, and fails when anything has; what sid does is told alone. By a make and a tree pretended."""

    def test():
        name = "ci-sum"
        path = fresh(context, name)
        os.makedirs(os.path.join(path, ".ci"))
        os.makedirs(os.path.join(path, "test"))
        shutil.copy2(os.path.join(context.root, ".ci", "run"), os.path.join(path, ".ci", "run"))
        for script in ("make", "test/debian"):
            with open(os.path.join(path, script), "w", encoding="utf-8") as file:
                file.write('#!/bin/sh\n[ "$1" != test ] || eval "$HERE"\n[ "$1" != test-rest ] || eval "$REST"\n[ "$1" != test-debian13 ] || eval "$THERE"\n[ "$1" != sid ] || eval "$SID"\n')
            os.chmod(os.path.join(path, script), 0o755)
        for here, rest, there, sid, total in (("echo 5 passed, 0 failed", "echo 3 passed, 0 failed", "echo 1 passed, 0 failed; echo 7 passed, 0 failed", "[ -z $WERROR ]", "15 passed, 0 failed"),
                                        ("echo 5 passed, 0 failed", "echo 3 passed, 0 failed", "echo 7 passed, 0 failed", "exit 1", "15 passed, 0 failed"),
                                        ("echo 4 passed, 2 failed; exit 1", "echo 3 passed, 0 failed", "echo 7 passed, 0 failed", "true", "14 passed, 2 failed"),
                                        ("[ $WERROR = 1 ] && echo 5 passed, 0 failed", "echo 3 passed, 0 failed", "echo 6 passed, 1 failed; exit 2", "true", "14 passed, 1 failed"),
                                        ("echo 5 passed, 0 failed; exit 1", "echo 3 passed, 0 failed", "echo 7 passed, 0 failed", "true", "15 passed, 1 failed"),
                                        ("echo nothing", "echo 3 passed, 0 failed", "echo 7 passed, 0 failed", "true", "10 passed, 1 failed"),
                                        ("echo 5 passed, 0 failed", "echo 3 passed, 0 failed", "exit 1", "true", "8 passed, 1 failed"),
                                        ("echo 5 passed, 0 failed", "echo 2 passed, 1 failed; exit 1", "echo 7 passed, 0 failed", "true", "14 passed, 1 failed")):
            said = captured(context, name, [os.path.join(path, ".ci", "run")], {**make_environment(), "PATH": f"{path}:{os.environ['PATH']}", "HERE": here, "REST": rest,
                            "THERE": there, "SID": sid}, status=0 if total.endswith(" 0 failed") else 1).splitlines()
            verdict = f"Debian sid: make run {'FAILS' if sid == 'exit 1' else 'passes'} (not counted)"
            if said[-2:] != [verdict, total] or sum(bool(re.fullmatch(r"\d+ passed, \d+ failed", line)) for line in said) != 1:
                raise Failure(f"{here} / {rest} / {there} / {sid}: it ends with {said[-2:]}")
    return "ci-sum", test


def menu_of_image(context):
    """grub.cfg as it is on build/adept.iso: an entry for each shipped guest, one for all, one for the conformance test, serial terminal on."""

    def test():
        name = "iso-entries"
        path = fresh(context, name)
        captured(context, name, ["xorriso", "-osirrox", "on", "-indev", os.path.join(context.build, "adept.iso"), "-extract",
                                 "/boot/grub/grub.cfg", os.path.join(path, "grub.cfg")])
        with open(os.path.join(path, "grub.cfg"), encoding="utf-8") as file:
            text = file.read()
        entries = dict(re.findall(r'^menuentry "([^"]+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
        guests = [line.split(None, 1) for line in read(context, "iso/guests").splitlines() if line and not line.startswith("#")]
        if len(guests) < 5:
            raise Failure("iso/guests lists fewer than five guests")
        modules = [f"    module2 /boot/guests/{guest}.bin {string.strip()}\n" for guest, string in guests]
        for (guest, _), module in zip(guests, modules):
            if entries.get(f"Adept: {guest}") != "    multiboot2 /boot/adept\n" + module:
                raise Failure(f"the entry of {guest} is {entries.get(f'Adept: {guest}')!r}")
        if entries.get("Adept: all guests") != "    multiboot2 /boot/adept\n" + "".join(modules):
            raise Failure(f"the entry of all guests is {entries.get('Adept: all guests')!r}")
        if entries.get("Adept: conformance test of this processor (EPT), no guest") != "    multiboot2 /boot/adept conformance=300000 on_end=halt\n":
            raise Failure("the entry of the conformance test is missing or another")
        default = re.search(r'^set default="([^"]+)"$', text, re.MULTILINE)
        if not default or default.group(1) not in entries:
            raise Failure("the default is no entry")
        for pattern in (r"^if serial --unit=0 --speed=115200", r"^ *terminal_input .*\bserial\b", r"^ *terminal_output .*\bserial\b"):
            if not re.search(pattern, text, re.MULTILINE):
                raise Failure(f"'{pattern}' is not in grub.cfg")
    return "iso-entries", test


def release(context):
    """make release: the three files, each the one that the build has made, the checksums of all, and the version that the image prints."""

    def test():
        name = "make-release"
        fresh(context, name)
        captured(context, name, ["make", "--no-print-directory", f"BUILD={context.build}", "release"], make_environment())
        version = re.search(r"^VERSION := (\d+\.\d+\.\d+)$", read(context, "Makefile"), re.MULTILINE).group(1)
        if not re.search(rf"^## {re.escape(version)}\b", read(context, "CHANGELOG.md"), re.MULTILINE):
            raise Failure(f"CHANGELOG.md has no section about version {version}")
        path = os.path.join(context.build, f"adept-{version}")
        files = {f"adept-{version}": "adept", f"adept-{version}.iso": "adept.iso", f"adept-{version}-trace": "adept-trace"}
        if set(os.listdir(path)) != {*files, "SHA256SUMS"}:
            raise Failure(f"{path} has {sorted(os.listdir(path))}")
        sums = {}
        for file, made_from in files.items():
            with open(os.path.join(path, file), "rb") as released, open(os.path.join(context.build, made_from), "rb") as built:
                content = released.read()
                if content != built.read():
                    raise Failure(f"{file} is not build/{made_from}")
            sums[file] = hashlib.sha256(content).hexdigest()
        with open(os.path.join(path, "SHA256SUMS"), encoding="utf-8") as text:
            if text.read() != "".join(f"{digest}  {file}\n" for file, digest in sorted(sums.items())):
                raise Failure("SHA256SUMS has other files, or other sums")
        run = launch(context, name, KERNEL=os.path.join(path, f"adept-{version}"), GUEST="hello", CMDLINE="trace=none")
        hash_ = re.search(r'ADEPT_HASH "([^"]+)"', read(context, os.path.join(context.build, "gen", "version.h"))).group(1)
        lines = [line for line in run.lines if line.startswith("adept: ")]
        if not lines or lines[0] != f"adept: version {version} hash={hash_}" or not re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?", hash_):
            raise Failure(f"its first line is {lines[:1]}, the version is {version} and the hash {hash_}")
    return "make-release", test


def same_image_anywhere(context):
    """The sources in another folder, under a longer name and built into another directory: the image is the same, byte for byte."""

    def test():
        name = "make-elsewhere"
        path = os.path.join(fresh(context, name), "a-folder-with-another-name", "adept")
        tracked = subprocess.run(["git", "ls-files"], cwd=context.root, capture_output=True, text=True, check=True).stdout.splitlines()
        for file in tracked:
            if os.path.exists(os.path.join(context.root, file)):
                os.makedirs(os.path.dirname(os.path.join(path, file)), exist_ok=True)
                shutil.copy2(os.path.join(context.root, file), os.path.join(path, file))
        hash_ = re.search(r'ADEPT_HASH "([^"]+)"', read(context, os.path.join(context.build, "gen", "version.h"))).group(1)
        captured(context, name, ["make", "--no-print-directory", "-C", path, f"-j{context.jobs}", "BUILD=out", f"HASH={hash_}", "out/adept"], make_environment())
        with open(os.path.join(path, "out", "adept"), "rb") as there, open(os.path.join(context.build, "adept"), "rb") as here:
            if there.read() != here.read():
                raise Failure(f"{path}/out/adept is another image than {context.build}/adept")
        shutil.rmtree(os.path.dirname(path))
    return "make-elsewhere", test


# --- README.md -----------------------------------------------------------------------------------------------------------
def excerpt_is_true(context):
    """The README's excerpt of `make run`: its trace and output lines stand in the expected trace of the same run, in that order."""

    def test():
        block = next(part for part in re.findall(r"^```\n(.*?)^```$", read(context, "README.md"), re.MULTILINE | re.DOTALL)
                     if part.startswith("cpu=0 "))
        lines = [line for line in normalized(block).splitlines() if re.match(r"#\* |\[tour\] |adept: (exits|guest) ", line)]
        if len(lines) < 10:
            raise Failure("the README's excerpt has fewer than ten lines of a guest")
        expected = iter(read(context, "test/emu/expected/tour").splitlines())
        for line in lines:
            if line not in expected:
                raise Failure(f"not in test/emu/expected/tour, or not in this order: {line}")
    return "readme-excerpt", test


def options_are_listed(context):
    """The README's two tables of options name those that the parsers know, and no others."""

    def test():
        readme = read(context, "README.md")
        for source, heading, column in (("vmm/host/cmdline.c", r"\| option \| meaning \|\n", "command line"),
                                        ("vmm/vm/config.c", r"\| word \| meaning \| default \|\n", "guest string")):
            table = re.search(heading + r"\|[-| ]+\|\n((?:\|.*\n)+)", readme)
            if not table:
                raise Failure(f"README.md has no table of the {column}")
            named = {word for row in table.group(1).splitlines() for word in re.findall(r"`([a-z_]+)=", row.split("|")[1])}
            handlers = re.search(r"handlers\[\] = \{(.*?)\n\};", read(context, source), re.DOTALL).group(1)
            known = set(re.findall(r'\{"([a-z_]+)",', handlers))
            if len(known) < 5:
                raise Failure(f"{source}: the table of handlers is not understood")
            if named != known:
                raise Failure(f"{column}: README.md alone names {sorted(named - known)}, {source} alone {sorted(known - named)}")
    return "readme-options", test


def tests(context):
    yield help_lists_all(context)
    yield clean_removes(context)
    yield rebuilds_exactly_users(context)
    yield cross_compile(context)
    yield rooms_look_one_way(context)
    for rooms in ("monitor", "report", "check", "all"):
        yield without(context, rooms)
    yield warnings_stop_nobody(context)
    yield two_msrs_at_one_place(context)
    yield deps_without_apt(context)
    yield chooses_emulator(context)
    yield sums_of_ci(context)
    yield menu_of_image(context)
    yield release(context)
    yield same_image_anywhere(context)
    yield excerpt_is_true(context)
    yield options_are_listed(context)
