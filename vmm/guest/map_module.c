/* SPDX-License-Identifier: MIT */
/* From map= to the module. */
#include "vmm/guest/map_module.h"

#include "vmm/host/option_text.h"

/* The first word's last path component is the file's name. */
static struct option_span file_of(const char *string)
{
    struct option_span rest = option_span_of(string), word, left, right;
    size_t start;

    if (!option_next_word(&rest, &word) || option_split(word, '=', &left, &right))
        return (struct option_span){"", 0};
    for (start = word.length; start > 0 && word.text[start - 1] != '/'; start--)
        ;
    return (struct option_span){word.text + start, word.length - start};
}

static bool is_file(const char *string, const char *name)
{
    char owner[GUEST_NAME_MAX];

    return name[0] != '\0' && option_is(file_of(string), name) && !guest_config_owner(string, owner);
}

bool guest_map_module_is(const struct boot_info *info, unsigned index)
{
    for (unsigned i = 0; i < info->module_count; i++) {
        char name[GUEST_MAP_MAX];

        if (i != index && guest_config_map(info->modules[i].string, name) &&
            guest_map_module_find(info, i, name) == index)
            return true;
    }
    return false;
}

unsigned guest_map_module_find(const struct boot_info *info, unsigned guest, const char *name)
{
    for (unsigned i = 0; i < info->module_count; i++)
        if (i != guest && is_file(info->modules[i].string, name))
            return i;
    return info->module_count;
}
