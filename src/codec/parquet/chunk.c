#include "codec/parquet/chunk.h"

#include "codec/parquet/bloom.h"
#include "codec/parquet/choose.h"
#include "codec/parquet/page.h"

enum {
  STAGE_LEVELS = 2048, // that a dictionary takes at once, where it can
  CODES_MAX = 65536,   // entries of a batch's dictionary that are remembered
};

void pq_chunk_init(pq_chunk *c, pq_work *work, const pq_leaf *leaf) {
  pq_store empty = {.mem = work->mem};
  *c = (pq_chunk){.leaf = leaf,
                  .raw = empty,
                  .lengths = empty,
                  .indices = empty,
                  .bits = empty,
                  .definitions = empty,
                  .repetitions = empty,
                  .hashes = empty,
                  .known = empty};
  pq_dict_init(&c->dict, work->mem, work->dictionary_bytes);
  pq_stage_init(&c->stage, work->mem);
}

void pq_chunk_free(pq_chunk *c) {
  if (!c->leaf) return;
  pq_store *stores[] = {&c->raw,         &c->lengths,     &c->indices, &c->bits,
                        &c->definitions, &c->repetitions, &c->hashes,  &c->known};
  for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
    pq_store_free(stores[i]);
  pq_dict_free(&c->dict);
  pq_stage_free(&c->stage);
}

static void start_page(pq_chunk *c) {
  c->rows = c->levels = c->values = 0;
  c->raw.len = c->lengths.len = c->indices.len = 0;
  c->bits.len = c->definitions.len = c->repetitions.len = 0;
  c->has_bits = false;
}

void pq_chunk_start(pq_chunk *c, pq_chunk_pages *out) {
  start_page(c);
  c->mode = c->leaf->physical == PQ_BOOLEAN || c->leaf->physical == PQ_FIXED ? PQ_MODE_PLAIN
                                                                             : PQ_MODE_SAMPLE;
  c->first_row = 0;
  c->hashes.len = 0;
  pq_stage_clear(&c->stage);
  pq_dict_reset(&c->dict);
  c->known_of = 0;
  c->out = out;
}

size_t pq_chunk_pending(const pq_chunk *c) {
  return c->raw.len + c->lengths.len + c->indices.len + c->bits.len + c->definitions.len +
         c->repetitions.len + pq_dict_size(&c->dict) + c->hashes.len + pq_stage_size(&c->stage);
}

// --- Levels --------------------------------------------------------------------------------------

static wh_status add_levels(pq_chunk *c, const pq_slice *slice, wh_error *err) {
  if (slice->definitions)
    WH_TRY(
        pq_store_add(&c->definitions, slice->definitions, slice->levels * sizeof(uint16_t), err));
  if (slice->repetitions)
    WH_TRY(
        pq_store_add(&c->repetitions, slice->repetitions, slice->levels * sizeof(uint16_t), err));
  if (pq_leaf_is_flat(c->leaf) && (c->has_bits || slice->validity)) {
    if (!c->has_bits) WH_TRY(pq_bits_add(&c->bits, 0, NULL, 0, c->levels, err));
    c->has_bits = true;
    WH_TRY(pq_bits_add(&c->bits, c->levels, slice->validity, slice->validity_from, slice->levels,
                       err));
  }
  c->rows += slice->rows;
  c->levels += slice->levels;
  return WH_OK;
}

// --- Values --------------------------------------------------------------------------------------

static wh_status add_raw(pq_chunk *c, const pq_values *v, wh_error *err) {
  if (v->count == 0) return WH_OK;
  if (c->leaf->physical != PQ_BYTE_ARRAY) {
    c->values += v->count;
    return pq_store_add(&c->raw, v->fixed, v->count * c->leaf->width, err);
  }
  WH_TRY(pq_store_reserve(&c->lengths, v->count * sizeof(int32_t), err));
  int32_t *lengths = (int32_t *)(void *)(c->lengths.data + c->lengths.len);
  for (size_t i = 0; i < v->count; i++)
    lengths[i] = v->offsets[i + 1] - v->offsets[i];
  c->lengths.len += v->count * sizeof(int32_t);
  c->values += v->count;
  return pq_store_add(&c->raw, v->bytes + v->offsets[0],
                      (size_t)(v->offsets[v->count] - v->offsets[0]), err);
}

