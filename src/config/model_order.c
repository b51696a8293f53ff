// In which order all pipelines run: as they stand in the file, but whatever makes what a model
// reads before the model, and so on back to where it came from.
#include "config/private.h"

typedef enum seen { NEW, ON_PATH, DONE } seen;

typedef struct ordering {
  wh_loader *l;
  const wh_pipeline *pipelines;
  size_t count;
  wh_str *made; // a pattern of the objects that each writes; empty: none
  seen *seen;
  bool *needed;           // by a model, or one itself
  bool tells;             // of circles
  size_t *path, path_len; // which comes from a model
  size_t *order, order_len;
} ordering;

static bool holds_objects(const ordering *o, wh_str connection) {
  const wh_connection_info *info = wh_config_find_connection(o->l->config, connection);
  return info && info->type && info->type->store;
}

static bool reads(const ordering *o, const wh_address *from, size_t writer) {
  if (!o->made[writer].len || !from->thing.len || !holds_objects(o, from->connection)) return false;
  return wh_load_same_place(o->l, o->pipelines[writer].to.connection, from->connection) &&
         wh_load_overlap(o->l, o->made[writer], from->thing);
}

static bool depends(const ordering *o, size_t reader, size_t writer) {
  const wh_pipeline *p = &o->pipelines[reader];
  if (!p->model) return reads(o, &p->from, writer);
  for (size_t i = 0; i < p->model->table_count; i++)
    if (reads(o, &p->model->tables[i], writer)) return true;
  return false;
}

// A circle without a model in it is for triggers.c to judge.
static void tell_circle(ordering *o, size_t first) {
  size_t begin = 0, model = o->path_len;
  while (o->path[begin] != first)
    begin++;
  for (size_t i = begin; i < o->path_len && model == o->path_len; i++)
    if (o->pipelines[o->path[i]].model) model = i;
  if (model == o->path_len) return;
  char names[512];
  size_t len = 0, count = o->path_len - begin;
  for (size_t i = 0; i <= count && len < sizeof names; i++) { // each reads what the next writes
    const wh_pipeline *p = &o->pipelines[o->path[begin + (model - begin + i) % count]];
    int n = snprintf(names + len, sizeof names - len, "%s%.*s", i ? " <- " : "", WH_SHOWN(p->name));
    len += n > 0 ? (size_t)n : 0;
  }
  const wh_pipeline *p = &o->pipelines[o->path[model]];
  wh_problems_error(&o->l->problems, p->from.node,
                    "pipeline %.*s: its model reads what comes of itself: %s. Write elsewhere, or "
                    "read a narrower pattern",
                    WH_SHOWN(p->name), names);
}

// Depth-first; as deep as there are pipelines at most, which WH_CONFIG_PIPELINES_MAX bounds.
static void put(ordering *o, size_t at) {
  o->seen[at] = ON_PATH;
  o->path[o->path_len++] = at;
  for (size_t i = 0; o->needed[at] && i < o->count; i++) {
    if (o->seen[i] == DONE || !depends(o, at, i)) continue;
    o->needed[i] = true;
    if (o->seen[i] == NEW)
      put(o, i);
    else if (o->tells)
      tell_circle(o, i);
  }
  o->path_len--;
  o->seen[at] = DONE;
  o->order[o->order_len++] = at;
}

static void set_made(ordering *o) {
  for (size_t i = 0; i < o->count; i++) {
    const wh_pipeline *p = &o->pipelines[i];
    if (!p->to.thing.len || !holds_objects(o, p->to.connection)) continue;
    wh_str name = p->many ? (wh_str){0} : p->name;
    wh_status status = wh_template_glob_for(p->to.thing, name, o->l->arena, &o->made[i], NULL);
    if (status == WH_ERR_MEMORY) o->l->problems.out_of_memory = true;
  }
}

void wh_load_order(wh_loader *l) {
  ordering o = {.l = l, .pipelines = l->config->pipelines, .count = l->config->pipeline_count};
  o.made = wh_load_array(l, o.count, sizeof *o.made);
  o.seen = wh_load_array(l, o.count, sizeof *o.seen);
  o.needed = wh_load_array(l, o.count, sizeof *o.needed);
  o.path = wh_load_array(l, o.count, sizeof *o.path);
  o.order = wh_load_array(l, o.count, sizeof *o.order);
  if (!o.made || !o.seen || !o.needed || !o.path || !o.order) return;
  set_made(&o);
  o.tells = true;
  for (size_t i = 0; i < o.count; i++) {
    o.needed[i] |= o.pipelines[i].model != NULL;
    if (o.pipelines[i].model && o.seen[i] == NEW) put(&o, i);
  }
  memset(o.seen, 0, o.count * sizeof *o.seen); // what is needed is known now
  o.order_len = 0;
  o.tells = false;
  for (size_t i = 0; i < o.count; i++)
    if (o.seen[i] == NEW) put(&o, i);
  l->config->order = o.order;
}
