// What can be known only of all pipelines together: whether one would start itself, and whether two
// write under the same names, or put away the same objects.
#include "config/private.h"

#include "config/glob.h"

typedef struct graph {
  wh_loader *l;
  const wh_pipeline *pipelines;
  size_t count;
  wh_str *made;   // a pattern of what each writes; empty: no objects
  bool *waits;    // starts by itself for new objects
  uint8_t *state; // of the search: 0 not seen, 1 on the path, 2 done
  size_t *path;
  size_t path_len;
} graph;

static const wh_connector *store_of(const graph *g, wh_str connection) {
  const wh_connection_info *info = wh_config_find_connection(g->l->config, connection);
  return info && info->type && info->type->store ? info->type : NULL;
}

static bool same_text(const wh_node *a, const wh_node *b) {
  return a && b && a->kind == WH_NODE_SCALAR && b->kind == WH_NODE_SCALAR &&
         wh_str_eq(a->text, b->text);
}

// Two connections that have the same words for the same type name the same place.
bool wh_load_same_place(const wh_loader *l, wh_str a, wh_str b) {
  if (wh_str_eq(a, b)) return true;
  const wh_connection_info *x = wh_config_find_connection(l->config, a);
  const wh_connection_info *y = wh_config_find_connection(l->config, b);
  if (!x || !y || !x->type || x->type != y->type) return false;
  for (const wh_option *option = x->type->options; option->name; option++) {
    const wh_node *left = wh_node_get(x->node, option->name);
    const wh_node *right = wh_node_get(y->node, option->name);
    if (option->required && !same_text(left, right)) return false;
    if ((left || right) && !same_text(left, right) && option->type != WH_OPTION_BOOL) return false;
  }
  return true;
}

bool wh_load_overlap(wh_loader *l, wh_str a, wh_str b) {
  bool found = false;
  wh_status status = wh_glob_overlap(a, b, l->arena->mem, &found, NULL);
  if (status == WH_ERR_MEMORY) l->problems.out_of_memory = true;
  return status == WH_OK && found;
}

static bool same_place(const graph *g, wh_str a, wh_str b) {
  return wh_load_same_place(g->l, a, b);
}

static bool overlap(graph *g, wh_str a, wh_str b) {
  return wh_load_overlap(g->l, a, b);
}

// Whether something that `from` writes would start `to`.
static bool starts(graph *g, size_t from, size_t to) {
  if (!g->waits[to] || g->made[from].len == 0) return false;
  const wh_pipeline *a = &g->pipelines[from], *b = &g->pipelines[to];
  if (!same_place(g, a->to.connection, b->from.connection)) return false;
  return overlap(g, g->made[from], b->from.thing);
}

static void tell_cycle(graph *g, size_t first) {
  size_t begin = 0;
  while (g->path[begin] != first)
    begin++;
  const wh_pipeline *p = &g->pipelines[first];
  if (begin + 1 == g->path_len) {
    wh_problems_error(&g->l->problems, p->to.node,
                      "pipeline %.*s would trigger itself: what it writes matches its own `from`, "
                      "%.*s. Write elsewhere, or read a narrower pattern",
                      WH_SHOWN(p->name), WH_SHOWN(p->from.node->text));
    return;
  }
  char names[512];
  size_t len = 0;
  for (size_t i = begin + 1; i < g->path_len && len < sizeof names; i++) {
    int n = snprintf(names + len, sizeof names - len, "%s%.*s", len ? ", then " : "",
                     WH_SHOWN(g->pipelines[g->path[i]].name));
    len += n > 0 ? (size_t)n : 0;
  }
  wh_problems_error(&g->l->problems, p->to.node,
                    "pipeline %.*s would trigger itself: what it writes starts %s, whose objects "
                    "match its own `from`, %.*s",
                    WH_SHOWN(p->name), names, WH_SHOWN(p->from.node->text));
}

// Depth-first; as deep as there are pipelines at most, which WH_CONFIG_PIPELINES_MAX bounds.
static void search(graph *g, size_t at) {
  g->state[at] = 1;
  g->path[g->path_len++] = at;
  for (size_t next = 0; next < g->count; next++) {
    if (g->state[next] == 2 || !starts(g, at, next)) continue;
    if (g->state[next] == 1)
      tell_cycle(g, next);
    else
      search(g, next);
  }
  g->path_len--;
  g->state[at] = 2;
}

static void set_patterns(graph *g) {
  for (size_t i = 0; i < g->count; i++) {
    const wh_pipeline *p = &g->pipelines[i];
    g->waits[i] = (p->when.kind == WH_WHEN_NEW || p->when.kind == WH_WHEN_EVENT) &&
                  p->from.thing.len && store_of(g, p->from.connection);
    if (p->to.thing.len == 0 || !store_of(g, p->to.connection)) continue;
    wh_str name = p->many ? (wh_str){0} : p->name; // else each member has one of its own
    wh_status status = wh_template_glob_for(p->to.thing, name, g->l->arena, &g->made[i], NULL);
    if (status == WH_ERR_MEMORY) g->l->problems.out_of_memory = true;
  }
}

