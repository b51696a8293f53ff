#include "net/sigv4.h"

#include "data/temporal.h"
#include "net/uri.h"

enum { PARAMS_MAX = 128, SCOPE_MAX = 256, PRESIGN_SECONDS_MAX = 7 * 24 * 3600 };

#define ALGORITHM "AWS4-HMAC-SHA256"

void wh_sigv4_signer_clear(wh_sigv4_signer *signer) {
  if (!signer) return;
  wh_hmac_key_clear(&signer->key);
  wh_wipe(signer->secret_hash, sizeof signer->secret_hash);
  signer->has_key = false;
}

void wh_sigv4_work_init(wh_sigv4_work *work, wh_mem *mem) {
  *work = (wh_sigv4_work){0};
  wh_buf_init(&work->canonical, mem, 0);
  wh_buf_init(&work->to_sign, mem, 0);
  wh_buf_init(&work->names, mem, 0);
  wh_buf_init(&work->scratch, mem, 0);
}

void wh_sigv4_work_free(wh_sigv4_work *work) {
  wh_buf_free(&work->canonical);
  wh_buf_free(&work->to_sign);
  wh_buf_free(&work->names);
  wh_buf_free(&work->scratch);
}

void wh_sigv4_time(int64_t us, char out[WH_SIGV4_TIME_CHARS + 1]) {
  wh_civil c;
  wh_civil_from_us(us, &c);
  char text[64];
  snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02dZ", c.year, c.month, c.day, c.hour,
           c.minute, c.second);
  memcpy(out, text, WH_SIGV4_TIME_CHARS);
  out[WH_SIGV4_TIME_CHARS] = 0;
}

// --- path ----------------------------------------------------------------------------------------

// "/a/./b//../c/" -> "/a/c/"
static void normalize(wh_str path, wh_buf *out) {
  wh_str rest = path, part;
  size_t start = out->len;
  wh_buf_add_char(out, '/');
  while (wh_str_split(&rest, '/', &part)) {
    if (part.len == 0 || wh_str_is(part, ".")) continue;
    if (wh_str_is(part, "..")) {
      if (out->failed) return;
      while (out->len > start + 1 && out->data[--out->len - 1] != '/')
        continue;
      continue;
    }
    wh_buf_add_str(out, part);
    wh_buf_add_char(out, '/');
  }
  bool ends = wh_str_ends(path, "/") || wh_str_ends(path, "/.") || wh_str_ends(path, "/..");
  if (!ends && out->len > start + 1) out->len--;
}

static void add_path(const wh_sigv4_signer *signer, wh_str path, wh_sigv4_work *work) {
  if (path.len == 0) path = WH_STR("/");
  if (signer->plain_path) {
    wh_buf_add_str(&work->canonical, path);
    return;
  }
  wh_buf_clear(&work->scratch);
  if (signer->no_normalize)
    wh_buf_add_str(&work->scratch, path);
  else
    normalize(path, &work->scratch);
  wh_uri_add_path(&work->canonical, wh_buf_str(&work->scratch));
}

// --- query ---------------------------------------------------------------------------------------

typedef struct param {
  size_t name, value, end; // offsets in the scratch buffer
} param;

typedef struct params {
  wh_sigv4_work *work;
  param items[PARAMS_MAX];
  size_t count;
  bool too_many, failed;
} params;

// Not all of it is set to zero: it is large, and each request has one.
static void params_init(params *p, wh_sigv4_work *work) {
  p->work = work;
  p->count = 0;
  p->too_many = p->failed = false;
}

// What is encoded already stays so, what is not becomes so.
static void add_encoded(params *p, wh_str text) {
  wh_buf *decoded = &p->work->to_sign; // not in use yet
  wh_buf_clear(decoded);
  wh_uri_add_decoded(decoded, text);
  wh_uri_add(&p->work->scratch, wh_buf_str(decoded));
  p->failed = p->failed || decoded->failed;
}

