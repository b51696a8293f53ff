#include "connect/s3/s3.h"
#include "connect/s3/kms_keys.h"

#include "net/aws_profile.h"
#include "net/uri.h"

static const char *const path_styles[] = {"auto", "true", "false", NULL};
static const char *const encryptions[] = {"bucket", "s3", "kms", "envelope", NULL};
static const char *const conditionals[] = {"require", "off", NULL};

static const wh_option s3_options[] = {
    {.name = "bucket",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_s3_options, bucket),
     .required = true,
     .help = "the bucket that holds the objects"},
    {.name = "prefix",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_s3_options, prefix),
     .help = "where in the bucket; keys are below it"},
    {.name = "path_style",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_s3_options, path_style),
     .def = "auto",
     .choices = path_styles,
     .help = "whether the bucket stands in the path instead of the host's name; auto: where the "
             "name cannot have it"},
    {.name = "encryption",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_s3_options, encryption),
     .def = "bucket",
     .choices = encryptions,
     .help = "how S3 encrypts what is written: as the bucket says, with its own keys, or with KMS; "
             "envelope: this machine does, before it is sent"},
    WH_SEALED_KEY_OPTIONS(
        wh_s3_options, "id, ARN or alias of the key of KMS; without it the account's own for S3. "
                       "For envelope also a key of 32 bytes"),
    {.name = "bucket_key",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_s3_options, bucket_key),
     .def = "true",
     .help = "ask KMS for a key of the bucket's instead of one for each object"},
    {.name = "storage_class",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_s3_options, storage_class),
     .help = "the class of published objects, such as STANDARD_IA; without it the bucket's"},
    {.name = "tags",
     .type = WH_OPTION_LIST,
     .offset = offsetof(wh_s3_options, tags),
     .help = "tags of published objects, each NAME=VALUE"},
    {.name = "requester_pays",
     .type = WH_OPTION_BOOL,
     .offset = offsetof(wh_s3_options, requester_pays),
     .def = "false",
     .help = "agree to be charged for requests to somebody else's bucket"},
    {.name = "conditional_writes",
     .type = WH_OPTION_ENUM,
     .offset = offsetof(wh_s3_options, conditional_writes),
     .def = "require",
     .choices = conditionals,
     .help = "off: for a server without If-None-Match, where nobody else writes the same names"},
    WH_AWS_PLACE_OPTIONS(wh_s3_options),
    {0},
};

enum { TAGS_MAX = 10, BUCKET_CHARS_MIN = 3, BUCKET_CHARS_MAX = 63, PREFIX_BYTES_MAX = 512 };

static wh_status check_bucket(wh_str bucket, wh_error *err) {
  bool ok = bucket.len >= BUCKET_CHARS_MIN && bucket.len <= BUCKET_CHARS_MAX;
  for (size_t i = 0; ok && i < bucket.len; i++) {
    char c = bucket.data[i];
    bool inner = i > 0 && i + 1 < bucket.len;
    ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (inner && (c == '-' || c == '.'));
  }
  if (ok) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "bucket '%.*s' is no bucket's name: %d to %d lower-case letters, digits, '-' or "
                 "'.', with a letter or digit at both ends",
                 WH_STR_ARG(bucket), (int)BUCKET_CHARS_MIN, (int)BUCKET_CHARS_MAX);
}

static wh_str without_slash(wh_str prefix) {
  return wh_str_ends(prefix, "/") ? wh_str_sub(prefix, 0, prefix.len - 1) : prefix;
}

static wh_status check_tags(const wh_str_list *tags, wh_error *err) {
  if (tags->count > TAGS_MAX)
    return wh_fail(err, WH_ERR_USAGE, "tags: S3 takes at most %d", (int)TAGS_MAX);
  for (size_t i = 0; i < tags->count; i++) {
    size_t equal = wh_str_find(tags->items[i], 0, '=');
    if (equal == 0 || equal == tags->items[i].len)
      return wh_fail(err, WH_ERR_USAGE, "tags: '%.*s' is not NAME=VALUE",
                     WH_STR_ARG(tags->items[i]));
  }
  return WH_OK;
}

