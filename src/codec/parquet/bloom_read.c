#include "codec/parquet/bloom_read.h"

#include "codec/parquet/unpack.h"

#include <xxhash.h>

enum { BLOCK_BYTES = 32, HEADER_BYTES = 256, UUID_BYTES = 16 };

// BloomFilter.md, "Technical approach".
static const uint32_t salts[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                  0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

bool pq_bloom_block_has(const uint8_t block[BLOCK_BYTES], uint64_t hash) {
  uint32_t key = (uint32_t)hash;
  for (int i = 0; i < 8; i++) {
    uint32_t bit = key * salts[i] >> 27;
    if (!(pq_load32(block + (size_t)i * 4) >> bit & 1)) return false;
  }
  return true;
}

// False: the text is no UUID, and no value of the column is like it.
static bool uuid_bytes(wh_str text, uint8_t out[UUID_BYTES]) {
  size_t n = 0;
  for (size_t i = 0; i + 1 < text.len && n < UUID_BYTES; i++) {
    if (text.data[i] == '-') continue;
    int high = wh_hex_digit(text.data[i]), low = wh_hex_digit(text.data[i + 1]);
    if (high < 0 || low < 0) return false;
    out[n++] = (uint8_t)(high << 4 | low);
    i++;
  }
  return n == UUID_BYTES && text.len == 36;
}

// The value's plain form, of which filters hold the hash. False: there is none to be had.
static bool plain_bytes(const pq_tree_node *node, const wh_value *value, uint8_t out[UUID_BYTES],
                        wh_str *ret) {
  if (node->convert == PQ_TEXT || node->convert == PQ_BYTES) {
    *ret = value->as.s;
    return true;
  }
  if (node->convert == PQ_UUID_TEXT) {
    *ret = wh_str_n((char *)out, UUID_BYTES);
    return uuid_bytes(value->as.s, out);
  }
  bool integer =
      node->convert == PQ_AS_IS || node->convert == PQ_NARROW || node->convert == PQ_TIME;
  wh_kind kind = node->field.type.kind;
  // Zero has two forms, of which a filter may hold either.
  if (!integer || kind == WH_FLOAT32 || kind == WH_FLOAT64) return false;
  memcpy(out, &value->as.i, sizeof value->as.i);
  *ret = wh_str_n((char *)out, node->value_bytes);
  return true;
}

static wh_status bad_filter(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the bloom filter of a column is damaged");
}

// The filter's header; *ret_bits is where its blocks begin. False: there is none that is known.
static wh_status read_header(const pq_file *file, const pq_column_meta *m, wh_arena *arena,
                             bool *ret_known, uint64_t *ret_bits, uint32_t *ret_bytes,
                             wh_error *err) {
  uint64_t at = (uint64_t)m->bloom_offset;
  if (m->bloom_offset < PQ_MAGIC_BYTES || at >= file->footer_at) return bad_filter(err);
  uint64_t len = file->footer_at - at < HEADER_BYTES ? file->footer_at - at : HEADER_BYTES;
  uint8_t bytes[HEADER_BYTES];
  WH_TRY(file->in->read_at(file->in, at, bytes, (size_t)len, err));
  pq_cursor cursor =
      pq_cursor_over(wh_str_n((char *)bytes, (size_t)len), at, "the head of a bloom filter");
  pq_bloom_header h;
  WH_TRY(pq_thrift_read(&cursor, &pq_rule_bloom_header, arena, &h, err));
  *ret_known = PQ_HAS(&h.algorithm, 1) && PQ_HAS(&h.hash, 1) && PQ_HAS(&h.compression, 1);
  *ret_bits = at + (uint64_t)(cursor.at - cursor.start);
  if (!*ret_known) return WH_OK;
  if (h.bytes < BLOCK_BYTES || h.bytes > PQ_BLOOM_BYTES_MAX || h.bytes % BLOCK_BYTES ||
      (uint64_t)h.bytes > file->footer_at - *ret_bits) {
    return bad_filter(err);
  }
  *ret_bytes = (uint32_t)h.bytes;
  return WH_OK;
}

wh_status pq_bloom_may(const pq_file *file, const pq_column_chunk *chunk, const pq_tree_node *node,
                       const wh_value *value, wh_arena *arena, bool *ret_may, wh_error *err) {
  uint8_t plain[UUID_BYTES], block[BLOCK_BYTES];
  wh_str bytes;
  bool known;
  uint64_t bits;
  uint32_t len;
  if (!PQ_HAS(&chunk->meta, PQ_META_BLOOM_OFFSET)) return WH_OK;
  if (!plain_bytes(node, value, plain, &bytes)) return WH_OK;
  WH_TRY(read_header(file, &chunk->meta, arena, &known, &bits, &len, err));
  if (!known) return WH_OK;
  uint64_t hash = XXH64(bytes.data, bytes.len, 0);
  uint64_t number = (hash >> 32) * (len / BLOCK_BYTES) >> 32;
  WH_TRY(file->in->read_at(file->in, bits + number * BLOCK_BYTES, block, sizeof block, err));
  *ret_may = pq_bloom_block_has(block, hash);
  return WH_OK;
}
