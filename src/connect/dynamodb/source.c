#include "connect/dynamodb/source.h"
#include "connect/table_list.h"

static wh_status list_tables(wh_connection *c, wh_arena *arena, wh_table_name **ret,
                             size_t *ret_count, wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  wh_table_list list = {.arena = arena};
  wh_str *names;
  size_t count;
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_list(c, client, arena, &names, &count, err));
  for (size_t i = 0; i < count; i++) {
    wh_table_name name = {.table = names[i], .is_home = true};
    WH_TRY(wh_table_list_add(&list, &name, err));
  }
  *ret = list.items;
  *ret_count = list.count;
  return WH_OK;
}

static wh_status key_of(const wh_dynamodb_table *table, wh_arena *arena, const wh_str **ret,
                        size_t *ret_count, wh_error *err) {
  wh_str *key = WH_NEW_ARRAY(arena, 2, wh_str);
  if (!key) return wh_fail_memory(err);
  key[0] = table->hash.name;
  key[1] = table->range.name;
  *ret = key;
  *ret_count = key[1].len ? 2 : 1;
  return WH_OK;
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  wh_str *names;
  size_t count;
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_list(c, client, arena, &names, &count, err));
  for (size_t i = 0; i < count; i++) {
    wh_dynamodb_relation r;
    wh_table_info info = {.name = names[i], .rows = WH_SIZE_UNKNOWN};
    wh_error inner = {0};
    wh_status status = wh_dynamodb_relate(c, client, names[i], arena, &r, &inner);
    // A table that may not be read, or is just going, must not hide the others.
    if (status != WH_OK && status != WH_ERR_DENIED && status != WH_ERR_NOT_FOUND) {
      if (err) *err = inner;
      return status;
    }
    if (status == WH_OK) {
      info.rows = r.table.items;
      info.schema = r.schema;
      WH_TRY(key_of(&r.table, arena, &info.key, &info.key_count, err));
    }
    WH_TRY(visit(context, &info, err));
  }
  return WH_OK;
}

static wh_status check_query(const wh_connection *c, const wh_source_query *query, wh_error *err) {
  if (query->query.len)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: tables of DynamoDB are read whole: name one in `from` and list its "
                   "columns, instead of a query",
                   WH_STR_ARG(c->name));
  if (query->cursor.len)
    return wh_fail(
        err, WH_ERR_REFUSED,
        "%.*s: DynamoDB does not tell which items have changed, so a cursor would miss "
        "some. Read the table whole, without read: cursor, or its stream, by a connection of type "
        "dynamodb-stream",
        WH_STR_ARG(c->name));
  return WH_OK;
}

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  wh_dynamodb_relation r;
  wh_source_info info = {.cursor_kind = WH_CURSOR_WINDOWED};
  WH_TRY(check_query(c, query, err));
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_relate(c, client, query->table, arena, &r, err));
  WH_TRY(key_of(&r.table, arena, &info.key, &info.key_count, err));
  info.schema = r.schema;
  info.guessed = r.guessed;
  info.rows_estimate = r.table.items;
  if (query->limit_rows && info.rows_estimate > query->limit_rows)
    info.rows_estimate = query->limit_rows;
  *ret = info;
  return WH_OK;
}

// Without cursors there is nothing that it bounds.
static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  (void)arena;
  WH_TRY(check_query(c, query, err));
  *ret = (wh_bound){.clock_us = c->os->type->now_ns(c->os) / 1000};
  return WH_OK;
}

const wh_source_type wh_dynamodb_source = {
    .tables = list_tables,
    .discover = discover,
    .describe = describe,
    .bound = bound,
    .open = wh_dynamodb_open_reader,
    .open_finder = wh_dynamodb_open_finder,
};
