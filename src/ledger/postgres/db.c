// The ledger's database in PostgreSQL: statements, transactions, and connections that get lost.
#include "connect/postgres/later.h"
#include "ledger/postgres/postgres.h"

#include <assert.h>

#define DOING "keeping state"

enum { NAME_MAX_BYTES = 16 }; // of a prepared statement

// --- sessions
// --------------------------------------------------------------------------------------

void pg_ledger_drop_session(pg_ledger *l) {
  wh_pg_close(l->session);
  l->session = NULL;
  l->prepared_count = 0;
  atomic_store(&l->keeper.own_pid, 0);
}

// Waits for a server that went away, for as long as a restart may take.
static wh_status reconnect(pg_ledger *l, wh_error *err) {
  wh_os *os = l->base.os;
  int64_t end = os->type->monotonic_ns(os) + PG_LEDGER_PATIENCE_US * 1000ll;
  for (;;) {
    wh_status status = pg_ledger_connect(l, &l->connection, &l->session, err);
    if (status == WH_OK) {
      atomic_store(&l->keeper.own_pid, PQbackendPID(l->session->conn));
      return WH_OK;
    }
    if (status != WH_ERR_UNAVAILABLE || l->is_closing) return status;
    if (os->type->monotonic_ns(os) > end) return status;
    os->type->sleep_ns(os, PG_LEDGER_RETRY_US * 1000ll);
  }
}

static wh_status ensure_session(pg_ledger *l, wh_error *err) {
  return l->session ? WH_OK : reconnect(l, err);
}

// --- statements
// ----------------------------------------------------------------------------------

// "?" becomes $1, $2 ..., and INDEXED BY is left out: PostgreSQL finds its indexes itself.
static bool spell(const char *sql, wh_buf *out) {
  static const char indexed[] = " INDEXED BY ";
  unsigned number = 0;
  for (const char *p = sql; *p; p++) {
    if (*p == '?')
      wh_buf_printf(out, "$%u", ++number);
    else if (strncmp(p, indexed, sizeof indexed - 1) == 0)
      p += sizeof indexed - 1 + strcspn(p + sizeof indexed - 1, " ") - 1;
    else
      wh_buf_add_char(out, *p);
  }
  return !out->failed;
}

static wh_status prepare(pg_ledger *l, const char *sql, const char *name, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, l->base.mem, WH_PG_SQL_MAX);
  if (!spell(sql, &text)) return wh_buf_check(&text, err);
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(wh_pg_describe(l->session, name, wh_buf_str(&text), &result, err));
  if (PQresultStatus(result) == PGRES_COMMAND_OK) return WH_OK;
  return wh_pg_fail_result(l->session, result, DOING, err);
}

// The name under which this session knows the statement.
static wh_status name_of(pg_ledger *l, const char *sql, char name[NAME_MAX_BYTES], wh_error *err) {
  size_t i = 0;
  while (i < l->prepared_count && l->prepared[i] != sql)
    i++;
  assert(i < LEDGER_STATEMENTS_MAX);
  snprintf(name, NAME_MAX_BYTES, "w%zu", i);
  if (i < l->prepared_count) return WH_OK;
  WH_TRY(prepare(l, sql, name, err));
  l->prepared[l->prepared_count++] = sql;
  return WH_OK;
}

static wh_status run_here(pg_ledger *l, const char *sql, const wh_str *params, size_t count,
                          PGresult **ret, wh_error *err) {
  char name[NAME_MAX_BYTES];
  WH_TRY(name_of(l, sql, name, err));
  return wh_pg_exec_prepared(l->session, name, params, count, DOING, ret, err);
}

// The session that refused a statement this way is of no more use.
static bool is_lost(wh_status status) {
  return status == WH_ERR_UNAVAILABLE || status == WH_ERR_CANCELLED;
}

// What others did in the same moment: the server says so, and that nothing happened.
static bool is_in_the_way(wh_status status) {
  return status == WH_ERR_BUSY;
}