// Two pipelines with one template do not harm each other ({run} keeps their objects apart), but
// whoever reads the objects cannot tell them apart.
static void check_same_names(graph *g) {
  for (size_t i = 0; i < g->count; i++) {
    for (size_t j = 0; j < i; j++) {
      if (g->made[i].len == 0 || !wh_str_eq(g->made[i], g->made[j])) continue;
      const wh_pipeline *a = &g->pipelines[j], *b = &g->pipelines[i];
      if (!same_place(g, a->to.connection, b->to.connection)) continue;
      if (b->write.dataset.len) {
        wh_problems_error(&g->l->problems, b->to.node,
                          "pipeline %.*s: to: pipeline %.*s writes this dataset, and one does",
                          WH_SHOWN(b->name), WH_SHOWN(a->name));
        break;
      }
      wh_problems_warn(&g->l->problems, b->to.node,
                       "pipeline %.*s: to: pipeline %.*s writes under the same names",
                       WH_SHOWN(b->name), WH_SHOWN(a->name));
      break;
    }
  }
}

// --- objects that are put away -------------------------------------------------------------------

// `a` says what becomes of its objects; `b` is any pipeline, or the same.
static void fail_after(graph *g, const wh_pipeline *a, const wh_pipeline *b, const char *why) {
  wh_problems_error(&g->l->problems, wh_node_key(a->node, "after"),
                    "pipeline %.*s: after: pipeline %.*s %s", WH_SHOWN(a->name), WH_SHOWN(b->name),
                    why);
}

static bool looks_up_in(graph *g, const wh_pipeline *b, const wh_address *from) {
  for (size_t i = 0; i < b->step_table_count; i++) {
    const wh_address *table = &b->step_tables[i];
    if (same_place(g, table->connection, from->connection) && overlap(g, table->thing, from->thing))
      return true;
  }
  return false;
}

// Whether what `a` moves would be read a second time, by one that reads it where it was, too, or
// that moves it on.
static bool is_moved_to(graph *g, const wh_pipeline *a, const wh_pipeline *b, bool shares) {
  wh_str made = {0};
  if (a->after.kind != WH_AFTER_MOVE || (!shares && b->after.kind != WH_AFTER_MOVE)) return false;
  if (!same_place(g, a->from.connection, b->from.connection)) return false;
  if (wh_template_glob_for(a->after.to, a->name, g->l->arena, &made, NULL) != WH_OK) return false;
  return overlap(g, made, b->from.thing);
}

static void check_put_away(graph *g, const wh_pipeline *a, const wh_pipeline *b) {
  bool shares = a == b || (same_place(g, a->from.connection, b->from.connection) &&
                           overlap(g, a->from.thing, b->from.thing));
  if (looks_up_in(g, b, &a->from))
    fail_after(g, a, b, "looks rows up in an object that would be put away");
  if (a != b && is_moved_to(g, a, b, shares))
    fail_after(g, a, b, "would find what is moved, and take it again. Move it elsewhere");
  if (!shares) return;
  if (b->when.kind == WH_WHEN_EVENT)
    fail_after(g, a, b,
               "is started by events, which may come twice: what was put away by then would look "
               "lost. Write when: new");
  if (a == b) return;
  if (!wh_str_eq(a->from.connection, b->from.connection))
    fail_after(g, a, b,
               "reads the same objects through another connection, and would not be waited for. "
               "Read them through one");
  if (b->after.kind != WH_AFTER_LEAVE && b > a)
    fail_after(g, a, b,
               "which reads the same objects, says what becomes of them, too. Say it once");
}

static void check_after(graph *g) {
  for (size_t i = 0; i < g->count; i++)
    for (size_t j = 0; g->pipelines[i].after.kind != WH_AFTER_LEAVE && j < g->count; j++)
      check_put_away(g, &g->pipelines[i], &g->pipelines[j]);
}

void wh_load_triggers(wh_loader *l) {
  graph g = {.l = l, .pipelines = l->config->pipelines, .count = l->config->pipeline_count};
  g.made = wh_load_array(l, g.count, sizeof *g.made);
  g.waits = wh_load_array(l, g.count, sizeof *g.waits);
  g.state = wh_load_array(l, g.count, sizeof *g.state);
  g.path = wh_load_array(l, g.count, sizeof *g.path);
  if (!g.made || !g.waits || !g.state || !g.path) return;
  set_patterns(&g);
  for (size_t i = 0; i < g.count; i++)
    if (g.state[i] == 0 && g.waits[i]) search(&g, i);
  check_same_names(&g);
  check_after(&g);
}
