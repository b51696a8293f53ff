#include "codec/parquet/thrift.h"

enum {
  WIRE_STOP = 0,
  WIRE_TRUE = 1,
  WIRE_FALSE = 2,
  WIRE_I8 = 3,
  WIRE_I16 = 4,
  WIRE_I32 = 5,
  WIRE_I64 = 6,
  WIRE_BINARY = 8,
  WIRE_LIST = 9,
  WIRE_STRUCT = 12,
};

static void write_varint(wh_buf *out, uint64_t value) {
  char bytes[10];
  size_t n = 0;
  for (; value >= 0x80; value >>= 7)
    bytes[n++] = (char)(0x80 | (value & 0x7F));
  bytes[n++] = (char)value;
  wh_buf_add(out, bytes, n);
}

static void write_zigzag(wh_buf *out, int64_t value) {
  write_varint(out, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void write_text(wh_buf *out, wh_str text) {
  write_varint(out, text.len);
  wh_buf_add_str(out, text);
}

static void write_list_head(wh_buf *out, uint8_t type, size_t count) {
  wh_buf_add_char(out, (char)((count < 15 ? count << 4 : 0xF0) | type));
  if (count >= 15) write_varint(out, count);
}

static uint8_t wire_type(pq_slot slot, const void *at) {
  switch (slot) {
  case PQ_SLOT_BOOL:
    return *(const bool *)at ? WIRE_TRUE : WIRE_FALSE;
  case PQ_SLOT_I8:
    return WIRE_I8;
  case PQ_SLOT_I16:
    return WIRE_I16;
  case PQ_SLOT_I32:
    return WIRE_I32;
  case PQ_SLOT_I64:
    return WIRE_I64;
  case PQ_SLOT_TEXT:
    return WIRE_BINARY;
  case PQ_SLOT_STRUCT:
    return WIRE_STRUCT;
  default:
    return WIRE_LIST;
  }
}

static void write_list(wh_buf *out, const pq_field_rule *f, const void *at) {
  const pq_structs *list = at;
  switch (f->slot) {
  case PQ_SLOT_BOOLS:
    write_list_head(out, WIRE_TRUE, list->count);
    for (size_t i = 0; i < list->count; i++)
      wh_buf_add_char(out, ((const pq_bools *)at)->items[i] ? WIRE_TRUE : WIRE_FALSE);
    break;
  case PQ_SLOT_I32S:
    write_list_head(out, WIRE_I32, list->count);
    for (size_t i = 0; i < list->count; i++)
      write_zigzag(out, ((const pq_i32s *)at)->items[i]);
    break;
  case PQ_SLOT_I64S:
    write_list_head(out, WIRE_I64, list->count);
    for (size_t i = 0; i < list->count; i++)
      write_zigzag(out, ((const pq_i64s *)at)->items[i]);
    break;
  case PQ_SLOT_TEXTS:
    write_list_head(out, WIRE_BINARY, list->count);
    for (size_t i = 0; i < list->count; i++)
      write_text(out, ((const pq_texts *)at)->items[i]);
    break;
  case PQ_SLOT_RAW:
    write_list_head(out, WIRE_STRUCT, ((const pq_raw *)at)->count);
    wh_buf_add_str(out, ((const pq_raw *)at)->bytes);
    break;
  default:
    write_list_head(out, WIRE_STRUCT, list->count);
    for (size_t i = 0; i < list->count; i++)
      pq_thrift_write(out, f->inner, (const char *)list->items + i * f->inner->size);
  }
}

static void write_slot(wh_buf *out, const pq_field_rule *f, const void *at) {
  switch (f->slot) {
  case PQ_SLOT_BOOL: // the type said it
    break;
  case PQ_SLOT_I8:
    wh_buf_add_char(out, (char)*(const int8_t *)at);
    break;
  case PQ_SLOT_I16:
    write_zigzag(out, *(const int16_t *)at);
    break;
  case PQ_SLOT_I32:
    write_zigzag(out, *(const int32_t *)at);
    break;
  case PQ_SLOT_I64:
    write_zigzag(out, *(const int64_t *)at);
    break;
  case PQ_SLOT_TEXT:
    write_text(out, *(const wh_str *)at);
    break;
  case PQ_SLOT_STRUCT:
    pq_thrift_write(out, f->inner, at);
    break;
  default:
    write_list(out, f, at);
  }
}

void pq_thrift_write(wh_buf *out, const pq_rule *rule, const void *from) {
  uint32_t has;
  int16_t last = 0;
  memcpy(&has, from, sizeof has);
  for (const pq_field_rule *f = rule->fields; f->id; f++) {
    if (!(has >> f->id & 1)) continue;
    const void *at = (const char *)from + f->offset;
    uint8_t type = wire_type(f->slot, at);
    if (f->id - last <= 15) {
      wh_buf_add_char(out, (char)((f->id - last) << 4 | type));
    } else {
      wh_buf_add_char(out, (char)type);
      write_zigzag(out, f->id);
    }
    last = f->id;
    write_slot(out, f, at);
  }
  wh_buf_add_char(out, WIRE_STOP);
}
