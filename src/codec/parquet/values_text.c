// Byte arrays: PLAIN, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
#include "codec/parquet/copy.h"
#include "codec/parquet/values.h"

enum { LENGTH_BYTES = 4, BLOCK = 256, SHORT_TEXT = 16 };

static wh_status damaged_lengths(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the lengths of its texts are damaged");
}

static wh_status too_long(const pq_page_values *v, uint64_t len, wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "its value %llu says it has %llu bytes, more than are left",
                 (unsigned long long)v->given + 1, (unsigned long long)len);
}

// DELTA_BYTE_ARRAY: short suffixes may stand for long values. The longest tells how many values
// may be taken at once.
static bool find_longest(pq_page_values *v) {
  pq_delta prefixes = v->prefixes, suffixes = v->delta;
  uint32_t a[BLOCK], b[BLOCK];
  for (size_t n; (n = pq_delta_u32(&prefixes, a, BLOCK));) {
    if (pq_delta_u32(&suffixes, b, n) < n) return false;
    for (size_t i = 0; i < n; i++) {
      if ((a[i] | b[i]) >> 31) return false;
      size_t len = (size_t)a[i] + b[i];
      if (len > v->max_text) v->max_text = len;
    }
  }
  return true;
}

wh_status pq_texts_begin(pq_page_values *values, wh_error *err) {
  if (values->at == values->end) return WH_OK;
  size_t len = (size_t)(values->end - values->at);
  if (values->encoding == PQ_DELTA_BYTE_ARRAY) {
    if (!pq_delta_init(&values->prefixes, values->cpu, values->at, len))
      return damaged_lengths(err);
    values->at = pq_delta_end(&values->prefixes);
    if (!values->at) return damaged_lengths(err);
    len = (size_t)(values->end - values->at);
  }
  if (!pq_delta_init(&values->delta, values->cpu, values->at, len)) return damaged_lengths(err);
  values->at = pq_delta_end(&values->delta);
  if (!values->at) return damaged_lengths(err);
  if (values->encoding != PQ_DELTA_BYTE_ARRAY) return WH_OK;
  wh_buf_clear(values->last);
  return find_longest(values) ? WH_OK : damaged_lengths(err);
}

// The length of the next text, which then stands whole at v->at. For where not all of it is there.
static wh_status next_plain(pq_page_values *v, size_t *ret, wh_error *err) {
  WH_TRY(pq_values_need(v, LENGTH_BYTES, err));
  if (v->end - v->at < LENGTH_BYTES) return pq_values_short(v, err);
  size_t len = pq_load32(v->at);
  if (len > (size_t)(v->end - v->at) - LENGTH_BYTES + v->behind) return too_long(v, len, err);
  WH_TRY(pq_values_need(v, LENGTH_BYTES + len, err));
  if (len > (size_t)(v->end - v->at) - LENGTH_BYTES) return too_long(v, len, err);
  v->at += LENGTH_BYTES;
  *ret = len;
  return WH_OK;
}

// The texts stand one behind the other, each with its length in front. Short ones are copied by
// whole words.
static wh_status read_plain(pq_page_values *v, size_t count, wh_column *column, wh_error *err) {
  size_t used = (size_t)column->offsets[column->length];
  size_t limit = column->bytes_cap - PQ_SLACK;
  int32_t *offsets = column->offsets + column->length;
  uint8_t *bytes = column->bytes;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *at = v->at;
    size_t there = (size_t)(v->end - at), len = there >= LENGTH_BYTES ? pq_load32(at) : SIZE_MAX;
    if (__builtin_expect(there < LENGTH_BYTES || len > there - LENGTH_BYTES, 0)) {
      v->given += i;
      WH_TRY(next_plain(v, &len, err));
      v->given -= i;
    } else {
      v->at += LENGTH_BYTES;
    }
    if (__builtin_expect(len > limit - used, 0)) {
      size_t have = (size_t)column->offsets[column->length];
      WH_TRY(pq_values_room(column, 0, used - have + len, err));
      bytes = column->bytes;
      limit = column->bytes_cap - PQ_SLACK;
    }
    memcpy(bytes + used, v->at, SHORT_TEXT);
    if (len > SHORT_TEXT) memcpy(bytes + used, v->at, len);
    used += len;
    v->at += len;
    offsets[i + 1] = (int32_t)used;
  }
  return WH_OK;
}

static wh_status read_lengths(pq_page_values *v, pq_delta *delta, uint32_t *out, size_t n,
                              wh_error *err) {
  if (pq_delta_u32(delta, out, n) < n) return pq_values_short(v, err);
  for (size_t i = 0; i < n; i++)
    if (out[i] >> 31) return damaged_lengths(err);
  return WH_OK;
}

