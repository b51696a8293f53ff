#include "deploy/stack.h"

#include <stdarg.h>

enum { INDENT = 2 };

void wh_stack_init(wh_stack *stack, wh_arena *arena, wh_str name) {
  *stack = (wh_stack){.arena = arena, .name = name};
  stack->last_resource = &stack->resources;
  stack->last_parameter = &stack->parameters;
  stack->last_before = &stack->before;
  stack->last_note = &stack->notes;
}

void wh_stack_free(wh_stack *stack) {
  for (wh_stack_resource *r = stack->resources; r; r = r->next)
    json_decref(r->properties);
  *stack = (wh_stack){0};
}

// --- ids -----------------------------------------------------------------------------------------

static bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
static bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A word of capitals is one word: its others are small. "emailURL" stays as it is.
wh_str wh_stack_camel(wh_arena *arena, wh_str name) {
  char *text = wh_arena_alloc(arena, name.len + 1);
  if (!text) return (wh_str){0};
  bool shouts = true, begins = true;
  for (size_t i = 0; i < name.len; i++)
    shouts = shouts && !is_lower(name.data[i]);
  size_t n = 0;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool fits = is_lower(c) || is_upper(c) || is_digit(c);
    if (fits && begins && is_lower(c)) c = (char)(c - 'a' + 'A');
    if (fits && !begins && shouts && is_upper(c)) c = (char)(c - 'A' + 'a');
    if (fits) text[n++] = c;
    begins = !fits;
  }
  return wh_str_n(text, n);
}

static bool id_is_taken(const wh_stack *stack, wh_str id) {
  for (const wh_stack_resource *r = stack->resources; r; r = r->next)
    if (wh_str_eq(r->id, id)) return true;
  for (const wh_stack_parameter *p = stack->parameters; p; p = p->next)
    if (wh_str_eq(p->name, id)) return true;
  return false;
}

