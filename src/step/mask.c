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

// Replaces what `out` holds from `from` on by a token for it.
static wh_status apply_token(wh_siv *siv, wh_buf *out, size_t from, wh_error *err) {
  size_t len = out->len - from, sealed = WH_SIV_BYTES + len;
  // Room for all at once: what is read must not move.
  if (!wh_buf_reserve(out, sealed + (sealed + 2) / 3 * 4)) return wh_buf_check(out, err);
  uint8_t *at = (uint8_t *)out->data + out->len;
  WH_TRY(wh_siv_seal(siv, wh_str_n(out->data + from, len), at, err));
  out->len += sealed;
  size_t begin = out->len;
  wh_base64_encode(WH_BASE64_URL, wh_str_n((const char *)at, sealed), out);
  size_t token = out->len - begin;
  memmove(out->data + from, out->data + begin, token);
  out->len = from + token;
  out->data[out->len] = 0;
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

static wh_status apply(const wh_mask *mask, wh_mask_key *key, wh_buf *out, size_t from,
                       wh_error *err) {
  if (mask->kind == WH_MASK_HMAC) return apply_hmac(&key->hmac, out, from, err);
  if (mask->kind == WH_MASK_TOKEN) return apply_token(&key->siv, out, from, err);
  return apply_partial(mask, out, from, err);
}

wh_status wh_mask_apply_keyed(const wh_mask *mask, wh_mask_key *key, wh_str value, wh_buf *out,
                              bool *ret_null, wh_error *err) {
  if (mask->kind == WH_MASK_NULL) {
    *ret_null = true;
    return WH_OK;
  }
  size_t from = out->len;
  wh_status status = WH_OK;
  if (!wh_normalize_text(mask->normalize, value, out)) status = wh_buf_check(out, err);
  bool empty = out->len == from;
  if (status == WH_OK && !empty) status = apply(mask, key, out, from, err);
  if (status != WH_OK) {
    out->len = from; // neither the value nor half of its mask stays behind
    return status;
  }
  *ret_null = empty;
  return WH_OK;
}

wh_status wh_mask_apply(const wh_mask *mask, wh_str value, wh_buf *out, bool *ret_null,
                        wh_error *err) {
  wh_mask_key key;
  WH_TRY(wh_mask_key_init(&key, mask, err));
  wh_status status = wh_mask_apply_keyed(mask, &key, value, out, ret_null, err);
  wh_mask_key_clear(&key);
  return status;
}

// --- keys ----------------------------------------------------------------------------------------

// As the second step of HKDF (RFC 5869) does it: a key that is used for something else too makes
// other tokens than it seals.
static bool derive(wh_str text, uint8_t ret[WH_SIV_KEY_BYTES]) {
  uint8_t key[WH_SEAL_KEY_BYTES];
  if (!wh_key_read(text, key)) return false;
  wh_str secret = wh_str_n((const char *)key, sizeof key);
  wh_hmac_of(secret, WH_STR("wherry token: authenticate"), ret);
  wh_hmac_of(secret, WH_STR("wherry token: encrypt"), ret + WH_SHA256_BYTES);
  wh_wipe(key, sizeof key);
  return true;
}

static wh_status no_key(const wh_mask *mask, wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE,
                 "mask %.*s: the key of a token is 32 bytes, as 64 hexadecimal digits or in "
                 "base64. Make one with: wherry secret set %.*s --random",
                 WH_STR_ARG(mask->name), WH_STR_ARG(mask->name));
}

static wh_status open_siv(const wh_mask *mask, wh_str text, wh_siv *ret, wh_error *err) {
  uint8_t key[WH_SIV_KEY_BYTES];
  if (!derive(text, key)) return no_key(mask, err);
  wh_status status = wh_siv_init(ret, key, err);
  wh_wipe(key, sizeof key);
  return status;
}

wh_status wh_mask_key_init(wh_mask_key *key, const wh_mask *mask, wh_error *err) {
  *key = (wh_mask_key){0};
  if (mask->kind == WH_MASK_HMAC) wh_hmac_key_init(&key->hmac, mask->key);
  return mask->kind == WH_MASK_TOKEN ? open_siv(mask, mask->key, &key->siv, err) : WH_OK;
}

void wh_mask_key_clear(wh_mask_key *key) {
  wh_hmac_key_clear(&key->hmac);
  wh_siv_free(&key->siv);
}

// --- back ----------------------------------------------------------------------------------------

static wh_status unseal(const wh_mask *mask, wh_str key, wh_str sealed, wh_buf *out,
                        wh_error *err) {
  wh_siv siv = {0};
  size_t len = sealed.len - WH_SIV_BYTES;
  if (!wh_buf_reserve(out, len)) return wh_buf_check(out, err);
  WH_TRY(open_siv(mask, key, &siv, err));
  wh_status status = wh_siv_unseal(&siv, sealed, (uint8_t *)out->data + out->len, err);
  wh_siv_free(&siv);
  if (status != WH_OK) return status;
  out->len += len;
  out->data[out->len] = 0;
  return WH_OK;
}

wh_status wh_mask_reveal(const wh_mask *mask, wh_str token, wh_buf *out, wh_error *err) {
  WH_CLEAN_BUF wh_buf sealed;
  wh_buf_init(&sealed, out->mem, 0);
  bool is_token = wh_base64_decode(WH_BASE64_URL, token, &sealed) && sealed.len > WH_SIV_BYTES;
  WH_TRY(wh_buf_check(&sealed, err));
  wh_status status = WH_ERR_DENIED;
  for (size_t i = 0; is_token && status == WH_ERR_DENIED && i <= mask->keys_old.count; i++) {
    wh_str key = i ? mask->keys_old.items[i - 1] : mask->key;
    wh_error other = {0};
    status = unseal(mask, key, wh_buf_str(&sealed), out, &other);
    if (status != WH_OK && status != WH_ERR_DENIED && err) *err = other;
  }
  if (status != WH_ERR_DENIED) return status;
  return wh_fail(err, WH_ERR_DENIED, "this is no token of mask %.*s, or of another key",
                 WH_STR_ARG(mask->name));
}

static wh_status check_token_keys(const wh_mask *mask, wh_error *err) {
  uint8_t key[WH_SIV_KEY_BYTES];
  bool ok = derive(mask->key, key);
  for (size_t i = 0; ok && i < mask->keys_old.count; i++)
    ok = derive(mask->keys_old.items[i], key);
  wh_wipe(key, sizeof key);
  return ok ? WH_OK : no_key(mask, err);
}

wh_status wh_mask_check(const wh_mask *mask, wh_error *err) {
  if (mask->kind == WH_MASK_TOKEN) return check_token_keys(mask, err);
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
