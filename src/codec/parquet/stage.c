#include "codec/parquet/stage.h"

enum { WORD = 64 };

void pq_stage_init(pq_stage *s, wh_mem *mem) {
  pq_store empty = {.mem = mem};
  *s = (pq_stage){.fixed = empty,
                  .offsets = empty,
                  .bytes = empty,
                  .bits = empty,
                  .definitions = empty,
                  .repetitions = empty};
}

void pq_stage_free(pq_stage *s) {
  pq_store *stores[] = {&s->fixed, &s->offsets,     &s->bytes,
                        &s->bits,  &s->definitions, &s->repetitions};
  for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
    pq_store_free(stores[i]);
}

void pq_stage_clear(pq_stage *s) {
  s->rows = s->levels = s->values = 0;
  s->fixed.len = s->offsets.len = s->bytes.len = 0;
  s->bits.len = s->definitions.len = s->repetitions.len = 0;
  s->has_bits = false;
}

size_t pq_stage_size(const pq_stage *s) {
  return s->fixed.len + s->offsets.len + s->bytes.len + s->bits.len + s->definitions.len +
         s->repetitions.len;
}

// --- Bits ----------------------------------------------------------------------------------------

// Up to 64 bits from `from` on, in words that hold them all.
static uint64_t get_bits(const uint64_t *words, size_t from, size_t count) {
  size_t at = from / WORD, shift = from % WORD;
  uint64_t x = words[at] >> shift;
  if (shift && count > WORD - shift) x |= words[at + 1] << (WORD - shift);
  return count < WORD ? x & ((1ull << count) - 1) : x;
}

// Behind the bits there are; what lies past the end of the last word is zero.
static void put_bits(uint64_t *words, size_t at, uint64_t bits, size_t count) {
  size_t shift = at % WORD;
  if (shift == 0) words[at / WORD] = 0;
  words[at / WORD] |= bits << shift;
  if (shift && count > WORD - shift) words[at / WORD + 1] = bits >> (WORD - shift);
}

wh_status pq_bits_add(pq_store *bits, size_t at, const uint8_t *validity, size_t from, size_t count,
                      wh_error *err) {
  bits->len = (at + WORD - 1) / WORD * sizeof(uint64_t);
  WH_TRY(pq_store_reserve(bits, (count / WORD + 2) * sizeof(uint64_t), err));
  uint64_t *words = (uint64_t *)(void *)bits->data;
  const uint64_t *in = (const uint64_t *)(const void *)validity;
  for (size_t i = 0; i < count; i += WORD) {
    size_t n = count - i < WORD ? count - i : WORD;
    uint64_t ones = n < WORD ? (1ull << n) - 1 : UINT64_MAX;
    put_bits(words, at + i, in ? get_bits(in, from + i, n) : ones, n);
  }
  bits->len = (at + count + WORD - 1) / WORD * sizeof(uint64_t);
  return WH_OK;
}

// --- Rows ----------------------------------------------------------------------------------------

static wh_status add_levels(pq_stage *s, const pq_leaf *leaf, const pq_slice *slice,
                            wh_error *err) {
  size_t bytes = slice->levels * sizeof(uint16_t);
  if (slice->definitions) WH_TRY(pq_store_add(&s->definitions, slice->definitions, bytes, err));
  if (slice->repetitions) WH_TRY(pq_store_add(&s->repetitions, slice->repetitions, bytes, err));
  if (!pq_leaf_is_flat(leaf) || !(s->has_bits || slice->validity)) return WH_OK;
  if (!s->has_bits) WH_TRY(pq_bits_add(&s->bits, 0, NULL, 0, s->levels, err));
  s->has_bits = true;
  return pq_bits_add(&s->bits, s->levels, slice->validity, slice->validity_from, slice->levels,
                     err);
}

static wh_status add_texts(pq_stage *s, const pq_values *v, wh_error *err) {
  WH_TRY(pq_store_reserve(&s->offsets, (v->count + 1) * sizeof(int32_t), err));
  int32_t *out = (int32_t *)(void *)s->offsets.data + s->values;
  int32_t shift = (int32_t)s->bytes.len - v->offsets[0];
  for (size_t i = 0; i <= v->count; i++)
    out[i] = v->offsets[i] + shift;
  s->offsets.len = (s->values + v->count) * sizeof(int32_t); // the last is the next one's first
  return pq_store_add(&s->bytes, v->bytes + v->offsets[0],
                      (size_t)(v->offsets[v->count] - v->offsets[0]), err);
}

wh_status pq_stage_add(pq_stage *s, const pq_leaf *leaf, const pq_slice *slice, wh_error *err) {
  const pq_values *v = &slice->values;
  if (v->count && leaf->physical == PQ_BYTE_ARRAY) WH_TRY(add_texts(s, v, err));
  if (v->count && leaf->physical != PQ_BYTE_ARRAY)
    WH_TRY(pq_store_add(&s->fixed, v->fixed, v->count * leaf->width, err));
  WH_TRY(add_levels(s, leaf, slice, err));
  s->rows += slice->rows;
  s->levels += slice->levels;
  s->values += v->count;
  return WH_OK;
}

void pq_stage_slice(const pq_stage *s, pq_slice *ret) {
  static const int32_t none[1] = {0};
  *ret = (pq_slice){.rows = s->rows, .levels = s->levels};
  ret->values.count = s->values;
  ret->values.fixed = s->fixed.data;
  ret->values.bytes = s->bytes.data ? s->bytes.data : (const uint8_t *)"";
  ret->values.offsets = s->values ? (const int32_t *)(const void *)s->offsets.data : none;
  ret->validity = s->has_bits ? s->bits.data : NULL;
  if (s->definitions.len) ret->definitions = (const uint16_t *)(const void *)s->definitions.data;
  if (s->repetitions.len) ret->repetitions = (const uint16_t *)(const void *)s->repetitions.data;
}
