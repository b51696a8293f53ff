#include "cli/add.h"

enum { COMMENT_COLUMN_MAX = 48 };

// --- names ---------------------------------------------------------------------------------------

// The table, or the last part of a pattern that says something: inbound/erp/orders/**/*.json is
// about orders.
static wh_str subject(const wh_new_pipeline *p) {
  if (p->from_rows) return p->from.thing;
  if (p->to_rows && p->to.thing.len) return p->to.thing;
  wh_str rest = p->from.thing, part, best = p->from.connection;
  while (wh_str_split(&rest, '/', &part)) {
    bool fixed = part.len > 0;
    for (size_t i = 0; i < part.len; i++)
      fixed = fixed && !strchr("*?[{", part.data[i]);
    if (fixed) best = part;
  }
  return wh_str_sub(best, 0, wh_str_find(best, 0, '.'));
}

// Letters and digits in lower case, anything else a dash. No .data without memory.
static wh_str slug(wh_str text, wh_arena *arena) {
  wh_str copy = wh_arena_str(arena, text);
  for (size_t i = 0; copy.data && i < copy.len; i++) {
    char *c = (char *)&copy.data[i];
    bool upper = *c >= 'A' && *c <= 'Z';
    if (upper)
      *c |= 0x20;
    else if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9')))
      *c = '-';
  }
  return copy;
}

wh_status wh_add_name(wh_new_pipeline *p, wh_arena *arena, wh_error *err) {
  wh_str about = slug(subject(p), arena);
  wh_str name =
      wh_arena_printf(arena, "%.*s-to-%.*s", WH_STR_ARG(about), WH_STR_ARG(p->to.connection));
  if (!about.data || !name.data) return wh_fail_memory(err);
  p->name = wh_str_sub(name, 0, WH_CONFIG_NAME_MAX);
  return WH_OK;
}

wh_status wh_add_thing(wh_new_pipeline *p, wh_arena *arena, wh_error *err) {
  if (p->to.thing.len) return WH_OK;
  wh_str about = subject(p);
  if (p->to_rows) {
    p->to.thing = about;
    return WH_OK;
  }
  about = slug(about, arena);
  p->to.thing =
      wh_arena_printf(arena, "inbound/%.*s/%.*s/{year}/{month}/{day}/%.*s-{run}.json",
                      WH_STR_ARG(p->from.connection), WH_STR_ARG(about), WH_STR_ARG(about));
  return about.data && p->to.thing.data ? WH_OK : wh_fail_memory(err);
}

static bool contains_nocase(wh_str text, const char *part) {
  size_t len = strlen(part);
  for (size_t i = 0; i + len <= text.len; i++) {
    if (wh_str_eq_nocase(wh_str_sub(text, i, i + len), wh_str_of(part))) return true;
  }
  return false;
}

static bool contains_any(wh_str text, const char *const *parts) {
  for (; *parts; parts++) {
    if (contains_nocase(text, *parts)) return true;
  }
  return false;
}

bool wh_add_is_cursor(const wh_field *field) {
  static const char *const parts[] = {"updat", "modif", "changed", NULL};
  return field->type.kind == WH_TIMESTAMP && contains_any(field->name, parts);
}

bool wh_add_is_personal(wh_str column) {
  static const char *const parts[] = {
      "mail",          "phone",    "mobile",      "birth",        "iban",
      "address",       "street",   "postcode",    "postal",       "zip_code",
      "salary",        "passport", "first_name",  "last_name",    "firstname",
      "lastname",      "surname",  "full_name",   "contact_name", "contactname",
      "customer_name", "password", "card_number", "tax_id",       NULL};
  return contains_any(column, parts) || wh_str_eq_nocase(column, WH_STR("fax"));
}

// --- YAML ----------------------------------------------------------------------------------------

// Words that YAML 1.1 takes for something else than text.
static bool is_special(wh_str word) {
  static const char *const words[] = {"true", "false", "yes", "no", "on",
                                      "off",  "null",  "y",   "n",  NULL};
  for (size_t i = 0; words[i]; i++) {
    if (wh_str_eq_nocase(word, wh_str_of(words[i]))) return true;
  }
  return false;
}

// A scalar, in quotes unless it is plainly a word. `more` are characters that may stand in it too.
static void add_scalar(wh_buf *out, wh_str text, const char *more) {
  bool plain = text.len > 0 && !is_special(text);
  for (size_t i = 0; plain && i < text.len; i++) {
    char c = text.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    bool inner = (c >= '0' && c <= '9') || c == '-' || (c != 0 && strchr(more, c));
    if (c == ' ') inner = i + 1 < text.len;
    plain = letter || (i > 0 && inner);
  }
  if (plain)
    wh_buf_add_str(out, text);
  else
    wh_buf_add_json(out, text); // a JSON string is one of YAML's
}

