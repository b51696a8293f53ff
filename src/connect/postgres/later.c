#include "connect/postgres/later.h"

void wh_pg_forget_later(wh_pg_session *s) {
  s->later_count = 0;
  wh_arena_reset(&s->later_arena);
}

void wh_pg_ignore_later(wh_pg_session *s, PGresult **ret) {
  for (size_t i = 0; i < s->later_count; i++)
    if (s->later[i].ret == ret) s->later[i].ret = NULL;
}

// --- waiting -------------------------------------------------------------------------------------

static wh_status room(wh_pg_session *s, wh_error *err) {
  return s->later_count < WH_PG_LATER_MAX ? WH_OK : wh_pg_send_later(s, "running a statement", err);
}

static wh_status add(wh_pg_session *s, wh_str text, const wh_str *params, size_t count,
                     wh_pg_later *later, wh_error *err) {
  WH_TRY(room(s, err));
  later->text = wh_arena_cstr(&s->later_arena, text);
  if (!later->text) return wh_fail_memory(err);
  later->count = (int)count;
  WH_TRY(wh_pg_copy_params(params, count, &s->later_arena, &later->params, err));
  s->later[s->later_count++] = *later;
  return WH_OK;
}

wh_status wh_pg_run_later(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                          uint64_t *ret_rows, wh_error *err) {
  wh_pg_later later = {.ret_rows = ret_rows};
  return add(s, sql, params, count, &later, err);
}

wh_status wh_pg_exec_later(wh_pg_session *s, const char *name, const wh_str *params, size_t count,
                           PGresult **ret, wh_error *err) {
  wh_pg_later later = {.is_prepared = true, .is_binary = true, .ret = ret};
  return add(s, wh_str_of(name), params, count, &later, err);
}

// --- sending -------------------------------------------------------------------------------------

static bool put(wh_pg_session *s, const wh_pg_later *l) {
  return l->is_prepared
             ? PQsendQueryPrepared(s->conn, l->text, l->count, l->params, NULL, NULL, l->is_binary)
             : PQsendQueryParams(s->conn, l->text, l->count, NULL, l->params, NULL, NULL,
                                 l->is_binary);
}

static void keep(const wh_pg_later *l, PGresult *result) {
  uint64_t rows = 0;
  (void)wh_str_to_u64(wh_str_of(PQcmdTuples(result)), &rows);
  if (l->ret_rows) *l->ret_rows = rows;
  if (l->ret)
    *l->ret = result;
  else
    PQclear(result);
}

// Takes the results of all, each of which ends with none, up to the one of the sync. *ret_bad: the
// first that is not good. Behind the last may come one more, of the end of the transaction that
// they are where none was begun: what is deferred (constraints, conflicts) shows there.
static wh_status collect(wh_pg_session *s, const wh_pg_later *const *all, size_t count,
                         const char *doing, PGresult **ret_bad, wh_error *err) {
  size_t at = 0;
  for (;;) {
    PGresult *result = NULL;
    WH_TRY(wh_pg_result(s, doing, &result, err));
    if (!result) {
      if (++at > count + 1) return wh_pg_fail_lost(s, doing, err);
      continue;
    }
    bool at_end = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    if (!at_end && at < count && wh_pg_is_good(result)) {
      keep(all[at], result);
      continue;
    }
    if (at_end || *ret_bad)
      PQclear(result);
    else
      *ret_bad = result;
    if (at_end) return WH_OK;
    if (PQstatus(s->conn) != CONNECTION_OK) return wh_pg_fail_lost(s, doing, err);
  }
}

// Nothing that fails gives a result.
static void drop_results(const wh_pg_later *const *all, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (!all[i]->ret) continue;
    PQclear(*all[i]->ret);
    *all[i]->ret = NULL;
  }
}

static wh_status exchange(wh_pg_session *s, const wh_pg_later *const *all, size_t count,
                          const char *doing, wh_error *err) {
  bool sent = PQenterPipelineMode(s->conn);
  for (size_t i = 0; i < count && sent; i++)
    sent = put(s, all[i]);
  if (!sent || !PQpipelineSync(s->conn)) return wh_pg_fail_lost(s, doing, err);
  WH_CLEAN_PG_RESULT PGresult *bad = NULL;
  WH_TRY(collect(s, all, count, doing, &bad, err));
  if (!PQexitPipelineMode(s->conn)) return wh_pg_fail_lost(s, doing, err);
  return bad ? wh_pg_fail_result(s, bad, doing, err) : WH_OK;
}

static wh_status send_with(wh_pg_session *s, const wh_pg_later *last, const char *doing,
                           wh_error *err) {
  const wh_pg_later *all[WH_PG_LATER_MAX + 1];
  size_t count = 0;
  for (; count < s->later_count; count++)
    all[count] = &s->later[count];
  if (last) all[count++] = last;
  s->later_count = 0; // whatever becomes of them
  for (size_t i = 0; i < count; i++)
    if (all[i]->ret) *all[i]->ret = NULL;
  wh_status status = exchange(s, all, count, doing, err);
  if (status != WH_OK) drop_results(all, count);
  wh_arena_reset(&s->later_arena);
  return status;
}

wh_status wh_pg_send_later(wh_pg_session *s, const char *doing, wh_error *err) {
  return s->later_count ? send_with(s, NULL, doing, err) : WH_OK;
}

wh_status wh_pg_exec_behind(wh_pg_session *s, const wh_pg_later *last, const char *doing,
                            wh_error *err) {
  return send_with(s, last, doing, err);
}

wh_status wh_pg_join_later(wh_pg_session *s, const char *doing, wh_buf *sql, wh_error *err) {
  for (size_t i = 0; i < s->later_count; i++) {
    const wh_pg_later *l = &s->later[i];
    if (l->is_prepared || l->count || l->ret_rows || l->ret) return wh_pg_send_later(s, doing, err);
  }
  for (size_t i = 0; i < s->later_count; i++)
    wh_buf_printf(sql, "%s; ", s->later[i].text);
  wh_pg_forget_later(s);
  return wh_buf_check(sql, err);
}
