// Every node gets its type before the first row, and what is constant is computed at once.
#include "data/value.h"

#include "step/expr_private.h"

// --- messages ------------------------------------------------------------------------------------

wh_node wh_x_place(const wh_x_bind *bind, size_t at) {
  wh_node node = *bind->node;
  if (!node.text_column) return node;
  node.column = node.text_column;
  for (size_t i = 0; i < at && i < node.text.len; i++)
    node.column += ((unsigned char)node.text.data[i] & 0xC0) != 0x80;
  return node;
}

wh_status wh_x_fail_at(const wh_x_bind *bind, size_t at, wh_error *err, const char *fmt, ...) {
  char text[WH_ERROR_TEXT_MAX / 2];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  wh_node place = wh_x_place(bind, at);
  if (place.text_column) return wh_node_fail(&place, err, "%s: %s", bind->owner, text);
  // The file says the text in another way: where it stands in what it says.
  return wh_node_fail(&place, err, "%s: byte %zu of the expression: %s", bind->owner, at + 1, text);
}

wh_status wh_x_fail_type(wh_x_bind *bind, const wh_x_node *node, const wh_x_node *arg,
                         const char *expected, wh_error *err) {
  wh_str found = wh_type_friendly(&arg->type, bind->expr->arena);
  return wh_x_fail_at(bind, arg->at, err, "%s: expected %s, found %.*s", node->fn->help.name,
                      expected, WH_STR_ARG(found));
}

// --- nodes ---------------------------------------------------------------------------------------

wh_status wh_x_new(wh_x_bind *bind, const wh_x_function *fn, size_t at, size_t end, size_t args,
                   wh_x_node **ret, wh_error *err) {
  wh_expr *expr = bind->expr;
  if (++bind->nodes > WH_EXPR_NODES_MAX)
    return wh_x_fail_at(bind, at, err, "more than %d literals, columns and operations",
                        WH_EXPR_NODES_MAX);
  wh_x_node *node = WH_NEW(expr->arena, wh_x_node);
  wh_x_node **list = WH_NEW_ARRAY(expr->arena, args, wh_x_node *);
  if (!node || !list) return wh_fail_memory(err);
  *node = (wh_x_node){.fn = fn,
                      .at = at,
                      .end = end,
                      .args = list,
                      .count = args,
                      .depth = 1,
                      .column = -1,
                      .privacy = WH_INTERNAL,
                      .next = expr->all};
  expr->all = node;
  *ret = node;
  return WH_OK;
}

wh_status wh_x_constant(wh_x_bind *bind, size_t at, size_t end, const wh_value *value,
                        wh_x_node **ret, wh_error *err) {
  wh_x_node *node;
  WH_TRY(wh_x_new(bind, NULL, at, end, 0, &node, err));
  node->type = value->type;
  node->nullable = value->is_null;
  node->constant = node->is_bound = true;
  wh_column_init(&node->result, bind->expr->mem, &node->type);
  WH_TRY(wh_value_add(&node->result, value, err));
  *ret = node;
  return WH_OK;
}

void wh_x_be_null(wh_x_node *node, wh_type type) {
  node->type = type;
  node->nullable = true;
  node->eval = NULL;
}

bool wh_x_any_nullable(const wh_x_node *node) {
  for (size_t i = 0; i < node->count; i++)
    if (node->args[i]->nullable) return true;
  return false;
}

// --- constants -----------------------------------------------------------------------------------

static bool has_value(const wh_x_node *node) {
  return node->constant && !wh_column_is_null(&node->result, 0);
}

wh_status wh_x_constant_text(wh_x_bind *bind, wh_x_node *node, size_t arg, const char *what,
                             wh_str *ret, wh_error *err) {
  const wh_x_node *from = node->args[arg];
  if (!has_value(from) || from->type.kind != WH_STRING)
    return wh_x_fail_at(bind, from->at, err, "%s: %s must be written as a text, in single quotes",
                        node->fn->help.name, what);
  *ret = wh_column_text(&from->result, 0);
  return WH_OK;
}

wh_status wh_x_constant_int(wh_x_bind *bind, wh_x_node *node, size_t arg, const char *what,
                            int64_t least, int64_t most, int64_t *ret, wh_error *err) {
  const wh_x_node *from = node->args[arg];
  int64_t value = least - 1;
  if (has_value(from) && from->type.kind == WH_INT64) value = wh_column_i64(&from->result, 0);
  if (value < least || value > most)
    return wh_x_fail_at(bind, from->at, err, "%s: %s must be written as a number from %lld to %lld",
                        node->fn->help.name, what, (long long)least, (long long)most);
  *ret = value;
  return WH_OK;
}

typedef struct folding {
  char why[WH_ERROR_TEXT_MAX / 2];
} folding;

