// The addresses that steps read besides the pipeline's rows: small tables, whole.
#include "config/private.h"

#include "connect/source.h"
#include "step/step.h"

static bool is_pattern(wh_str thing) {
  for (size_t i = 0; i < thing.len; i++)
    if (strchr("*?[", thing.data[i])) return true;
  return false;
}

static void check_thing(wh_loader *l, const wh_address *address, const wh_connection_info *info,
                        const char *owner) {
  bool objects = info->type->store != NULL;
  if (!objects && !info->type->source)
    wh_problems_error(&l->problems, address->node, "%s: %.*s cannot be read: a %s only takes data",
                      owner, WH_SHOWN(info->name), info->type->name);
  else if (address->thing.len == 0 || is_pattern(address->thing))
    wh_problems_error(&l->problems, address->node, "%s: name one %s of %.*s, without wildcards",
                      owner, objects ? "object" : "table", WH_SHOWN(info->name));
  else if (objects) {
    wh_format format;
    wh_load_pattern(l, address, owner);
    wh_load_format(l, address, NULL, true, owner, &format);
  }
}

void wh_load_step_tables(wh_loader *l, wh_pipeline *p, const char *owner) {
  size_t count = p->steps ? p->steps->count : 0, used = 0;
  wh_address *tables = count ? wh_load_array(l, count, sizeof *tables) : NULL;
  for (size_t i = 0; tables && i < count; i++) {
    const wh_node *from = wh_step_reads(p->steps->items[i]);
    wh_address *address = &tables[used];
    if (!from || !wh_load_address(l, from, owner, address)) continue;
    check_thing(l, address, wh_config_find_connection(l->config, address->connection), owner);
    used++;
  }
  p->step_tables = tables;
  p->step_table_count = used;
}