static wh_status check_envelope(const wh_s3_options *o, wh_error *err) {
  if (!o->encryption_key.len) {
    return wh_fail(err, WH_ERR_USAGE,
                   "encryption: envelope needs an " WH_SEALED_KEY
                   ": a key of KMS, such as alias/lake, or one of 32 bytes, such as "
                   "${secret:lake}");
  }
  const wh_str_list *old = &o->encryption_keys_old;
  bool kms = wh_sealed_is_kms_key(o->encryption_key);
  for (size_t i = 0; i < old->count; i++) {
    if (wh_sealed_is_kms_key(old->items[i]) == kms) continue;
    return wh_fail(err, WH_ERR_USAGE,
                   WH_SEALED_OLD_KEYS
                   " has to be of the same kind as " WH_SEALED_KEY
                   ", all of KMS or all of 32 bytes. From one kind to the other objects are "
                   "copied, with wherry copy");
  }
  return kms ? WH_OK : wh_sealed_keys_check(o->encryption_key, old, err);
}

static wh_status check_encryption(const wh_s3_options *o, wh_error *err) {
  if (o->encryption == WH_S3_ENVELOPE) return check_envelope(o, err);
  if (o->encryption_keys_old.count)
    return wh_fail(err, WH_ERR_USAGE, WH_SEALED_OLD_KEYS " is for encryption: envelope");
  if (!o->encryption_key.len || o->encryption == WH_S3_ENCRYPT_KMS) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 WH_SEALED_KEY " is for encryption: kms, where S3 encrypts with that key, or "
                               "encryption: envelope, where this machine does");
}

static wh_status s3_check(const void *options, wh_error *err) {
  const wh_s3_options *o = options;
  WH_TRY(check_bucket(o->bucket, err));
  wh_str prefix = without_slash(o->prefix);
  if (prefix.len && wh_key_check(prefix, err) != WH_OK) {
    wh_error_prefix(err, "prefix: ");
    return WH_ERR_USAGE;
  }
  if (prefix.len > PREFIX_BYTES_MAX)
    return wh_fail(err, WH_ERR_USAGE, "prefix has more than %d bytes", (int)PREFIX_BYTES_MAX);
  WH_TRY(check_encryption(o, err));
  return check_tags(&o->tags, err);
}

// --- what all verbs share ------------------------------------------------------------------------

static wh_status write_tagging(wh_s3 *s3, const wh_str_list *tags, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, s3->arena.mem, 0);
  for (size_t i = 0; i < tags->count; i++) {
    wh_str tag = tags->items[i];
    size_t equal = wh_str_find(tag, 0, '=');
    if (i) wh_buf_add_char(&text, '&');
    wh_uri_add(&text, wh_str_sub(tag, 0, equal));
    wh_buf_add_char(&text, '=');
    wh_uri_add(&text, wh_str_sub(tag, equal + 1, tag.len));
  }
  WH_TRY(wh_buf_check(&text, err));
  s3->tagging = wh_arena_str(&s3->arena, wh_buf_str(&text));
  return s3->tagging.data ? WH_OK : wh_fail_memory(err);
}

// A host that is an address or has no dot has no names below it; a bucket's dots leave the one name
// that a certificate stands for.
static bool needs_path_style(wh_str endpoint, wh_str bucket) {
  wh_str host = wh_http_host(endpoint);
  size_t colon = wh_str_find(host, 0, ':');
  wh_str name = wh_str_sub(host, 0, colon);
  bool numeric = true;
  for (size_t i = 0; i < name.len; i++)
    numeric = numeric && strchr("0123456789.[", name.data[i]);
  if (numeric || wh_str_find(name, 0, '.') == name.len) return true;
  bool has_dots = wh_str_find(bucket, 0, '.') < bucket.len;
  return has_dots && wh_str_starts(endpoint, "https:");
}