static wh_status note_why(void *context, size_t row, const char *reason, wh_error *err) {
  (void)row, (void)err;
  folding *f = context;
  if (!f->why[0]) snprintf(f->why, sizeof f->why, "%s", reason);
  return WH_OK;
}

static bool is_foldable(const wh_x_bind *bind, const wh_x_node *node) {
  if (wh_x_unknown(node) && bind->context->dry) return false;
  for (size_t i = 0; i < node->count; i++) {
    if (!node->args[i]->constant || (wh_x_unknown(node->args[i]) && bind->context->dry))
      return false;
  }
  return true;
}

static wh_status fold(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  if (!node->eval) { // it is NULL
    WH_TRY(wh_column_add_null(&node->result, err));
    node->constant = true;
    return WH_OK;
  }
  if (!is_foldable(bind, node)) return WH_OK;
  folding f = {0};
  wh_x_run run = {.expr = bind->expr, .rows = 1, .failed = note_why, .context = &f};
  WH_TRY(node->eval(&run, node, &node->result, err));
  if (f.why[0]) return wh_x_fail_at(bind, node->at, err, "%s", f.why);
  node->constant = true;
  return WH_OK;
}

// --- the tree ------------------------------------------------------------------------------------

static wh_status bind_column(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  node->column = wh_schema_find(bind->schema, node->name);
  if (node->column < 0) {
    node->type = wh_type_of(WH_NULL);
    node->nullable = true;
    if (bind->context->dry) return WH_OK;
    wh_node place = wh_x_place(bind, node->at);
    return wh_fail_no_column(bind->schema, &place, bind->owner, node->name, err);
  }
  const wh_field *field = &bind->schema->fields[node->column];
  node->nullable = field->nullable || field->type.kind == WH_NULL;
  if (field->privacy > node->privacy) node->privacy = field->privacy;
  return wh_type_copy(&field->type, bind->expr->arena, &node->type, err);
}

wh_status wh_x_bind_node(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  if (node->is_bound) return WH_OK;
  node->is_bound = true;
  if (!node->fn) return bind_column(bind, node, err);
  for (size_t i = 0; i < node->count; i++)
    WH_TRY(wh_x_bind_node(bind, node->args[i], err));
  WH_TRY(node->fn->bind(bind, node, err));
  for (size_t i = 0; i < node->count; i++)
    if (node->args[i]->privacy > node->privacy) node->privacy = node->args[i]->privacy;
  wh_column_init(&node->result, bind->expr->mem, &node->type);
  return fold(bind, node, err);
}

static wh_status bind_text(wh_x_bind *bind, wh_error *err) {
  wh_expr *expr = bind->expr;
  const wh_node *node = bind->node;
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, bind->owner, "an expression", err));
  if (node->text.len > WH_EXPR_BYTES_MAX)
    return wh_node_fail(node, err, "%s: the expression has %zu bytes; at most %d are taken",
                        bind->owner, node->text.len, WH_EXPR_BYTES_MAX);
  size_t valid = wh_utf8_valid_prefix(node->text);
  expr->text = wh_arena_str(expr->arena, node->text);
  if (!expr->text.data) return wh_fail_memory(err);
  if (valid < node->text.len) return wh_x_fail_at(bind, valid, err, "this is not UTF-8");
  WH_TRY(wh_x_parse(bind, &expr->root, err));
  WH_TRY(wh_x_bind_node(bind, expr->root, err));
  expr->field = (wh_field){
      .type = expr->root->type, .nullable = expr->root->nullable, .privacy = expr->root->privacy};
  return WH_OK;
}

wh_status wh_expr_bind(const wh_step_context *context, wh_arena *arena, const wh_node *node,
                       const char *owner, const wh_schema *schema, wh_expr **ret, wh_error *err) {
  wh_expr *expr = WH_NEW(arena, wh_expr);
  if (!expr) return wh_fail_memory(err);
  expr->mem = context->mem;
  expr->arena = arena;
  wh_arena_init(&expr->scratch, context->mem);
  wh_x_bind bind = {
      .expr = expr, .context = context, .node = node, .owner = owner, .schema = schema};
  wh_status status = bind_text(&bind, err);
  wh_arena_free(&expr->scratch);
  if (status != WH_OK) {
    wh_expr_free(expr);
    return status;
  }
  wh_arena_init(&expr->scratch, context->mem);
  *ret = expr;
  return WH_OK;
}

void wh_expr_free(wh_expr *expr) {
  if (!expr) return;
  for (wh_x_node *node = expr->all; node; node = node->next) {
    wh_column_free(&node->result);
    if (node->release) node->release(node);
  }
}

const wh_field *wh_expr_field(const wh_expr *expr) {
  return &expr->field;
}
