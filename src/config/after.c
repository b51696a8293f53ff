// What becomes of objects at the source once they are safe.
#include "config/private.h"

#include "config/glob.h"

typedef struct after_words {
  wh_str move;
} after_words;

const wh_option wh_after_options[] = {
    {.name = "move",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(after_words, move),
     .required = true,
     .help = "template of its new key in the same connection, such as done/{name}.{ext}; it needs "
             "{name} or {run}"},
    {0}};

// What is moved must not be found again.
static void check_elsewhere(wh_loader *l, const wh_pipeline *p, const wh_node *node,
                            const char *owner) {
  wh_str made;
  bool overlap = false;
  wh_status status = wh_template_glob_for(p->after.to, p->name, l->arena, &made, NULL);
  if (status == WH_OK) status = wh_glob_overlap(made, p->from.thing, l->arena->mem, &overlap, NULL);
  if (status == WH_ERR_MEMORY) l->problems.out_of_memory = true;
  if (!overlap) return;
  wh_problems_error(&l->problems, node,
                    "%s: what is moved to %.*s matches `from`, and would be taken again. Move it "
                    "elsewhere, or read a narrower pattern",
                    owner, WH_SHOWN(p->after.to));
}

static void load_move(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner) {
  after_words words = {0};
  wh_error why = {0};
  wh_load_options(l, wh_after_options, node, NULL, owner, true, &words);
  if (words.move.len == 0) return;
  p->after.to = words.move;
  if (wh_template_check(words.move, true, &why) == WH_OK)
    check_elsewhere(l, p, wh_node_get(node, "move"), owner);
  else
    wh_problems_error(&l->problems, wh_node_get(node, "move"), "%s: %s", owner, why.text);
}

void wh_load_after(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner) {
  if (!node || wh_node_is_null(node)) return;
  bool is_text = node->kind == WH_NODE_SCALAR;
  if (is_text && wh_str_is(node->text, "leave")) return;
  p->after.target = wh_arena_printf(l->arena, "%.*s/after", WH_STR_ARG(p->name));
  if (!p->after.target.data) l->problems.out_of_memory = true;
  if (node->kind == WH_NODE_MAP) {
    p->after.kind = WH_AFTER_MOVE;
    load_move(l, p, node, owner);
  } else if (is_text && wh_str_is(node->text, "delete")) {
    p->after.kind = WH_AFTER_DELETE;
  } else {
    wh_problems_error(&l->problems, node,
                      "%s: expected leave, delete or { move: done/{name}.{ext} }", owner);
  }
}
