#include "connect/s3/kms_keys.h"

#include "base/json_doc.h"

#include <pthread.h>

typedef struct cached_key {
  uint8_t wrapped[WH_SHA256_BYTES]; // digest of the wrapped one
  uint8_t key[WH_SEAL_KEY_BYTES];
} cached_key;

typedef struct kms_keys {
  wh_sealed_keys base;
  wh_mem *mem;
  wh_aws *aws;
  const wh_str_list *old;
  pthread_mutex_t mutex; // of what follows
  size_t count, next;    // next: the oldest, once all are taken
  cached_key cache[WH_KMS_CACHED_KEYS];
} kms_keys;

// --- what was asked for lately -------------------------------------------------------------------

static bool recall(kms_keys *keys, const uint8_t digest[WH_SHA256_BYTES],
                   uint8_t ret[WH_SEAL_KEY_BYTES]) {
  bool found = false;
  pthread_mutex_lock(&keys->mutex);
  for (size_t i = 0; i < keys->count && !found; i++) {
    found = memcmp(keys->cache[i].wrapped, digest, WH_SHA256_BYTES) == 0;
    if (found) memcpy(ret, keys->cache[i].key, WH_SEAL_KEY_BYTES);
  }
  pthread_mutex_unlock(&keys->mutex);
  return found;
}

static void remember(kms_keys *keys, const uint8_t digest[WH_SHA256_BYTES],
                     const uint8_t key[WH_SEAL_KEY_BYTES]) {
  pthread_mutex_lock(&keys->mutex);
  cached_key *at = &keys->cache[keys->next];
  memcpy(at->wrapped, digest, WH_SHA256_BYTES);
  memcpy(at->key, key, WH_SEAL_KEY_BYTES);
  keys->next = (keys->next + 1) % WH_KMS_CACHED_KEYS;
  if (keys->count < WH_KMS_CACHED_KEYS) keys->count++;
  pthread_mutex_unlock(&keys->mutex);
}

// A wrapped key opens under its context alone.
static void digest_of(const wh_sealed_header *header, uint8_t ret[WH_SHA256_BYTES]) {
  uint8_t both[2 * WH_SHA256_BYTES];
  wh_sha256_of(header->wrapped, both);
  wh_sha256_of(header->place, both + WH_SHA256_BYTES);
  wh_sha256_of(wh_str_n((const char *)both, sizeof both), ret);
}

// --- requests ------------------------------------------------------------------------------------

static void wipe(wh_str text) {
  if (text.len) wh_wipe((char *)(uintptr_t)text.data, text.len);
}

// One action. *ret is the parsed answer, which the caller wipes and frees; *ret_code, of
// WH_AWS_CODE_MAX bytes, what KMS calls its refusal.
static wh_status call(wh_aws_client *client, const char *target, wh_str body, json_t **ret,
                      char *ret_code, wh_error *err) {
  wh_http_header headers[WH_AWS_JSON_HEADERS];
  wh_aws_request request = wh_aws_json(wh_str_of(target), "1.1", headers, &body);
  request.body_bytes_max = WH_KMS_ANSWER_BYTES_MAX;
  wh_aws_exchange *x = NULL;
  wh_status status = wh_aws_call(client, &request, &x, err);
  ret_code[0] = 0;
  if (x) memcpy(ret_code, x->code, sizeof x->code);
  if (status == WH_OK)
    status = wh_json_load(x->body, WH_KMS_ANSWER_BYTES_MAX, "the answer of KMS", ret, err);
  if (x) wipe(x->body);
  wh_aws_end(x);
  return status;
}

static wh_status ask(kms_keys *keys, wh_connection *c, const char *target, const wh_buf *body,
                     json_t **ret, char *ret_code, wh_error *err) {
  ret_code[0] = 0;
  WH_TRY(wh_buf_check(body, err));
  wh_aws_client *client = NULL;
  WH_TRY(wh_aws_take(keys->aws, c->cancel, &client, err));
  wh_status status = call(client, target, wh_buf_str(body), ret, ret_code, err);
  wh_aws_give(client);
  return status;
}

// {"KeyId":"...","EncryptionContext":{"wherry-bucket":"..."} and what else the caller adds.
static void begin_body(wh_buf *body, wh_mem *mem, wh_str key_id, wh_str place) {
  wh_buf_init(body, mem, 0);
  wh_buf_add_c(body, "{\"KeyId\":");
  wh_buf_add_json(body, key_id);
  wh_buf_add_c(body, ",\"EncryptionContext\":{\"" WH_KMS_CONTEXT "\":");
  wh_buf_add_json(body, place);
  wh_buf_add_char(body, '}');
}

