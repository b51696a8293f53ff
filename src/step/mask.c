#include "step/mask.h"

#include "step/chars.h"

const char *const wh_normalize_names[] = {
    [WH_NORMALIZE_NONE] = "none",
    [WH_NORMALIZE_TRIM] = "trim",
    [WH_NORMALIZE_LOWER] = "lower",
    [WH_NORMALIZE_UPPER] = "upper",
    [WH_NORMALIZE_ALPHANUMERIC_UPPER] = "alphanumeric-upper",
    [WH_NORMALIZE_ALPHANUMERIC_LOWER] = "alphanumeric-lower",
    [WH_NORMALIZE_DIGITS] = "digits",
    NULL,
};

static bool keeps(wh_normalize form, uint32_t c) {
  switch (form) {
  case WH_NORMALIZE_ALPHANUMERIC_UPPER:
  case WH_NORMALIZE_ALPHANUMERIC_LOWER:
    return wh_char_is_alphanumeric(c);
  case WH_NORMALIZE_DIGITS:
    return c >= '0' && c <= '9';
  default:
    return true;
  }
}

static uint32_t convert(wh_normalize form, uint32_t c) {
  switch (form) {
  case WH_NORMALIZE_UPPER:
  case WH_NORMALIZE_ALPHANUMERIC_UPPER:
    return wh_char_upper(c);
  case WH_NORMALIZE_LOWER:
  case WH_NORMALIZE_ALPHANUMERIC_LOWER:
    return wh_char_lower(c);
  default:
    return c;
  }
}

bool wh_normalize_text(wh_normalize form, wh_str text, wh_buf *out) {
  if (form == WH_NORMALIZE_NONE) return wh_buf_add_str(out, text);
  text = wh_chars_trim(text);
  if (form == WH_NORMALIZE_TRIM) return wh_buf_add_str(out, text);
  // Room for all at once: no case mapping makes a character more than twice as long.
  if (!wh_buf_reserve(out, text.len * 2)) return false;
  for (size_t at = 0; at < text.len;) {
    size_t begin = at;
    uint32_t c = wh_char_next(text, &at);
    if (!keeps(form, c)) continue;
    uint32_t to = convert(form, c);
    char *end = out->data + out->len;
    // An unchanged character is copied, so that bytes which are not UTF-8 stay different.
    if (to == c) memcpy(end, text.data + begin, at - begin);
    out->len += to == c ? at - begin : wh_char_encode(to, end);
  }
  out->data[out->len] = 0;
  return true;
}

// Replaces what `out` holds from `from` on by its keyed hash.
static wh_status apply_hmac(const wh_hmac_key *key, wh_buf *out, size_t from, wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_hmac(key, wh_str_n(out->data + from, out->len - from), digest);
  out->len = from;
  wh_buf_add_hex(out, digest, sizeof digest);
  return wh_buf_check(out, err);
}

// Replaces what `out` holds from `from` on by its ends, the rest hidden.
static wh_status apply_partial(const wh_mask *mask, wh_buf *out, size_t from, wh_error *err) {
  size_t text_end = out->len;
  wh_str fill = mask->fill.len ? mask->fill : WH_STR(WH_MASK_FILL);
  size_t count = wh_chars_count(wh_str_sub(wh_buf_str(out), from, text_end));
  // Written so that no sum can overflow.
  bool all_hidden = mask->keep_first >= count || mask->keep_last >= count - mask->keep_first;
  size_t number = 0;
  for (size_t at = from; at < text_end; number++) {
    size_t begin = at;
    wh_char_next(wh_str_n(out->data, text_end), &at);
    bool shown = !all_hidden && (number < mask->keep_first || number >= count - mask->keep_last);
    if (!wh_buf_reserve(out, at - begin)) break; // before the bytes it copies may move
    if (shown)
      wh_buf_add(out, out->data + begin, at - begin);
    else
      wh_buf_add_str(out, fill);
  }
  WH_TRY(wh_buf_check(out, err));
  size_t masked = out->len - text_end;
  memmove(out->data + from, out->data + text_end, masked);
  out->len = from + masked;
  out->data[out->len] = 0;
  return WH_OK;
}

wh_status wh_mask_apply_keyed(const wh_mask *mask, const wh_hmac_key *key, wh_str value,
                              wh_buf *out, bool *ret_null, wh_error *err) {
  if (mask->kind == WH_MASK_NULL) {
    *ret_null = true;
    return WH_OK;
  }
  size_t from = out->len;
  wh_status status = WH_OK;
  if (!wh_normalize_text(mask->normalize, value, out)) status = wh_buf_check(out, err);
  bool empty = out->len == from;
  if (status == WH_OK && !empty) {
    status = mask->kind == WH_MASK_HMAC ? apply_hmac(key, out, from, err)
                                        : apply_partial(mask, out, from, err);
  }
  if (status != WH_OK) {
    out->len = from; // neither the value nor half of its mask stays behind
    return status;
  }
  *ret_null = empty;
  return WH_OK;
}

wh_status wh_mask_apply(const wh_mask *mask, wh_str value, wh_buf *out, bool *ret_null,
                        wh_error *err) {
  wh_hmac_key key;
  bool keyed = mask->kind == WH_MASK_HMAC;
  if (keyed) wh_hmac_key_init(&key, mask->key);
  wh_status status = wh_mask_apply_keyed(mask, keyed ? &key : NULL, value, out, ret_null, err);
  if (keyed) wh_hmac_key_clear(&key);
  return status;
}

wh_status wh_mask_check(const wh_mask *mask, wh_error *err) {
  if (mask->kind == WH_MASK_HMAC && mask->key.len < WH_MASK_KEY_MIN) {
    return wh_fail(err, WH_ERR_USAGE,
                   "mask %.*s: its key has %zu bytes, a keyed hash needs at least %d. A good one: "
                   "openssl rand -base64 32",
                   WH_STR_ARG(mask->name), mask->key.len, WH_MASK_KEY_MIN);
  }
  if (mask->kind == WH_MASK_PARTIAL && mask->fill.len) {
    size_t at = 0;
    uint32_t c = wh_char_next(mask->fill, &at);
    if (at != mask->fill.len || c < 0x20 || c == 0x7F || c == WH_CHAR_INVALID) {
      return wh_fail(err, WH_ERR_USAGE, "mask %.*s: fill must be one character, such as \"%s\"",
                     WH_STR_ARG(mask->name), WH_MASK_FILL);
    }
  }
  return WH_OK;
}
