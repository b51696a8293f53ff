#include "codec/csv/transcode.h"

#include "base/mem.h"

enum {
  RAW_BYTES = 64 * 1024,
  CHAR_MAX_BYTES = 4, // of UTF-8
};

typedef struct transcoder {
  wh_input base;
  wh_mem *mem;
  wh_input *in;
  wh_csv_encoding from;
  char *raw; // bytes of `in`; those in [at, len) are still to be done
  size_t cap, len, at;
  uint64_t raw_at;           // where raw[0] stands in `in`
  bool ended;                // `in` has no more than what is in raw
  char rest[CHAR_MAX_BYTES]; // of a character that the reader's buffer had no room for
  size_t rest_len;
} transcoder;

// --- Characters ----------------------------------------------------------------------------------

static size_t put_char(uint32_t c, char *out) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

static uint32_t unit_at(const transcoder *t, size_t at) {
  uint8_t first = (uint8_t)t->raw[at], second = (uint8_t)t->raw[at + 1];
  return t->from == WH_CSV_UTF16LE ? first | (uint32_t)second << 8 : second | (uint32_t)first << 8;
}

static wh_status not_utf16(const transcoder *t, const char *what, wh_error *err) {
  unsigned long long byte = t->raw_at + t->at;
  return wh_fail_at(err, WH_ERR_DATA, (wh_place){.byte = byte},
                    "byte %llu: %s. The text is not UTF-16, or not complete", byte, what);
}

// The next character of UTF-16; WH_ERR_END: its bytes are not all there yet.
static wh_status take_utf16(transcoder *t, uint32_t *ret, wh_error *err) {
  size_t have = t->len - t->at;
  if (have < 2) {
    return t->ended ? not_utf16(t, "half a character stands at the end", err) : WH_ERR_END;
  }
  uint32_t c = unit_at(t, t->at);
  if (c >= 0xD800 && c <= 0xDFFF) {
    if (c >= 0xDC00) return not_utf16(t, "a second surrogate has no first one", err);
    if (have < 4) {
      return t->ended ? not_utf16(t, "half a character stands at the end", err) : WH_ERR_END;
    }
    uint32_t low = unit_at(t, t->at + 2);
    if (low < 0xDC00 || low > 0xDFFF) {
      return not_utf16(t, "a first surrogate has no second one", err);
    }
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    t->at += 2;
  }
  t->at += 2;
  *ret = c;
  return WH_OK;
}

static wh_status take_char(transcoder *t, uint32_t *ret, wh_error *err) {
  if (t->from != WH_CSV_LATIN1) return take_utf16(t, ret, err);
  if (t->at == t->len) return WH_ERR_END;
  *ret = (uint8_t)t->raw[t->at++];
  return WH_OK;
}

// --- Most characters -----------------------------------------------------------------------------

// ASCII, eight bytes of the input at a time; returns how many bytes went to `out`.
static size_t copy_ascii16(transcoder *t, char *out, size_t cap) {
  const uint64_t wide =
      t->from == WH_CSV_UTF16LE ? UINT64_C(0xFF80FF80FF80FF80) : UINT64_C(0x80FF80FF80FF80FF);
  size_t n = 0;
  while (t->len - t->at >= 8 && cap - n >= 4) {
    const char *p = t->raw + t->at;
    uint64_t units;
    memcpy(&units, p, sizeof units);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    units = __builtin_bswap64(units);
#endif
    if (units & wide) break;
    size_t low = t->from == WH_CSV_UTF16BE;
    for (size_t i = 0; i < 4; i++)
      out[n + i] = p[2 * i + low];
    n += 4;
    t->at += 8;
  }
  return n;
}

static size_t copy_ascii8(transcoder *t, char *out, size_t cap) {
  size_t n = 0;
  while (t->len - t->at >= 8 && cap - n >= 8) {
    uint64_t bytes;
    memcpy(&bytes, t->raw + t->at, sizeof bytes);
    if (bytes & UINT64_C(0x8080808080808080)) break;
    memcpy(out + n, &bytes, sizeof bytes);
    n += 8;
    t->at += 8;
  }
  return n;
}

