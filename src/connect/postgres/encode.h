// Columns of a batch -> rows of a COPY, in binary form where the columns allow it.
#pragma once

#include "connect/postgres/types.h"
#include "data/batch.h"

typedef struct wh_pg_encoder wh_pg_encoder;
// Appends a value, its length in front; false: out of memory.
typedef bool (*wh_pg_encode_fn)(const wh_pg_encoder *e, size_t row, wh_buf *out);

// One for each column of a bulk.
struct wh_pg_encoder {
  const wh_column *column;
  wh_pg_form form; // of the table's column
  wh_pg_encode_fn encode;
  uint32_t item_oid; // of an array
  const wh_pg_encoder *item;
};

// `native` is that of the table's column. WH_ERR_BUG for what wh_pg_clash refuses.
wh_status wh_pg_encoder_init(wh_pg_encoder *e, const wh_column *column, uint32_t native,
                             wh_arena *arena, wh_error *err);
// An integer as the type with this OID has it (int2, int4, int8, numeric); false: it has none such.
bool wh_pg_encode_integer(uint32_t oid, int64_t value, wh_buf *out);

// A value as COPY's text format has it, escaped, for a column of that `native`; false: out of
// memory.
bool wh_pg_encode_text(const wh_column *column, uint32_t native, size_t row, wh_buf *scratch,
                       wh_buf *out);

wh_status wh_pg_bulk(wh_sql_session *s, const wh_sql_bulk *bulk, wh_error *err);
