// Types of columns, from the catalog: domains are taken off, items of arrays looked up.
#include "connect/postgres/relate.h"

typedef struct request { // one type to look up, and what came of it
  uint32_t oid;
  int32_t modifier;
  wh_pg_type *ret;
} request;

typedef struct answers {
  wh_arena *arena;
  request *requests;
  size_t count;
} answers;

static wh_status see_type(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count;
  answers *a = context;
  uint64_t number = 0, oid = 0, item = 0;
  int64_t modifier = -1;
  if (!wh_str_to_u64(v[0], &number) || number == 0 || number > a->count) return WH_OK;
  (void)wh_str_to_u64(v[1], &oid);
  (void)wh_str_to_i64(v[2], &modifier);
  (void)wh_str_to_u64(v[7], &item);
  wh_pg_type *t = a->requests[number - 1].ret;
  *t = (wh_pg_type){.oid = (uint32_t)oid,
                    .modifier = (int32_t)modifier,
                    .name = wh_arena_str(a->arena, v[3]),
                    .schema = wh_arena_str(a->arena, v[4]),
                    .kind = v[5].len ? v[5].data[0] : 'b',
                    .category = v[6].len ? v[6].data[0] : 'X',
                    .item = (uint32_t)item};
  return t->name.data && t->schema.data ? WH_OK : wh_fail_memory(err);
}

// typelen -1 and an item make an array; names and points have items too, but are none.
static wh_status look_up(wh_pg_session *s, answers *a, wh_error *err) {
  static const char sql[] =
      "WITH RECURSIVE r(n, oid, modifier, steps) AS ("
      "SELECT u.n, u.oid, u.modifier, 0 "
      "FROM unnest($1::pg_catalog.oid[], $2::pg_catalog.int4[]) WITH ORDINALITY AS "
      "u(oid, modifier, n) UNION ALL "
      "SELECT r.n, t.typbasetype, "
      "CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE r.modifier END, r.steps + 1 "
      "FROM r JOIN pg_catalog.pg_type AS t ON t.oid = r.oid WHERE t.typtype = 'd') "
      "SELECT DISTINCT ON (r.n) r.n, r.oid, r.modifier, t.typname, n.nspname, t.typtype, "
      "t.typcategory, CASE WHEN t.typlen = -1 AND t.typcategory = 'A' THEN t.typelem ELSE 0 END "
      "FROM r JOIN pg_catalog.pg_type AS t ON t.oid = r.oid "
      "JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace "
      "ORDER BY r.n, r.steps DESC";
  WH_CLEAN_BUF wh_buf oids, modifiers;
  wh_buf_init(&oids, s->base.connection->mem, 0);
  wh_buf_init(&modifiers, s->base.connection->mem, 0);
  for (size_t i = 0; i < a->count; i++) {
    wh_buf_printf(&oids, "%c%u", i ? ',' : '{', a->requests[i].oid);
    wh_buf_printf(&modifiers, "%c%d", i ? ',' : '{', a->requests[i].modifier);
  }
  wh_buf_add_char(&oids, '}');
  wh_buf_add_char(&modifiers, '}');
  WH_TRY(wh_buf_check(&oids, err));
  WH_TRY(wh_buf_check(&modifiers, err));
  wh_str params[] = {wh_buf_str(&oids), wh_buf_str(&modifiers)};
  return wh_pg_ask(s, wh_str_of(sql), params, 2, see_type, a, err);
}

static wh_status read_types(wh_pg_column *columns, wh_pg_type *items, size_t count, wh_arena *arena,
                            wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    wh_pg_column *c = &columns[i];
    const wh_pg_type *item = c->declared.item ? &items[i] : NULL;
    WH_TRY(wh_pg_reading_of(&c->declared, item, arena, &c->reading, err));
    c->sql.type = c->reading.type;
    c->sql.unread = c->reading.unread;
    c->sql.native = c->reading.native;
    c->sql.limit = c->reading.limit;
    c->sql.folds |= c->reading.form == WH_PG_CHAR || wh_str_is(c->declared.name, "citext");
  }
  return WH_OK;
}

wh_status wh_pg_resolve_types(wh_pg_session *s, wh_pg_column *columns, size_t count,
                              wh_arena *arena, wh_error *err) {
  if (count == 0) return WH_OK;
  wh_pg_type *items = WH_NEW_ARRAY(arena, count, wh_pg_type);
  request *requests = WH_NEW_ARRAY(arena, count, request);
  if (!items || !requests) return wh_fail_memory(err);
  answers a = {.arena = arena, .requests = requests, .count = count};
  for (size_t i = 0; i < count; i++) {
    wh_pg_type *t = &columns[i].declared;
    requests[i] = (request){.oid = t->oid, .modifier = t->modifier, .ret = t};
  }
  WH_TRY(look_up(s, &a, err));
  a.count = 0;
  for (size_t i = 0; i < count; i++) {
    if (columns[i].declared.item)
      requests[a.count++] =
          (request){.oid = columns[i].declared.item, .modifier = -1, .ret = &items[i]};
  }
  if (a.count) WH_TRY(look_up(s, &a, err));
  return read_types(columns, items, count, arena, err);
}
