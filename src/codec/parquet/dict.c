#include "codec/parquet/dict.h"

typedef struct dict_entry {
  uint64_t head, tail;
  uint32_t len;
  uint32_t offset; // of its bytes in the page
} dict_entry;

enum {
  BITS_FIRST = 10,
  PIECE = 32,         // values hashed at once
  PREFETCH_BITS = 13, // of a table from which on it, and what it leads to, is fetched ahead
  LENGTH_BYTES = 4,
};

void pq_dict_init(pq_dict *d, wh_mem *mem, size_t limit_bytes) {
  *d = (pq_dict){
      .mem = mem, .limit_bytes = limit_bytes, .values = {.mem = mem}, .entries = {.mem = mem}};
}

static size_t table_bytes(const pq_dict *d) {
  return d->table ? sizeof *d->table << d->bits : 0;
}

void pq_dict_free(pq_dict *d) {
  wh_mem_free(d->mem, d->table, table_bytes(d));
  d->table = NULL;
  pq_store_free(&d->values);
  pq_store_free(&d->entries);
  d->count = 0;
}

void pq_dict_reset(pq_dict *d) {
  if (d->table) memset(d->table, 0, table_bytes(d));
  d->count = d->values.len = d->entries.len = 0;
}

size_t pq_dict_size(const pq_dict *d) {
  return d->count ? d->values.len + d->entries.len + table_bytes(d) : 0;
}

static inline uint64_t mix(uint64_t x) {
  return (x ^ x >> 32) * 0x9E3779B97F4A7C15ull;
}

static inline uint32_t slot_of(const pq_dict *d, uint64_t hash) {
  return (uint32_t)(hash >> (64 - d->bits));
}

// Bits of the hash that the slot does not tell.
static inline uint32_t tag_of(uint64_t hash) {
  return (uint32_t)(hash >> 16) & 0xFFFF;
}

static uint64_t load64(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  return x;
}

// --- Hashes of text ------------------------------------------------------------------------------

typedef struct text_key {
  uint64_t head, tail, hash;
} text_key;

// The first eight bytes, or as many as there are, of a text that ends at bytes[end]: read with
// what lies before it, so that no length needs a case of its own.
static inline uint64_t short_head(const uint8_t *bytes, size_t end, size_t len) {
  if (len == 0) return 0;
  if (end >= 8) return load64(bytes + end - 8) >> (64 - 8 * len);
  uint64_t x = 0;
  memcpy(&x, bytes + end - len, len);
  return x;
}

static uint64_t hash_middle(const uint8_t *text, size_t len) {
  uint64_t x = 0;
  for (size_t i = 8; i + 8 < len; i += 8)
    x = mix(x ^ load64(text + i)) + (x << 7);
  return x;
}

static inline text_key key_of(const uint8_t *bytes, size_t from, size_t end) {
  size_t len = end - from;
  text_key key;
  key.head = len >= 8 ? load64(bytes + from) : short_head(bytes, end, len);
  key.tail = len > 8 ? load64(bytes + end - 8) : 0;
  uint64_t x = key.head ^ (key.tail * 0xC2B2AE3D27D4EB4Full) ^ (len << 56 | len);
  if (len > 16) x ^= hash_middle(bytes + from, len);
  key.hash = mix(x ^ x >> 29);
  return key;
}

static const dict_entry *entries_of(const pq_dict *d) {
  return (const dict_entry *)(const void *)d->entries.data;
}

uint64_t pq_dict_head(const pq_dict *d, size_t index) {
  return __builtin_bswap64(entries_of(d)[index].head);
}

wh_str pq_dict_text(const pq_dict *d, size_t index) {
  const dict_entry *e = entries_of(d) + index;
  return wh_str_n((const char *)d->values.data + e->offset, e->len);
}

// --- The table -----------------------------------------------------------------------------------

static uint64_t hash_of_entry(const pq_dict *d, const pq_leaf *leaf, size_t index) {
  if (leaf->physical == PQ_BYTE_ARRAY) {
    const dict_entry *e = entries_of(d) + index;
    return key_of(d->values.data, e->offset, e->offset + e->len).hash;
  }
  uint64_t x = 0;
  memcpy(&x, d->values.data + index * leaf->width, leaf->width);
  return mix(x);
}