static size_t clamp(size_t value, size_t low, size_t high) {
  return value < low ? low : value > high ? high : value;
}

// A quarter of the memory for what is sent, an eighth for what is read ahead.
static void choose_sizes(wh_s3 *s3, size_t memory) {
  if (memory == 0) memory = SIZE_MAX / 2;
  s3->part_bytes = clamp(memory / 32, WH_S3_PART_BYTES_MIN, WH_S3_PART_BYTES_MAX);
  s3->parts_in_flight = clamp(memory / 4 / s3->part_bytes, 2, WH_S3_PARTS_IN_FLIGHT + 1) - 1;
  s3->range_bytes = clamp(memory / 32, WH_S3_RANGE_BYTES_MIN, WH_S3_RANGE_BYTES_MAX);
  s3->ranges = clamp(memory / 8 / s3->range_bytes, 2, WH_S3_RANGES);
}

static wh_status fill(wh_s3 *s3, wh_connection *c, wh_error *err) {
  const wh_s3_options *o = wh_s3_options_of(c);
  wh_str prefix = without_slash(o->prefix);
  s3->prefix = wh_arena_printf(&s3->arena, "%.*s%s", WH_STR_ARG(prefix), prefix.len ? "/" : "");
  if (!s3->prefix.data) return wh_fail_memory(err);
  WH_TRY(write_tagging(s3, &o->tags, err));
  choose_sizes(s3, c->mem->limit);
  wh_aws_options options = wh_aws_place_options(c, &o->place, "s3");
  options.plain_path = true;
  WH_TRY(wh_aws_new(&options, &s3->aws, err));
  wh_str endpoint = wh_aws_endpoint_of(s3->aws);
  s3->is_amazon = wh_aws_is_amazon(wh_http_host(endpoint));
  s3->path_style = o->path_style == WH_S3_PATH_AUTO ? needs_path_style(endpoint, o->bucket)
                                                    : o->path_style == WH_S3_PATH_YES;
  return WH_OK;
}

static void free_own(wh_s3 *s3) {
  wh_aws_free(s3->aws);
  wh_arena_free(&s3->arena);
  wh_mem_free(s3->arena.mem, s3, sizeof *s3);
}

static wh_status seal(wh_connection *c, wh_error *err) {
  const wh_s3_options *o = wh_s3_options_of(c);
  wh_s3 *s3 = wh_s3_of(c);
  if (o->encryption != WH_S3_ENVELOPE) return WH_OK;
  if (wh_sealed_is_kms_key(o->encryption_key))
    WH_TRY(wh_kms_keys_new(c, &o->place, o->encryption_key, &o->encryption_keys_old, o->bucket,
                           &s3->keys, err));
  else
    WH_TRY(wh_sealed_keys_new(c->mem, o->encryption_key, &o->encryption_keys_old, o->bucket,
                              &s3->keys, err));
  return wh_sealed_open(c, s3->keys, err);
}

static void s3_close(wh_connection *c) {
  wh_sealed_close(c);
  if (c->own) free_own(c->own);
  c->own = NULL;
}

static wh_status s3_open(wh_connection *c, wh_error *err) {
  wh_s3 *s3 = wh_mem_alloc_zero(c->mem, sizeof *s3);
  if (!s3) return wh_s3_say(c, wh_fail_memory(err), err);
  wh_arena_init(&s3->arena, c->mem);
  wh_status status = fill(s3, c, err);
  c->own = s3;
  if (status == WH_OK) status = seal(c, err);
  if (status != WH_OK) s3_close(c);
  return wh_s3_say(c, status, err);
}

// --- reach ---------------------------------------------------------------------------------------