static wh_status read_key(const json_t *answer, wh_mem *mem, uint8_t ret[WH_SEAL_KEY_BYTES],
                          wh_error *err) {
  wh_str text = wh_json_text(answer, "Plaintext");
  WH_CLEAN_BUF wh_buf bytes;
  wh_buf_init(&bytes, mem, 0);
  bool ok = wh_base64_decode(WH_BASE64_STANDARD, text, &bytes) && bytes.len == WH_SEAL_KEY_BYTES;
  if (ok) memcpy(ret, bytes.data, WH_SEAL_KEY_BYTES);
  wipe(wh_buf_str(&bytes));
  wipe(text);
  WH_TRY(wh_buf_check(&bytes, err));
  return ok ? WH_OK : wh_fail(err, WH_ERR_DATA, "the answer of KMS has no data key of 32 bytes");
}

// --- writing -------------------------------------------------------------------------------------

static wh_status read_made(const json_t *answer, wh_arena *arena, wh_sealed_header *ret,
                           wh_error *err) {
  WH_CLEAN_BUF wh_buf wrapped;
  wh_buf_init(&wrapped, arena->mem, WH_KMS_BLOB_BYTES_MAX);
  if (!wh_base64_decode(WH_BASE64_STANDARD, wh_json_text(answer, "CiphertextBlob"), &wrapped)) {
    WH_TRY(wh_buf_check(&wrapped, err));
    return wh_fail(err, WH_ERR_DATA, "the answer of KMS has no wrapped data key");
  }
  ret->wrapped = wh_arena_str(arena, wh_buf_str(&wrapped));
  ret->key_id = wh_arena_str(arena, wh_json_text(answer, "KeyId"));
  return ret->wrapped.data && ret->key_id.data ? WH_OK : wh_fail_memory(err);
}

static wh_status blame(wh_str key, wh_status status, wh_error *err) {
  if (status != WH_OK) wh_error_prefix(err, "KMS key %.*s: ", WH_STR_ARG(key));
  return status;
}

static wh_status make(wh_sealed_keys *base, wh_connection *c, wh_arena *arena,
                      uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_sealed_header *ret, wh_error *err) {
  kms_keys *keys = (kms_keys *)base;
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, c->mem, base->key_id, base->place);
  wh_buf_add_c(&body, ",\"KeySpec\":\"AES_256\"}");
  WH_CLEAN_JSON json_t *answer = NULL;
  char code[WH_AWS_CODE_MAX];
  wh_sealed_header header = {.wrap = WH_SEALED_BY_KMS, .place = base->place};
  wh_status status = ask(keys, c, "TrentService.GenerateDataKey", &body, &answer, code, err);
  if (status == WH_OK) status = read_key(answer, c->mem, ret_key, err);
  if (status == WH_OK) status = read_made(answer, arena, &header, err);
  WH_TRY(blame(base->key_id, status, err));
  uint8_t digest[WH_SHA256_BYTES];
  digest_of(&header, digest);
  remember(keys, digest, ret_key); // it may be read next
  *ret = header;
  return WH_OK;
}

// --- reading -------------------------------------------------------------------------------------

// What is behind the last '/': the id, without region and account.
static wh_str id_of(wh_str key) {
  size_t at = key.len;
  while (at && key.data[at - 1] != '/')
    at--;
  return wh_str_sub(key, at, key.len);
}

// Whether a key of the configuration may be the one with that ARN. What an alias stands for only
// KMS knows; a key of several regions ("mrk-") has one id in all of them.
static bool may_be(wh_str key, wh_str arn) {
  bool is_alias = wh_str_starts(key, "alias/") || memmem(key.data, key.len, ":alias/", 7) != NULL;
  bool is_arn = wh_str_starts(key, "arn:");
  wh_str id = id_of(key);
  if (is_alias || wh_str_eq(key, arn)) return true;
  return (!is_arn || wh_str_starts(id, "mrk-")) && wh_str_eq(id, id_of(arn));
}

