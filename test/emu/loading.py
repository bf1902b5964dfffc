# SPDX-License-Identifier: MIT
"""Every boot=, the BIOS behind them, and images that are no good."""
import os
import subprocess

from exits import assemble
from guests import boot_sector
from harness import VARIABLES, Failure, check, launch, nasm


def command(context, *words):
    """Runs a program that makes a part of a test."""
    done = subprocess.run(words, cwd=context.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)}: {(done.stderr or done.stdout).strip().splitlines()[0]}")


def write(context, name, content):
    path = os.path.join(context.logs, name)
    with open(path, "wb") as output:
        output.write(content)
    return path


def part(context, source, target, *options):
    """Assembles test/emu/guests/SOURCE to TARGET among the logs; gives its path."""
    return nasm(context, f"test/emu/guests/{source}", target, *options)


def bios(context):
    """Every function that is there, and one of each family that is not: told once."""

    def test():
        run = launch(context, "bios", GUEST=f"{assemble(context, 'bios')} name=bios", CMDLINE="trace=VMCALL")
        check(context, "bios", run, 0, [
            r"^\[bios\] tty$", r"^\[bios\] a string$", r"^\[bios\] by INT 14h$",
            r"^\[bios\] bios: no such function: int=0x13 ax=0x0501$",
            r"^#\d+ .* VMCALL\(18\) .* call=BIOS int=0x13 ax=0x0501 -> no such BIOS function",
            r"^#\d+ .* call=BIOS int=0x12 ax=0x[0-9a-f]+ -> emulated", r"^\[bios\] bios: booted again, all is well$",
            r"^adept: guest bios: pass"])
        if run.count(r"no such function: int=0x15 ax=0x01") != 1:
            raise Failure("a missing function was called twice and is told not once")
    return "bios", test


def ends(context, name, code, why, **variables):
    """A boot sector whose end the BIOS explains."""

    def test():
        path = boot_sector(context, name, code)
        run = launch(context, name, GUEST=f"{path} name=guest timeout=10", CMDLINE="trace=none", **variables)
        check(context, name, run, 1, [rf"^adept: guest guest: fail \({why}\)"])
    return name, test


ARGUMENTS = "root=hd0 verbose"
FIRST, SECOND = "for=kernel first one=1 boot=nonsense", "second for=kernel"     # behind the file's name, which tools/run puts first


def multiboot(context, kind):
    """The kernel of test/emu/guests/multiboot.asm, which checks all that it is told."""
    name = f"multiboot-{kind}"

    def test():
        file = f"{name}.bin" if kind == "address-fields" else f"{name}.elf"
        strings = [f"-DEXPECTED_ARGUMENTS='{file} {ARGUMENTS}'", f"-DEXPECTED_FIRST='{name}.first {FIRST}'",
                   f"-DEXPECTED_SECOND='{name}.second {SECOND}'"]
        if kind == "address-fields":
            path = part(context, "multiboot.asm", file, "-f", "bin", "-DADDRESS_FIELDS", *strings)
        else:
            made = part(context, "multiboot.asm", f"{name}.o", "-f", kind, *strings)
            path = os.path.join(context.logs, file)
            command(context, "ld", "-m", {"elf32": "elf_i386", "elf64": "elf_x86_64"}[kind], "-n", "-Ttext=0x100000", "-e", "start",
                    "-o", path, made)
        first = write(context, f"{name}.first", b"1" * 5000)
        second = write(context, f"{name}.second", b"222")
        run = launch(context, name, CMDLINE="trace=none", GUEST=f"{path} name=kernel boot=multiboot -- {ARGUMENTS};"
                     f"{first} {FIRST}; {second} {SECOND}")
        check(context, name, run, 0, [r"^\[kernel\] multiboot: state and information are right$", r"^adept: guest kernel: pass"],
              forbid=[r"^adept: guest (?!kernel)", r"^adept: (?!module:).*nonsense"])
    return name, test


def multiboot_odd(context):
    """Kernels that are linked in unusual ways start as GRUB starts them, each a guest."""

    def test():
        kinds = ("DYNAMIC", "SEGMENTS", "OVERLAP", "PHYSICAL", "FIRST_LINEAR", "HEADERS")
        guests = []
        for kind in kinds:
            path = part(context, "multiboot_odd.asm", f"multiboot-odd-{kind}", "-f", "bin", f"-DKIND={kind}")
            guests.append(f"{path} name={kind} boot=multiboot mem=8M timeout=20")
        run = launch(context, "multiboot-odd", CMDLINE="trace=none guests=sequential", GUEST="; ".join(guests))
        check(context, "multiboot-odd", run, 0, [line for kind in kinds for line in (
            rf"^\[{kind}\] multiboot-odd-{kind}$", rf"^adept: guest {kind}: pass \(port 0xf4 value=0x0\)$")])
    return "multiboot-odd", test


