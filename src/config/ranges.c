// `read: { ranges: N }` where sessions cannot share a snapshot: what they read together may not be
// of one instant, so that a row which moves between two ranges comes twice, or once in an older
// state. Whoever loads it must tell rows apart and let the newest win.
#include "config/private.h"

#include "config/glob.h"

static const char why[] = "its ranges are not read in one snapshot there, so a row may come twice";

static bool is_guarded(const wh_pipeline *p) {
  return p->write.mode == WH_WRITE_UPSERT; // by newest_by, or by the order
}

static const wh_connector *type_of(const wh_loader *l, wh_str connection) {
  const wh_connection_info *info = wh_config_find_connection(l->config, connection);
  return info ? info->type : NULL;
}

static bool loads_from(wh_loader *l, const wh_pipeline *from, const wh_pipeline *p) {
  const wh_connector *to = type_of(l, p->to.connection);
  bool meet = false;
  wh_str made;
  if (p->raw || !to || !to->sink || !wh_str_eq(p->from.connection, from->to.connection))
    return false;
  wh_status status = wh_template_glob(from->to.thing, l->arena, &made, NULL);
  if (status == WH_OK) status = wh_glob_overlap(made, p->from.thing, l->arena->mem, &meet, NULL);
  if (status == WH_ERR_MEMORY) l->problems.out_of_memory = true;
  return status == WH_OK && meet;
}

static void check_loads(wh_loader *l, const wh_pipeline *p) {
  for (size_t i = 0; i < l->config->pipeline_count; i++) {
    const wh_pipeline *next = &l->config->pipelines[i];
    if (next == p || is_guarded(next) || !loads_from(l, p, next)) continue;
    wh_problems_error(&l->problems, next->node,
                      "pipeline %.*s loads what %.*s reads by ranges: %s. It needs write: { mode: "
                      "upsert, key: ... }",
                      WH_SHOWN(next->name), WH_SHOWN(p->name), why);
  }
}

// What cannot be done range by range, by workers that do not see each other's rows; of steps and
// expectations a run finds out.
static void check_shared(wh_loader *l, const wh_pipeline *p) {
  const wh_connector *to = type_of(l, p->to.connection);
  const wh_node *sort = wh_node_get(wh_node_get(wh_node_get(p->node, "write"), "format"), "sort");
  const char *refused = p->read.ranges < 2     ? "needs ranges: N, which the workers take"
                        : p->many              ? "is for one table"
                        : p->read.deletes      ? "does not go with deletes"
                        : p->write.dataset.len ? "is for `to` that writes one object, not a dataset"
                        : to && !to->store     ? "is for `to` that writes objects"
                        : p->step_table_count  ? "does not go with steps that read a table"
                        : sort                 ? "does not go with write: format: sort"
                                               : NULL;
  if (p->read.shared && refused)
    wh_problems_error(&l->problems, wh_node_key(wh_node_get(p->node, "read"), "shared"),
                      "pipeline %.*s: read: shared %s", WH_SHOWN(p->name), refused);
}

void wh_load_ranges(wh_loader *l) {
  for (size_t i = 0; i < l->config->pipeline_count; i++) {
    const wh_pipeline *p = &l->config->pipelines[i];
    check_shared(l, p);
    const wh_connector *from = type_of(l, p->from.connection);
    const wh_connector *to = type_of(l, p->to.connection);
    if (p->read.ranges < 2 || !from || !from->source || from->source->share || !to) continue;
    if (!from->source->extremes) {
      wh_problems_error(&l->problems, wh_node_get(p->node, "read"),
                        "pipeline %.*s: read: ranges: tables of %s are read by one session",
                        WH_SHOWN(p->name), from->name);
      continue;
    }
    if (to->store) {
      check_loads(l, p);
    } else if (!is_guarded(p)) {
      wh_problems_error(
          &l->problems, wh_node_get(p->node, "read"),
          "pipeline %.*s: read: ranges: %s. It needs write: { mode: upsert, key: ... }",
          WH_SHOWN(p->name), why);
    }
  }
}