// The dictionary took them all, or none.
static wh_status add_indices(pq_chunk *c, const pq_values *v, bool *ret_full, wh_error *err) {
  if (v->count == 0) return WH_OK;
  size_t known = c->dict.count;
  WH_TRY(pq_store_reserve(&c->indices, v->count * sizeof(uint16_t), err));
  uint16_t *indices = (uint16_t *)(void *)(c->indices.data + c->indices.len);
  WH_TRY(pq_dict_add(&c->dict, c->leaf, v, indices, ret_full, err));
  if (*ret_full) {
    pq_dict_cut(&c->dict, c->leaf, known);
    return WH_OK;
  }
  c->indices.len += v->count * sizeof(uint16_t);
  c->values += v->count;
  return WH_OK;
}

// Which dictionary entry of ours each of the batch's is.
static wh_status begin_known(pq_chunk *c, const wh_codes *codes, wh_error *err) {
  if (c->known_of == codes->dictionary) return WH_OK;
  c->known.len = 0;
  WH_TRY(pq_store_reserve(&c->known, codes->entries * sizeof(uint16_t), err));
  c->known.len = codes->entries * sizeof(uint16_t);
  memset(c->known.data, 0, c->known.len);
  c->known_of = codes->dictionary;
  return WH_OK;
}

static pq_values one_of(const pq_chunk *c, const pq_values *v, size_t i) {
  pq_values one = *v;
  one.count = 1;
  if (c->leaf->physical == PQ_BYTE_ARRAY)
    one.offsets += i;
  else
    one.fixed += i * c->leaf->width;
  return one;
}

// As add_indices, of values that have codes: each entry is looked up once. The indices are the
// same.
static wh_status add_known(pq_chunk *c, const pq_slice *slice, bool *ret_full, wh_error *err) {
  const uint32_t *codes = slice->codes->codes + slice->codes_from;
  size_t count = slice->values.count, before = c->dict.count;
  *ret_full = false;
  WH_TRY(begin_known(c, slice->codes, err));
  WH_TRY(pq_store_reserve(&c->indices, count * sizeof(uint16_t), err));
  uint16_t *indices = (uint16_t *)(void *)(c->indices.data + c->indices.len);
  uint16_t *known = (uint16_t *)(void *)c->known.data;
  for (size_t i = 0; i < count; i++) {
    if (!known[codes[i]]) {
      pq_values one = one_of(c, &slice->values, i);
      uint16_t index = 0;
      WH_TRY(pq_dict_add(&c->dict, c->leaf, &one, &index, ret_full, err));
      if (*ret_full) {
        c->known_of = 0; // it may know of what is cut
        pq_dict_cut(&c->dict, c->leaf, before);
        return WH_OK;
      }
      known[codes[i]] = (uint16_t)(index + 1);
    }
    indices[i] = (uint16_t)(known[codes[i]] - 1);
  }
  c->indices.len += count * sizeof(uint16_t);
  c->values += count;
  return WH_OK;
}

static bool has_codes(const pq_slice *slice) {
  return slice->codes && slice->codes->entries <= CODES_MAX;
}

static wh_status add_hashes(pq_chunk *c, const pq_values *v, wh_error *err) {
  if (v->count == 0) return WH_OK;
  WH_TRY(pq_store_reserve(&c->hashes, v->count * sizeof(uint64_t), err));
  uint64_t *out = (uint64_t *)(void *)(c->hashes.data + c->hashes.len);
  pq_bloom_hash(c->leaf, v, out);
  c->hashes.len += v->count * sizeof(uint64_t);
  return WH_OK;
}

static wh_status flush(pq_chunk *c, pq_work *work, wh_error *err) {
  if (c->rows == 0) return WH_OK;
  WH_TRY(pq_page_write(c, work, err));
  c->first_row += c->rows;
  start_page(c);
  return WH_OK;
}