// No row of a user's is to blame for what the ledger does.
static wh_status blame_ledger(const pg_ledger *l, wh_status status, wh_error *err) {
  if (status != WH_ERR_TYPE) return status;
  wh_error_prefix(err, "%s: the ledger refused a statement: ", l->base.path);
  if (err) err->status = WH_ERR_BUG;
  return WH_ERR_BUG;
}

static wh_status fail_lost(const pg_ledger *l, wh_error *err) {
  wh_status status = wh_fail(err, WH_ERR_UNAVAILABLE,
                             "%s: the connection to the server was lost. Nothing that was "
                             "acknowledged is lost; it goes on when the server answers",
                             l->base.path);
  if (err) err->retry = true;
  return status;
}

// What a statement's failure means for the transaction it is in, and for the session.
static wh_status note_failure(pg_ledger *l, wh_status status, wh_error *err) {
  if (is_in_the_way(status)) {
    l->in_the_way = l->in_transaction;
    return status;
  }
  if (!is_lost(status)) return blame_ledger(l, status, err);
  pg_ledger_drop_session(l);
  l->lost = l->in_transaction;
  return status;
}

wh_status pg_ledger_run(pg_ledger *l, const char *sql, const wh_str *params, size_t count,
                        PGresult **ret, wh_error *err) {
  for (int tries = 0;; tries++) {
    if (l->in_transaction && l->lost) return fail_lost(l, err);
    WH_TRY(ensure_session(l, err));
    wh_status status = run_here(l, sql, params, count, ret, err);
    if (status == WH_OK) return WH_OK;
    status = note_failure(l, status, err);
    bool again =
        is_in_the_way(status) ? tries + 1 < LEDGER_TRIES_MAX : is_lost(status) && tries == 0;
    if (l->in_transaction || !again) return status;
  }
}

// --- transactions
// ---------------------------------------------------------------------------------

static wh_status run_plain(pg_ledger *l, const char *sql, wh_error *err) {
  wh_status status = wh_pg_run(l->session, wh_str_of(sql), NULL, 0, NULL, err);
  if (is_lost(status)) pg_ledger_drop_session(l);
  return status;
}

// Nothing is sent before the first statement: that a connection was lost shows there, and the
// transaction is done again.
static wh_status begin(ledger *base, wh_error *err) {
  pg_ledger *l = (pg_ledger *)base;
  l->lost = l->is_doubtful = l->in_the_way = false;
  WH_TRY(ensure_session(l, err));
  wh_status status = wh_pg_run_later(l->session, WH_STR("BEGIN"), NULL, 0, NULL, err);
  l->in_transaction = status == WH_OK;
  return status;
}

static void roll_back(pg_ledger *l) {
  if (l->session) WH_IGNORE(run_plain(l, "ROLLBACK", NULL));
}

// What has not been sent goes with the COMMIT, and keeps it from happening when it fails.
static wh_status end(ledger *base, wh_status status, wh_error *err) {
  pg_ledger *l = (pg_ledger *)base;
  l->in_transaction = false;
  if (status != WH_OK) {
    roll_back(l);
    return status;
  }
  status = run_plain(l, "COMMIT", err);
  if (status == WH_OK) return WH_OK;
  l->is_doubtful = l->lost = is_lost(status);
  l->in_the_way = is_in_the_way(status);
  roll_back(l);
  return blame_ledger(l, status, err);
}

static bool again(ledger *base, bool once) {
  const pg_ledger *l = (pg_ledger *)base;
  return l->in_the_way || (l->lost && !(once && l->is_doubtful));
}

// --- queries
// --------------------------------------------------------------------------------------

static wh_str spell_bytes(wh_str bytes, wh_arena *arena) {
  static const char digits[] = "0123456789abcdef";
  char *out = wh_arena_alloc(arena, 2 + 2 * bytes.len);
  if (!out) return (wh_str){0};
  memcpy(out, "\\x", 2);
  for (size_t i = 0; i < bytes.len; i++) {
    out[2 + 2 * i] = digits[(unsigned char)bytes.data[i] >> 4];
    out[3 + 2 * i] = digits[(unsigned char)bytes.data[i] & 15];
  }
  return wh_str_n(out, 2 + 2 * bytes.len);
}

