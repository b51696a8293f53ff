// Text.
#include "codec/csv/decode.h"

enum { CHUNK = 32, SHORT_COPY = 64 };

// Copies len bytes and up to CHUNK more, which both sides have room for.
static inline __attribute__((always_inline)) void copy_loose(uint8_t *to, const char *from,
                                                             size_t len) {
  memcpy(to, from, CHUNK);
  if (len <= CHUNK) return;
  if (len > SHORT_COPY) {
    memcpy(to + CHUNK, from + CHUNK, len - CHUNK);
    return;
  }
  memcpy(to + CHUNK, from + CHUNK, CHUNK);
}

static wh_status add_general(csv_job *job, uint32_t row, size_t *used) {
  wh_column *c = job->out;
  csv_value field;
  if (job->d->scratch.used > WH_ARENA_BLOCK_BYTES) wh_arena_reset(&job->d->scratch);
  if (!csv_field_get(job->d, csv_from(&job->f, row), csv_to(&job->f, row), &field)) {
    return wh_fail_memory(job->err);
  }
  if (field.null) csv_job_null(job, row);
  c->length = row;
  WH_TRY(wh_column_reserve(c, 1, field.text.len + CHUNK, job->err));
  if (field.text.len) memcpy(c->bytes + *used, field.text.data, field.text.len);
  *used += field.text.len;
  c->offsets[row + 1] = (int32_t)*used;
  return WH_OK;
}

static wh_status make_room(csv_job *job, uint32_t row, size_t bytes) {
  job->out->length = row;
  return wh_column_reserve(job->out, 1, bytes, job->err);
}

wh_status csv_decode_texts(csv_job *job) {
  csv_fields f = job->f;
  wh_column *c = job->out;
  const csv_dialect *dialect = job->d->dialect;
  bool general = dialect->trim || dialect->escape || dialect->null_count || job->d->high;
  bool doubled = dialect->doubled;
  size_t used = 0;
  c->offsets[0] = 0;
  for (uint32_t row = 0; row < f.rows; row++) {
    const char *p = f.data + csv_from(&f, row);
    size_t len = csv_to(&f, row) - csv_from(&f, row);
    if (__builtin_expect(general, 0)) {
      WH_TRY(add_general(job, row, &used));
      continue;
    }
    if ((unsigned char)*p == f.quote && len >= 2) {
      p++;
      len -= 2;
      if (doubled && memchr(p, f.quote, len)) {
        WH_TRY(add_general(job, row, &used));
        continue;
      }
    } else if (len == 0) {
      csv_job_null(job, row);
    }
    if (__builtin_expect(used + len + CHUNK > c->bytes_cap, 0)) {
      WH_TRY(make_room(job, row, len + CHUNK));
    }
    copy_loose(c->bytes + used, p, len);
    used += len;
    c->offsets[row + 1] = (int32_t)used;
  }
  c->length = 0;
  return WH_OK;
}