// The raw values of the page as indices; where they do not fit, they stay as they are.
static wh_status raw_to_indices(pq_chunk *c, bool *ret_full, wh_error *err) {
  size_t count = c->values;
  pq_values v = {.count = count, .fixed = pq_chunk_raw(c), .bytes = pq_chunk_raw(c)};
  pq_store offsets = {.mem = c->raw.mem};
  if (c->leaf->physical == PQ_BYTE_ARRAY) {
    WH_TRY(pq_store_reserve(&offsets, (count + 1) * sizeof(int32_t), err));
    const int32_t *lengths = (const int32_t *)(const void *)c->lengths.data;
    int32_t *out = (int32_t *)(void *)offsets.data;
    out[0] = 0;
    for (size_t i = 0; i < count; i++)
      out[i + 1] = out[i] + lengths[i];
    v.offsets = out;
  }
  c->values = 0;
  wh_status status = add_indices(c, &v, ret_full, err);
  pq_store_free(&offsets);
  WH_TRY(status);
  if (*ret_full)
    c->values = count;
  else
    c->raw.len = c->lengths.len = 0;
  return WH_OK;
}

static wh_status choose(pq_chunk *c, pq_work *work, wh_error *err) {
  bool full = false;
  WH_TRY(pq_choose(c, work, &c->mode, &c->without, err));
  if (c->mode != PQ_MODE_DICT) return WH_OK;
  WH_TRY(raw_to_indices(c, &full, err));
  if (full) c->mode = c->without;
  return WH_OK;
}

static bool page_is_full(const pq_chunk *c, const pq_work *work) {
  return c->rows >= work->page_rows || c->raw.len + c->lengths.len >= work->page_bytes ||
         c->definitions.len >= 2 * work->page_bytes;
}

static wh_status add_slice(pq_chunk *c, pq_work *work, const pq_slice *slice, wh_error *err) {
  bool full = false;
  if (c->mode == PQ_MODE_DICT) {
    WH_TRY(has_codes(slice) ? add_known(c, slice, &full, err)
                            : add_indices(c, &slice->values, &full, err));
    if (full) {
      WH_TRY(flush(c, work, err));
      c->mode = c->without;
    }
  }
  if (c->mode != PQ_MODE_DICT) WH_TRY(add_raw(c, &slice->values, err));
  WH_TRY(add_levels(c, slice, err));
  bool page_full = page_is_full(c, work);
  if (c->mode == PQ_MODE_SAMPLE && (page_full || c->values >= work->sample_values)) {
    WH_TRY(choose(c, work, err));
    page_full = page_is_full(c, work);
  }
  return page_full ? flush(c, work, err) : WH_OK;
}

static wh_status add_staged(pq_chunk *c, pq_work *work, wh_error *err) {
  if (c->stage.rows == 0) return WH_OK;
  pq_slice slice;
  pq_stage_slice(&c->stage, &slice);
  WH_TRY(add_slice(c, work, &slice, err));
  pq_stage_clear(&c->stage);
  return WH_OK;
}

wh_status pq_chunk_add(pq_chunk *c, pq_work *work, const pq_slice *slice, wh_error *err) {
  if (c->wants_bloom) WH_TRY(add_hashes(c, &slice->values, err));
  bool at_once = slice->levels >= STAGE_LEVELS || has_codes(slice);
  if (c->mode != PQ_MODE_DICT || (c->stage.rows == 0 && at_once))
    return add_slice(c, work, slice, err);
  WH_TRY(pq_stage_add(&c->stage, c->leaf, slice, err));
  bool enough = c->stage.levels >= STAGE_LEVELS || pq_stage_size(&c->stage) >= work->page_bytes;
  return enough ? add_staged(c, work, err) : WH_OK;
}

wh_status pq_chunk_finish(pq_chunk *c, pq_work *work, wh_error *err) {
  WH_TRY(add_staged(c, work, err));
  if (c->mode == PQ_MODE_SAMPLE) WH_TRY(choose(c, work, err));
  WH_TRY(flush(c, work, err));
  if (c->dict.count) WH_TRY(pq_page_write_dictionary(c, work, err));
  if (c->wants_bloom) WH_TRY(pq_bloom_make(c, work, err));
  return WH_OK;
}
