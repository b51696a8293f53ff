// Rows into a table or a stage. See sql.h for the way they take.
#include "connect/sink_table.h"
#include "connect/sql_sink.h"
#include "data/rowhash.h"
#include "data/value.h"

// What a write carries from row to row.
typedef struct writing {
  wh_sink *sink;
  wh_sql_target *target;
  const wh_batch *batch;
  wh_rejects *rejects;
  wh_counts *counts;
  wh_sink_rows rules;
  wh_arena arena;
  size_t *looked_at; // columns whose values are, row by row
  size_t looked_at_count;
  uint32_t *fine; // rows that can take part
  size_t fine_count;
  uint32_t *bad; // of the rows under way: those that were left out by the server's answer
  size_t bad_count;
  size_t late; // of the rows under way: those that a deletion left out, or had before
} writing;

static wh_status reject(writing *w, size_t row, const char *rule, wh_str column, wh_str reason,
                        wh_error *err) {
  wh_reject reject = {.rule = wh_str_of(rule),
                      .column = column,
                      .reason = reason,
                      .place = wh_batch_place(w->batch, row)};
  WH_TRY(w->rejects->row(w->rejects, &reject, w->batch, row, err));
  w->counts->quarantined++;
  return WH_OK;
}

// --- What cannot take part -----------------------------------------------------------------------

// The columns whose values have to be looked at one by one.
static wh_status choose_columns(writing *w, wh_error *err) {
  const wh_sql_target *t = w->target;
  w->looked_at = WH_NEW_ARRAY(&w->arena, t->schema.count, size_t);
  if (!w->looked_at) return wh_fail_memory(err);
  for (size_t i = 0; i < t->schema.count; i++) {
    const wh_sql_driver *d = t->driver;
    bool all =
        !t->checked[i] || (d->fits_all && d->fits_all(&t->columns[i], &w->batch->columns[i]));
    if (!all) w->looked_at[w->looked_at_count++] = i;
  }
  return WH_OK;
}

static wh_status check_row(writing *w, size_t row, bool *ret_fine, wh_error *err) {
  const wh_sql_target *t = w->target;
  wh_reject bad;
  *ret_fine = false;
  if (wh_sink_row_is_bad(&w->rules, w->batch, row, &bad))
    return reject(w, row, bad.rule.data, bad.column, bad.reason, err);
  for (size_t k = 0; k < w->looked_at_count; k++) {
    char reason[WH_SQL_REASON_MAX];
    size_t i = w->looked_at[k];
    if (wh_column_is_null(&w->batch->columns[i], row)) continue;
    if (!t->driver->fits(&t->columns[i], &w->batch->columns[i], row, reason))
      return reject(w, row, "type", t->schema.fields[i].name, wh_str_of(reason), err);
  }
  *ret_fine = true;
  return WH_OK;
}

static wh_status choose_rows(writing *w, wh_error *err) {
  w->fine = WH_NEW_ARRAY(&w->arena, w->batch->rows, uint32_t);
  w->bad = WH_NEW_ARRAY(&w->arena, w->batch->rows, uint32_t);
  if (!w->fine || !w->bad) return wh_fail_memory(err);
  WH_TRY(choose_columns(w, err));
  for (size_t row = 0; row < w->batch->rows; row++) {
    bool fine;
    WH_TRY(check_row(w, row, &fine, err));
    if (fine) w->fine[w->fine_count++] = (uint32_t)row;
  }
  return WH_OK;
}

// --- One round, or a part of it ------------------------------------------------------------------

static wh_status send(writing *w, wh_str table, const uint32_t *rows, size_t count, bool numbered,
                      wh_error *err) {
  const wh_sql_target *t = w->target;
  wh_sql_bulk bulk = {.table = table,
                      .names = t->names,
                      .columns = t->columns,
                      .batch = w->batch,
                      .rows = rows,
                      .row_count = count,
                      .number = numbered ? WH_STR(WH_SQL_NUMBER) : (wh_str){0}};
  if (!numbered && wh_sql_into_stage(t)) {
    bulk.constants[0].name = WH_STR(WH_SQL_STAGE);
    bulk.constants[bulk.constant_count++].value = t->stage_id;
  } else if (!numbered && t->has_order) {
    bulk.constants[0].name = WH_STR(WH_ORDER_COLUMN);
    bulk.constants[bulk.constant_count++].value = w->sink->load.order;
  }
  return t->driver->bulk(w->sink->session, &bulk, err);
}

static wh_status take_number(void *context, const wh_str *values, size_t count, wh_error *err) {
  writing *w = context;
  int64_t row;
  (void)count;
  if (!wh_str_to_i64(values[0], &row) || row < 0 || (uint64_t)row >= w->batch->rows ||
      w->bad_count >= w->batch->rows)
    return wh_fail(err, WH_ERR_BUG, "the server answered with a row that was not sent");
  w->bad[w->bad_count++] = (uint32_t)row;
  return WH_OK;
}

