// Pipelines whose `from` is a pattern over a database's tables: which tables it means, and the
// pipeline that each of them makes.
#include "config/private.h"

enum { MEMBER_NAME_MAX = 200 }; // bytes; it names files

// --- Patterns ------------------------------------------------------------------------------------

// '*' stands for any characters; nothing else is special.
static bool matches(wh_str pattern, wh_str name) {
  size_t p = 0, n = 0, star = SIZE_MAX, from = 0;
  while (n < name.len) {
    if (p < pattern.len && pattern.data[p] == '*') {
      star = p++;
      from = n;
    } else if (p < pattern.len && pattern.data[p] == name.data[n]) {
      p++;
      n++;
    } else if (star != SIZE_MAX) {
      p = star + 1;
      n = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.data[p] == '*')
    p++;
  return p == pattern.len;
}

static bool split(wh_str name, wh_str *schema, wh_str *table) {
  size_t dot = wh_str_find(name, 0, '.');
  if (dot == 0 || dot + 1 >= name.len) return false;
  *schema = wh_str_sub(name, 0, dot);
  *table = wh_str_sub(name, dot + 1, name.len);
  return true;
}

bool wh_table_is_pattern(wh_str thing) {
  return wh_str_find(thing, 0, '*') < thing.len;
}

bool wh_table_matches(wh_str pattern, wh_str schema, wh_str table, bool is_home) {
  wh_str schemas, tables;
  if (is_home && matches(pattern, table)) return true;
  return split(pattern, &schemas, &tables) && matches(schemas, schema) && matches(tables, table);
}

// --- Members -------------------------------------------------------------------------------------

// The table's name as part of a pipeline's, which names files.
static bool add_escaped(wh_buf *out, wh_str table) {
  for (size_t i = 0; i < table.len; i++) {
    unsigned char c = (unsigned char)table.data[i];
    if (c == '/' || c == '%' || c < 0x20 || c == 0x7F)
      wh_buf_printf(out, "%%%02X", c);
    else
      wh_buf_add_char(out, (char)c);
  }
  return !out->failed;
}

wh_str wh_pipeline_base(wh_str name) {
  return wh_str_sub(name, 0, wh_str_find(name, 0, ':'));
}

wh_str wh_pipeline_member_table(wh_str escaped, wh_arena *arena) {
  char *text = wh_arena_alloc(arena, escaped.len + 1);
  if (!text) return (wh_str){0};
  size_t len = 0;
  for (size_t i = 0; i < escaped.len; i++) {
    bool is_code = escaped.data[i] == '%' && i + 2 < escaped.len &&
                   wh_hex_digit(escaped.data[i + 1]) >= 0 && wh_hex_digit(escaped.data[i + 2]) >= 0;
    if (!is_code) {
      text[len++] = escaped.data[i];
      continue;
    }
    text[len++] =
        (char)(wh_hex_digit(escaped.data[i + 1]) << 4 | wh_hex_digit(escaped.data[i + 2]));
    i += 2;
  }
  return wh_str_n(text, len);
}

static const wh_table_gate *listed(const wh_pipeline *many, wh_str table) {
  for (size_t i = 0; i < many->table_count; i++)
    if (wh_str_eq(many->tables[i].table, table)) return &many->tables[i];
  return NULL;
}

bool wh_pipeline_lets_cross(const wh_pipeline *many, wh_str table) {
  return many->table_count == 0 || listed(many, table);
}

wh_status wh_pipeline_member(const wh_pipeline *many, wh_str table, wh_arena *arena,
                             wh_pipeline *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf name;
  wh_buf_init(&name, arena->mem, 0);
  wh_buf_printf(&name, "%.*s:", WH_STR_ARG(many->name));
  add_escaped(&name, table);
  WH_TRY(wh_buf_check(&name, err));
  if (name.len > MEMBER_NAME_MAX)
    return wh_fail(
        err, WH_ERR_LIMIT,
        "%.*s: the table '%.*s' has too long a name for a pattern. Give it a pipeline of "
        "its own",
        WH_STR_ARG(many->name), WH_STR_ARG(table));
  wh_pipeline member = *many;
  const wh_table_gate *gate = listed(many, table);
  member.name = wh_arena_str(arena, wh_buf_str(&name));
  member.from.thing = wh_arena_str(arena, table);
  if (!member.name.data || !member.from.thing.data) return wh_fail_memory(err);
  member.many = false;
  member.is_member = true;
  member.tables = NULL;
  member.table_count = 0;
  member.gate = gate ? gate->gate : (wh_gate){.all = many->table_count == 0};
  *ret = member;
  return WH_OK;
}

// --- Loading -------------------------------------------------------------------------------------

static void load_table(wh_loader *l, const wh_pipeline *p, const wh_node_entry *entry,
                       const char *owner, const wh_connection_info *to, wh_table_gate *ret) {
  wh_str name = entry->key->text, schema = {0}, table = name;
  const char *place = wh_load_owner(l, "%s: %.*s", owner, WH_SHOWN(name));
  bool is_home = !split(name, &schema, &table);
  *ret = (wh_table_gate){.table = name};
  // "a.b" may be a table of the home schema whose name has a point in it.
  if (!wh_table_matches(p->from.thing, schema, table, is_home) &&
      !wh_table_matches(p->from.thing, (wh_str){0}, name, true)) {
    wh_problems_error(&l->problems, entry->key, "%s: is no table of `from`, which is %.*s", place,
                      WH_SHOWN(p->from.node->text));
  }
  wh_pipeline one = {.name = p->name};
  wh_load_columns(l, &one, entry->value, place, to);
  ret->gate = one.gate;
}

void wh_load_tables(wh_loader *l, wh_pipeline *p, const wh_node *node, const char *owner,
                    const wh_connection_info *to) {
  if (node->kind == WH_NODE_SCALAR && wh_str_is(node->text, "all")) return;
  if (node->kind != WH_NODE_MAP || node->count == 0) {
    wh_problems_error(&l->problems, node,
                      "%s: `from` is a pattern of tables: expected all, or "
                      "{ table: { Name: source_column } }, found %s",
                      owner, wh_node_kind_name(node));
    return;
  }
  wh_table_gate *tables = wh_load_array(l, node->count, sizeof *tables);
  if (!tables) return;
  for (size_t i = 0; i < node->count; i++) {
    const wh_node *value = node->entries[i].value;
    if (value->kind != WH_NODE_MAP && !wh_str_is(value->text, "all")) {
      wh_problems_error(&l->problems, value,
                        "%s: %.*s: `from` is a pattern of tables: what may cross is listed by "
                        "table, { table: { Name: source_column } } or { table: all }",
                        owner, WH_SHOWN(node->entries[i].key->text));
      return;
    }
    load_table(l, p, &node->entries[i], owner, to, &tables[i]);
  }
  p->tables = tables;
  p->table_count = node->count;
}

void wh_load_many(wh_loader *l, const wh_pipeline *p, const char *owner, bool to_objects) {
  if (!to_objects) {
    wh_problems_error(&l->problems, p->to.node,
                      "%s: to: a pattern of tables makes objects. Write to a lake, or give each "
                      "table a pipeline of its own",
                      owner);
  } else if (!memmem(p->to.thing.data, p->to.thing.len, "{source}", strlen("{source}"))) {
    wh_problems_error(&l->problems, p->to.node,
                      "%s: to: needs {source}, the table's name, so that each table's objects can "
                      "be told apart",
                      owner);
  }
}