static void add_param(params *p, wh_str name, wh_str value) {
  if (p->count == PARAMS_MAX) {
    p->too_many = true;
    return;
  }
  wh_buf *scratch = &p->work->scratch;
  param *item = &p->items[p->count++];
  item->name = scratch->len;
  add_encoded(p, name);
  item->value = scratch->len;
  add_encoded(p, value);
  item->end = scratch->len;
}

static void add_query_params(params *p, wh_str query) {
  wh_str piece;
  while (wh_str_split(&query, '&', &piece)) {
    if (piece.len == 0) continue;
    size_t equals = wh_str_find(piece, 0, '=');
    add_param(p, wh_str_sub(piece, 0, equals), wh_str_sub(piece, equals + 1, piece.len));
  }
}

static wh_str scratch_part(const params *p, size_t from, size_t to) {
  return wh_str_sub(wh_buf_str(&p->work->scratch), from, to);
}

static int compare_params(const params *p, const param *a, const param *b) {
  int names = wh_str_cmp(scratch_part(p, a->name, a->value), scratch_part(p, b->name, b->value));
  if (names) return names;
  return wh_str_cmp(scratch_part(p, a->value, a->end), scratch_part(p, b->value, b->end));
}

static void add_sorted_params(params *p, wh_buf *out) {
  for (size_t i = 1; i < p->count; i++) {
    param item = p->items[i];
    size_t j = i;
    for (; j > 0 && compare_params(p, &p->items[j - 1], &item) > 0; j--)
      p->items[j] = p->items[j - 1];
    p->items[j] = item;
  }
  for (size_t i = 0; i < p->count; i++) {
    if (i) wh_buf_add_char(out, '&');
    wh_buf_add_str(out, scratch_part(p, p->items[i].name, p->items[i].value));
    wh_buf_add_char(out, '=');
    wh_buf_add_str(out, scratch_part(p, p->items[i].value, p->items[i].end));
  }
}

// --- header fields -------------------------------------------------------------------------------

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int compare_names(wh_str a, wh_str b) {
  for (size_t i = 0; i < a.len && i < b.len; i++) {
    int difference = (uint8_t)lower(a.data[i]) - (uint8_t)lower(b.data[i]);
    if (difference) return difference;
  }
  return a.len < b.len ? -1 : a.len > b.len;
}