static wh_status ask_rows(writing *w, const wh_buf *sql, wh_error *err) {
  WH_TRY(wh_buf_check(sql, err));
  return w->target->driver->ask(w->sink->session, wh_buf_str(sql), NULL, 0, take_number, w, err);
}

// `FROM "batch" s JOIN "table" t ON ...` of the table that the rows go into.
static void add_join(writing *w, wh_buf *sql) {
  const wh_sql_target *t = w->target;
  bool in_stage = wh_sql_into_stage(t);
  wh_buf_printf(sql, " FROM %.*s s JOIN %.*s t ON ", WH_STR_ARG(t->batch),
                WH_STR_ARG(in_stage ? t->stage : t->table));
  wh_sql_add_key_equal(sql, t, "s", "t");
  if (!in_stage) return;
  wh_buf_add_c(sql, " AND ");
  wh_sql_add_stage_is(sql, t, "t");
}

static void add_number(writing *w, wh_buf *sql) {
  w->target->driver->name(sql, WH_STR(WH_SQL_NUMBER));
}

// Takes rows out of the batch: those from `from` of the bad ones.
static wh_status drop_bad(writing *w, size_t from, wh_error *err) {
  if (w->bad_count == from) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, w->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_printf(&sql, "DELETE FROM %.*s WHERE ", WH_STR_ARG(w->target->batch));
  add_number(w, &sql);
  for (size_t i = from; i < w->bad_count; i++)
    wh_buf_printf(&sql, "%s%u", i > from ? ", " : " IN (", w->bad[i]);
  wh_buf_add_char(&sql, ')');
  return wh_sql_run(w->sink, &sql, NULL, 0, NULL, err);
}

// Rows whose key another one has under the column's collation only: in the table, or before them
// among those of the batch that do not collide with the table's (each key, by its bytes, is there
// once). They are taken out of the batch.
static wh_status find_collisions(writing *w, wh_error *err) {
  const wh_sql_target *t = w->target;
  if (!t->may_collide) return WH_OK;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, w->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT s.");
  add_number(w, &sql);
  add_join(w, &sql);
  wh_buf_add_c(&sql, " WHERE NOT (");
  wh_sql_add_key_same(&sql, t, "s", "t");
  wh_buf_add_char(&sql, ')');
  WH_TRY(ask_rows(w, &sql, err));
  WH_TRY(drop_bad(w, 0, err));
  size_t from = w->bad_count;
  wh_buf_clear(&sql);
  wh_buf_add_c(&sql, "SELECT ");
  add_number(w, &sql);
  wh_buf_add_c(&sql, " FROM (SELECT ");
  add_number(w, &sql);
  wh_buf_add_c(&sql, ", row_number() OVER (PARTITION BY ");
  wh_sql_add_key(&sql, t, NULL);
  wh_buf_add_c(&sql, " ORDER BY ");
  add_number(w, &sql);
  wh_buf_printf(&sql, ") AS place FROM %.*s) q WHERE place > 1", WH_STR_ARG(t->batch));
  WH_TRY(ask_rows(w, &sql, err));
  return drop_bad(w, from, err);
}

// Of rows that were not written: how many the table has in just that version. Those that were
// written are among them.
static wh_status count_equal(writing *w, uint64_t *ret, wh_error *err) {
  const wh_sql_target *t = w->target;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, w->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT count(*)");
  add_join(w, &sql);
  wh_buf_add_c(&sql, " WHERE ");
  wh_sql_add_stored_order(&sql, t, "t");
  wh_buf_add_c(&sql, " = ");
  wh_sql_add_i64(&sql, w->sink->load.order);
  if (t->version >= 0) {
    wh_buf_add_c(&sql, " AND ");
    wh_sql_add_same(&sql, t, "s", "t", (size_t)t->version);
  }
  int64_t count = 0;
  WH_TRY(wh_sql_ask_i64(w->sink, &sql, NULL, 0, NULL, &count, 1, err));
  *ret = (uint64_t)count;
  return WH_OK;
}

// Rows that are nowhere although nothing refused them.
static wh_status find_dropped(writing *w, wh_error *err) {
  const wh_sql_target *t = w->target;
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, w->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(&sql, "SELECT s.");
  add_number(w, &sql);
  wh_buf_printf(&sql, " FROM %.*s s WHERE NOT EXISTS (SELECT 1 FROM %.*s t WHERE ",
                WH_STR_ARG(t->batch), WH_STR_ARG(t->table));
  wh_sql_add_key_equal(&sql, t, "s", "t");
  wh_buf_add_char(&sql, ')');
  return ask_rows(w, &sql, err);
}

