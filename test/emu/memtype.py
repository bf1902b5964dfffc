# SPDX-License-Identifier: MIT
"""memtype=: the derivation of a memory type, in guests whose memory types are known."""
import re

from exits import made_guest
from harness import emulator_test


def steps(guest, address, *patterns):
    """Patterns for the lines of one address, each beginning with its step."""
    return [rf"^adept: memtype: vm={guest} gpa={address} step={pattern}$" for pattern in patterns]


def tests(context):
    # Identity: video memory is UC because the MTRRs say so, and the guest, which has no paging, adds nothing.
    yield emulator_test(context, "memtype-identity", GUEST="identity", CMDLINE="trace=none memtype=0xb8000,0x7c00,0xfee00000", expect=[
        *steps("identity", "0xb8000", r"region kind=MMIO range=0xa0000-0xbffff hpa=0xb8000 rights=RW- type=mtrr ipat=0",
               r"mtrr hpa=0xb8000 type=UC until=0x[0-9a-f]+ why=a fixed range",
               r"guest-mtrr type=UC until=0xc0000 leaf=UC why=a fixed range",
               r"leaf page=4K entry=0x[0-9a-f]+ raw=0xb8[0-9a-f]{3} type=UC ipat=0 why=bits 5:3 of the leaf",
               r"pat pat=0x7040600070406 type=WB why=CR0\.PG = 0: .*", r"combined type=UC why=the leaf is UC: .*",
               r"cr0\.cd cd=0 guest_sees=0 why=.*", r"effective type=UC why=CR0\.CD = 0: as combined",
               r"structures eptp=0x[0-9a-f]+ type=WB why=bits 2:0 of the EPTP",
               r"choices PA0=WB:UC PA1=WT:UC PA2=UC-:UC PA3=UC:UC PA4=WB:UC PA5=WT:UC PA6=UC-:UC PA7=UC:UC"),
        *steps("identity", "0x7c00", r"mtrr hpa=0x7c00 type=WB until=0xa0000 why=a fixed range", r"effective type=WB why=.*"),
        *steps("identity", "0xfee00000", r"region kind=none why=a hole: nothing is there",
               r"effective type=none why=no memory is reached: not present")])

    # Private, by the guest's own string: host memory elsewhere, WB; a ROM page that was never touched; beyond all widths.
    yield emulator_test(context, "memtype-private", GUEST="hello memtype=0x7c00,0xf0000,0xffffffffffff0000; hello name=other",
                        CMDLINE="trace=none", forbid=[r"memtype: vm=other"], expect=[
        *steps("hello", "0x7c00", r"region kind=RAM range=0x0-0x9ffff hpa=0x[0-9a-f]+7c00 rights=RWX type=mtrr ipat=0",
               r"mtrr hpa=0x[0-9a-f]+7c00 type=WB until=0x[0-9a-f]+ why=.*",
               r"guest-mtrr type=WB until=0xa0000 leaf=WB why=a fixed range",
               r"leaf page=\S+ entry=\S+ raw=\S+ type=WB ipat=0 why=.*",
               r"effective type=WB why=.*"),
        *steps("hello", "0xf0000", r"region kind=ROM .*", r"leaf page=none type=WB ipat=0 why=not present: .*",
               r"effective type=WB why=.*"),
        *steps("hello", "0xffffffffffff0000", r"effective type=none why=no memory is reached: beyond the guest-physical width")])

    # Every entry of a PAT of the guest's own, over memory that is WB; CD is shown to it and switches nothing off.
    types = {0: ("WB", "WB"), 1: ("WC", "WC"), 2: ("UC-", "UC"), 3: ("UC", "UC"),
             4: ("WT", "WT"), 5: ("WP", "WP"), 6: ("UC", "UC"), 7: ("WC", "WC")}
    chosen = []
    for number, (pat, effective) in types.items():
        chosen += steps("memtype", hex(0x30000 + 0x1000 * number),
                        rf"pat pat=0x100050400070106 entry=PA{number} type={pat} why=the entry of IA32_PAT that .*",
                        r"cr0\.cd cd=0 guest_sees=1 why=.*", rf"effective type={effective} why=.*",
                        "choices" + "".join(f" PA{n}={re.escape(p)}:{e}" for n, (p, e) in types.items()))
    chosen += steps("memtype", "0x50000", r"pat pat=\S+ entry=PA0 type=WB why=assumed: .*")
    pages = ",".join(hex(0x30000 + 0x1000 * number) for number in types)
    yield made_guest(context, "memtype-pat", "memtype", options="memtype=0x50000", CMDLINE="trace=none memtype=0x36000,0x37000", expect=[
        pattern for pattern in chosen if "gpa=0x50000" in pattern or "gpa=0x36000" in pattern or "gpa=0x37000" in pattern])
    yield made_guest(context, "memtype-pat-all", "memtype", CMDLINE=f"trace=none memtype={pages}", MODEL="corei5_arrandale_m520",
                     expect=[pattern for pattern in chosen if "gpa=0x5" not in pattern])
