// Rows of a batch into a table: COPY ... FROM STDIN.
#include "connect/postgres/encode.h"
#include "connect/postgres/session.h"

#define DOING "writing rows"

enum { SPECIALS_MAX = 3 }; // constants, and the row's number

typedef struct sending {
  wh_pg_session *session;
  const wh_sql_bulk *bulk;
  wh_arena arena;
  wh_buf out, scratch;
  bool is_text;
  wh_pg_encoder *encoders;
  wh_str specials[SPECIALS_MAX]; // their names
  size_t special_count;
} sending;

// --- the types of columns that are ours ----------------------------------------------------------

static wh_status see_type(void *context, const wh_str *v, size_t count, wh_error *err) {
  (void)count, (void)err;
  sending *w = context;
  uint64_t oid = 0;
  for (size_t i = 0; i < w->special_count; i++)
    if (wh_str_eq(v[0], w->specials[i]) && wh_str_to_u64(v[1], &oid))
      w->session->bulk_types[i] = (uint32_t)oid;
  return WH_OK;
}

// The table may be somebody's who gave its order column a type of their own. It is asked once.
static wh_status find_types(sending *w, wh_error *err) {
  static const char sql[] =
      "SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute AS a "
      "WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped AND "
      "a.attname IN ('_wherry_n', '_wherry_stage', '_wherry_order')";
  wh_pg_session *s = w->session;
  wh_str first = w->special_count ? w->specials[0] : (wh_str){0};
  if (w->special_count == 0) return WH_OK;
  if (wh_str_eq(s->bulk_table, w->bulk->table) && wh_str_eq(s->bulk_names, first)) return WH_OK;
  wh_arena_reset(&s->bulk_arena);
  s->bulk_table = s->bulk_names = (wh_str){0};
  memset(s->bulk_types, 0, sizeof s->bulk_types);
  WH_TRY(wh_pg_ask(s, wh_str_of(sql), &w->bulk->table, 1, see_type, w, err));
  wh_str table = wh_arena_str(&s->bulk_arena, w->bulk->table);
  wh_str names = wh_arena_str(&s->bulk_arena, first);
  if (!table.data || !names.data) return wh_fail_memory(err);
  s->bulk_table = table;
  s->bulk_names = names;
  return WH_OK;
}

static void name_specials(sending *w) {
  for (size_t i = 0; i < w->bulk->constant_count; i++)
    w->specials[w->special_count++] = w->bulk->constants[i].name;
  if (w->bulk->number.len) w->specials[w->special_count++] = w->bulk->number;
}

// --- rows ----------------------------------------------------------------------------------------

static wh_status build_copy(sending *w, wh_buf *sql, wh_error *err) {
  const wh_sql_bulk *b = w->bulk;
  wh_buf_add_c(sql, "COPY ");
  wh_buf_add_str(sql, b->table);
  const char *between = " (";
  for (size_t i = 0; i < w->special_count; i++, between = ", ") {
    wh_buf_add_c(sql, between);
    wh_pg_add_name(sql, w->specials[i]);
  }
  for (size_t i = 0; i < b->batch->schema->count; i++, between = ", ") {
    wh_buf_add_c(sql, between);
    wh_pg_add_name(sql, b->names[i]);
  }
  wh_buf_add_c(sql, w->is_text ? ") FROM STDIN (FORMAT text)" : ") FROM STDIN (FORMAT binary)");
  return wh_buf_check(sql, err);
}

static wh_status make_encoders(sending *w, wh_error *err) {
  const wh_sql_bulk *b = w->bulk;
  size_t count = b->batch->schema->count;
  w->encoders = WH_NEW_ARRAY(&w->arena, count, wh_pg_encoder);
  if (!w->encoders) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    w->is_text |= wh_pg_write_form(b->columns[i].native) == WH_PG_OTHER;
  for (size_t i = 0; i < count && !w->is_text; i++)
    WH_TRY(wh_pg_encoder_init(&w->encoders[i], &b->batch->columns[i], b->columns[i].native,
                              &w->arena, err));
  return WH_OK;
}

static int64_t special_value(const sending *w, size_t i, size_t row) {
  return i < w->bulk->constant_count ? w->bulk->constants[i].value : (int64_t)row;
}

static bool add_head(wh_buf *out, uint16_t fields) {
  char head[2] = {(char)(fields >> 8), (char)fields};
  return wh_buf_add(out, head, sizeof head);
}

