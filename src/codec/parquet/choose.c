#include "codec/parquet/choose.h"

#include "codec/parquet/pack.h"
#include "codec/parquet/page.h"

#include <math.h>

enum {
  TRIAL_VALUES = 2048,     // that are compressed to see what that gives
  TRIAL_BYTES = 16 * 1024, // and no more of a text than that
  ROUNDS = 24,             // of solving for the number of distinct values
};

// A dictionary costs its readers a detour, and its writer a look-up for each value.
static const double DICT_WORTH = 0.92;
// Splitting costs both a pass.
static const double SPLIT_WORTH = 0.97;
static const double DELTA_WORTH = 0.97;

// What was found out about the sample; costs in bytes of all its values.
typedef struct trial {
  const pq_chunk *chunk;
  pq_work *work;
  wh_error *err;
  pq_values values;
  const int32_t *lengths;
  size_t count;
} trial;

static wh_status compressed_size(pq_work *work, bool text, size_t *ret, wh_error *err) {
  *ret = work->page.len;
  if (work->compression == PQ_UNCOMPRESSED) return WH_OK;
  work->packed.len = 0;
  WH_TRY(pq_store_reserve(&work->packed, pq_compress_bound(work->compressor, *ret), err));
  return pq_compress(work->compressor, work->page.data, work->page.len, text, work->packed.data,
                     ret, err);
}

// What the sample would take, by the part of it that is tried.
static wh_status cost_of(const trial *t, pq_mode mode, double *ret) {
  pq_values v = t->values;
  size_t bytes = 0;
  v.count = t->count < TRIAL_VALUES ? t->count : TRIAL_VALUES;
  for (size_t i = 0; t->lengths && i < v.count; i++) {
    bytes += (size_t)t->lengths[i];
    if (bytes >= TRIAL_BYTES) v.count = i + 1;
  }
  if (v.count == 0) {
    *ret = 0;
    return WH_OK;
  }
  size_t got;
  t->work->page.len = 0;
  WH_TRY(pq_page_encode(t->chunk, mode, &v, t->lengths, &t->work->page, t->err));
  WH_TRY(compressed_size(t->work, t->lengths, &got, t->err));
  *ret = (double)got * (double)t->count / (double)v.count;
  return WH_OK;
}

// Distinct values among `n` that `total` equally frequent ones would give.
static double expected_distinct(double total, double n) {
  return total * (1 - exp(-n / total));
}

// How many distinct values `all` values have, when the first half of `n` had `half` and the whole
// `found`. Where the second half brought more than chance says, they keep coming.
static double estimate_distinct(double half, double found, double n, double all) {
  if (found >= n) return all;
  double total = found;
  for (int i = 0; i < ROUNDS; i++)
    total = found / (1 - exp(-n / total));
  double fresh = found - half, expected = found - expected_distinct(total, n / 2);
  if (fresh > expected + 4 * sqrt(expected) + 16) return found + fresh * (all - n) / (n / 2);
  return expected_distinct(total, all);
}

// What a dictionary would take for the whole row group, and all its values.
static wh_status cost_of_dictionary(const trial *t, double text_ratio, double *ret) {
  const pq_chunk *c = t->chunk;
  pq_dict *dict = &t->work->trial;
  bool full = false;
  size_t half = t->count / 2, in_half = 0;
  *ret = INFINITY;
  pq_dict_reset(dict);
  t->work->packed.len = 0;
  WH_TRY(pq_store_reserve(&t->work->packed, t->count * sizeof(uint16_t), t->err));
  uint16_t *indices = (uint16_t *)(void *)t->work->packed.data;
  pq_values v = t->values;
  v.count = half;
  if (half) WH_TRY(pq_dict_add(dict, c->leaf, &v, indices, &full, t->err));
  in_half = dict->count;
  v = t->values;
  v.count = t->count - half;
  if (v.fixed) v.fixed += half * c->leaf->width;
  if (v.offsets) v.offsets += half;
  if (!full) WH_TRY(pq_dict_add(dict, c->leaf, &v, indices, &full, t->err));
  if (full || dict->count == 0) return WH_OK;
  double n = (double)t->count;
  double share = c->levels ? (double)c->values / (double)c->levels : 1;
  double all = fmax(n, share * (double)t->work->group_rows);
  double distinct = estimate_distinct((double)in_half, (double)dict->count, n, all);
  double each = (double)dict->values.len / (double)dict->count;
  if (distinct > PQ_DICT_VALUES_MAX || distinct * each > (double)t->work->dictionary_bytes)
    return WH_OK;
  double bits = pq_bit_width((uint64_t)distinct - (distinct >= 1));
  *ret = (distinct * each * text_ratio + all * bits / 8) * n / all;
  return WH_OK;
}

static wh_status choose_text(const trial *t, pq_mode *ret, pq_mode *ret_without) {
  double plain, dictionary = INFINITY;
  WH_TRY(cost_of(t, PQ_MODE_LENGTH, &plain));
  double bytes = (double)t->chunk->raw.len + 4 * (double)t->count;
  if (t->work->dictionaries)
    WH_TRY(cost_of_dictionary(t, bytes > 0 ? plain / bytes : 1, &dictionary));
  *ret_without = PQ_MODE_LENGTH;
  *ret = dictionary < DICT_WORTH * plain ? PQ_MODE_DICT : PQ_MODE_LENGTH;
  return WH_OK;
}

static wh_status choose_number(const trial *t, pq_mode *ret, pq_mode *ret_without) {
  pq_type physical = t->chunk->leaf->physical;
  bool integer = physical == PQ_INT32 || physical == PQ_INT64;
  pq_mode other = integer ? PQ_MODE_DELTA : PQ_MODE_SPLIT;
  double plain, coded, dictionary = INFINITY;
  WH_TRY(cost_of(t, PQ_MODE_PLAIN, &plain));
  WH_TRY(cost_of(t, other, &coded));
  if (t->work->dictionaries) WH_TRY(cost_of_dictionary(t, 1, &dictionary));
  double best = plain;
  *ret_without = PQ_MODE_PLAIN;
  if (coded < plain * (integer ? DELTA_WORTH : SPLIT_WORTH)) {
    best = coded;
    *ret_without = other;
  }
  *ret = dictionary < DICT_WORTH * best ? PQ_MODE_DICT : *ret_without;
  return WH_OK;
}

wh_status pq_choose(const pq_chunk *c, pq_work *work, pq_mode *ret, pq_mode *ret_without,
                    wh_error *err) {
  trial t = {.chunk = c, .work = work, .err = err, .count = c->values};
  t.values = (pq_values){.count = c->values, .fixed = pq_chunk_raw(c)};
  if (c->leaf->physical != PQ_BYTE_ARRAY) return choose_number(&t, ret, ret_without);
  pq_store offsets = {.mem = work->mem};
  WH_TRY(pq_store_reserve(&offsets, (c->values + 1) * sizeof(int32_t), err));
  int32_t *to = (int32_t *)(void *)offsets.data;
  t.lengths = (const int32_t *)(const void *)c->lengths.data;
  to[0] = 0;
  for (size_t i = 0; i < c->values; i++)
    to[i + 1] = to[i] + t.lengths[i];
  t.values = (pq_values){.count = c->values, .bytes = pq_chunk_raw(c), .offsets = to};
  wh_status status = choose_text(&t, ret, ret_without);
  pq_store_free(&offsets);
  return status;
}
