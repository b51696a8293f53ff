// What fast.c includes once for each kind of processor: the loops of json_fast_rows, with strings
// looked at 32 bytes at a time. Before it, FAST(name) says what its functions are called, FAST_LOOK
// and FAST_SAME how they look at bytes, and FAST_TARGET for which processor they are.
//
// Each takes what stands at p and returns behind it, or NULL: then it is not what was expected.

FAST_TARGET static inline __attribute__((always_inline))
const char *FAST(value)(json_decoder *d, json_slot *slot, wh_column *c, const char *p);

FAST_TARGET static inline bool FAST(is_key)(const json_slot *slot, const char *p) {
  uint32_t mask = slot->key_mask;
  if ((FAST_SAME(p, slot->key) & mask) != mask) return false;
  return slot->key_len <= JSON_KEY_BLOCK || is_long_key(slot, p);
}

// A string, copied while its end is looked for: p is behind the quote.
FAST_TARGET static inline const char *FAST(text)(json_decoder *d, wh_column *c, const char *p) {
  if (__builtin_expect(c->length >= c->rows_cap, 0) && wh_column_grow(c, 1, 0, d->err) != WH_OK)
    return NULL;
  size_t used = (size_t)c->offsets[c->length], n = 0;
  uint32_t stop, high, any_high = 0;
  for (;;) {
    if (__builtin_expect(c->bytes_cap - used < n + LOOK_BYTES, 0) &&
        wh_column_grow(c, 1, n + LOOK_BYTES, d->err) != WH_OK)
      return NULL;
    stop = FAST_LOOK(p + n, (char *)c->bytes + used + n, &high);
    if (stop) break;
    any_high |= high;
    n += LOOK_BYTES;
  }
  any_high |= high & (stop - 1) & ~stop; // below the lowest bit of `stop`
  n += (unsigned)__builtin_ctz(stop);
  if (__builtin_expect(p[n] != '"', 0)) return escaped_text(d, c, p, n);
  if (__builtin_expect(any_high != 0, 0) && !wh_utf8_valid(wh_str_n(p, n))) return NULL;
  c->offsets[c->length + 1] = (int32_t)(used + n);
  wh_column_added_(c);
  return p + n + 1;
}

FAST_TARGET static const char *FAST(list)(json_decoder *d, json_slot *slot, wh_column *c,
                                          const char *p) {
  // Its offsets must be there before items are counted.
  if (c->length >= c->rows_cap && wh_column_grow(c, 1, 0, d->err) != WH_OK) return NULL;
  json_slot *item = &slot->fields->slots[0];
  p += *p == ' ';
  if (*p == ']' && slot->needs_item) return NULL;
  if (*p == ']') return wh_column_add_list(c, d->err) == WH_OK ? p + 1 : NULL;
  for (;;) {
    p = item->column < 0 ? pass_item(d, c->children, p) : FAST(value)(d, item, c->children, p);
    if (!p) return NULL;
    if (*p == ']') break;
    if (*p != ',') return NULL;
    p++;
    p += *p == ' ';
  }
  return wh_column_add_list(c, d->err) == WH_OK ? p + 1 : NULL;
}

// The members of an object up to its closing bracket: keys in the order that is expected, of which
// some may be missing.
FAST_TARGET static const char *FAST(members)(json_decoder *d, json_plan *plan, wh_column *columns,
                                             const char *p) {
  json_slot **next = plan->order, **end = next + plan->count;
  p += *p == ' ';
  if (*p == '}') return missing(d, next, end, columns) ? p + 1 : NULL;
  for (;;) {
    json_slot **from = next;
    while (next < end && !FAST(is_key)(*next, p))
      next++;
    if (next == end) return NULL;
    if (__builtin_expect(from != next, 0) && !missing(d, from, next, columns)) return NULL;
    json_slot *slot = *next++;
    p += slot->key_len;
    p += *p == ' ';
    p = slot->column < 0 ? skip_value(p, 0) : FAST(value)(d, slot, &columns[slot->column], p);
    if (!p) return NULL;
    if (*p != ',') break;
    p++;
    p += *p == ' ';
  }
  if (*p != '}') return NULL;
  if (next != end && !missing(d, next, end, columns)) return NULL;
  return p + 1;
}

FAST_TARGET static inline __attribute__((always_inline)) const char *
FAST(value)(json_decoder *d, json_slot *slot, wh_column *c, const char *p) {
  json_number number;
  int64_t whole;
  if (__builtin_expect(*p == 'n', 0)) {
    if (json_load4(p) != NULL_WORD || !slot->nullable) return NULL;
    return wh_column_add_null(c, d->err) == WH_OK ? p + 4 : NULL;
  }
  switch (slot->type.kind) {
  case WH_STRING:
    return *p == '"' ? FAST(text)(d, c, p + 1) : NULL;
  case WH_INT64:
    p = json_fast_int(p, &whole);
    if (!p) return NULL;
    if (!json_note_int(&d->notes, slot, whole)) return NULL;
    return wh_column_add_i64(c, whole, d->err) == WH_OK ? p : NULL;
  case WH_FLOAT64:
    p = json_fast_number(p, &number);
    return p && add_float(d, slot, c, &number) ? p : NULL;
  case WH_DECIMAL:
    p = json_fast_number(p, &number);
    return p && add_decimal(d, slot, c, &number) ? p : NULL;
  case WH_BOOL:
    return take_bool(d, c, p);
  case WH_DATE:
  case WH_TIMESTAMP:
    if (slot->type.unit == WH_UNIT_NS) return by_token(d, slot, c, p);
    p = json_fast_time(&d->day, p, &slot->type, &whole);
    return p && wh_column_add_i64(c, whole, d->err) == WH_OK ? p : NULL;
  case WH_STRUCT:
    if (*p != '{') return NULL;
    p = FAST(members)(d, slot->fields, c->children, p + 1);
    return p && wh_column_add_struct(c, d->err) == WH_OK ? p : NULL;
  case WH_LIST:
    return *p == '[' ? FAST(list)(d, slot, c, p + 1) : NULL;
  default:
    return by_token(d, slot, c, p);
  }
}

// A row: p is at its opening bracket.
FAST_TARGET static const char *FAST(row)(json_decoder *d, wh_batch *batch, const char *p) {
  return FAST(members)(d, d->plan, batch->columns, p + 1);
}