// "order-lake" and "orderLake" would share theirs.
wh_status wh_stack_id(wh_stack *stack, wh_str name, const char *what, wh_str *ret, wh_error *err) {
  wh_str begins = wh_stack_camel(stack->arena, name);
  if (!begins.data) return wh_fail_memory(err);
  begins = wh_str_sub(begins, 0, WH_STACK_ID_CHARS_MAX);
  // An id begins with a letter in Terraform.
  const char *front = begins.len && is_digit(begins.data[0]) ? "N" : "";
  *ret = wh_arena_printf(stack->arena, "%s%.*s%s", front, WH_STR_ARG(begins), what);
  for (unsigned n = 2; ret->data && id_is_taken(stack, *ret); n++)
    *ret = wh_arena_printf(stack->arena, "%s%.*s%s%u", front, WH_STR_ARG(begins), what, n);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// --- resources -----------------------------------------------------------------------------------

wh_status wh_stack_add(wh_stack *stack, const char *type, wh_str name, const char *what,
                       json_t *properties, wh_stack_resource **ret, wh_error *err) {
  wh_stack_resource *r = WH_NEW(stack->arena, wh_stack_resource);
  if (!r || !properties) {
    json_decref(properties);
    return wh_fail_memory(err);
  }
  *r = (wh_stack_resource){.type = type, .properties = properties};
  wh_status status = wh_stack_id(stack, name, what, &r->id, err);
  if (status != WH_OK) {
    json_decref(properties);
    return status;
  }
  *stack->last_resource = r;
  stack->last_resource = &r->next;
  if (ret) *ret = r;
  return WH_OK;
}

wh_stack_resource *wh_stack_find(const wh_stack *stack, const char *type, const char *property,
                                 wh_str text) {
  for (wh_stack_resource *r = stack->resources; r; r = r->next)
    if (strcmp(r->type, type) == 0 && wh_str_eq(wh_json_text(r->properties, property), text))
      return r;
  return NULL;
}

const wh_stack_resource *wh_stack_by_id(const wh_stack *stack, wh_str id) {
  const wh_stack_resource *r = stack->resources;
  while (r && !wh_str_eq(r->id, id))
    r = r->next;
  return r;
}

wh_status wh_stack_depend(wh_stack_resource *r, const wh_stack_resource *on, wh_error *err) {
  for (size_t i = 0; i < r->depend_count; i++)
    if (r->depends[i] == on) return WH_OK;
  if (r->depend_count == WH_STACK_DEPENDS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "%.*s depends on more than %d others", WH_STR_ARG(r->id),
                   (int)WH_STACK_DEPENDS_MAX);
  r->depends[r->depend_count++] = on;
  return WH_OK;
}

// --- parameters and sentences --------------------------------------------------------------------

wh_status wh_stack_parameter_add(wh_stack *stack, wh_str name, wh_str help, bool hides,
                                 wh_error *err) {
  for (const wh_stack_parameter *p = stack->parameters; p; p = p->next)
    if (wh_str_eq(p->name, name)) return WH_OK;
  wh_stack_parameter *p = WH_NEW(stack->arena, wh_stack_parameter);
  if (!p) return wh_fail_memory(err);
  *p = (wh_stack_parameter){.name = name, .help = help, .hides = hides};
  *stack->last_parameter = p;
  stack->last_parameter = &p->next;
  return WH_OK;
}

__attribute__((format(printf, 4, 0))) static wh_status
add_text(wh_arena *arena, const wh_stack_text *first, wh_stack_text ***last, const char *fmt,
         va_list args, wh_error *err) {
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  for (const wh_stack_text *t = first; t; t = t->next)
    if (wh_str_is(t->text, text)) return WH_OK;
  wh_stack_text *t = WH_NEW(arena, wh_stack_text);
  if (!t) return wh_fail_memory(err);
  t->text = wh_arena_str(arena, wh_str_of(text));
  if (!t->text.data) return wh_fail_memory(err);
  **last = t;
  *last = &t->next;
  return WH_OK;
}

wh_status wh_stack_before(wh_stack *stack, wh_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  wh_status status = add_text(stack->arena, stack->before, &stack->last_before, fmt, args, err);
  va_end(args);
  return status;
}

wh_status wh_stack_note(wh_stack *stack, wh_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  wh_status status = add_text(stack->arena, stack->notes, &stack->last_note, fmt, args, err);
  va_end(args);
  return status;
}

// --- variables -----------------------------------------------------------------------------------

wh_str wh_stack_arn(const wh_stack *stack, const wh_stack_resource *r) {
  return wh_arena_printf(stack->arena, WH_STACK_VAR("%.*s"), WH_STR_ARG(r->id));
}

wh_str wh_stack_ref(const wh_stack *stack, const wh_stack_resource *r) {
  return wh_arena_printf(stack->arena, WH_STACK_VAR("%c%.*s"), WH_STACK_IS_REF, WH_STR_ARG(r->id));
}

wh_str wh_stack_parameter_ref(const wh_stack *stack, wh_str name) {
  return wh_arena_printf(stack->arena, WH_STACK_VAR("%c%.*s"), WH_STACK_IS_PARAMETER,
                         WH_STR_ARG(name));
}

bool wh_stack_next(wh_str *rest, wh_str *ret, bool *ret_is_variable) {
  if (rest->len == 0) return false;
  *ret_is_variable = rest->data[0] == WH_STACK_OPENS;
  size_t end = wh_str_find(*rest, 0, *ret_is_variable ? WH_STACK_CLOSES : WH_STACK_OPENS);
  *ret = wh_str_sub(*rest, *ret_is_variable, end);
  *rest = wh_str_sub(*rest, end + *ret_is_variable, rest->len);
  return true;
}

json_t *wh_stack_encode(const wh_stack *stack, const json_t *tree,
                        json_t *(*text)(const wh_stack *stack, wh_str text)) {
  const char *name;
  json_t *value;
  size_t i;
  if (json_is_string(tree))
    return text(stack, wh_str_n(json_string_value(tree), json_string_length(tree)));
  if (!json_is_object(tree) && !json_is_array(tree)) return json_deep_copy(tree);
  json_t *made = json_is_object(tree) ? json_object() : json_array();
  bool ok = made != NULL;
  json_object_foreach((json_t *)tree, name, value) ok =
      ok && json_object_set_new(made, name, wh_stack_encode(stack, value, text)) == 0;
  json_array_foreach(tree, i, value) ok =
      ok && json_array_append_new(made, wh_stack_encode(stack, value, text)) == 0;
  if (ok) return made;
  json_decref(made);
  return NULL;
}

// --- JSON ----------------------------------------------------------------------------------------

static int add_bytes(const char *bytes, size_t len, void *context) {
  return wh_buf_add(context, bytes, len) ? 0 : -1;
}

wh_status wh_stack_write_json(const json_t *tree, bool lines, wh_buf *out, wh_error *err) {
  size_t flags = lines ? JSON_INDENT(INDENT) : JSON_COMPACT;
  if (!tree || json_dump_callback(tree, add_bytes, out, flags) != 0) {
    WH_TRY(wh_buf_check(out, err));
    return wh_fail_memory(err);
  }
  return wh_buf_check(out, err);
}