static wh_status add_binary_row(sending *w, size_t row, wh_error *err) {
  static const char null[4] = "\xff\xff\xff\xff";
  const wh_sql_bulk *b = w->bulk;
  size_t count = b->batch->schema->count;
  add_head(&w->out, (uint16_t)(count + w->special_count));
  for (size_t i = 0; i < w->special_count; i++) {
    uint32_t type = w->session->bulk_types[i];
    if (!wh_pg_encode_integer(type, special_value(w, i, row), &w->out) && !w->out.failed)
      return wh_fail(err, WH_ERR_REFUSED, "%.*s: the column %.*s of %.*s is no bigint",
                     WH_STR_ARG(w->session->base.connection->name), WH_STR_ARG(w->specials[i]),
                     WH_STR_ARG(b->table));
  }
  for (size_t i = 0; i < count; i++) {
    const wh_pg_encoder *e = &w->encoders[i];
    bool whole = wh_column_is_null(e->column, row) ? wh_buf_add(&w->out, null, sizeof null)
                                                   : e->encode(e, row, &w->out);
    if (!whole) break;
  }
  return wh_buf_check(&w->out, err);
}

static wh_status add_text_row(sending *w, size_t row, wh_error *err) {
  const wh_sql_bulk *b = w->bulk;
  for (size_t i = 0; i < w->special_count; i++) {
    if (i) wh_buf_add_char(&w->out, '\t');
    wh_buf_add_i64(&w->out, special_value(w, i, row));
  }
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    if (i || w->special_count) wh_buf_add_char(&w->out, '\t');
    if (!wh_pg_encode_text(&b->batch->columns[i], b->columns[i].native, row, &w->scratch, &w->out))
      break;
  }
  wh_buf_add_char(&w->out, '\n');
  WH_TRY(wh_buf_check(&w->scratch, err));
  return wh_buf_check(&w->out, err);
}

static wh_status put(sending *w, wh_error *err) {
  wh_pg_session *s = w->session;
  if (w->out.len == 0) return WH_OK;
  for (;;) {
    int sent = PQputCopyData(s->conn, w->out.data, (int)w->out.len);
    if (sent < 0) return wh_pg_fail_lost(s, DOING, err);
    if (sent > 0) break;
    WH_TRY(wh_pg_flush(s, DOING, err));
  }
  wh_buf_clear(&w->out);
  return wh_pg_flush(s, DOING, err); // libpq would keep it all
}

static wh_status send_rows(sending *w, wh_error *err) {
  // Signature, flags, no extension.
  static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
  const wh_sql_bulk *b = w->bulk;
  if (!w->is_text) wh_buf_add(&w->out, header, sizeof header);
  for (size_t i = 0; i < b->row_count; i++) {
    if (w->is_text)
      WH_TRY(add_text_row(w, b->rows[i], err));
    else
      WH_TRY(add_binary_row(w, b->rows[i], err));
    if (w->out.len >= WH_PG_COPY_BYTES) WH_TRY(put(w, err));
  }
  if (!w->is_text) add_head(&w->out, UINT16_MAX);
  WH_TRY(wh_buf_check(&w->out, err));
  return put(w, err);
}

// Ends the copy, with `why` it fails at the server too, so that the session can be used again.
static wh_status end_copy(wh_pg_session *s, const char *why, wh_error *err) {
  int ended;
  while ((ended = PQputCopyEnd(s->conn, why)) == 0)
    WH_TRY(wh_pg_flush(s, DOING, err));
  if (ended < 0) return wh_pg_fail_lost(s, DOING, err);
  return wh_pg_finish(s, DOING, err);
}

static wh_status run_copy(sending *w, wh_error *err) {
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, w->out.mem, WH_PG_SQL_MAX);
  name_specials(w);
  WH_TRY(make_encoders(w, err));
  WH_TRY(find_types(w, err));
  WH_TRY(build_copy(w, &sql, err));
  WH_TRY(wh_pg_start_copy(w->session, wh_buf_str(&sql), PGRES_COPY_IN, DOING, err));
  wh_status status = send_rows(w, err);
  if (status == WH_OK) return end_copy(w->session, NULL, err);
  if (PQstatus(w->session->conn) == CONNECTION_OK && status != WH_ERR_CANCELLED)
    WH_IGNORE(end_copy(w->session, "given up", NULL));
  return status;
}

wh_status wh_pg_bulk(wh_sql_session *s, const wh_sql_bulk *bulk, wh_error *err) {
  sending w = {.session = (wh_pg_session *)s, .bulk = bulk};
  wh_mem *mem = s->connection->mem;
  if (bulk->row_count == 0) return WH_OK;
  wh_arena_init(&w.arena, mem);
  wh_buf_init(&w.out, mem, 0);
  wh_buf_init(&w.scratch, mem, 0);
  wh_status status = run_copy(&w, err);
  wh_buf_free(&w.scratch);
  wh_buf_free(&w.out);
  wh_arena_free(&w.arena);
  return status;
}
