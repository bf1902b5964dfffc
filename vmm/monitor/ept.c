/* SPDX-License-Identifier: MIT */
/* Commands about a guest's memory map, its EPT, and its dirty log. */
#include "drivers/console.h"
#include "arch/x86/memory.h"
#include "ept/misconfig.h"
#include "ept/protect.h"
#include "ept/qualification.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "vmm/vm/dirty_log.h"
#include "vmm/report/ept_dump.h"
#include "vmm/host/frame.h"
#include "vmm/report/isolation.h"
#include "vmm/report/memtype.h"
#include "vmm/monitor/command.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/tables.h"
#include "vmm/debug/watch.h"

static void print_walk(struct monitor_call *call, uint64_t gpa)
{
    struct ept_walk walk = ept_walk(&call->vm->ept, gpa);
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    for (unsigned i = 0; i < walk.count; i++)
        console_printf("adept: ept: walk vm=%s gpa=%#llx level=%u entry=%#llx raw=%#llx\n",
                       call->vm->config.name, (unsigned long long)gpa, walk.steps[i].level,
                       (unsigned long long)walk.steps[i].entry_hpa,
                       (unsigned long long)walk.steps[i].entry.raw);
    console_printf("adept: ept: walk vm=%s gpa=%#llx end=\"%s\"", call->vm->config.name,
                   (unsigned long long)gpa, ept_walk_end_text(walk.end));
    if (walk.end == EPT_WALK_MAPPED) {
        ept_rights_text(walk.rights, rights, sizeof(rights));
        console_printf(" hpa=%#llx level=%u rights=%s type=%s ipat=%u accessed=%u dirty=%u",
                       (unsigned long long)walk.hpa, walk.level, rights,
                       memory_type_name((enum memory_type)walk.memory_type), walk.ignore_pat, walk.accessed,
                       walk.dirty);
    }
    console_printf("\n");
}

/* The engine's audit wants the VM alone, and no dirty log beside it. */
static void audit(struct monitor_call *call)
{
    if (call->vm->dirty.pages != 0) {
        monitor_complain(call, "a dirty log runs: stop it first (dirty stop)");
        return;
    }
    (void)!isolation_check(call->vm); /* its line says it; the VM's end looks again */
}

/* Whole pages that hold the range; complains and false: it goes beyond what an EPT translates. */
static bool to_pages(const struct monitor_call *call, uint64_t *address, uint64_t *length)
{
    uint64_t last = *address + (*length - 1), limit = UINT64_C(1) << call->vm->ept.caps.guest_width;

    if (last >= limit) {
        monitor_complain(call, "expected: guest-physical addresses below %#llx", (unsigned long long)limit);
        return false;
    }
    *address &= ~PAGE_MASK;
    *length = (last | PAGE_MASK) - *address + 1;
    return true;
}

static void flush(struct monitor_call *call, enum ept_flush due)
{
    if (!vm_flush(call->vm, due))
        vm_end(call->vm, VM_FAILED, "INVEPT fails after a command of the monitor");
}

/* Memory of its own alone: RAM and ROM. */
static bool is_memory(const struct vm *vm, uint64_t address, uint64_t length)
{
    uint64_t end = address + length;

    while (address < end) {
        const struct ept_region *region = ept_region_find(&vm->regions, address);

        if (region == NULL || (region->kind != EPT_REGION_RAM && region->kind != EPT_REGION_IDENTITY &&
                               region->kind != EPT_REGION_ROM))
            return false;
        address = region->gpa + region->size;
    }
    return true;
}

static void protect(struct monitor_call *call)
{
    uint64_t address, length = 1, merged;
    struct ept_change change;
    unsigned rights;

    if (!monitor_range(monitor_word(call, 2), &address, &length) ||
        !monitor_rights(monitor_word(call, 3), &rights)) {
        monitor_complain(call, "expected: ept protect GPA[+LEN] RIGHTS, letters of r, w, x, or none");
        return;
    }
    if (!to_pages(call, &address, &length))
        return;
    if (!is_memory(call->vm, address, length)) {
        monitor_complain(call, "expected: RAM or ROM of the guest's (ept dump shows it)");
        return;
    }
    change = ept_set_rights(&call->vm->ept, address, length, rights);
    if (change.status == EPT_OK)
        watch_rights_changed(call->vm, address, length, rights);
    flush(call, change.flush);
    if (change.status == EPT_OK && !vm_merge(call->vm, address, length, &merged))
        vm_end(call->vm, VM_FAILED, "INVEPT fails after a command of the monitor");
    if (change.status != EPT_OK)
        monitor_complain(call, "%s", ept_status_text(change.status));
    else
        console_printf("adept: ept: protect vm=%s gpa=%#llx-%#llx rights=%c%c%c\n", call->vm->config.name,
                       (unsigned long long)address, (unsigned long long)(address + length - 1),
                       rights & EPT_READ ? 'R' : '-', rights & EPT_WRITE ? 'W' : '-',
                       rights & EPT_EXECUTE ? 'X' : '-');
}

