#include "codec/parquet/thrift.h"

// Types on the wire.
enum {
  WIRE_STOP,
  WIRE_TRUE,
  WIRE_FALSE,
  WIRE_I8,
  WIRE_I16,
  WIRE_I32,
  WIRE_I64,
  WIRE_DOUBLE,
  WIRE_BINARY,
  WIRE_LIST,
  WIRE_SET,
  WIRE_MAP,
  WIRE_STRUCT,
  WIRE_UUID,
};

enum { LIST_FIRST = 16, VARINT_BYTES_MAX = 10 };

typedef struct reading {
  pq_cursor *c;
  wh_arena *arena;
  wh_error *err;
  int depth;
  bool short_of; // bytes: what was asked for lies behind the end
} reading;

__attribute__((format(printf, 2, 3))) static wh_status damaged(reading *r, const char *fmt, ...) {
  char why[256];
  va_list args;
  va_start(args, fmt);
  vsnprintf(why, sizeof why, fmt, args);
  va_end(args);
  uint64_t byte = r->c->base + (uint64_t)(r->c->at - r->c->start);
  return wh_fail_at(r->err, WH_ERR_DATA, (wh_place){.byte = byte}, "%s is damaged at byte %llu: %s",
                    r->c->what, (unsigned long long)byte, why);
}

static wh_status too_short(reading *r, const char *what) {
  r->short_of = true;
  return damaged(r, "%s goes past its end", what);
}

static wh_status read_byte(reading *r, uint8_t *ret) {
  if (r->c->at >= r->c->end) return too_short(r, "a field");
  *ret = *r->c->at++;
  return WH_OK;
}

static wh_status read_varint(reading *r, uint64_t *ret) {
  uint64_t value = 0;
  for (int i = 0; i < VARINT_BYTES_MAX; i++) {
    uint8_t byte;
    WH_TRY(read_byte(r, &byte));
    value |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (!(byte & 0x80)) {
      *ret = value;
      return WH_OK;
    }
  }
  return damaged(r, "a number has more than %d bytes", VARINT_BYTES_MAX);
}

static wh_status read_zigzag(reading *r, int64_t *ret) {
  uint64_t value;
  WH_TRY(read_varint(r, &value));
  *ret = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
  return WH_OK;
}

// So many bytes that stand here.
static wh_status take(reading *r, uint64_t len, const uint8_t **ret, const char *what) {
  if (len > (uint64_t)(r->c->end - r->c->at)) return too_short(r, what);
  *ret = r->c->at;
  r->c->at += len;
  return WH_OK;
}

static wh_status read_text(reading *r, wh_str *ret) {
  uint64_t len;
  const uint8_t *data;
  WH_TRY(read_varint(r, &len));
  WH_TRY(take(r, len, &data, "a text"));
  *ret = wh_str_n((const char *)data, (size_t)len);
  return WH_OK;
}

// Every item takes a byte at least, so a count beyond the bytes left is a lie.
static wh_status check_count(reading *r, uint64_t count) {
  return count <= (uint64_t)(r->c->end - r->c->at) ? WH_OK : too_short(r, "a list");
}

static wh_status read_list_head(reading *r, uint8_t *ret_type, uint64_t *ret_count) {
  uint8_t head;
  WH_TRY(read_byte(r, &head));
  uint64_t count = head >> 4;
  if (count == 15) WH_TRY(read_varint(r, &count));
  WH_TRY(check_count(r, count));
  *ret_type = head & 15;
  *ret_count = count;
  return WH_OK;
}

// The head of the next field of a struct whose last field was *id.
static wh_status read_field_head(reading *r, int64_t *id, uint8_t *ret_type) {
  uint8_t head;
  WH_TRY(read_byte(r, &head));
  *ret_type = head & 15;
  if (*ret_type == WIRE_STOP) return WH_OK;
  if (head >> 4)
    *id += head >> 4;
  else
    WH_TRY(read_zigzag(r, id));
  if (*id < INT16_MIN || *id > INT16_MAX)
    return damaged(r, "a field has the number %lld", (long long)*id);
  return WH_OK;
}

static wh_status deeper(reading *r) {
  if (++r->depth <= PQ_THRIFT_DEPTH_MAX) return WH_OK;
  return damaged(r, "it nests deeper than %d levels", PQ_THRIFT_DEPTH_MAX);
}

static wh_status skip(reading *r, uint8_t type, bool in_list);

static wh_status skip_struct(reading *r) {
  WH_TRY(deeper(r));
  int64_t id = 0;
  for (uint8_t type;;) {
    WH_TRY(read_field_head(r, &id, &type));
    if (type == WIRE_STOP) break;
    WH_TRY(skip(r, type, false));
  }
  r->depth--;
  return WH_OK;
}

static wh_status skip_list(reading *r) {
  uint8_t type;
  uint64_t count;
  WH_TRY(deeper(r));
  WH_TRY(read_list_head(r, &type, &count));
  for (uint64_t i = 0; i < count; i++)
    WH_TRY(skip(r, type, true));
  r->depth--;
  return WH_OK;
}

