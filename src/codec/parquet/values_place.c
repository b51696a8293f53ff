#include "codec/parquet/values.h"

static wh_status need_validity(wh_column *c, wh_error *err) {
  if (c->validity) return WH_OK;
  c->validity = wh_mem_alloc(c->mem, c->rows_cap / 8);
  if (!c->validity) return wh_fail_memory(err);
  memset(c->validity, 0xFF, c->rows_cap / 8);
  return WH_OK;
}

// From the back: a value never moves to the left, so none is overwritten before it was moved.
// `left` is how many are still where they were.
#define SPREAD(type, at)                                                                           \
  do {                                                                                             \
    type *items = (type *)(void *)(at);                                                            \
    for (size_t i = slots, left = dense; i-- > 0;) {                                               \
      size_t is = wh_bit_get(bits, i);                                                             \
      left -= is;                                                                                  \
      type value = items[left];                                                                    \
      items[i] = is ? value : 0;                                                                   \
    }                                                                                              \
  } while (0)

static void spread_offsets(int32_t *offsets, size_t slots, size_t dense, const uint8_t *bits) {
  for (size_t i = slots, left = dense; i > 0; i--) {
    offsets[i] = offsets[left];
    left -= wh_bit_get(bits, i - 1);
  }
}

static void spread_bits(wh_column *c, size_t slots, size_t dense, const uint8_t *bits) {
  for (size_t i = slots, left = dense; i-- > 0;) {
    bool is = wh_bit_get(bits, i);
    left -= is;
    bool value = is && wh_bit_get(c->values, c->length + left);
    pq_fill_bits(c->values, c->length + i, 1, value);
  }
}

static void spread(wh_column *c, size_t slots, size_t dense, const uint8_t *bits) {
  uint8_t *at = c->values ? c->values + c->length * c->width : NULL;
  if (c->type.kind == WH_BOOL) {
    spread_bits(c, slots, dense, bits);
    return;
  }
  if (c->offsets) {
    spread_offsets(c->offsets + c->length, slots, dense, bits);
    return;
  }
  switch (c->width) {
  case 1:
    SPREAD(uint8_t, at);
    break;
  case 2:
    SPREAD(uint16_t, at);
    break;
  case 4:
    SPREAD(uint32_t, at);
    break;
  case 8:
    SPREAD(uint64_t, at);
    break;
  case 16:
    SPREAD(unsigned __int128, at);
    break;
  default:
    break;
  }
}

wh_status pq_values_place(wh_column *column, size_t slots, size_t dense, const uint8_t *bits,
                          wh_error *err) {
  if (column->type.kind == WH_NULL) {
    column->length += slots;
    column->null_count += slots;
    return WH_OK;
  }
  if (dense == slots) {
    if (column->validity) pq_fill_bits(column->validity, column->length, slots, true);
    column->length += slots;
    return WH_OK;
  }
  WH_TRY(pq_values_room(column, slots, 0, err));
  WH_TRY(need_validity(column, err));
  spread(column, slots, dense, bits);
  pq_copy_bits(column->validity, column->length, bits, 0, slots);
  column->length += slots;
  column->null_count += slots - dense;
  return WH_OK;
}
