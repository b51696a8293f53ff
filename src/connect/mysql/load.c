// LOAD DATA LOCAL INFILE, whose file is in memory: rows are encoded as the library asks for them.
#include "connect/mysql/bulk.h"

#include "data/put.h"

enum { NO_FILE = 2000 }; // the library's "unknown error"

typedef struct wh_mysql_load {
  const wh_mysql_session *session;
  const wh_sql_bulk *bulk;
  wh_buf text;
  size_t sent; // bytes of the text
  size_t next; // of bulk->rows
  bool asked;  // the server has asked for the file
  wh_status status;
  wh_error err;
} wh_mysql_load_state;

typedef wh_mysql_load_state load_state;

// --- Encoding ------------------------------------------------------------------------------------

static wh_status add_fixed(load_state *l, size_t row, wh_error *err) {
  const wh_sql_bulk *b = l->bulk;
  for (size_t i = 0; i < b->constant_count; i++) {
    wh_buf_add_i64(&l->text, b->constants[i].value);
    wh_buf_add_char(&l->text, '\t');
  }
  if (b->number.len) {
    wh_buf_add_u64(&l->text, row);
    wh_buf_add_char(&l->text, '\t');
  }
  return wh_buf_check(&l->text, err);
}

static wh_status add_row(load_state *l, size_t row, wh_error *err) {
  const wh_sql_bulk *b = l->bulk;
  size_t count = b->batch->schema->count;
  WH_TRY(add_fixed(l, row, err));
  for (size_t i = 0; i < count; i++) {
    const wh_column *values = &b->batch->columns[i];
    if (i) wh_buf_add_char(&l->text, '\t');
    if (wh_column_is_null(values, row))
      wh_buf_add(&l->text, "\\N", 2);
    else
      WH_TRY(wh_mysql_encode(values, row, &b->columns[i], WH_MYSQL_FORM_LOAD, &l->text, err));
  }
  wh_buf_add_char(&l->text, '\n');
  return wh_buf_check(&l->text, err);
}

static wh_status fill(load_state *l) {
  wh_buf_clear(&l->text);
  l->sent = 0;
  while (l->next < l->bulk->row_count && l->text.len < WH_MYSQL_LOAD_BYTES)
    WH_TRY(add_row(l, l->bulk->rows[l->next++], &l->err));
  return WH_OK;
}

// --- The library's side --------------------------------------------------------------------------

static int load_open(void **ret, const char *name, void *context) {
  wh_mysql_session *s = context;
  (void)name;
  load_state *l = s->loading;
  *ret = l;
  if (!l || l->asked) return 1; // the server asks for a file on its own account
  l->asked = true;
  return 0;
}

static int load_read(void *context, char *out, unsigned cap) {
  load_state *l = context;
  wh_mysql_will_wait(l->session);
  if (l->sent == l->text.len) l->status = fill(l);
  if (l->status != WH_OK) return -1;
  size_t left = l->text.len - l->sent, len = left < cap ? left : cap;
  if (len) memcpy(out, l->text.data + l->sent, len);
  l->sent += len;
  return (int)len;
}

static void load_close(void *context) {
  (void)context;
}

static int load_error(void *context, char *text, unsigned cap) {
  (void)context;
  snprintf(text, cap, "no file is given to the server");
  return NO_FILE;
}

void wh_mysql_set_load_handler(wh_mysql_session *s) {
  mysql_set_local_infile_handler(s->handle, load_open, load_read, load_close, load_error, s);
}

// --- The statement -------------------------------------------------------------------------------

// (`a`, @v1, ...) SET `b` = UNHEX(@v1), ...
static void add_columns(wh_buf *sql, const wh_sql_bulk *b) {
  WH_CLEAN_BUF wh_buf set;
  wh_buf_init(&set, sql->mem, WH_SQL_TEXT_MAX);
  wh_buf_add_c(sql, " (");
  for (size_t i = 0; i < b->constant_count; i++) {
    wh_mysql_add_name(sql, b->constants[i].name);
    wh_buf_add_c(sql, ", ");
  }
  if (b->number.len) {
    wh_mysql_add_name(sql, b->number);
    wh_buf_add_c(sql, ", ");
  }
  for (size_t i = 0; i < b->batch->schema->count; i++) {
    char variable[40];
    bool needed;
    size_t before = set.len;
    snprintf(variable, sizeof variable, "@wherry_%zu", i);
    wh_buf_add_c(&set, before ? ", " : " SET ");
    wh_mysql_add_name(&set, b->names[i]);
    wh_buf_add_c(&set, " = ");
    wh_mysql_add_converted(&b->batch->columns[i].type, &b->columns[i], WH_MYSQL_FORM_LOAD,
                           wh_str_of(variable), &set, &needed);
    if (i) wh_buf_add_c(sql, ", ");
    if (needed) {
      wh_buf_add_c(sql, variable);
      continue;
    }
    set.len = before;
    wh_mysql_add_name(sql, b->names[i]);
  }
  wh_buf_add_char(sql, ')');
  wh_buf_add_str(sql, wh_buf_str(&set));
  if (set.failed) sql->failed = true;
}

static wh_status run_load(wh_mysql_session *s, load_state *l, const wh_buf *sql, wh_error *err) {
  uint64_t rows;
  wh_error inner = {0};
  s->loading = l;
  wh_status status = wh_mysql_run(s, wh_buf_str(sql), "loading rows", &rows, &inner);
  s->loading = NULL;
  if (l->status != WH_OK) {
    // The server has seen an early end, and its answer is still to come: nobody reads it.
    wh_mysql_cut(s);
    return wh_fail(err, l->status, "%s", l->err.text);
  }
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  if (mysql_warning_count(s->handle)) return wh_mysql_fail_warning(s, err);
  if (rows == l->bulk->row_count) return WH_OK;
  return wh_fail(err, WH_ERR_TYPE, "the server took %llu of %zu rows", (unsigned long long)rows,
                 l->bulk->row_count);
}

wh_status wh_mysql_load(wh_mysql_session *s, const wh_sql_bulk *b, wh_error *err) {
  load_state l = {.session = s, .bulk = b};
  WH_CLEAN_BUF wh_buf sql;
  wh_buf_init(&sql, s->base.connection->mem, WH_SQL_TEXT_MAX);
  wh_buf_init(&l.text, s->base.connection->mem, 0);
  wh_buf_add_c(&sql, "LOAD DATA LOCAL INFILE 'rows' INTO TABLE ");
  wh_buf_add_str(&sql, b->table);
  wh_buf_add_c(&sql, " CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' "
                     "LINES TERMINATED BY '\\n'");
  add_columns(&sql, b);
  wh_status status = wh_buf_check(&sql, err);
  if (status == WH_OK) status = run_load(s, &l, &sql, err);
  wh_buf_free(&l.text);
  return status;
}