# KiB, and the type that INT 13h AH=08h gives.
FLOPPIES = {160: 1, 180: 1, 320: 1, 360: 1, 640: 3, 720: 3, 1200: 2, 1440: 4, 2880: 5}


def floppy(context, kib):
    """A FAT12 diskette made by mtools: its boot sector reads a program from it, and that a text."""
    name = f"floppy-{kib}"

    def test():
        text = ("floppy: read through INT 13h\n" + "0123456789abcdef" * 1000).encode()
        boot = part(context, "floppy_boot.asm", f"{name}.boot", "-f", "bin")
        program = part(context, "floppy_program.asm", f"{name}.program", "-f", "bin", f"-DTEXT_LENGTH={len(text)}",
                       f"-DTEXT_SUM={sum(text)}", f"-DFLOPPY_TYPE={FLOPPIES[kib]}")
        image = os.path.join(context.logs, f"{name}.img")
        if os.path.exists(image):
            os.remove(image)
        size = ("-t", "80", "-h", "2", "-s", "8") if kib == 640 else ("-f", str(kib))
        command(context, "mformat", "-C", "-i", image, *size, "-B", boot, "::")
        # A file of another size lies between, so that the program is not where the first cluster is.
        command(context, "mcopy", "-i", image, write(context, f"{name}.other", b"x" * 3000), "::OTHER.TXT")
        command(context, "mcopy", "-i", image, program, "::PROGRAM.BIN")
        command(context, "mcopy", "-i", image, write(context, f"{name}.text", text), "::TEXT.TXT")
        with open(image, "r+b") as disk:
            disk.seek(kib * 1024 - 512)
            disk.write(b"LAST")
        run = launch(context, name, GUEST=f"{image} name=dos boot=floppy timeout=20", CMDLINE="trace=none")
        check(context, name, run, 0, [r"^\[dos\] floppy: read through INT 13h$", r"^\[dos\] floppy: all is well$",
                                      r"^adept: guest dos: pass"])
    return name, test


def floppy_short(context, per_track):
    """The image of a boot sector and four bytes: a 1440K diskette, or the one that its BPB describes."""
    name = f"floppy-short-{per_track or 'usual'}"

    def test():
        image = part(context, "floppy_short.asm", f"{name}.img", "-f", "bin", *([f"-DPER_TRACK={per_track}"] if per_track else []))
        run = launch(context, name, GUEST=f"{image} name=short boot=floppy timeout=20", CMDLINE="trace=none")
        check(context, name, run, 0, [r"^\[short\] floppy: short and whole$", r"^adept: guest short: pass"])
    return name, test


def disk(context):
    def test():
        image = part(context, "disk.asm", "disk.img", "-f", "bin")
        run = launch(context, "disk", GUEST=f"{image} name=disk boot=disk timeout=10", CMDLINE="trace=none")
        check(context, "disk", run, 0, [r"^\[disk\] disk: booted from its partition$", r"^adept: guest disk: pass"])
    return "disk", test


GRUB_COMMANDS = """serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
echo "grub: on serial"
ls
lsmmap
echo "grub: done"
outb 0xf4 0
"""


def grub_disk(context, name, commands, modules):
    """A disk with nothing but GRUB, as grub-install would write it: boot sector, then the rest, from the second sector on."""
    configuration = write(context, f"{name}.cfg", commands.encode())
    core = os.path.join(context.logs, f"{name}.core")
    command(context, "grub-mkstandalone", "-O", "i386-pc", "-o", core, f"--install-modules={modules}", f"--modules={modules}",
            "--fonts=", "--locales=", "--themes=", f"boot/grub/grub.cfg={configuration}")
    with open("/usr/lib/grub/i386-pc/boot.img", "rb") as boot, open(core, "rb") as rest:
        return write(context, f"{name}.img", boot.read() + rest.read())


def grub(context):
    """GRUB, whose boot sector, loader and disk code nobody here wrote, runs commands from its configuration."""

    def test():
        image = grub_disk(context, "grub", GRUB_COMMANDS, "biosdisk part_msdos serial terminal ls lsmmap echo iorw normal memdisk tar")
        run = launch(context, "grub", GUEST=f"{image} name=grub boot=disk timeout=60", CMDLINE="trace=none")
        check(context, "grub", run, 0, [
            r"^\[grub\] GRUB loading", r"^\[grub\] .*grub: on serial$", r"^\[grub\] \(memdisk\) \(hd0\)",
            r"^\[grub\] base_addr = 0x0, length = 0x9fc00, available RAM$",
            r"^\[grub\] base_addr = 0x9fc00, length = 0x400, reserved RAM$",
            r"^\[grub\] base_addr = 0x100000, length = 0xf00000, available RAM$",
            r"^\[grub\] grub: done$", r"^adept: guest grub: pass"])
    return "grub", test