static wh_status reject_bad(writing *w, size_t from, size_t to, const char *rule, wh_str column,
                            const char *reason, wh_error *err) {
  for (size_t i = from; i < to; i++)
    WH_TRY(reject(w, w->bad[i], rule, column, wh_str_of(reason), err));
  return WH_OK;
}

// What became of the rows that are in the batch's table, of which `written` were.
static wh_status count_rows(writing *w, size_t sent, uint64_t written, wh_error *err) {
  wh_sql_target *t = w->target;
  size_t collided = w->bad_count;
  uint64_t rest = sent - collided - written, unchanged = 0;
  if (written > sent - collided)
    return wh_fail(err, WH_ERR_BUG, "%.*s: %llu of %zu rows were written",
                   WH_STR_ARG(w->sink->connection->name), (unsigned long long)written, sent);
  if (rest && !wh_sql_into_stage(t)) {
    uint64_t equal;
    WH_TRY(find_dropped(w, err));
    WH_TRY(count_equal(w, &equal, err));
    rest -= w->bad_count - collided;
    unchanged = equal > written ? equal - written : 0;
  }
  WH_TRY(reject_bad(w, 0, collided, "key_collision",
                    t->key_count ? t->schema.fields[t->key[0]].name : (wh_str){0},
                    "another key is there that the table cannot tell from this one", err));
  WH_TRY(reject_bad(w, collided, w->bad_count, "constraint", (wh_str){0},
                    "a trigger of the table refused it", err));
  w->counts->written += written;
  w->counts->unchanged += unchanged;
  w->counts->superseded += rest - unchanged;
  if (wh_sql_into_stage(t)) t->accepted += (int64_t)written;
  return WH_OK;
}

// Counts rows that need not be put, and takes them out of the batch.
static wh_status drop_late(void *context, const wh_buf *sql, bool unchanged, wh_error *err) {
  writing *w = context;
  size_t from = w->bad_count;
  WH_TRY(ask_rows(w, sql, err));
  WH_TRY(drop_bad(w, from, err));
  size_t count = w->bad_count - from;
  w->late += count;
  if (unchanged)
    w->counts->unchanged += count;
  else
    w->counts->superseded += count;
  w->bad_count = from;
  return WH_OK;
}

static wh_status put_keyed(writing *w, const uint32_t *rows, size_t count, uint64_t *ret_written,
                           wh_error *err) {
  const wh_sql_target *t = w->target;
  WH_CLEAN_STATEMENTS wh_sql_statements s;
  WH_CLEAN_BUF wh_buf clear;
  wh_buf_init(&clear, w->sink->connection->mem, WH_SQL_TEXT_MAX);
  wh_sql_statements_init(&s, w->sink->connection->mem);
  t->driver->add_clear(&clear, t->batch);
  WH_TRY(wh_sql_run_later(w->sink, &clear, NULL, 0, NULL, err));
  WH_TRY(send(w, t->batch, rows, count, true, err));
  WH_TRY(find_collisions(w, err));
  wh_sql_erase erase = {w->sink, drop_late, w};
  bool meets = t->deleted && t->any_deleted;
  if (t->erases) WH_TRY(wh_sql_erase_rows(&erase, t->erases, err));
  if (meets) WH_TRY(wh_sql_meet_deleted(&erase, t, err));
  WH_TRY(t->driver->add_upsert(t, w->sink->load.order, &s, err));
  WH_TRY(wh_sql_run_all(w->sink, &s, ret_written, err));
  return meets ? wh_sql_end_deleted(w->sink, t, err) : WH_OK;
}

static wh_status put_once(writing *w, const uint32_t *rows, size_t count, wh_error *err) {
  const wh_sql_target *t = w->target;
  uint64_t written = count;
  w->bad_count = w->late = 0;
  if (t->key_count)
    WH_TRY(put_keyed(w, rows, count, &written, err));
  else
    WH_TRY(send(w, wh_sql_into_stage(t) ? t->stage : t->table, rows, count, false, err));
  return count_rows(w, count - w->late, written, err);
}

// Some refusals end the transaction with the statement (a trigger that rolls back): then the row
// cannot be set aside, and what ended it is all that can be told.
static wh_status back_to_savepoint(writing *w, const char *why, wh_error *err) {
  wh_error inner = {0};
  wh_status status = wh_sql_run_c(w->sink, w->target->driver->to_savepoint, &inner);
  if (status != WH_OK && status != WH_ERR_IO) {
    if (err) *err = inner;
    return status;
  }
  return status == WH_OK ? WH_OK : wh_fail(err, status, "%s, with: %s", inner.text, why);
}