static wh_status reach(wh_s3_session *s, wh_buf *note, wh_error *err) {
  const wh_s3_options *o = wh_s3_options_of(s->c);
  wh_s3_request r;
  wh_aws_exchange *x;
  WH_TRY(wh_s3_request_init(s->c, &s->arena, "HEAD", "s3:ListBucket", (wh_str){0}, (wh_str){0}, &r,
                            err));
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_ERR_NOT_FOUND) status = wh_s3_no_bucket(s->c, err);
  wh_aws_end(x);
  WH_TRY(status);
  wh_str region = wh_aws_region_of(s->s3->aws), endpoint = wh_aws_endpoint_of(s->s3->aws);
  wh_buf_printf(note, "bucket %.*s exists, in ", WH_STR_ARG(o->bucket));
  wh_buf_add_str(note, s->s3->is_amazon ? region : endpoint);
  if (s->s3->prefix.len) wh_buf_printf(note, ", below %.*s", WH_STR_ARG(s->s3->prefix));
  if (o->conditional_writes == WH_S3_OFF)
    wh_buf_add_c(note, "; conditional_writes is off: one writer alone keeps objects from being "
                       "replaced");
  return wh_buf_check(note, err);
}

static wh_status s3_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = reach(&s, ret_note, err);
  return wh_s3_say(c, status, err);
}

// --- the connector -------------------------------------------------------------------------------

static bool s3_announced(wh_connection *c, wh_str bucket, wh_str key, wh_str *ret_key) {
  wh_str prefix = wh_s3_of(c)->prefix;
  if (!wh_str_eq(bucket, wh_s3_options_of(c)->bucket)) return false;
  if (!wh_str_eq(wh_str_sub(key, 0, prefix.len), prefix)) return false;
  *ret_key = wh_str_sub(key, prefix.len, key.len);
  return true;
}

static wh_str s3_located(wh_connection *c, wh_str key, wh_arena *arena, wh_str *ret_bucket) {
  *ret_bucket = wh_s3_options_of(c)->bucket;
  return wh_arena_printf(arena, "%.*s%.*s", WH_STR_ARG(wh_s3_of(c)->prefix), WH_STR_ARG(key));
}

const wh_store_type wh_s3_store = {
    .has_versions = true,
    .keeps_attributes = true,
    .list = wh_s3_list,
    .stat = wh_s3_stat,
    .open = wh_s3_open,
    .create = wh_s3_create,
    .publish = wh_s3_publish,
    .put = wh_s3_put,
    .copy = wh_s3_copy,
    .attributes = wh_s3_attributes,
    .discard = wh_s3_discard,
    .attempts = wh_s3_attempts,
    .remove = wh_s3_remove,
    .withdraw = wh_s3_withdraw,
    .versions = wh_s3_versions,
    .restore = wh_s3_restore,
    .purge = wh_s3_purge,
    .announced = s3_announced,
    .located = s3_located,
};

static wh_status s3_cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                          wh_error *err) {
  const wh_s3_options *o = c->options;
  bool slash = o->prefix.len && !wh_str_ends(o->prefix, "/");
  wh_str prefix = wh_arena_printf(arena, "%.*s%s", WH_STR_ARG(o->prefix), slash ? "/" : "");
  if (!prefix.data) return wh_fail_memory(err);
  *ret = (wh_cloud_place){
      .kind = WH_CLOUD_BUCKET,
      .endpoint = o->place.endpoint,
      .region = o->place.region,
      .name = o->bucket,
      .prefix = prefix,
      .encryption = o->encryption == WH_S3_ENCRYPT_S3 ? WH_CLOUD_SERVICE_KEYS : WH_CLOUD_KMS,
  };
  if (o->encryption != WH_S3_ENVELOPE || wh_sealed_is_kms_key(o->encryption_key))
    ret->key = o->encryption_key;
  return WH_OK;
}

const wh_connector wh_connector_s3 = {
    .name = "s3",
    .help = "a bucket of S3, or of a server that speaks like it, as a store of objects",
    .options = s3_options,
    .options_size = sizeof(wh_s3_options),
    .store = &wh_s3_store,
    .check = s3_check,
    .open = s3_open,
    .close = s3_close,
    .reach = s3_reach,
    .permits = wh_s3_permits,
    .cloud = s3_cloud,
    .reserve_bytes = WH_S3_RESERVE_BYTES,
    .reserve_is_accounted = true,
};