static wh_status read_with_lengths(pq_page_values *v, size_t count, wh_column *column,
                                   wh_error *err) {
  uint32_t lengths[BLOCK];
  for (size_t done = 0; done < count;) {
    size_t n = count - done < BLOCK ? count - done : BLOCK;
    WH_TRY(read_lengths(v, &v->delta, lengths, n, err));
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
      sum += lengths[i];
    if (sum > (uint64_t)(v->end - v->at)) return too_long(v, sum, err);
    size_t have = (size_t)column->offsets[column->length];
    size_t used = (size_t)column->offsets[column->length + done];
    WH_TRY(pq_values_room(column, 0, used - have + (size_t)sum, err));
    pq_copy(column->bytes + used, v->at, (size_t)sum);
    v->at += sum;
    for (size_t i = 0; i < n; i++) {
      used += lengths[i];
      column->offsets[column->length + done + i + 1] = (int32_t)used;
    }
    done += n;
  }
  return WH_OK;
}

// One value: the front of the one before, which stands at `before` of the column's bytes (or in
// `last`, for the first), and a suffix.
static wh_status join_value(pq_page_values *v, wh_str before, uint32_t prefix, uint32_t suffix,
                            size_t used, wh_column *column, wh_error *err) {
  if (prefix > before.len) {
    return wh_fail(err, WH_ERR_DATA,
                   "a value begins with %u bytes of the one before, which has %zu", prefix,
                   before.len);
  }
  if (suffix > (size_t)(v->end - v->at)) return too_long(v, suffix, err);
  if (prefix) memmove(column->bytes + used, before.data, prefix);
  if (suffix) memcpy(column->bytes + used + prefix, v->at, suffix);
  v->at += suffix;
  return WH_OK;
}

static wh_status read_with_prefixes(pq_page_values *v, size_t count, wh_column *column,
                                    wh_error *err) {
  uint32_t prefixes[BLOCK], suffixes[BLOCK];
  size_t have = (size_t)column->offsets[column->length];
  bool first = true;
  for (size_t done = 0; done < count;) {
    size_t n = count - done < BLOCK ? count - done : BLOCK;
    WH_TRY(read_lengths(v, &v->prefixes, prefixes, n, err));
    WH_TRY(read_lengths(v, &v->delta, suffixes, n, err));
    for (size_t i = 0; i < n; i++, first = false) {
      int32_t *offset = column->offsets + column->length + done + i;
      size_t used = (size_t)*offset, len = (size_t)prefixes[i] + suffixes[i];
      if (used + len > WH_BATCH_BYTES_MAX) return damaged_lengths(err);
      WH_TRY(pq_values_room(column, 0, used - have + len, err));
      wh_str before = first ? wh_buf_str(v->last)
                            : wh_str_n((const char *)column->bytes + offset[-1],
                                       (size_t)(offset[0] - offset[-1]));
      WH_TRY(join_value(v, before, prefixes[i], suffixes[i], used, column, err));
      offset[1] = (int32_t)(used + len);
    }
    done += n;
  }
  const int32_t *last = column->offsets + column->length + count - 1;
  wh_buf_clear(v->last);
  wh_buf_add(v->last, column->bytes + last[0], (size_t)(last[1] - last[0]));
  return wh_buf_check(v->last, err);
}

wh_status pq_texts_read(pq_page_values *values, size_t count, wh_column *column, wh_error *err) {
  WH_TRY(pq_values_room(column, count, 0, err));
  if (values->encoding == PQ_PLAIN) return read_plain(values, count, column, err);
  if (values->encoding == PQ_DELTA_LENGTH_BYTE_ARRAY)
    return read_with_lengths(values, count, column, err);
  return read_with_prefixes(values, count, column, err);
}

static wh_status skip_plain(pq_page_values *v, size_t count, wh_error *err) {
  for (size_t i = 0, len; i < count; i++) {
    WH_TRY(next_plain(v, &len, err));
    v->at += len;
  }
  return WH_OK;
}

static wh_status skip_lengths(pq_page_values *v, size_t count, wh_error *err) {
  uint32_t lengths[BLOCK];
  for (size_t done = 0; done < count;) {
    size_t n = count - done < BLOCK ? count - done : BLOCK;
    WH_TRY(read_lengths(v, &v->delta, lengths, n, err));
    for (size_t i = 0; i < n; i++) {
      if (lengths[i] > (size_t)(v->end - v->at)) return too_long(v, lengths[i], err);
      v->at += lengths[i];
    }
    done += n;
  }
  return WH_OK;
}

// Each value needs the one before, so only `last` is kept up.
static wh_status skip_prefixes(pq_page_values *v, size_t count, wh_error *err) {
  for (size_t i = 0; i < count; i++) {
    uint32_t prefix, suffix;
    WH_TRY(read_lengths(v, &v->prefixes, &prefix, 1, err));
    WH_TRY(read_lengths(v, &v->delta, &suffix, 1, err));
    if (prefix > v->last->len) return damaged_lengths(err);
    if (suffix > (size_t)(v->end - v->at)) return too_long(v, suffix, err);
    v->last->len = prefix;
    wh_buf_add(v->last, v->at, suffix);
    WH_TRY(wh_buf_check(v->last, err));
    v->at += suffix;
  }
  return WH_OK;
}

wh_status pq_texts_skip(pq_page_values *values, size_t count, wh_error *err) {
  if (values->encoding == PQ_PLAIN) return skip_plain(values, count, err);
  if (values->encoding == PQ_DELTA_LENGTH_BYTE_ARRAY) return skip_lengths(values, count, err);
  return skip_prefixes(values, count, err);
}