// WH_ERR_END: it is not this key.
static wh_status decrypt(kms_keys *keys, wh_connection *c, const wh_sealed_header *header,
                         wh_str key_id, uint8_t ret[WH_SEAL_KEY_BYTES], wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  begin_body(&body, c->mem, key_id, header->place);
  wh_buf_add_c(&body, ",\"CiphertextBlob\":\"");
  wh_base64_encode(WH_BASE64_STANDARD, header->wrapped, &body);
  wh_buf_add_c(&body, "\"}");
  WH_CLEAN_JSON json_t *answer = NULL;
  char code[WH_AWS_CODE_MAX];
  wh_status status = ask(keys, c, "TrentService.Decrypt", &body, &answer, code, err);
  if (status == WH_OK) status = read_key(answer, c->mem, ret, err);
  if (status == WH_OK) return WH_OK;
  if (strcmp(code, "IncorrectKeyException") == 0) return WH_ERR_END;
  if (strcmp(code, "InvalidCiphertextException") == 0) {
    return wh_fail(
        err, WH_ERR_DATA,
        "the header of the encrypted object was changed: KMS does not open its data key");
  }
  return blame(key_id, status, err);
}

static wh_status unknown_key(const kms_keys *keys, const wh_sealed_header *header, wh_error *err) {
  return wh_fail(err, WH_ERR_DENIED,
                 "it is encrypted with key %.*s, and the connection's " WH_SEALED_KEY
                 " is %.*s. Add that key to " WH_SEALED_OLD_KEYS,
                 WH_STR_ARG(header->key_id), WH_STR_ARG(keys->base.key_id));
}

static wh_status find(wh_sealed_keys *base, wh_connection *c, const wh_sealed_header *header,
                      uint8_t ret_key[WH_SEAL_KEY_BYTES], wh_error *err) {
  kms_keys *keys = (kms_keys *)base;
  uint8_t digest[WH_SHA256_BYTES];
  if (header->wrap != WH_SEALED_BY_KMS) return unknown_key(keys, header, err);
  digest_of(header, digest);
  if (recall(keys, digest, ret_key)) return WH_OK;
  wh_status status = WH_ERR_END;
  // An alias may stand for another key, which we may not be allowed to use.
  for (size_t i = 0; i <= keys->old->count; i++) {
    wh_str key = i ? keys->old->items[i - 1] : base->key_id;
    if (!may_be(key, header->key_id)) continue;
    status = decrypt(keys, c, header, key, ret_key, err);
    if (status != WH_ERR_END && status != WH_ERR_DENIED) break;
  }
  if (status == WH_ERR_END) return unknown_key(keys, header, err);
  if (status == WH_OK) remember(keys, digest, ret_key);
  return status;
}

static void close_keys(wh_sealed_keys *base) {
  kms_keys *keys = (kms_keys *)base;
  wh_mem *mem = keys->mem;
  wh_aws_free(keys->aws);
  pthread_mutex_destroy(&keys->mutex);
  wh_wipe(keys, sizeof *keys);
  wh_mem_free(mem, keys, sizeof *keys);
}

static const wh_sealed_keys_type kms_type = {make, find, close_keys, WH_SEALED_BY_KMS};

// "arn:aws:kms:REGION:ACCOUNT:key/ID"; empty where it is no ARN.
static wh_str region_of(wh_str key) {
  wh_str rest = key, part = {0};
  bool ok = wh_str_starts(key, "arn:");
  for (int i = 0; ok && i < 4; i++)
    ok = wh_str_split(&rest, ':', &part);
  return ok ? part : (wh_str){0};
}

wh_status wh_kms_keys_new(wh_connection *c, const wh_aws_place *place, wh_str key,
                          const wh_str_list *old, wh_str bucket, wh_sealed_keys **ret,
                          wh_error *err) {
  wh_aws_options options = wh_aws_place_options(c, place, "kms");
  options.endpoint = (wh_str){0};
  wh_str region = region_of(key);
  if (region.len) options.region = region;
  kms_keys *keys = wh_mem_alloc_zero(c->mem, sizeof *keys);
  if (!keys) return wh_fail_memory(err);
  keys->base = (wh_sealed_keys){&kms_type, key, bucket};
  keys->mem = c->mem;
  keys->old = old;
  pthread_mutex_init(&keys->mutex, NULL);
  wh_status status = wh_aws_new(&options, &keys->aws, err);
  if (status == WH_OK)
    *ret = &keys->base;
  else
    close_keys(&keys->base);
  return status;
}