static wh_status skip_map(reading *r) {
  uint64_t count;
  uint8_t types;
  WH_TRY(read_varint(r, &count));
  if (count == 0) return WH_OK;
  WH_TRY(deeper(r));
  WH_TRY(read_byte(r, &types));
  WH_TRY(check_count(r, count));
  for (uint64_t i = 0; i < count; i++) {
    WH_TRY(skip(r, types >> 4, true));
    WH_TRY(skip(r, types & 15, true));
  }
  r->depth--;
  return WH_OK;
}

static wh_status skip(reading *r, uint8_t type, bool in_list) {
  const uint8_t *ignored;
  uint64_t number;
  wh_str text;
  switch (type) {
  case WIRE_TRUE:
  case WIRE_FALSE:
    return in_list ? take(r, 1, &ignored, "a list") : WH_OK;
  case WIRE_I8:
    return take(r, 1, &ignored, "a number");
  case WIRE_I16:
  case WIRE_I32:
  case WIRE_I64:
    return read_varint(r, &number);
  case WIRE_DOUBLE:
    return take(r, 8, &ignored, "a number");
  case WIRE_UUID:
    return take(r, 16, &ignored, "a UUID");
  case WIRE_BINARY:
    return read_text(r, &text);
  case WIRE_LIST:
  case WIRE_SET:
    return skip_list(r);
  case WIRE_MAP:
    return skip_map(r);
  case WIRE_STRUCT:
    return skip_struct(r);
  default:
    return damaged(r, "a field has the type %d", type);
  }
}

static wh_status wrong_type(reading *r, const pq_field_rule *field, uint8_t type) {
  return damaged(r, "'%s' has the type %d", field->name, type);
}

static bool is_integer(uint8_t type) {
  return type == WIRE_I16 || type == WIRE_I32 || type == WIRE_I64;
}

static wh_status read_integer(reading *r, const pq_field_rule *field, uint8_t type, int64_t least,
                              int64_t most, int64_t *ret) {
  int64_t value;
  if (type == WIRE_I8) {
    uint8_t byte;
    WH_TRY(read_byte(r, &byte));
    value = (int8_t)byte;
  } else if (is_integer(type)) {
    WH_TRY(read_zigzag(r, &value));
  } else {
    return wrong_type(r, field, type);
  }
  if (value < least || value > most)
    return damaged(r, "'%s' is %lld", field->name, (long long)value);
  *ret = value;
  return WH_OK;
}

static wh_status read_struct(reading *r, const pq_rule *rule, void *ret);

// One value into `at`, which has the size of the slot. In a list: of an item.
static wh_status read_value(reading *r, const pq_field_rule *field, pq_slot slot, uint8_t type,
                            bool in_list, void *at) {
  int64_t number;
  switch (slot) {
  case PQ_SLOT_BOOL:
    if (type != WIRE_TRUE && type != WIRE_FALSE) return wrong_type(r, field, type);
    if (in_list) WH_TRY(read_byte(r, &type));
    *(bool *)at = type == WIRE_TRUE;
    return WH_OK;
  case PQ_SLOT_I8:
    WH_TRY(read_integer(r, field, type, INT8_MIN, INT8_MAX, &number));
    *(int8_t *)at = (int8_t)number;
    return WH_OK;
  case PQ_SLOT_I16:
    WH_TRY(read_integer(r, field, type, INT16_MIN, INT16_MAX, &number));
    *(int16_t *)at = (int16_t)number;
    return WH_OK;
  case PQ_SLOT_I32:
    WH_TRY(read_integer(r, field, type, INT32_MIN, INT32_MAX, &number));
    *(int32_t *)at = (int32_t)number;
    return WH_OK;
  case PQ_SLOT_I64:
    return read_integer(r, field, type, INT64_MIN, INT64_MAX, at);
  case PQ_SLOT_TEXT:
    return type == WIRE_BINARY ? read_text(r, at) : wrong_type(r, field, type);
  default:
    return type == WIRE_STRUCT ? read_struct(r, field->inner, at) : wrong_type(r, field, type);
  }
}

static pq_slot item_slot(pq_slot list) {
  switch (list) {
  case PQ_SLOT_BOOLS:
    return PQ_SLOT_BOOL;
  case PQ_SLOT_I32S:
    return PQ_SLOT_I32;
  case PQ_SLOT_I64S:
    return PQ_SLOT_I64;
  case PQ_SLOT_TEXTS:
    return PQ_SLOT_TEXT;
  default:
    return PQ_SLOT_STRUCT;
  }
}

static size_t item_size(const pq_field_rule *field) {
  switch (field->slot) {
  case PQ_SLOT_BOOLS:
    return sizeof(bool);
  case PQ_SLOT_I32S:
    return sizeof(int32_t);
  case PQ_SLOT_I64S:
    return sizeof(int64_t);
  case PQ_SLOT_TEXTS:
    return sizeof(wh_str);
  default:
    return field->inner->size;
  }
}