static wh_str spell_param(const ledger_param *param, wh_arena *arena) {
  switch (param->kind) {
  case LEDGER_TEXT:
    return pg_text_escape(param->text, arena);
  case LEDGER_NUMBER:
    return wh_arena_printf(arena, "%lld", (long long)param->number);
  case LEDGER_BLOB:
    return spell_bytes(param->text, arena);
  case LEDGER_ZEROES: // write_hashes brings what takes their place
    return WH_STR("");
  case LEDGER_NULL:
    break;
  }
  return (wh_str){0};
}

static wh_status spell_params(pg_ledger *l, const ledger_query *q, wh_str *params, wh_error *err) {
  wh_arena_reset(&l->scratch);
  for (int i = 0; i < q->bound; i++) {
    params[i] = spell_param(&q->params[i], &l->scratch);
    if (!params[i].data && q->params[i].kind != LEDGER_NULL) return wh_fail_memory(err);
  }
  return WH_OK;
}

static void take(ledger_query *q, PGresult *result) {
  q->own = result;
  q->started = true;
  q->row = -1;
  (void)wh_str_to_u64(wh_str_of(PQcmdTuples(result)), &q->changes);
}

static wh_status start(pg_ledger *l, ledger_query *q, wh_error *err) {
  wh_str params[LEDGER_PARAMS_MAX];
  WH_TRY(spell_params(l, q, params, err));
  PGresult *result = NULL;
  WH_TRY(pg_ledger_run(l, q->sql, params, (size_t)q->bound, &result, err));
  take(q, result);
  return WH_OK;
}

// A connection that was lost before this is found lost by what follows. What stands alone may be
// lost with it.
static wh_status send(ledger_query *q, bool alone, wh_error *err) {
  pg_ledger *l = (pg_ledger *)q->owner;
  wh_str params[LEDGER_PARAMS_MAX];
  char name[NAME_MAX_BYTES];
  if (!l->in_transaction && !alone) return WH_OK; // by itself, so that it can be done again
  if (l->in_transaction && l->lost) return fail_lost(l, err);
  WH_TRY(ensure_session(l, err));
  WH_TRY(spell_params(l, q, params, err));
  wh_status status = name_of(l, q->sql, name, err);
  q->sent = status == WH_OK && !alone;
  if (status == WH_OK)
    return wh_pg_exec_later(l->session, name, params, (size_t)q->bound,
                            alone ? NULL : (PGresult **)&q->own, err);
  return note_failure(l, status, err);
}

// What was sent has its result when anything behind it has.
static wh_status receive(pg_ledger *l, ledger_query *q, wh_error *err) {
  q->sent = false;
  if (!q->own && l->lost) return fail_lost(l, err);
  wh_status status = q->own ? WH_OK : wh_pg_send_later(l->session, DOING, err);
  if (status != WH_OK) return note_failure(l, status, err);
  if (!q->own) return wh_fail(err, WH_ERR_BUG, "%s: a statement has no result", l->base.path);
  take(q, q->own);
  return WH_OK;
}

static wh_status step(ledger_query *q, bool *ret_row, wh_error *err) {
  pg_ledger *l = (pg_ledger *)q->owner;
  if (q->sent)
    WH_TRY(receive(l, q, err));
  else if (!q->started)
    WH_TRY(start(l, q, err));
  if (q->row < PQntuples(q->own)) q->row++;
  *ret_row = q->row < PQntuples(q->own);
  return WH_OK;
}

static void end_query(ledger_query *q) {
  pg_ledger *l = (pg_ledger *)q->owner;
  if (q->sent && l->session) wh_pg_ignore_later(l->session, (PGresult **)&q->own);
  q->sent = false;
  PQclear(q->own);
  q->own = NULL;
}

static bool is_null(const ledger_query *q, int column) {
  return PQgetisnull(q->own, q->row, column);
}

