// A rejected row as JSON, for quarantine.
#include "connect/postgres/decode.h"

// Bytes that the row may still take.
static size_t raw_left(const wh_buf *out) {
  return out->len < WH_PG_RAW_MAX ? WH_PG_RAW_MAX - out->len : 0;
}

static void add_text(wh_buf *out, const char *data, size_t len) {
  wh_str text = wh_str_n(data, len);
  wh_buf_add_json(out, wh_str_sub(text, 0, wh_utf8_cut(text, raw_left(out))));
}

static void add_hex(wh_buf *out, const char *data, size_t len) {
  size_t left = raw_left(out) / 2;
  wh_buf_add_c(out, "\"x'");
  wh_buf_add_hex(out, data, len < left ? len : left);
  wh_buf_add_c(out, "'\"");
}

// What does not fit its column, as far as it can be written at all.
static void add_misfit(wh_buf *out, const wh_pg_decoder *d, const wh_pg_value *v) {
  char text[WH_PG_NUMERIC_TEXT] = "";
  if (d->form == WH_PG_NUMERIC)
    wh_pg_numeric_text(v->data, v->len, text);
  else if (d->form == WH_PG_DATE && v->len == 4)
    snprintf(text, sizeof text, "%s",
             (int32_t)wh_pg_u32(v->data) == INT32_MAX   ? "infinity"
             : (int32_t)wh_pg_u32(v->data) == INT32_MIN ? "-infinity"
                                                        : "");
  else if (d->form == WH_PG_TIMESTAMP && v->len == 8)
    snprintf(text, sizeof text, "%s",
             (int64_t)wh_pg_u64(v->data) == INT64_MAX   ? "infinity"
             : (int64_t)wh_pg_u64(v->data) == INT64_MIN ? "-infinity"
                                                        : "");
  if (*text)
    add_text(out, text, strlen(text));
  else
    add_hex(out, v->data, v->len);
}

static wh_status add_value(wh_buf *out, const wh_pg_decoder *d, const wh_pg_value *v, wh_mem *mem,
                           wh_error *err) {
  if (!v->data) {
    wh_buf_add_c(out, "null");
    return WH_OK;
  }
  if (d->form == WH_PG_BYTES || (d->form == WH_PG_ARRAY && v->len > raw_left(out))) {
    add_hex(out, v->data, v->len);
    return WH_OK;
  }
  if (d->type.kind == WH_STRING && d->form != WH_PG_UUID) {
    bool has_version = d->form == WH_PG_JSONB && v->len;
    add_text(out, v->data + has_version, v->len - has_version);
    return WH_OK;
  }
  wh_column column;
  wh_column_init(&column, mem, &d->type);
  wh_misfit unused;
  wh_status status = d->decode(d, v->data, v->len, &column, &unused, err);
  if (status == WH_OK)
    wh_column_write_json(&column, 0, out);
  else if (status == WH_ERR_TYPE)
    add_misfit(out, d, v);
  wh_column_free(&column);
  return status == WH_ERR_TYPE ? WH_OK : status;
}

wh_status wh_pg_row_json(const wh_pg_decoder *decoders, const wh_pg_value *values, size_t count,
                         wh_mem *mem, wh_buf *out, wh_error *err) {
  wh_buf_clear(out);
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < count && raw_left(out); i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, decoders[i].name);
    wh_buf_add_char(out, ':');
    WH_TRY(add_value(out, &decoders[i], &values[i], mem, err));
  }
  wh_buf_add_char(out, '}');
  return wh_buf_check(out, err);
}
