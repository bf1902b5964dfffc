/* SPDX-License-Identifier: MIT */
/* vmm/host/weakness.c: processors as they are, and what is done about what they have. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/host/weakness.h"

#define BIT(n) (UINT64_C(1) << (n))

/* Bit n: WEAKNESS n. */
static unsigned affected(const struct weakness_processor *processor)
{
    unsigned set = 0;

    for (unsigned i = 0; i < WEAKNESS_COUNT; i++)
        set |= (unsigned)weakness_affects(processor, (enum weakness)i) << i;
    return set;
}

#define L1TF     (1u << WEAKNESS_L1TF)
#define MDS      (1u << WEAKNESS_MDS)
#define TAA      (1u << WEAKNESS_TAA)
#define MMIO     (1u << WEAKNESS_MMIO)
#define RFDS     (1u << WEAKNESS_RFDS)
#define MULTIHIT (1u << WEAKNESS_ITLB_MULTIHIT)

static void processors(void **state)
{
    static const struct {
        const char *name;
        unsigned model;
        uint64_t capabilities;
        bool rtm;
        unsigned affected;
    } table[] = {
        {"Westmere", 0x25, 0, false, L1TF | MDS | MULTIHIT},
        {"Haswell", 0x3c, 0, false, L1TF | MDS | MULTIHIT},
        {"Haswell server", 0x3f, 0, false, L1TF | MDS | MMIO | MULTIHIT},
        {"Skylake", 0x5e, 0, true, L1TF | MDS | TAA | MMIO | MULTIHIT},
        {"Cascade Lake", 0x55, BIT(0) | BIT(3) | BIT(5), true, TAA | MMIO | MULTIHIT},
        {"Cascade Lake, TSX off", 0x55, BIT(0) | BIT(5), false, MMIO | MULTIHIT},
        {"Ice Lake server", 0x6a, BIT(0) | BIT(5) | BIT(6) | BIT(8), true, MMIO},
        {"Sapphire Rapids", 0x8f, BIT(0) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15), true, 0},
        {"Alder Lake", 0x97, BIT(0) | BIT(5) | BIT(6) | BIT(8) | BIT(13) | BIT(14) | BIT(15), false, RFDS},
        {"Alder Lake that says RFDS_NO", 0x97, BIT(0) | BIT(5) | BIT(27), false, 0},
        {"any with RFDS_CLEAR", 0xcf, BIT(0) | BIT(5) | BIT(6) | BIT(28), false, RFDS},
        {"Silvermont", 0x37, 0, false, MDS},
        {"Goldmont", 0x5c, 0, false, RFDS},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct weakness_processor processor = {
            .family = 6, .model = table[i].model, .capabilities = table[i].capabilities, .rtm = table[i].rtm};

        if (affected(&processor) != table[i].affected)
            fail_msg("%s: %#x, not %#x", table[i].name, affected(&processor), table[i].affected);
        processor.family = 0x17;
        assert_int_equal(affected(&processor), 0);
    }
}

static void says(const struct weakness_processor *processor, enum weakness weakness, const char *text)
{
    assert_string_equal(weakness_mitigation(processor, weakness), text);
}

static void mitigations(void **state)
{
    struct weakness_processor p = {.family = 6, .model = 0x5e};

    (void)state;
    says(&p, WEAKNESS_MDS, "no: VERW of this microcode clears no buffers");
    says(&p, WEAKNESS_L1TF, "no: this microcode has no IA32_FLUSH_CMD");
    p.verw = p.l1d = true; /* asking for what is not there changes nothing */
    says(&p, WEAKNESS_MDS, "no: VERW of this microcode clears no buffers");
    says(&p, WEAKNESS_L1TF, "no: this microcode has no IA32_FLUSH_CMD");
    p.md_clear = p.flush_l1d = true;
    says(&p, WEAKNESS_MDS, "VERW before each entry");
    says(&p, WEAKNESS_TAA, "VERW before each entry");
    says(&p, WEAKNESS_MMIO, "VERW before each entry");
    says(&p, WEAKNESS_L1TF, "L1D flush before each entry");
    p.verw = p.l1d = false;
    says(&p, WEAKNESS_MDS, "no: mitigations=verw is not given");
    says(&p, WEAKNESS_L1TF, "no: mitigations=l1d is not given");
    p.capabilities = BIT(3);
    says(&p, WEAKNESS_L1TF, "the hypervisor below flushes the L1 data cache");
    /* Where MDS is mended VERW clears fill buffers only if FB_CLEAR says so, registers by RFDS_CLEAR. */
    p.verw = true;
    p.capabilities = BIT(5);
    says(&p, WEAKNESS_MMIO, "no: VERW of this microcode clears no buffers");
    says(&p, WEAKNESS_RFDS, "no: VERW of this microcode clears no buffers");
    p.capabilities |= BIT(17) | BIT(28);
    says(&p, WEAKNESS_MMIO, "VERW before each entry");
    says(&p, WEAKNESS_RFDS, "VERW before each entry");
    for (unsigned i = 0; i <= WEAKNESS_COUNT; i++)
        assert_true(weakness_name((enum weakness)i)[0] != '\0' &&
                    weakness_mitigation(&p, (enum weakness)i)[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(processors), cmocka_unit_test(mitigations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