def grub_prompt(context):
    """GRUB's own prompt: a test types commands at it, over the serial line."""

    def test():
        commands = "serial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\necho ready\n"
        image = grub_disk(context, "grub-prompt", commands, "biosdisk part_msdos serial terminal ls lsmmap echo iorw normal memdisk tar")
        run = launch(context, "grub-prompt", GUEST=f"{image} name=grub boot=disk", CMDLINE="trace=none input=grub,com1",
                     answers=[(r"\[grub\] .*ready", ""), (r"\[grub\] .*GNU GRUB", "ls\r"), (r"\(memdisk\) \(hd0\)", "lsmmap\r"),
                              (r"0x100000, length = 0xf00000", "outb 0xf4 0\r")])
        check(context, "grub-prompt", run, 0, [
            r"^\[grub\] grub> .*Hl\\x1b.*Hs\\x1b", r"^\[grub\] \(memdisk\) \(hd0\)", r"^\[grub\] grub> .*Hl\\x1b.*Hs\\x1b.*Hm\\x1b",
            r"^\[grub\] base_addr = 0x9fc00, length = 0x400, reserved RAM$", r"^adept: guest grub: pass \(port 0xf4"])
    return "grub-prompt", test


def syslinux(context):
    """Syslinux on a diskette: its prompt, a module of its that asks the BIOS about memory, and a reset."""

    def test():
        modules = "/usr/lib/syslinux/modules/bios"
        configuration = write(context, "syslinux.cfg", b"SERIAL 0 115200\nPROMPT 1\n")
        image = os.path.join(context.logs, "syslinux.img")
        if os.path.exists(image):
            os.remove(image)
        command(context, "mformat", "-C", "-i", image, "-f", "1440", "::")
        command(context, "syslinux", "--install", image)
        command(context, "mcopy", "-i", image, configuration, "::SYSLINUX.CFG")
        for module in ("meminfo", "reboot", "libcom32", "libutil"):
            command(context, "mcopy", "-i", image, f"{modules}/{module}.c32", f"::{module}.c32")
        run = launch(context, "syslinux", GUEST=f"{image} name=syslinux boot=floppy", CMDLINE="trace=stats dump=screen input=syslinux,com1",
                     answers=[(r"\[syslinux\] SYSLINUX 6", "meminfo.c32\r"), (r"0000000001000000", "reboot.c32\r")])
        check(context, "syslinux", run, 1, [
            r"^\[syslinux\] SYSLINUX 6\.", r"^\[syslinux\] boot: meminfo\.c32",
            r"^\[syslinux\] INT 15h = f000:[0-9a-f]{4}  DOS RAM: 639K \(0x9fc00\)  INT 12h: 639K \(0x9fc00\)$",
            r"^\[syslinux\] +1 000000000009fc00x? 0000000000000400x? 00000000000a0000x? 2 \[-\] reserved",
            r"^\[syslinux\] +3 0000000000100000x? 0000000000f00000x? 0000000001000000x? 1 \[-\] usable",
            r"^adept: exits vm=syslinux reason=HLT\(12\)", r"^adept: guest syslinux: fail \(.*reset"])
    return "syslinux", test


def invaders(context):
    """A game in 32-bit code that draws its invaders into the text memory and takes its time from the 8254."""

    def test():
        run = launch(context, "grub-invaders", GUEST="/boot/invaders.exec name=invaders boot=multiboot timeout=4",
                     CMDLINE="trace=none dump=screen")
        check(context, "grub-invaders", run, 1, [
            r"^adept: screen: vm=invaders row=\d+ \|.*-\*-(  +-\*-)+$", r"^adept: screen: vm=invaders row=24 \| +/ \\$",
            r"^adept: guest invaders: fail \(timeout\)"])
    return "grub-invaders", test