static wh_status grow(pq_dict *d, const pq_leaf *leaf, wh_error *err) {
  unsigned bits = d->table ? d->bits + 1 : BITS_FIRST;
  uint32_t *table = wh_mem_alloc_zero(d->mem, sizeof *table << bits);
  if (!table) return wh_fail_memory(err);
  wh_mem_free(d->mem, d->table, table_bytes(d));
  d->table = table;
  d->bits = bits;
  uint32_t mask = (1u << bits) - 1;
  for (size_t i = 0; i < d->count; i++) {
    uint64_t hash = hash_of_entry(d, leaf, i);
    uint32_t slot = slot_of(d, hash);
    while (table[slot])
      slot = (slot + 1) & mask;
    table[slot] = tag_of(hash) << 16 | (uint32_t)(i + 1);
  }
  return WH_OK;
}

// Room in the table for one more; false when the dictionary is full.
static bool has_room(const pq_dict *d, size_t bytes) {
  return d->count < PQ_DICT_VALUES_MAX && d->values.len + bytes <= d->limit_bytes;
}

static bool table_is_full(const pq_dict *d) {
  return !d->table || 2 * (d->count + 1) > (size_t)1 << d->bits;
}

// Makes room for a value that comes next, wherever the table puts it: callers look up again.
static wh_status insert_room(pq_dict *d, const pq_leaf *leaf, size_t bytes, wh_error *err) {
  WH_TRY(pq_store_reserve(&d->values, bytes, err));
  if (leaf->physical == PQ_BYTE_ARRAY)
    WH_TRY(pq_store_reserve(&d->entries, sizeof(dict_entry), err));
  return WH_OK;
}

// --- Numbers -------------------------------------------------------------------------------------

// `width` is constant where this is called.
static inline __attribute__((always_inline)) wh_status
add_numbers(pq_dict *d, const pq_leaf *leaf, const pq_values *values, uint16_t *indices,
            const size_t width, bool *ret_full, wh_error *err) {
  for (size_t i = 0; i < values->count; i++) {
    uint64_t x = 0, known = 0;
    memcpy(&x, values->fixed + i * width, width);
    uint64_t hash = mix(x);
    uint32_t tag = tag_of(hash), slot = slot_of(d, hash), mask = (1u << d->bits) - 1;
    uint32_t entry;
    unsigned probes = 0;
    for (;; slot = (slot + 1) & mask, probes++) {
      entry = d->table[slot];
      if (entry == 0) break;
      if (entry >> 16 != tag) continue;
      memcpy(&known, d->values.data + ((entry & 0xFFFF) - 1) * width, width);
      if (known == x) break;
    }
    if (entry == 0) {
      if (probes > PQ_DICT_PROBES_MAX || !has_room(d, width)) {
        *ret_full = true;
        return WH_OK;
      }
      WH_TRY(insert_room(d, leaf, width, err));
      memcpy(d->values.data + d->values.len, &x, width);
      d->values.len += width;
      entry = tag << 16 | (uint32_t)++d->count;
      d->table[slot] = entry;
      if (table_is_full(d)) WH_TRY(grow(d, leaf, err));
    }
    indices[i] = (uint16_t)((entry & 0xFFFF) - 1);
  }
  return WH_OK;
}

// --- Text ----------------------------------------------------------------------------------------

static inline bool same_text(const pq_dict *d, const dict_entry *e, const text_key *key,
                             const uint8_t *text, size_t len) {
  if (e->head != key->head || e->tail != key->tail || e->len != len) return false;
  return len <= 16 || memcmp(d->values.data + e->offset + 8, text + 8, len - 16) == 0;
}

