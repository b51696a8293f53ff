// Opening, migrating and closing the ledger in DynamoDB.
#include "ledger/dynamodb/dynamodb.h"

static const wh_str *const migrations[] = {&wh_ledger_leases_1, SQLITE_LEDGER_MIGRATIONS};
static const sqlite_schema schema = {migrations, sizeof migrations / sizeof migrations[0]};

static void dynamo_close(wh_ledger *base) {
  dynamo_ledger *l = (dynamo_ledger *)base;
  dynamo_keeper_stop(l);
  l->is_closing = true;
  ledger_free(&l->sql.base);
  sqlite_close_database(&l->sql);
  dynamo_vfs_unregister(l);
  dynamo_pages_free(&l->pages);
  dynamo_head_free(&l->head);
  wh_arena_free(&l->sql.arena);
  wh_mem_free(l->sql.base.mem, l, sizeof *l);
}

static const wh_ledger_type dynamo_type = {
    .name = "dynamodb",
    .listen = ledger_listen_to_nobody,
    .heard = ledger_heard_nothing,
    .close = dynamo_close,
    LEDGER_VERBS,
};

static wh_status open_database(dynamo_ledger *l, wh_error *err) {
  sqlite_ledger *s = &l->sql;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  char pragmas[256];
  WH_TRY(dynamo_vfs_register(l, err));
  int rc = sqlite3_open_v2("ledger", &s->db, flags, l->vfs_name);
  if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(s->db, 1);
  if (rc != SQLITE_OK) return sqlite_fail(s, rc, err);
  snprintf(pragmas, sizeof pragmas,
           "PRAGMA page_size=%d; PRAGMA max_page_count=%d; PRAGMA cache_size=-%d;"
           "PRAGMA cache_spill=OFF; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL;"
           "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
           DYNAMO_PAGE_BYTES, DYNAMO_PAGES_MAX, SQLITE_LEDGER_CACHE_KIB);
  WH_TRY(sqlite_exec(s, pragmas, err));
  WH_TRY(sqlite_migrate(s, &schema, err));
  return sqlite_get_ready(s, err);
}

// Who makes the table may be another worker that starts, too.
static wh_status read_or_make(dynamo_ledger *l, wh_error *err) {
  wh_status status = dynamo_refresh(l, err);
  if (status != WH_ERR_NOT_FOUND) return status;
  WH_TRY(dynamo_make_table(l, err));
  return dynamo_refresh(l, err);
}

static wh_status copy(dynamo_ledger *l, wh_str text, wh_str *ret, wh_error *err) {
  *ret = wh_arena_str(&l->sql.arena, text);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status open_ledger(dynamo_ledger *l, wh_connection *c, int64_t lease_us, wh_error *err) {
  ledger *base = &l->sql.base;
  l->connection = *c;
  l->options = *(const wh_dynamodb_ledger_options *)c->options;
  l->connection.options = &l->options;
  base->path = wh_arena_cstr(&l->sql.arena, c->name);
  if (!base->path) return wh_fail_memory(err);
  WH_TRY(copy(l, l->options.table, &l->table, err));
  WH_TRY(copy(l, l->options.ledger, &l->name, err));
  WH_TRY(ledger_holder_init(&l->holder, base->os, lease_us, &l->sql.arena, err));
  WH_TRY(dynamo_keeper_init(l, err));
  WH_TRY(read_or_make(l, err));
  return open_database(l, err);
}

wh_status wh_ledger_open_dynamodb(wh_connection *c, int64_t lease_us, wh_ledger **ret,
                                  wh_error *err) {
  dynamo_ledger *l = wh_mem_alloc_zero(c->mem, sizeof *l);
  if (!l) return wh_fail_memory(err);
  l->sql.base.base.type = &dynamo_type;
  l->sql.base.mem = c->mem;
  l->pages.mem = c->mem;
  wh_buf_init(&l->head.log, c->mem, 0);
  wh_arena_init(&l->sql.arena, c->mem);
  wh_status status = ledger_init(&l->sql.base, &dynamo_driver, c->os, c->mem, err);
  if (status == WH_OK) status = open_ledger(l, c, lease_us, err);
  if (status != WH_OK) {
    dynamo_close(&l->sql.base.base);
    return status;
  }
  *ret = &l->sql.base.base;
  return WH_OK;
}