static void add_address(wh_buf *out, const wh_typed_address *a) {
  char text[WH_CONFIG_NAME_MAX + WH_KEY_MAX + 2];
  snprintf(text, sizeof text, "%.*s:%.*s", WH_STR_ARG(a->connection), WH_STR_ARG(a->thing));
  wh_str all = wh_str_of(text);
  bool colon_blank = contains_nocase(all, ": ") || wh_str_ends(all, ":");
  add_scalar(out, all, colon_blank ? "" : ":/.*?{}");
}

static void add_indent(const wh_new_pipeline *p, wh_buf *out, size_t deeper) {
  for (size_t i = 0; i < p->indent + deeper; i++)
    wh_buf_add_char(out, ' ');
}

static void add_column(wh_buf *out, const wh_new_column *c) {
  if (c->looks_personal) wh_buf_add_c(out, "# ");
  add_scalar(out, c->name, "");
  wh_buf_add_c(out, ": ");
  add_scalar(out, c->name, "");
}

static void pad_to(wh_buf *out, size_t line, size_t column) {
  while (out->len < line + column && !out->failed)
    wh_buf_add_char(out, ' ');
  wh_buf_add_c(out, "   # ");
}

static void write_columns(const wh_new_pipeline *p, wh_buf *out) {
  add_indent(p, out, 2);
  if (p->column_count == 0) {
    wh_buf_add_c(out, "columns: all   # nothing is there yet to list them from\n");
    return;
  }
  size_t comments = 0;
  for (size_t i = 0; i < p->column_count; i++) {
    size_t line = out->len;
    add_column(out, &p->columns[i]);
    size_t wide = out->len - line;
    out->len = line;
    if (wide > comments && wide <= COMMENT_COLUMN_MAX) comments = wide;
  }
  wh_buf_add_c(out, "columns:   # what may cross, and as what; anything else stays home\n");
  for (size_t i = 0; i < p->column_count; i++) {
    const wh_new_column *c = &p->columns[i];
    add_indent(p, out, 4);
    size_t line = out->len;
    add_column(out, c);
    pad_to(out, line, comments);
    wh_buf_add_str(out, c->type);
    if (c->key) wh_buf_add_c(out, ", key");
    if (c->looks_personal) wh_buf_add_c(out, "; looks personal: it stays home, or crosses masked");
    wh_buf_add_char(out, '\n');
  }
}

// Which have a cursor of their own.
static bool reads_events(const wh_new_pipeline *p) {
  return wh_str_is(p->from.connection, WH_INGEST_CONNECTION);
}

static void write_when(const wh_new_pipeline *p, wh_buf *out) {
  add_indent(p, out, 2);
  if (!p->from_rows) {
    wh_buf_add_c(out, "when: new   # each object that matches, once\n");
    return;
  }
  wh_buf_add_c(out, reads_events(p)
                        ? "# when: { gathered: { rows: 10000, age: 10s } }   # by itself, under: "
                          "wherry up\n"
                        : "# when: { every: 5m }   # by itself, under: wherry up\n");
}

static void write_read(const wh_new_pipeline *p, wh_buf *out) {
  if (!p->from_rows || reads_events(p)) return;
  add_indent(p, out, 2);
  if (!p->cursor.len) {
    wh_buf_add_c(out,
                 "# read: { cursor: COLUMN }   # a time that moves with every change: then only "
                 "changes are read\n");
    return;
  }
  wh_buf_add_c(out, "read: { cursor: ");
  add_scalar(out, p->cursor, "");
  wh_buf_add_c(out, " }   # only what changed is read");
  if (p->cursor_local)
    wh_buf_add_c(out, "; a local time, so say its zone: timezone: Europe/London");
  wh_buf_add_char(out, '\n');
}

static void write_write(const wh_new_pipeline *p, wh_buf *out) {
  if (!p->to_rows) return;
  add_indent(p, out, 2);
  if (p->key_count == 0) {
    wh_buf_add_c(out, "write: { mode: append }   # with a key: { mode: upsert, key: COLUMN }\n");
    return;
  }
  wh_buf_add_c(out,
               p->key_count > 1 ? "write: { mode: upsert, key: [" : "write: { mode: upsert, key: ");
  for (size_t i = 0; i < p->key_count; i++) {
    if (i) wh_buf_add_c(out, ", ");
    add_scalar(out, p->key[i], "");
  }
  if (p->key_count > 1) wh_buf_add_char(out, ']');
  if (p->cursor.len) {
    wh_buf_add_c(out, ", newest_by: ");
    add_scalar(out, p->cursor, "");
  }
  wh_buf_add_c(out, " }\n");
}

void wh_add_write(const wh_new_pipeline *p, wh_buf *out) {
  add_indent(p, out, 0);
  wh_buf_printf(out, "%.*s:\n", WH_STR_ARG(p->name));
  write_when(p, out);
  add_indent(p, out, 2);
  wh_buf_add_c(out, "from: ");
  add_address(out, &p->from);
  wh_buf_add_char(out, '\n');
  write_read(p, out);
  write_columns(p, out);
  add_indent(p, out, 2);
  wh_buf_add_c(out, "to: ");
  add_address(out, &p->to);
  wh_buf_add_char(out, '\n');
  write_write(p, out);
}