// The array grows as items come, so that memory follows what is there, not what is claimed.
static wh_status read_list(reading *r, const pq_field_rule *field, pq_structs *ret) {
  uint8_t type;
  uint64_t count;
  size_t size = item_size(field), cap = 0;
  char *items = NULL;
  WH_TRY(deeper(r));
  WH_TRY(read_list_head(r, &type, &count));
  for (size_t i = 0; i < count; i++) {
    if (i == cap) {
      size_t wanted = cap ? cap * 2 : LIST_FIRST;
      if (wanted > count) wanted = (size_t)count;
      char *larger = wh_arena_array(r->arena, wanted, size);
      if (!larger) return wh_fail_memory(r->err);
      if (cap) memcpy(larger, items, cap * size);
      items = larger;
      cap = wanted;
    }
    WH_TRY(read_value(r, field, item_slot(field->slot), type, true, items + i * size));
  }
  *ret = (pq_structs){items, (size_t)count};
  r->depth--;
  return WH_OK;
}

static wh_status read_raw(reading *r, const pq_field_rule *field, pq_raw *ret) {
  uint8_t type;
  uint64_t count;
  WH_TRY(deeper(r));
  WH_TRY(read_list_head(r, &type, &count));
  if (count && type != WIRE_STRUCT) return wrong_type(r, field, type);
  const uint8_t *start = r->c->at;
  for (uint64_t i = 0; i < count; i++)
    WH_TRY(skip_struct(r));
  *ret = (pq_raw){wh_str_n((const char *)start, (size_t)(r->c->at - start)), (size_t)count};
  r->depth--;
  return WH_OK;
}

static wh_status read_slot(reading *r, const pq_field_rule *field, uint8_t type, void *at) {
  // All lists are a pointer and a count.
  static_assert(sizeof(pq_structs) == sizeof(pq_bools) && sizeof(pq_structs) == sizeof(pq_i32s) &&
                sizeof(pq_structs) == sizeof(pq_i64s) && sizeof(pq_structs) == sizeof(pq_texts));
  if (field->slot < PQ_SLOT_BOOLS) return read_value(r, field, field->slot, type, false, at);
  if (type != WIRE_LIST && type != WIRE_SET) return wrong_type(r, field, type);
  return field->slot == PQ_SLOT_RAW ? read_raw(r, field, at) : read_list(r, field, at);
}

static bool goes_with(pq_slot slot, uint8_t type) {
  switch (slot) {
  case PQ_SLOT_BOOL:
    return type == WIRE_TRUE || type == WIRE_FALSE;
  case PQ_SLOT_I8:
  case PQ_SLOT_I16:
  case PQ_SLOT_I32:
  case PQ_SLOT_I64:
    return type == WIRE_I8 || is_integer(type);
  case PQ_SLOT_TEXT:
    return type == WIRE_BINARY;
  case PQ_SLOT_STRUCT:
    return type == WIRE_STRUCT;
  default:
    return type == WIRE_LIST || type == WIRE_SET;
  }
}

static wh_status check_required(reading *r, const pq_rule *rule, uint32_t has) {
  for (const pq_field_rule *f = rule->fields; f->id; f++) {
    if (f->required && !(has >> f->id & 1))
      return damaged(r, "the %s has no '%s'", rule->name, f->name);
  }
  return WH_OK;
}

static wh_status read_struct(reading *r, const pq_rule *rule, void *ret) {
  uint32_t has = 0;
  int64_t id = 0;
  memset(ret, 0, rule->size);
  WH_TRY(deeper(r));
  for (uint8_t type;;) {
    WH_TRY(read_field_head(r, &id, &type));
    if (type == WIRE_STOP) break;
    const pq_field_rule *f = rule->fields;
    while (f->id && f->id != id)
      f++;
    if (!f->id) {
      WH_TRY(skip(r, type, false));
      continue;
    }
    // A number may have meant something else to an older writer.
    if (!f->required && !goes_with(f->slot, type)) {
      WH_TRY(skip(r, type, false));
      continue;
    }
    if (has >> id & 1) return damaged(r, "'%s' stands twice", f->name);
    has |= UINT32_C(1) << id;
    WH_TRY(read_slot(r, f, type, (char *)ret + f->offset));
  }
  WH_TRY(check_required(r, rule, has));
  memcpy(ret, &has, sizeof has);
  r->depth--;
  return WH_OK;
}

wh_status pq_thrift_read(pq_cursor *cursor, const pq_rule *rule, wh_arena *arena, void *ret,
                         wh_error *err) {
  reading r = {.c = cursor, .arena = arena, .err = err};
  return read_struct(&r, rule, ret);
}

wh_status pq_thrift_read_part(pq_cursor *cursor, const pq_rule *rule, wh_arena *arena, void *ret,
                              bool *ret_short, wh_error *err) {
  reading r = {.c = cursor, .arena = arena, .err = err};
  wh_status status = read_struct(&r, rule, ret);
  *ret_short = r.short_of;
  return r.short_of ? WH_OK : status;
}
