#include "codec/parquet/delta_read.h"

enum { VARINT_BYTES = 10, BLOCK = 256 };

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret) {
  uint64_t value = 0;
  for (int i = 0; i < VARINT_BYTES && *at < end; i++) {
    uint8_t byte = *(*at)++;
    value |= (uint64_t)(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      *ret = value;
      return true;
    }
  }
  return false;
}

static bool read_zigzag(const uint8_t **at, const uint8_t *end, uint64_t *ret) {
  uint64_t value;
  if (!read_varint(at, end, &value)) return false;
  *ret = (value >> 1) ^ -(value & 1);
  return true;
}

bool pq_delta_init(pq_delta *delta, wh_cpu cpu, const uint8_t *data, size_t len) {
  uint64_t block, minis;
  *delta = (pq_delta){.at = data, .end = data + len, .cpu = cpu};
  if (!read_varint(&delta->at, delta->end, &block) ||
      !read_varint(&delta->at, delta->end, &minis) ||
      !read_varint(&delta->at, delta->end, &delta->left) ||
      !read_zigzag(&delta->at, delta->end, &delta->last)) {
    return false;
  }
  // Unpacking goes by eight values, so a miniblock has a multiple of eight. (The specification says
  // 32.)
  if (minis == 0 || minis > INT32_MAX || block > INT32_MAX || block % minis) return false;
  delta->per_mini = block / minis;
  if (delta->per_mini == 0 || delta->per_mini % 8) return false;
  delta->minis = (uint32_t)minis;
  delta->first = delta->left > 0;
  return true;
}

// Goes to the next miniblock, and to the next block where the one in hand has no more.
static bool next_mini(pq_delta *d) {
  if (d->widths == d->widths_end) {
    if (!read_zigzag(&d->at, d->end, &d->least)) return false;
    if ((size_t)(d->end - d->at) < d->minis) return false;
    d->widths = d->at;
    d->at += d->minis;
    d->widths_end = d->at;
  }
  d->width = *d->widths++;
  if (d->width > 64) return false;
  uint64_t values = d->left < d->per_mini ? d->left : d->per_mini;
  uint64_t bytes = d->per_mini / 8 * d->width, there = (uint64_t)(d->end - d->at);
  // The last one's padding may be missing.
  if (bytes > there) {
    if ((values * d->width + 7) / 8 > there) return false;
    bytes = there;
  }
  d->packed = d->at;
  d->at += bytes;
  d->packed_at = 0;
  d->packed_left = values;
  return true;
}

// Up to BLOCK differences, with the least already added.
static size_t differences(pq_delta *d, uint64_t *out, size_t count) {
  if (d->packed_left == 0 && !next_mini(d)) return 0;
  size_t n = d->packed_left < count ? (size_t)d->packed_left : count;
  if (n > BLOCK) n = BLOCK;
  if (d->width <= 32) {
    uint32_t narrow[BLOCK];
    pq_unpack32(d->cpu, d->packed, d->width, d->packed_at, n, narrow);
    for (size_t i = 0; i < n; i++)
      out[i] = d->least + narrow[i];
  } else {
    for (size_t i = 0; i < n; i++)
      out[i] = d->least + pq_bits_at(d->packed, (d->packed_at + i) * d->width, d->width);
  }
  d->packed_at += n;
  d->packed_left -= n;
  d->left -= n;
  return n;
}

// The value in the head.
static bool take_first(pq_delta *d, size_t count) {
  if (!d->first || count == 0) return false;
  d->first = false;
  d->left--;
  return true;
}

size_t pq_delta_u64(pq_delta *d, uint64_t *out, size_t count) {
  uint64_t block[BLOCK];
  size_t done = 0;
  if (take_first(d, count)) {
    if (out) out[0] = d->last;
    done = 1;
  }
  while (done < count && d->left) {
    size_t n = differences(d, block, count - done);
    if (n == 0) break;
    uint64_t last = d->last;
    for (size_t i = 0; i < n; i++) {
      last += block[i];
      if (out) out[done + i] = last;
    }
    d->last = last;
    done += n;
  }
  return done;
}

size_t pq_delta_u32(pq_delta *d, uint32_t *out, size_t count) {
  uint64_t block[BLOCK];
  size_t done = 0;
  if (take_first(d, count)) {
    if (out) out[0] = (uint32_t)d->last;
    done = 1;
  }
  while (done < count && d->left) {
    size_t n = differences(d, block, count - done);
    if (n == 0) break;
    uint64_t last = d->last;
    for (size_t i = 0; i < n; i++) {
      last += block[i];
      if (out) out[done + i] = (uint32_t)last;
    }
    d->last = last;
    done += n;
  }
  return done;
}

const uint8_t *pq_delta_end(const pq_delta *delta) {
  pq_delta d = *delta;
  if (d.left) d.left--;
  while (d.left) {
    if (!next_mini(&d)) return NULL;
    d.left -= d.packed_left;
    d.packed_left = 0;
  }
  return d.at;
}