// Big-endian, of as many bytes as the type has.
static int64_t number(const ledger_query *q, int column) {
  if (is_null(q, column)) return 0;
  const unsigned char *p = (const unsigned char *)PQgetvalue(q->own, q->row, column);
  int len = PQgetlength(q->own, q->row, column);
  uint64_t value = len && p[0] & 0x80 ? UINT64_MAX : 0;
  for (int i = 0; i < len; i++)
    value = value << 8 | p[i];
  return (int64_t)value;
}

static bool text(const ledger_query *q, int column, wh_str *ret) {
  pg_ledger *l = (pg_ledger *)q->owner;
  if (is_null(q, column)) return true;
  wh_str raw =
      wh_str_n(PQgetvalue(q->own, q->row, column), (size_t)PQgetlength(q->own, q->row, column));
  wh_arena_reset(&l->scratch);
  *ret = pg_text_unescape(raw, &l->scratch);
  return ret->data;
}

static wh_str bytes(const ledger_query *q, int column) {
  return wh_str_n(PQgetvalue(q->own, q->row, column), (size_t)PQgetlength(q->own, q->row, column));
}

// --- a window's hashes: little-endian, as bytea
// --------------------------------------------------

static wh_status write_hashes(ledger *base, int64_t id, const uint64_t *hashes, size_t count,
                              wh_error *err) {
  pg_ledger *l = (pg_ledger *)base;
  WH_CLEAN_BUF wh_buf hex;
  wh_buf_init(&hex, base->mem, 0);
  wh_buf_add_c(&hex, "\\x");
  for (size_t i = 0; i < count; i++) {
    uint64_t little = htole64(hashes[i]);
    wh_buf_add_hex(&hex, &little, sizeof little);
  }
  WH_TRY(wh_buf_check(&hex, err));
  wh_arena_reset(&l->scratch);
  wh_str number = wh_arena_printf(&l->scratch, "%lld", (long long)id);
  if (!number.data) return wh_fail_memory(err);
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  return pg_ledger_run(l, "UPDATE cursor SET hashes = ? WHERE id = ?",
                       (wh_str[]){wh_buf_str(&hex), number}, 2, &result, err);
}

static wh_status read_hashes(ledger *base, int64_t id, wh_arena *arena, wh_cursor *ret,
                             wh_error *err) {
  pg_ledger *l = (pg_ledger *)base;
  wh_arena_reset(&l->scratch);
  wh_str number = wh_arena_printf(&l->scratch, "%lld", (long long)id);
  if (!number.data) return wh_fail_memory(err);
  WH_CLEAN_PG_RESULT PGresult *result = NULL;
  WH_TRY(pg_ledger_run(l, "SELECT hashes FROM cursor WHERE id = ?", &number, 1, &result, err));
  size_t count = PQntuples(result) ? (size_t)PQgetlength(result, 0, 0) / sizeof(uint64_t) : 0;
  uint64_t *hashes = WH_NEW_ARRAY(arena, count, uint64_t);
  if (!hashes) return wh_fail_memory(err);
  if (count) memcpy(hashes, PQgetvalue(result, 0, 0), count * sizeof *hashes);
  for (size_t i = 0; i < count; i++)
    hashes[i] = le64toh(hashes[i]);
  ret->window = hashes;
  ret->window_count = count;
  return WH_OK;
}

const ledger_driver pg_driver = {
    .begin = begin,
    .end = end,
    .again = again,
    .step = step,
    .end_query = end_query,
    .send = send,
    .is_null = is_null,
    .number = number,
    .text = text,
    .bytes = bytes,
    .page = PG_LEDGER_PAGE,
    .write_hashes = write_hashes,
    .read_hashes = read_hashes,
    .hold = pg_hold,
    .renew = pg_renew,
    .give_back = pg_give_back,
    .is_held = lease_row_is_held,
    .lock_queue = pg_lock_queue,
    .put_block = pg_put_block,
    .tell = pg_tell,
};
