// What the queue needs of PostgreSQL besides the verbs all ledgers share: many entries at once, and
// telling others of them.
#include "ledger/postgres/postgres.h"

wh_status pg_lock_queue(ledger *base, wh_str pipeline, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(base,
                    "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended("
                    "current_schema() || '/' || ?, 0))",
                    &q);
  ledger_bind_text(&q, pipeline);
  return ledger_run(&q, err);
}

wh_status pg_tell(ledger *base, wh_str pipeline, wh_error *err) {
  LEDGER_QUERY q;
  ledger_query_open(base, "SELECT pg_catalog.pg_notify(current_schema(), ?)", &q);
  ledger_bind_text(&q, pipeline);
  return ledger_run(&q, err);
}

static wh_status list_puts(const wh_put *puts, size_t count, wh_arena *arena, wh_buf *out,
                           wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    wh_str key = pg_text_escape(puts[i].key, arena);
    wh_str version = pg_text_escape(puts[i].version, arena);
    if (!key.data || !version.data) return wh_fail_memory(err);
    wh_buf_add_c(out, i ? ",{\"key\":" : "[{\"key\":");
    wh_buf_add_json(out, key);
    wh_buf_add_c(out, ",\"version\":");
    wh_buf_add_json(out, version);
    wh_buf_printf(out, ",\"ord\":%lld}", (long long)puts[i].order);
  }
  wh_buf_add_char(out, ']');
  return wh_buf_check(out, err);
}

// In the order given, which decides between equal ones. One statement: a scan of a large store puts
// all it found, known or not, and each statement is a journey to the server.
wh_status pg_put_block(ledger *base, wh_str pipeline, const wh_put *puts, size_t count,
                       uint64_t *ret_new, wh_error *err) {
  *ret_new = 0;
  if (count == 0) return WH_OK;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, base->mem);
  WH_CLEAN_BUF wh_buf list;
  wh_buf_init(&list, base->mem, 0);
  WH_TRY(list_puts(puts, count, &arena, &list, err));
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(pg_ledger_run((pg_ledger *)base,
                       "INSERT INTO work (pipeline, key, version, ord, state, failures, received,"
                       " takes, visible_us, put_us, error) SELECT ?, key, version, ord, 0, 0, 0, 0,"
                       " now_us(), now_us(), '' FROM ROWS FROM (pg_catalog.json_to_recordset("
                       "CAST(? AS json)) AS (key text, version text, ord bigint)) WITH ORDINALITY"
                       " AS put (key, version, ord, place) ORDER BY place"
                       " ON CONFLICT (pipeline, key, version) DO NOTHING",
                       (wh_str[]){pipeline, wh_buf_str(&list)}, 2, &result, err));
  (void)wh_str_to_u64(wh_str_of(PQcmdTuples(result)), ret_new);
  return WH_OK;
}
