// Values in the binary protocol -> columns of a batch, without a detour through text.
#pragma once

#include "connect/postgres/types.h"
#include "data/batch.h"

typedef struct wh_pg_decoder wh_pg_decoder;
// WH_ERR_TYPE: the value does not fit, and *misfit says why; `err` is then not filled. A list may
// leave items behind, which undoing the row takes away.
typedef wh_status (*wh_pg_decode_fn)(const wh_pg_decoder *d, const char *data, size_t len,
                                     wh_column *column, wh_misfit *misfit, wh_error *err);

// One for each column that is read, and for the items of lists. Immutable once made.
struct wh_pg_decoder {
  wh_str name;
  wh_type type;
  bool nullable;
  wh_pg_form form;
  wh_pg_decode_fn decode;
  const wh_pg_decoder *item; // of a list; in the arena
};

// `field` is what the caller wants, `reading` what the server has. WH_ERR_CHANGED when they do not
// go together.
wh_status wh_pg_decoder_init(wh_pg_decoder *d, const wh_field *field, const wh_pg_reading *reading,
                             wh_arena *arena, wh_error *err);

// numeric, see decode_numeric.c.
wh_status wh_pg_decode_numeric(const wh_pg_decoder *d, const char *data, size_t len,
                               wh_column *column, wh_misfit *misfit, wh_error *err);
// What it says, with all its decimal places; NaN, Infinity. At most so many bytes with the NUL.
enum { WH_PG_NUMERIC_TEXT = 80 };
void wh_pg_numeric_text(const char *data, size_t len, char out[WH_PG_NUMERIC_TEXT]);

// One row as COPY or a result gives it: each value's place, or NULL.
typedef struct wh_pg_value {
  const char *data; // NULL: NULL
  size_t len;
} wh_pg_value;

// {"name":value,...} for quarantine; what passes WH_PG_RAW_MAX bytes is cut.
wh_status wh_pg_row_json(const wh_pg_decoder *decoders, const wh_pg_value *values, size_t count,
                         wh_mem *mem, wh_buf *out, wh_error *err);

static inline uint16_t wh_pg_u16(const char *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
static inline uint32_t wh_pg_u32(const char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
static inline uint64_t wh_pg_u64(const char *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