def bad_images(context):
    """One clear line for each image that cannot be started; the guest beside it runs on."""

    def test():
        short = write(context, "bad-short.img", b"\0" * 100)
        odd = write(context, "bad-odd.img", b"\0" * (2881 * 1024))
        blank = write(context, "bad-blank.img", b"\0" * (1440 * 1024))
        huge = write(context, "bad-elf", b"\x02\xb0\xad\x1b" + bytes(4) + (-0x1badb002 & 0xffffffff).to_bytes(4, "little") + bytes(64))
        guests = [f"{odd} name=odd boot=floppy", f"{blank} name=blank boot=floppy", f"{short} name=short boot=disk",
                  f"{blank} name=noboot boot=disk", f"{blank} name=noheader boot=multiboot", f"{huge} name=noelf boot=multiboot",
                  f"{blank} name=identity boot=floppy memory=identity", f"{short} name=empty boot=cdrom timeout=1",
                  f"{short} for=nobody", "hello"]
        run = launch(context, "bad-images", CMDLINE="trace=none", GUEST="; ".join(guests))
        check(context, "bad-images", run, 1, [
            r"^adept: guest odd: fail \(boot=floppy: 2950144 bytes are more than a diskette has \(2880K, or what its BPB says\)\)",
            r"^adept: guest blank: fail \(boot=floppy: its first sector does not end with 55h AAh: nothing to boot\)",
            r"^adept: guest short: fail \(boot=disk: 100 bytes are less than a sector\)",
            r"^adept: guest noboot: fail \(boot=disk: its first sector does not end with 55h AAh: nothing to boot\)",
            r"^adept: guest noheader: fail \(boot=multiboot: no multiboot header is in its first 8 KiB\)",
            r"^adept: guest noelf: fail \(boot=multiboot: it is no ELF file, and its header has no address fields\)",
            r"^adept: guest identity: fail \(boot=floppy needs memory=private\)",
            r"^adept: empty: boot: 'cdrom' is not sector",
            r"^adept: module: .*: no guest 'nobody' with boot=multiboot is before it: not used",
            r"^adept: guest hello: pass"], ran=False, forbid=[r"^adept: panic", r"isolation: VIOLATION"])
    return "bad-images", test


def low_modules(context):
    """Modules from 0x2000 on, where GRUB puts them that UEFI has started: an identity guest's load address is free all the same."""

    def test():
        pad = write(context, "low-modules.pad", b"\xcc" * 0x20001)
        run = launch(context, "low-modules", GUEST=f"{pad} for=nobody; identity; hello", CMDLINE="trace=none test=low-modules guests=sequential")
        check(context, "low-modules", run, 0, [
            r"^adept: module: base=0x[0-9a-f]{6,} length=131073 ", r"^adept: module: base=0x[0-9a-f]{6,} length=\d+ string=\"name=identity",
            r"^adept: guest identity: pass", r"^adept: guest hello: pass"], forbid=[r"^adept: module: base=0x[0-9a-f]{1,5} ", "isolation: VIOLATION"])
    return "low-modules", test


def readme_lines(context):
    """The commands of README's "Run your own guest", as they stand there, one guest each."""

    def test():
        with open(os.path.join(context.root, "README.md"), encoding="utf-8") as readme:
            commands = readme.read().split("## Run your own guest")[1].split("```")[1]
        directory = os.path.join(context.logs, "readme-lines")
        os.makedirs(directory, exist_ok=True)
        script = write(context, "readme-lines.sh", (
            'set -e\nmake() { [ "$1" = run ] && shift && ADEPT/tools/run EMU=bochs CPUS=1 CMDLINE=trace=none TIMEOUT=60 "$@"; }\n'.replace(
                "ADEPT", context.root) + commands).encode())
        environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
        done = subprocess.run(["bash", script], cwd=directory, env={**environment, "BUILD": context.build, "TMPDIR": context.logs},
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        with open(context.log("readme-lines"), "wb") as log:
            log.write(done.stdout + done.stderr)
        lines = context.read_log("readme-lines").replace("\r", "").split("\n")
        kinds = commands.count("make run ")
        if done.returncode != 0 or kinds != 5:
            raise Failure(f"{kinds} guests, exit status {done.returncode}: {lines[-2]}")
        if sum(": pass (" in line for line in lines) != kinds or sum(line.endswith("] A") for line in lines) != kinds:
            raise Failure("not every guest says A and passes")
    return "readme-lines", test


def tests(context):
    yield readme_lines(context)
    yield bios(context)
    # ud2; int 0x18; mov ah, 0 + int 0x16
    yield ends(context, "bios-exception", bytes([0x0f, 0x0b]),
               r"BIOS: exception without a handler: INT 06h \(#UD\) at 0000:7c00")
    yield ends(context, "bios-nothing-to-boot", bytes([0xcd, 0x18]), r"BIOS: nothing to boot: INT 18h .* at 0000:7c02")
    yield ends(context, "bios-key-wait", bytes([0xb4, 0x00, 0xcd, 0x16]), "timeout")  # it sleeps, and nobody types
    yield ends(context, "bios-reset", bytes([0xea, 0xf0, 0xff, 0x00, 0xf0]), "reset by the reset vector")
    for kind in ("elf32", "elf64", "address-fields"):
        yield multiboot(context, kind)
    yield multiboot_odd(context)
    for kib in FLOPPIES:
        yield floppy(context, kib)
    for per_track in (None, 8, 15, 21):
        yield floppy_short(context, per_track)
    yield disk(context)
    yield grub(context)
    yield grub_prompt(context)
    yield syslinux(context)
    yield invaders(context)
    yield bad_images(context)
    yield low_modules(context)
