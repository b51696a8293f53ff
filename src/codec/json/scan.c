#include "codec/json/scan.h"

void json_scan_init(json_scan *scan, bool lines) {
  scan->lines = lines;
  scan->classify = json_classify_portable;
  scan->fast_bits = false;
#ifdef __x86_64__
  scan->classify = json_classify_sse2;
  if (__builtin_cpu_supports("avx2")) scan->classify = json_classify_avx2;
  scan->fast_bits = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
#endif
  json_scan_restart(scan);
}

void json_scan_restart(json_scan *scan) {
  scan->in_string = 0;
  scan->escaped = 0;
}

// Bytes behind a backslash that is not itself escaped. Backslashes are rare, so they are taken one
// at a time.
static inline uint64_t escaped_bytes(json_scan *scan, uint64_t backslash) {
  uint64_t escaped = scan->escaped;
  scan->escaped = 0;
  backslash &= ~escaped;
  while (backslash) {
    uint64_t lowest = backslash & -backslash;
    if (lowest >> 63) {
      scan->escaped = 1;
      break;
    }
    escaped |= lowest << 1;
    backslash &= ~(lowest | lowest << 1);
  }
  return escaped;
}

// Bit i of the result: the parity of bits 0..i.
static inline uint64_t running_parity(uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2)
    bits ^= bits << shift;
  return bits;
}

// The structural bytes among those of `live` in one block. With `lines`, stops behind a newline
// that stands inside a string: `*rest` is then what of the block is still to do.
static inline uint64_t structure_of(json_scan *scan, const json_masks *m, uint64_t live,
                                    uint64_t *rest) {
  uint64_t backslash = m->backslash & live;
  uint64_t quote = m->quote & live;
  *rest = 0;
  if (backslash | scan->escaped) quote &= ~escaped_bytes(scan, backslash);
  uint64_t inside = running_parity(quote) ^ scan->in_string;
  uint64_t found = (m->structure & live & ~inside) | quote;
  if (scan->lines) {
    uint64_t newline = m->newline & live;
    uint64_t cut = newline & inside;
    if (cut) {
      uint64_t upto = cut ^ (cut - 1); // the first such newline and all below it
      json_scan_restart(scan);
      *rest = live & ~upto;
      return (found | newline) & upto;
    }
    found |= newline;
  }
  scan->in_string = (uint64_t)((int64_t)inside >> 63);
  return found;
}

static inline __attribute__((always_inline)) uint32_t
blocks_of(json_scan *scan, size_t first_block, size_t blocks, size_t from, size_t len,
          uint32_t *positions, uint64_t *attention, uint64_t *newlines) {
  uint32_t n = 0;
  for (size_t b = 0; b < blocks; b++) {
    const json_masks *m = &scan->masks[b];
    size_t at = (first_block + b) * JSON_BLOCK_BYTES;
    uint64_t live = ~0ull;
    if (at < from) live <<= from - at;
    if (len - at < JSON_BLOCK_BYTES) live &= (1ull << (len - at)) - 1;
    attention[first_block + b] = m->odd | m->backslash;
    newlines[first_block + b] = m->newline;
    while (live) {
      uint64_t found = structure_of(scan, m, live, &live);
      for (; found; found &= found - 1)
        positions[n++] = (uint32_t)(at + (size_t)__builtin_ctzll(found));
    }
  }
  return n;
}

#ifdef __x86_64__
__attribute__((target("bmi,popcnt"))) static uint32_t
blocks_fast(json_scan *scan, size_t first_block, size_t blocks, size_t from, size_t len,
            uint32_t *positions, uint64_t *attention, uint64_t *newlines) {
  return blocks_of(scan, first_block, blocks, from, len, positions, attention, newlines);
}
#endif

static uint32_t blocks_plain(json_scan *scan, size_t first_block, size_t blocks, size_t from,
                             size_t len, uint32_t *positions, uint64_t *attention,
                             uint64_t *newlines) {
  return blocks_of(scan, first_block, blocks, from, len, positions, attention, newlines);
}

size_t json_scan_slice(json_scan *scan, const char *data, size_t from, size_t len,
                       uint32_t *positions, uint32_t *count, uint64_t *attention,
                       uint64_t *newlines) {
  size_t first = from / JSON_BLOCK_BYTES;
  size_t blocks = (len + JSON_BLOCK_BYTES - 1) / JSON_BLOCK_BYTES - first;
  if (blocks > JSON_SLICE_BLOCKS) blocks = JSON_SLICE_BLOCKS;
  scan->classify(data + first * JSON_BLOCK_BYTES, blocks, scan->masks);
  uint32_t *to = positions + *count;
#ifdef __x86_64__
  if (scan->fast_bits) {
    *count += blocks_fast(scan, first, blocks, from, len, to, attention, newlines);
  } else
#endif
    *count += blocks_plain(scan, first, blocks, from, len, to, attention, newlines);
  size_t end = (first + blocks) * JSON_BLOCK_BYTES;
  return end < len ? end : len;
}
