/* SPDX-License-Identifier: MIT */
/* Which weaknesses a processor has, by its model and by what IA32_ARCH_CAPABILITIES says. */
#include "vmm/host/weakness.h"

#include "arch/x86/compiler.h"
#include <stddef.h>

/* IA32_ARCH_CAPABILITIES. */
#define RDCL_NO          (UINT64_C(1) << 0)
#define SKIP_L1DFL       (UINT64_C(1) << 3) /* the hypervisor below flushes */
#define MDS_NO           (UINT64_C(1) << 5)
#define PSCHANGE_MC_NO   (UINT64_C(1) << 6)
#define TAA_NO           (UINT64_C(1) << 8)
#define SBDR_SSDP_NO     (UINT64_C(1) << 13)
#define FBSDP_NO         (UINT64_C(1) << 14)
#define PSDP_NO          (UINT64_C(1) << 15)
#define MMIO_NO          (SBDR_SSDP_NO | FBSDP_NO | PSDP_NO)
#define FB_CLEAR         (UINT64_C(1) << 17)
#define RFDS_NO          (UINT64_C(1) << 27)
#define RFDS_CLEAR       (UINT64_C(1) << 28)
#define INTEL_FAMILY     6
#define LIST(name, ...)  static const uint8_t name[] = {__VA_ARGS__}
#define HOLDS(list, who) holds(list, array_count(list), who)

/* Models of family 6. Silvermont, Airmont, Goldmont, Tremont, Knights: not L1TF. */
LIST(no_l1tf, 0x37, 0x4a, 0x4c, 0x4d, 0x57, 0x5a, 0x5c, 0x5d, 0x5f, 0x65, 0x6e, 0x75, 0x7a, 0x85, 0x86, 0x96,
     0x9c);
/* Goldmont and Tremont: not MDS. */
LIST(no_mds, 0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c);
/* Haswell and Broadwell servers, Skylake to Rocket Lake, Lakefield, Tremont. */
LIST(mmio, 0x3f, 0x4f, 0x56, 0x4e, 0x55, 0x5e, 0x6a, 0x6c, 0x7d, 0x7e, 0x86, 0x8a, 0x8c, 0x8e, 0x96, 0x9c,
     0x9e, 0xa5, 0xa6, 0xa7);
/* Goldmont, Tremont, Gracemont, Alder Lake, Raptor Lake. */
LIST(rfds, 0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c, 0xbe, 0x97, 0x9a, 0xb7, 0xba, 0xbf);
/* Nehalem to Comet Lake, Atoms excepted: Intel's "Machine Check Error Avoidance on Page Size Change". */
LIST(multihit, 0x1a, 0x1e, 0x1f, 0x2e, 0x25, 0x2c, 0x2f, 0x2a, 0x2d, 0x3a, 0x3e, 0x3c, 0x3f, 0x45, 0x46, 0x3d,
     0x47, 0x4f, 0x56, 0x4e, 0x5e, 0x55, 0x66, 0x8e, 0x9e, 0xa5, 0xa6);

static bool holds(const uint8_t *models, size_t count, unsigned model)
{
    for (size_t i = 0; i < count; i++)
        if (models[i] == model)
            return true;
    return false;
}

bool weakness_affects(const struct weakness_processor *processor, enum weakness weakness)
{
    uint64_t capabilities = processor->capabilities;
    unsigned model = processor->model;

    if (processor->family != INTEL_FAMILY)
        return false;
    switch (weakness) {
    case WEAKNESS_L1TF:
        return !(capabilities & RDCL_NO) && !HOLDS(no_l1tf, model);
    case WEAKNESS_MDS:
        return !(capabilities & MDS_NO) && !HOLDS(no_mds, model);
    case WEAKNESS_TAA:
        return processor->rtm && !(capabilities & TAA_NO);
    case WEAKNESS_MMIO:
        return (capabilities & MMIO_NO) != MMIO_NO && HOLDS(mmio, model);
    case WEAKNESS_RFDS:
        return !(capabilities & RFDS_NO) && ((capabilities & RFDS_CLEAR) || HOLDS(rfds, model));
    case WEAKNESS_ITLB_MULTIHIT:
        return !(capabilities & PSCHANGE_MC_NO) && HOLDS(multihit, model);
    case WEAKNESS_COUNT:
        break;
    }
    return false;
}

/* Whether VERW clears what this weakness would tell. */
static bool verw_clears(const struct weakness_processor *processor, enum weakness weakness)
{
    switch (weakness) {
    case WEAKNESS_MMIO:
        return (processor->capabilities & FB_CLEAR) ||
               (processor->md_clear && !(processor->capabilities & MDS_NO));
    case WEAKNESS_RFDS:
        return (processor->capabilities & RFDS_CLEAR) != 0;
    default:
        return processor->md_clear;
    }
}

const char *weakness_mitigation(const struct weakness_processor *processor, enum weakness weakness)
{
    switch (weakness) {
    case WEAKNESS_ITLB_MULTIHIT:
        return "large EPT pages are not executable";
    case WEAKNESS_L1TF:
        if (processor->capabilities & SKIP_L1DFL)
            return "the hypervisor below flushes the L1 data cache";
        if (!processor->flush_l1d)
            return "no: this microcode has no IA32_FLUSH_CMD";
        return processor->l1d ? "L1D flush before each entry" : "no: mitigations=l1d is not given";
    default:
        if (!verw_clears(processor, weakness))
            return "no: VERW of this microcode clears no buffers";
        return processor->verw ? "VERW before each entry" : "no: mitigations=verw is not given";
    }
}

const char *weakness_name(enum weakness weakness)
{
    static const char *const names[WEAKNESS_COUNT] = {
        [WEAKNESS_L1TF] = "l1tf",
        [WEAKNESS_MDS] = "mds",
        [WEAKNESS_TAA] = "tsx_async_abort",
        [WEAKNESS_MMIO] = "mmio_stale_data",
        [WEAKNESS_RFDS] = "reg_file_data_sampling",
        [WEAKNESS_ITLB_MULTIHIT] = "itlb_multihit",
    };

    return (unsigned)weakness < WEAKNESS_COUNT ? names[weakness] : "unknown";
}