static void add_lower(wh_buf *out, wh_str s) {
  if (!wh_buf_reserve(out, s.len)) return;
  for (size_t i = 0; i < s.len; i++)
    wh_buf_add_char(out, lower(s.data[i]));
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_value(wh_buf *out, wh_str value) {
  value = wh_str_trim(value);
  for (size_t i = 0; i < value.len; i++) {
    if (!is_space(value.data[i]))
      wh_buf_add_char(out, value.data[i]);
    else if (!is_space(value.data[i - 1]))
      wh_buf_add_char(out, ' ');
  }
}

// In the order of their names; fields of one name keep theirs. Fills work->names before anything
// else is written, as a presigned query holds them too.
static void sort_headers(const wh_sigv4_request *r, uint8_t order[WH_HTTP_HEADERS_MAX],
                         wh_sigv4_work *work) {
  for (size_t i = 0; i < r->header_count; i++) {
    size_t j = i;
    for (; j > 0 && compare_names(r->headers[order[j - 1]].name, r->headers[i].name) > 0; j--)
      order[j] = order[j - 1];
    order[j] = (uint8_t)i;
  }
  wh_buf_clear(&work->names);
  for (size_t i = 0; i < r->header_count; i++) {
    wh_str name = r->headers[order[i]].name;
    if (i && compare_names(r->headers[order[i - 1]].name, name) == 0) continue;
    if (i) wh_buf_add_char(&work->names, ';');
    add_lower(&work->names, name);
  }
}

static void add_headers(const wh_sigv4_request *r, const uint8_t *order, wh_buf *out) {
  for (size_t i = 0; i < r->header_count; i++) {
    const wh_http_header *h = &r->headers[order[i]];
    bool again = i && compare_names(r->headers[order[i - 1]].name, h->name) == 0;
    if (again) {
      wh_buf_add_char(out, ',');
    } else {
      if (i) wh_buf_add_char(out, '\n');
      add_lower(out, h->name);
      wh_buf_add_char(out, ':');
    }
    add_value(out, h->value);
  }
  wh_buf_add_char(out, '\n');
}

// --- signing -------------------------------------------------------------------------------------

static void day_key(wh_sigv4_signer *s, const wh_sigv4_keys *keys, const char *time) {
  uint8_t hash[WH_SHA256_BYTES], key[WH_SHA256_BYTES];
  wh_sha256_of(keys->secret_access_key, hash);
  if (s->has_key && memcmp(s->date, time, sizeof s->date) == 0 &&
      memcmp(s->secret_hash, hash, sizeof hash) == 0) {
    return;
  }
  char first[4 + 256];
  size_t len = keys->secret_access_key.len; // checked to fit
  memcpy(first, "AWS4", 4);
  memcpy(first + 4, keys->secret_access_key.data, len);
  wh_hmac_of(wh_str_n(first, 4 + len), wh_str_n(time, sizeof s->date), key);
  wh_hmac_of(wh_str_n((char *)key, sizeof key), s->region, key);
  wh_hmac_of(wh_str_n((char *)key, sizeof key), s->service, key);
  wh_hmac_of(wh_str_n((char *)key, sizeof key), WH_STR("aws4_request"), key);
  wh_hmac_key_init(&s->key, wh_str_n((char *)key, sizeof key));
  memcpy(s->date, time, sizeof s->date);
  memcpy(s->secret_hash, hash, sizeof hash);
  s->has_key = true;
  wh_wipe(first, sizeof first);
  wh_wipe(key, sizeof key);
}

static wh_status check(const wh_sigv4_signer *s, const wh_sigv4_keys *keys,
                       const wh_sigv4_request *r, wh_error *err) {
  if (keys->secret_access_key.len == 0 || keys->secret_access_key.len > 256)
    return wh_fail(err, WH_ERR_USAGE, "the secret access key is empty, or longer than any is");
  if (s->region.len + s->service.len + keys->access_key_id.len > SCOPE_MAX - 64)
    return wh_fail(err, WH_ERR_USAGE, "the region or the access key's id is longer than any is");
  if (r->header_count > WH_HTTP_HEADERS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "more than %d header fields", WH_HTTP_HEADERS_MAX);
  return WH_OK;
}

static void write_scope(const wh_sigv4_signer *s, const char *time, char out[SCOPE_MAX]) {
  snprintf(out, SCOPE_MAX, "%.8s/%.*s/%.*s/aws4_request", time, WH_STR_ARG(s->region),
           WH_STR_ARG(s->service));
}

// The canonical request, whose query the caller puts into `params`; then the signature.
static wh_status sign(wh_sigv4_signer *s, const wh_sigv4_keys *keys, const wh_sigv4_request *r,
                      const char *time, params *p, const uint8_t *order, wh_sigv4_work *work,
                      wh_error *err) {
  wh_buf *c = &work->canonical, *t = &work->to_sign;
  char scope[SCOPE_MAX];
  uint8_t hash[WH_SHA256_BYTES];
  if (p->too_many) return wh_fail(err, WH_ERR_LIMIT, "more than %d words in a query", PARAMS_MAX);
  if (p->failed) return wh_fail_memory(err);
  wh_buf_add_char(c, '\n');
  add_sorted_params(p, c);
  wh_buf_add_char(c, '\n');
  add_headers(r, order, c);
  wh_buf_add_char(c, '\n');
  wh_buf_add_str(c, wh_buf_str(&work->names));
  wh_buf_add_char(c, '\n');
  wh_buf_add_str(c, r->payload_hash);
  WH_TRY(wh_buf_check(&work->scratch, err));
  WH_TRY(wh_buf_check(&work->names, err));
  WH_TRY(wh_buf_check(c, err));
  write_scope(s, time, scope);
  wh_sha256_of(wh_buf_str(c), hash);
  wh_buf_clear(t);
  wh_buf_printf(t, ALGORITHM "\n%s\n%s\n", time, scope);
  wh_buf_add_hex(t, hash, sizeof hash);
  WH_TRY(wh_buf_check(t, err));
  day_key(s, keys, time);
  wh_hmac(&s->key, wh_buf_str(t), hash);
  wh_hex_encode(hash, sizeof hash, work->signature);
  return WH_OK;
}

static void begin(const wh_sigv4_signer *s, const wh_sigv4_request *r, wh_sigv4_work *work) {
  wh_buf_clear(&work->canonical);
  wh_buf_add_c(&work->canonical, r->method);
  wh_buf_add_char(&work->canonical, '\n');
  add_path(s, r->path, work);
  wh_buf_clear(&work->scratch);
}

wh_status wh_sigv4_sign(wh_sigv4_signer *s, const wh_sigv4_keys *keys, const wh_sigv4_request *r,
                        const char *time, wh_sigv4_work *work, wh_buf *out, wh_error *err) {
  uint8_t order[WH_HTTP_HEADERS_MAX];
  params p;
  params_init(&p, work);
  WH_TRY(check(s, keys, r, err));
  sort_headers(r, order, work);
  begin(s, r, work);
  add_query_params(&p, r->query);
  WH_TRY(sign(s, keys, r, time, &p, order, work, err));
  char scope[SCOPE_MAX];
  write_scope(s, time, scope);
  wh_buf_printf(out, ALGORITHM " Credential=%.*s/%s, SignedHeaders=%s, Signature=%s",
                WH_STR_ARG(keys->access_key_id), scope, work->names.data ? work->names.data : "",
                work->signature);
  return wh_buf_check(out, err);
}

wh_status wh_sigv4_presign(wh_sigv4_signer *s, const wh_sigv4_keys *keys, const wh_sigv4_request *r,
                           const char *time, int64_t seconds, wh_sigv4_work *work, wh_buf *out,
                           wh_error *err) {
  uint8_t order[WH_HTTP_HEADERS_MAX];
  char scope[SCOPE_MAX], credential[2 * SCOPE_MAX], expires[24];
  params p;
  params_init(&p, work);
  WH_TRY(check(s, keys, r, err));
  if (seconds < 1 || seconds > PRESIGN_SECONDS_MAX)
    return wh_fail(err, WH_ERR_USAGE, "a signed address holds from a second to a week");
  sort_headers(r, order, work);
  begin(s, r, work);
  write_scope(s, time, scope);
  snprintf(credential, sizeof credential, "%.*s/%s", WH_STR_ARG(keys->access_key_id), scope);
  snprintf(expires, sizeof expires, "%lld", (long long)seconds);
  add_query_params(&p, r->query);
  add_param(&p, WH_STR("X-Amz-Algorithm"), WH_STR(ALGORITHM));
  add_param(&p, WH_STR("X-Amz-Credential"), wh_str_of(credential));
  add_param(&p, WH_STR("X-Amz-Date"), wh_str_of(time));
  add_param(&p, WH_STR("X-Amz-Expires"), wh_str_of(expires));
  if (keys->session_token.len) add_param(&p, WH_STR("X-Amz-Security-Token"), keys->session_token);
  add_param(&p, WH_STR("X-Amz-SignedHeaders"), wh_buf_str(&work->names));
  WH_TRY(sign(s, keys, r, time, &p, order, work, err));
  add_sorted_params(&p, out);
  wh_buf_printf(out, "&X-Amz-Signature=%s", work->signature);
  return wh_buf_check(out, err);
}
