/* SPDX-License-Identifier: MIT */
/* What becomes of an access that the memory map denies. */
#include "vmm/exit/denied_access.h"
#include "vmm/trace/record.h"

/* Memory to which some right is missing. As a bus has no rights, what is there is seen, but a write goes
 * nowhere; with no right at all it is as if nothing were there. */
static struct denied_access without_right(const struct guest_config *config, unsigned access, unsigned rights)
{
    struct denied_access denied = {.may_be_ignored = true,
                                   .policy = config->policy_rom,
                                   .page = DENIED_PAGE_COPY,
                                   .result = RESULT_READ_IGNORED,
                                   .what = "access without the right to it"};

    if (rights == 0) {
        denied.page = DENIED_PAGE_ONES;
        denied.result = RESULT_NO_RIGHTS_IGNORED;
    } else if ((access & EPT_WRITE & ~rights) != 0) {
        denied.result = RESULT_WRITE_IGNORED;
    }
    return denied;
}

struct denied_access denied_access(const struct guest_config *config, enum ept_fault_kind kind,
                                   unsigned access, unsigned rights)
{
    struct denied_access denied = {.may_be_ignored = true};

    switch (kind) {
    case EPT_FAULT_DENIED_HOLE:
        denied.policy = config->policy_hole;
        denied.page = DENIED_PAGE_ONES;
        denied.result = RESULT_HOLE_IGNORED;
        denied.what = "access to a hole";
        return denied;
    case EPT_FAULT_DENIED_ROM_WRITE:
        denied.policy = config->policy_rom;
        denied.page = rights == 0 ? DENIED_PAGE_ONES : DENIED_PAGE_COPY;
        denied.result = RESULT_ROM_WRITE_IGNORED;
        denied.what = "write to ROM";
        return denied;
    case EPT_FAULT_DENIED_NX:
        if (rights == 0) /* not just that of execution is missing */
            return without_right(config, access, rights);
        denied.policy = config->policy_nx;
        denied.page = DENIED_PAGE_OWN;
        denied.result = RESULT_NX_IGNORED;
        denied.what = "fetch from no-execute memory";
        return denied;
    case EPT_FAULT_DENIED_RIGHTS:
        return without_right(config, access, rights);
    default:
        return (struct denied_access){.what = kind == EPT_FAULT_NO_FRAME ? "no table frame is left"
                                                                         : "guest-physical address too wide"};
    }
}