// Fills `out` from what is in raw. WH_ERR_END: more of the input is needed.
static wh_status fill(transcoder *t, char *out, size_t cap, size_t *len, wh_error *err) {
  while (*len < cap) {
    *len += t->from == WH_CSV_LATIN1 ? copy_ascii8(t, out + *len, cap - *len)
                                     : copy_ascii16(t, out + *len, cap - *len);
    if (*len == cap) break;
    uint32_t c;
    if (t->at == t->len) return WH_ERR_END;
    wh_status status = take_char(t, &c, err);
    if (status != WH_OK) return status;
    char text[CHAR_MAX_BYTES];
    size_t size = put_char(c, text), room = cap - *len < size ? cap - *len : size;
    memcpy(out + *len, text, room);
    *len += room;
    t->rest_len = size - room;
    memcpy(t->rest, text + room, t->rest_len);
  }
  return WH_OK;
}

// --- The input -----------------------------------------------------------------------------------

static wh_status refill(transcoder *t, wh_error *err) {
  size_t rest = t->len - t->at;
  if (rest) memmove(t->raw, t->raw + t->at, rest);
  t->raw_at += t->at;
  t->at = 0;
  t->len = rest;
  if (t->cap > RAW_BYTES) { // it was larger for the head
    char *raw = wh_mem_realloc(t->mem, t->raw, t->cap, RAW_BYTES);
    if (!raw) return wh_fail_memory(err);
    t->raw = raw;
    t->cap = RAW_BYTES;
  }
  size_t got;
  WH_TRY(wh_input_read(t->in, t->raw + rest, t->cap - rest, &got, err));
  t->ended = got == 0;
  t->len += got;
  return WH_OK;
}

static wh_status transcoder_read(wh_input *in, void *data, size_t cap, size_t *ret_len,
                                 wh_error *err) {
  transcoder *t = (transcoder *)in;
  char *out = data;
  size_t len = t->rest_len < cap ? t->rest_len : cap;
  memcpy(out, t->rest, len);
  t->rest_len -= len;
  memmove(t->rest, t->rest + len, t->rest_len);
  wh_status status = WH_OK;
  while (len < cap && status == WH_OK) {
    status = fill(t, out, cap, &len, err);
    if (status != WH_ERR_END) break;
    // Whoever reads gets what there is before the input is asked for more.
    if (len || (t->ended && t->at == t->len)) {
      status = WH_OK;
      break;
    }
    status = refill(t, err);
  }
  // A mistake is told by the next call, behind the text before it.
  if (status != WH_OK && len == 0) return status;
  *ret_len = len;
  return WH_OK;
}

static void transcoder_close(wh_input *in) {
  transcoder *t = (transcoder *)in;
  wh_mem_free(t->mem, t->raw, t->cap);
  wh_mem_free(t->mem, t, sizeof *t);
}

wh_status csv_transcode_open(wh_mem *mem, wh_input *in, wh_csv_encoding from, wh_str head,
                             uint64_t head_at, wh_input **ret, wh_error *err) {
  transcoder *t = wh_mem_alloc_zero(mem, sizeof *t);
  if (!t) return wh_fail_memory(err);
  t->base = (wh_input){.size = WH_SIZE_UNKNOWN, .read = transcoder_read, .close = transcoder_close};
  t->mem = mem;
  t->in = in;
  t->from = from;
  t->raw_at = head_at;
  t->cap = head.len > RAW_BYTES ? head.len : RAW_BYTES;
  t->raw = wh_mem_alloc(mem, t->cap);
  if (!t->raw) {
    t->cap = 0;
    transcoder_close(&t->base);
    return wh_fail_memory(err);
  }
  if (head.len) memcpy(t->raw, head.data, head.len);
  t->len = head.len;
  *ret = &t->base;
  return WH_OK;
}