static wh_status insert_text(pq_dict *d, const pq_leaf *leaf, const text_key *key,
                             const uint8_t *text, size_t len, uint32_t slot, wh_error *err) {
  WH_TRY(insert_room(d, leaf, LENGTH_BYTES + len, err));
  uint8_t *out = d->values.data + d->values.len;
  uint32_t len32 = (uint32_t)len;
  memcpy(out, &len32, LENGTH_BYTES);
  pq_copy(out + LENGTH_BYTES, text, len);
  dict_entry entry = {key->head, key->tail, len32, (uint32_t)d->values.len + LENGTH_BYTES};
  memcpy(d->entries.data + d->entries.len, &entry, sizeof entry);
  d->values.len += LENGTH_BYTES + len;
  d->entries.len += sizeof entry;
  d->table[slot] = tag_of(key->hash) << 16 | (uint32_t)++d->count;
  return table_is_full(d) ? grow(d, leaf, err) : WH_OK;
}

// Has the slots of all keys fetched, and then the entries that the slots point to, while nobody
// waits for them: in a dictionary larger than the cache, that is most of the time of a look-up.
static void fetch_ahead(const pq_dict *d, const text_key *keys, size_t count) {
  if (d->bits < PREFETCH_BITS) return;
  for (size_t i = 0; i < count; i++)
    __builtin_prefetch(&d->table[slot_of(d, keys[i].hash)]);
  for (size_t i = 0; i < count; i++) {
    uint32_t entry = d->table[slot_of(d, keys[i].hash)] & 0xFFFF;
    if (entry) __builtin_prefetch(entries_of(d) + entry - 1);
  }
}

static wh_status add_piece(pq_dict *d, const pq_leaf *leaf, const uint8_t *bytes,
                           const int32_t *offsets, size_t count, uint16_t *indices, bool *ret_full,
                           wh_error *err) {
  text_key keys[PIECE];
  for (size_t i = 0; i < count; i++)
    keys[i] = key_of(bytes, (size_t)offsets[i], (size_t)offsets[i + 1]);
  fetch_ahead(d, keys, count);
  for (size_t i = 0; i < count; i++) {
    const text_key *key = &keys[i];
    const uint8_t *text = bytes + offsets[i];
    size_t len = (size_t)(offsets[i + 1] - offsets[i]);
    uint32_t tag = tag_of(key->hash), slot = slot_of(d, key->hash), mask = (1u << d->bits) - 1;
    uint32_t entry;
    unsigned probes = 0;
    for (;; slot = (slot + 1) & mask, probes++) {
      entry = d->table[slot];
      if (entry == 0) break;
      if (entry >> 16 == tag && same_text(d, entries_of(d) + (entry & 0xFFFF) - 1, key, text, len))
        break;
    }
    if (entry == 0) {
      if (probes > PQ_DICT_PROBES_MAX || !has_room(d, LENGTH_BYTES + len)) {
        *ret_full = true;
        return WH_OK;
      }
      WH_TRY(insert_text(d, leaf, key, text, len, slot, err));
      entry = (uint32_t)d->count;
    }
    indices[i] = (uint16_t)((entry & 0xFFFF) - 1);
  }
  return WH_OK;
}

wh_status pq_dict_add(pq_dict *d, const pq_leaf *leaf, const pq_values *values, uint16_t *indices,
                      bool *ret_full, wh_error *err) {
  *ret_full = false;
  if (!d->table) WH_TRY(grow(d, leaf, err));
  if (leaf->physical != PQ_BYTE_ARRAY) {
    return leaf->width == 4 ? add_numbers(d, leaf, values, indices, 4, ret_full, err)
                            : add_numbers(d, leaf, values, indices, 8, ret_full, err);
  }
  for (size_t at = 0; at < values->count && !*ret_full; at += PIECE) {
    size_t n = values->count - at < PIECE ? values->count - at : PIECE;
    WH_TRY(add_piece(d, leaf, values->bytes, values->offsets + at, n, indices + at, ret_full, err));
  }
  return WH_OK;
}

void pq_dict_cut(pq_dict *d, const pq_leaf *leaf, size_t count) {
  if (count >= d->count) return;
  if (leaf->physical == PQ_BYTE_ARRAY) {
    d->values.len = entries_of(d)[count].offset - LENGTH_BYTES;
    d->entries.len = count * sizeof(dict_entry);
  } else {
    d->values.len = count * leaf->width;
  }
  d->count = count;
}