// Rows that the server refuses are found by halving. The recursion is as deep as a batch has bits.
static wh_status put(writing *w, const uint32_t *rows, size_t count, wh_error *err) {
  const wh_sql_driver *d = w->target->driver;
  wh_error why = {0};
  if (count == 0) return WH_OK;
  WH_TRY(wh_sql_run_c_later(w->sink, d->savepoint, err));
  wh_counts before = *w->counts;
  wh_status status = put_once(w, rows, count, &why);
  if (status == WH_OK) return d->release[0] ? wh_sql_run_c_later(w->sink, d->release, err) : WH_OK;
  if (status != WH_ERR_TYPE) {
    if (err) *err = why;
    return status;
  }
  *w->counts = before;
  WH_TRY(back_to_savepoint(w, why.text, err));
  if (count == 1) return reject(w, rows[0], "constraint", (wh_str){0}, wh_str_of(why.text), err);
  WH_TRY(put(w, rows, count / 2, err));
  return put(w, rows + count / 2, count - count / 2, err);
}

// --- Rounds --------------------------------------------------------------------------------------

static uint64_t hash_key(const writing *w, size_t row) {
  const wh_sql_target *t = w->target;
  uint64_t hash = 0;
  for (size_t i = 0; i < t->key_count; i++)
    hash = wh_value_hash(&w->batch->columns[t->key[i]], row, hash + i);
  return hash;
}

static bool same_key(const writing *w, size_t a, size_t b) {
  const wh_sql_target *t = w->target;
  for (size_t i = 0; i < t->key_count; i++) {
    wh_value left, right;
    const wh_column *c = &w->batch->columns[t->key[i]];
    if (wh_value_get(c, a, &left, NULL) != WH_OK || wh_value_get(c, b, &right, NULL) != WH_OK ||
        wh_value_compare(&left, &right) != 0)
      return false;
  }
  return true;
}

// For each fine row, how many of its key stand before it; *ret_rounds: one more than the highest.
static wh_status number_rounds(writing *w, uint32_t *rounds, uint32_t *ret_rounds, wh_error *err) {
  size_t places = 16;
  while (places < 2 * w->fine_count)
    places *= 2;
  // Each place: an index into `fine`, of the last row with its key, plus one.
  uint32_t *table = WH_NEW_ARRAY(&w->arena, places, uint32_t);
  if (!table) return wh_fail_memory(err);
  *ret_rounds = w->fine_count > 0;
  for (size_t i = 0; i < w->fine_count; i++) {
    size_t at = hash_key(w, w->fine[i]) & (places - 1);
    while (table[at] && !same_key(w, w->fine[table[at] - 1], w->fine[i]))
      at = (at + 1) & (places - 1);
    rounds[i] = table[at] ? rounds[table[at] - 1] + 1 : 0;
    table[at] = (uint32_t)i + 1;
    if (rounds[i] >= *ret_rounds) *ret_rounds = rounds[i] + 1;
  }
  return WH_OK;
}

static wh_status put_rounds(writing *w, wh_error *err) {
  if (w->target->key_count == 0) return put(w, w->fine, w->fine_count, err);
  uint32_t *rounds = WH_NEW_ARRAY(&w->arena, w->fine_count, uint32_t), count;
  uint32_t *rows = WH_NEW_ARRAY(&w->arena, w->fine_count, uint32_t);
  if (!rounds || !rows) return wh_fail_memory(err);
  WH_TRY(number_rounds(w, rounds, &count, err));
  if (count == 1) return put(w, w->fine, w->fine_count, err);
  for (uint32_t round = 0; round < count; round++) {
    size_t n = 0;
    for (size_t i = 0; i < w->fine_count; i++)
      if (rounds[i] == round) rows[n++] = w->fine[i];
    WH_TRY(put(w, rows, n, err));
  }
  return WH_OK;
}

wh_status wh_sql_sink_write(wh_sink *sink, size_t target, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  wh_sql_target *t = &sink->targets[target];
  wh_connection *c = sink->connection;
  if (!sink->in_transaction)
    return wh_fail(err, WH_ERR_BUG, "%.*s: a write outside a transaction", WH_STR_ARG(c->name));
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  if (t->clashes.len && batch->rows) return wh_sql_refuse(sink, t, (wh_str){0}, err);
  if (t->is_late) {
    counts->superseded += batch->rows;
    return WH_OK;
  }
  return wh_sql_write_rows(sink, t, batch, rejects, counts, err);
}

wh_status wh_sql_write_rows(wh_sink *sink, wh_sql_target *t, const wh_batch *batch,
                            wh_rejects *rejects, wh_counts *counts, wh_error *err) {
  wh_connection *c = sink->connection;
  writing w = {.sink = sink, .target = t, .batch = batch, .rejects = rejects, .counts = counts};
  w.rules = wh_sink_rows_of(&t->schema, t->key, t->key_count, t->version, sink->load.now_us);
  wh_arena_init(&w.arena, c->mem);
  wh_status status = choose_rows(&w, err);
  if (status == WH_OK) status = put_rounds(&w, err);
  wh_arena_free(&w.arena);
  return status;
}
