#include "codec/parquet/rle_read.h"

enum { VARINT_BYTES = 5, BLOCK = 256 };

// Of no bytes, `data` may be NULL.
static const uint8_t *end_of(const uint8_t *data, size_t len) {
  return len ? data + len : data;
}

void pq_rle_init(pq_rle *rle, wh_cpu cpu, const uint8_t *data, size_t len, unsigned width) {
  *rle = (pq_rle){.at = data, .end = end_of(data, len), .width = (uint8_t)width, .cpu = cpu};
}

void pq_rle_init_legacy(pq_rle *rle, const uint8_t *data, size_t len, unsigned width) {
  *rle = (pq_rle){.at = end_of(data, len),
                  .end = end_of(data, len),
                  .packed = data,
                  .packed_bytes = len,
                  .left = width ? (uint64_t)len * 8 / width : UINT64_MAX,
                  .width = (uint8_t)width,
                  .legacy = true};
}

static bool read_head(pq_rle *rle, uint64_t *ret) {
  uint64_t head = 0;
  for (int i = 0; i < VARINT_BYTES && rle->at < rle->end; i++) {
    uint8_t byte = *rle->at++;
    head |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      *ret = head;
      return true;
    }
  }
  return false;
}

// Takes up the next run that has values. False at the end of the data, or where it is damaged.
static bool next_run(pq_rle *rle) {
  while (rle->left == 0) {
    uint64_t head;
    if (rle->packed) rle->at = rle->packed + rle->packed_bytes;
    rle->packed = NULL;
    if (!read_head(rle, &head)) return false;
    uint64_t there = (uint64_t)(rle->end - rle->at) + rle->behind;
    if (head & 1) {
      uint64_t count = (head >> 1) * 8, bytes = (head >> 1) * rle->width;
      // Some writers leave out the last run's padding.
      if (bytes > there) {
        bytes = there;
        count = there * 8 / rle->width;
      }
      rle->packed = rle->at;
      rle->packed_at = 0;
      rle->packed_bytes = bytes;
      rle->left = count;
    } else {
      size_t bytes = (rle->width + 7u) / 8;
      if (bytes > (size_t)(rle->end - rle->at)) return false;
      uint32_t value = 0;
      memcpy(&value, rle->at, bytes);
      if (rle->width < 32 && value >> rle->width) return false;
      rle->at += bytes;
      rle->packed = NULL;
      rle->value = value;
      rle->left = head >> 1;
    }
  }
  return true;
}

// How many of `count` the run in hand has; 0: there are no more.
static inline size_t run_part(pq_rle *rle, size_t count) {
  if (rle->left == 0 && !next_run(rle)) return 0;
  return rle->left < count ? (size_t)rle->left : count;
}

static inline void used(pq_rle *rle, size_t count) {
  rle->left -= count;
  rle->packed_at += count;
}

// Most significant bit first, one at a time: only old files have them.
static uint32_t legacy_at(const pq_rle *rle, uint64_t i) {
  uint32_t value = 0;
  for (unsigned b = 0; b < rle->width; b++) {
    uint64_t bit = i * rle->width + b;
    value = value << 1 | ((uint32_t)(rle->packed[bit >> 3] >> (7 - (bit & 7))) & 1);
  }
  return value;
}

static void unpack(const pq_rle *rle, uint32_t *out, size_t n) {
  if (rle->legacy) {
    for (size_t i = 0; i < n; i++)
      out[i] = legacy_at(rle, rle->packed_at + i);
  } else {
    pq_unpack32(rle->cpu, rle->packed, rle->width, rle->packed_at, n, out);
  }
}

size_t pq_rle_u32(pq_rle *rle, uint32_t *out, size_t count) {
  size_t done = 0;
  for (size_t n; done < count && (n = run_part(rle, count - done)); done += n) {
    if (rle->packed) {
      unpack(rle, out + done, n);
    } else {
      for (size_t i = 0; i < n; i++)
        out[done + i] = rle->value;
    }
    used(rle, n);
  }
  return done;
}

size_t pq_rle_u8(pq_rle *rle, uint8_t *out, size_t count) {
  uint32_t block[BLOCK];
  size_t done = 0;
  for (size_t n; done < count && (n = run_part(rle, count - done)); done += n) {
    if (rle->packed) {
      if (n > BLOCK) n = BLOCK;
      unpack(rle, block, n);
      for (size_t i = 0; i < n; i++)
        out[done + i] = (uint8_t)block[i];
    } else {
      memset(out + done, (int)rle->value, n);
    }
    used(rle, n);
  }
  return done;
}

size_t pq_rle_bits(pq_rle *rle, uint8_t *out, size_t at, size_t count) {
  size_t done = 0;
  for (size_t n; done < count && (n = run_part(rle, count - done)); done += n) {
    if (rle->legacy) {
      for (size_t i = 0; i < n; i++)
        pq_fill_bits(out, at + done + i, 1, legacy_at(rle, rle->packed_at + i));
    } else if (rle->packed) {
      pq_copy_bits(out, at + done, rle->packed, rle->packed_at, n);
    } else {
      pq_fill_bits(out, at + done, n, rle->value);
    }
    used(rle, n);
  }
  return done;
}

size_t pq_rle_skip(pq_rle *rle, size_t count) {
  size_t done = 0;
  for (size_t n; done < count && (n = run_part(rle, count - done)); done += n)
    used(rle, n);
  return done;
}

size_t pq_rle_run(pq_rle *rle, size_t least, size_t count, uint32_t *ret_value) {
  size_t n = run_part(rle, count);
  if (n < least || rle->packed) return 0;
  *ret_value = rle->value;
  used(rle, n);
  return n;
}

const uint8_t *pq_rle_keep(const pq_rle *rle) {
  return rle->packed ? rle->packed + rle->packed_at / 8 * rle->width : rle->at;
}

void pq_rle_moved(pq_rle *rle, const uint8_t *at, const uint8_t *end, uint64_t behind) {
  if (rle->packed) {
    rle->packed_bytes -= rle->packed_at / 8 * rle->width;
    rle->packed_at %= 8;
    rle->packed = at;
  } else {
    rle->at = at;
  }
  rle->end = end;
  rle->behind = behind;
}