static void drop(struct monitor_call *call)
{
    uint64_t address = 0, length = UINT64_C(1) << call->vm->ept.caps.guest_width;

    if (call->words.count > 2) {
        length = 1;
        if (!monitor_range(call->words.word[2], &address, &length)) {
            monitor_complain(call, "expected: ept drop [GPA[+LEN]]");
            return;
        }
    }
    if (!to_pages(call, &address, &length))
        return;
    flush(call, ept_zap(&call->vm->ept, address, length));
    console_printf("adept: ept: drop vm=%s gpa=%#llx-%#llx tables=%llu\n", call->vm->config.name,
                   (unsigned long long)address, (unsigned long long)(address + length - 1),
                   (unsigned long long)call->vm->tables.in_use);
}

void monitor_ept(struct monitor_call *call)
{
    struct option_span what = monitor_word(call, 1);
    uint64_t address;

    if (option_is(what, "dump")) {
        ept_dump_print(call->vm);
    } else if (option_is(what, "audit")) {
        audit(call);
    } else if (option_is(what, "walk") && monitor_number(monitor_word(call, 2), &address)) {
        print_walk(call, address);
    } else if (option_is(what, "type") && monitor_number(monitor_word(call, 2), &address)) {
        memtype_report(call->vcpu, address);
    } else if (call->ended && (option_is(what, "protect") || option_is(what, "drop"))) {
        monitor_complain(call, "vm=%s has ended", call->vm->config.name);
    } else if (option_is(what, "protect")) {
        protect(call);
    } else if (option_is(what, "drop")) {
        drop(call);
    } else {
        monitor_expected(call);
    }
}

static void start_log(struct monitor_call *call)
{
    static const char *const sources[] = {[EPT_DIRTY_PML] = "page-modification log",
                                          [EPT_DIRTY_FLAGS] = "dirty flags",
                                          [EPT_DIRTY_WRITE_PROTECTION] = "write protection"};
    enum ept_dirty_source used;
    enum ept_status status = vm_dirty_start(call->vcpu, EPT_DIRTY_BEST, EPT_LEVEL_PT, &used);
    uint64_t at = 0;

    if (status == EPT_OK && vm_dirty_prepare(call->vcpu, &at, UINT64_MAX))
        console_printf("adept: dirty: start vm=%s source=\"%s\" pages=%llu\n", call->vm->config.name,
                       sources[used], (unsigned long long)call->vm->dirty.pages);
    else
        monitor_complain(call, "%s", status == EPT_BUSY ? "it runs already" : ept_status_text(status));
}

static bool is_written(const struct vm_dirty_log *dirty, uint64_t page)
{
    return page < dirty->pages && (dirty->bitmap[page / 64] >> (page % 64) & 1) != 0;
}

static void show_log(struct monitor_call *call)
{
    const struct vm_dirty_log *dirty = &call->vm->dirty;
    uint64_t at = 0, page = 0;
    bool done;

    if (vm_dirty_collect(call->vcpu, &at, UINT64_MAX, &done) != EPT_OK) {
        monitor_complain(call, "none runs (dirty start)");
        return;
    }
    console_printf("adept: dirty: show vm=%s written=%llu\n", call->vm->config.name,
                   (unsigned long long)dirty->collected);
    while (page < dirty->pages) {
        uint64_t first = page;

        while (is_written(dirty, page))
            page++;
        if (page > first)
            console_printf("adept: dirty: show vm=%s gpa=%#llx-%#llx pages=%llu\n", call->vm->config.name,
                           (unsigned long long)(first * FRAME_SIZE),
                           (unsigned long long)(page * FRAME_SIZE - 1), (unsigned long long)(page - first));
        else
            page++;
    }
}

static void stop_log(struct monitor_call *call)
{
    uint64_t at = 0, merged;

    if (vm_dirty_stop(call->vcpu) == EPT_OK && vm_dirty_restore(call->vcpu, &at, UINT64_MAX, &merged))
        console_printf("adept: dirty: stop vm=%s merged=%llu\n", call->vm->config.name,
                       (unsigned long long)merged);
    else
        monitor_complain(call, "none runs (dirty start)");
}

void monitor_dirty(struct monitor_call *call)
{
    struct option_span what = monitor_word(call, 1);

    if (call->ended) {
        monitor_complain(call, "vm=%s has ended", call->vm->config.name);
        return;
    }
    if (option_is(what, "start"))
        start_log(call);
    else if (option_is(what, "show"))
        show_log(call);
    else if (option_is(what, "stop"))
        stop_log(call);
    else
        monitor_expected(call);
}
