// What IAM has to allow for what is done with the bucket. A listing's permission also decides
// whether S3 tells that an object is missing (404) or hides it (403): for that it compares
// s3:prefix with the whole key, and so each key that is asked for has to be listed, too.
#include "connect/s3/kms_keys.h"
#include "connect/s3/pattern.h"
#include "connect/s3/s3.h"

typedef struct permits {
  const wh_s3_options *o;
  wh_str name; // of the connection
  wh_iam_policy *policy;
  wh_iam_place place;
  wh_str bucket; // ARN
  wh_str prefix; // of keys, as IAM has literals
} permits;

static wh_status begin(const wh_connection *c, wh_iam_policy *policy, permits *ret, wh_error *err) {
  const wh_s3_options *o = c->options;
  *ret = (permits){.o = o, .name = c->name, .policy = policy};
  WH_TRY(wh_aws_place_iam(c, &o->place, NULL, "s3", policy, &ret->place, err));
  WH_CLEAN_BUF wh_buf prefix;
  wh_buf_init(&prefix, policy->arena->mem, 0);
  wh_iam_add_literal(&prefix, o->prefix);
  if (o->prefix.len && !wh_str_ends(o->prefix, "/")) wh_buf_add_char(&prefix, '/');
  WH_TRY(wh_buf_check(&prefix, err));
  ret->prefix = wh_arena_str(policy->arena, wh_buf_str(&prefix));
  ret->bucket = wh_arena_printf(policy->arena, "arn:%s:s3:::%.*s", ret->place.partition,
                                WH_STR_ARG(o->bucket));
  return ret->prefix.data && ret->bucket.data ? WH_OK : wh_fail_memory(err);
}

// Objects, or with an empty pattern the bucket.
static wh_status allow(const permits *p, const char *what, const char *const *actions,
                       const wh_str *pattern, wh_error *err) {
  wh_iam_permit permit = {
      .place = p->name, .what = what, .actions = actions, .resource = p->bucket};
  if (pattern) {
    permit.resource = wh_arena_printf(p->policy->arena, "%.*s/%.*s%.*s", WH_STR_ARG(p->bucket),
                                      WH_STR_ARG(p->prefix), WH_STR_ARG(*pattern));
    if (!permit.resource.data) return wh_fail_memory(err);
  }
  return wh_iam_allow(p->policy, &permit, err);
}

static wh_status allow_listing(const permits *p, wh_str pattern, wh_error *err) {
  static const char *const list[] = {"s3:ListBucket", NULL};
  wh_str value =
      wh_arena_printf(p->policy->arena, "%.*s%.*s", WH_STR_ARG(p->prefix), WH_STR_ARG(pattern));
  if (!value.data) return wh_fail_memory(err);
  wh_iam_permit permit = {.place = p->name,
                          .what = "List",
                          .actions = list,
                          .resource = p->bucket,
                          .tests = {{"StringLike", "s3:prefix", value}}};
  return wh_iam_allow(p->policy, &permit, err);
}

// What begins as the glob's keys do: a listing cannot be asked for less.
static wh_status allow_listing_of(const permits *p, wh_str glob, wh_error *err) {
  wh_s3_patterns start;
  WH_TRY(wh_s3_patterns_of(wh_glob_prefix(glob), p->policy->arena, &start, err));
  bool is_whole = wh_glob_prefix(glob).len == glob.len;
  wh_str pattern = wh_arena_printf(p->policy->arena, "%.*s%s", WH_STR_ARG(start.items[0]),
                                   is_whole || wh_str_ends(start.items[0], "*") ? "" : "*");
  return pattern.data ? allow_listing(p, pattern, err) : wh_fail_memory(err);
}

static wh_status find_patterns(const permits *p, const wh_use *use, bool tells, wh_s3_patterns *ret,
                               wh_error *err) {
  WH_TRY(wh_s3_patterns_of(use->thing, p->policy->arena, ret, err));
  if (!tells || !ret->wider) return WH_OK;
  wh_str start = wh_glob_prefix(use->thing);
  return wh_iam_note(p->policy, err,
                     "%.*s:%.*s is finer than IAM, whose wildcards cross '/' and know no classes: "
                     "the policy allows %.*s, and to list what begins with '%.*s'",
                     WH_STR_ARG(p->name), WH_STR_ARG(use->thing), WH_STR_ARG(ret->items[0]),
                     WH_STR_ARG(start));
}

// --- keys of KMS ---------------------------------------------------------------------------------

// "id", "alias/name", or the ARN of either.
static wh_status key_permit(const permits *p, wh_str key, wh_iam_permit *ret, wh_error *err) {
  size_t colon = key.len;
  while (colon > 0 && key.data[colon - 1] != ':')
    colon--;
  wh_str last = wh_str_sub(key, colon, key.len);
  bool is_alias = wh_str_starts(last, "alias/");
  wh_arena *arena = p->policy->arena;
  if (is_alias) { // which is no resource that keys are used by
    ret->tests[1] = (wh_iam_test){"ForAnyValue:StringEquals", "kms:ResourceAliases", last};
    last = WH_STR("key/*");
  } else if (colon == 0) {
    last = wh_arena_printf(arena, "key/%.*s", WH_STR_ARG(key));
    if (!last.data) return wh_fail_memory(err);
  }
  if (colon) {
    ret->resource = wh_arena_printf(arena, "%.*s%.*s", (int)colon, key.data, WH_STR_ARG(last));
    return ret->resource.data ? WH_OK : wh_fail_memory(err);
  }
  wh_iam_place place = p->place;
  place.service = "kms";
  return wh_iam_arn(p->policy, &place, (wh_str){0}, last, &ret->resource, err);
}

// The account's own key for S3 allows everybody who may use S3. Where objects are encrypted before
// they leave, whoever does that asks KMS itself, for this bucket.
static wh_status allow_key(const permits *p, bool writes, wh_error *err) {
  static const char *const decrypt[] = {"kms:Decrypt", NULL};
  static const char *const both[] = {"kms:Decrypt", "kms:GenerateDataKey", NULL};
  bool is_envelope = p->o->encryption == WH_S3_ENVELOPE;
  if (!p->o->encryption_key.len) return WH_OK;
  if (is_envelope && !wh_sealed_is_kms_key(p->o->encryption_key)) return WH_OK;
  wh_iam_permit permit = {.place = p->name,
                          .what = writes ? "EncryptionKey" : "DecryptionKey",
                          .actions = writes ? both : decrypt};
  wh_str through =
      wh_arena_printf(p->policy->arena, "s3.%.*s.amazonaws.com", WH_STR_ARG(p->place.region));
  if (!through.data) return wh_fail_memory(err);
  permit.tests[0] =
      is_envelope
          ? (wh_iam_test){"StringEquals", "kms:EncryptionContext:" WH_KMS_CONTEXT, p->o->bucket}
          : (wh_iam_test){"StringLike", "kms:ViaService", through};
  wh_iam_permit old = permit; // of keys that objects were written with before
  WH_TRY(key_permit(p, p->o->encryption_key, &permit, err));
  WH_TRY(wh_iam_allow(p->policy, &permit, err));
  for (size_t i = 0; is_envelope && i < p->o->encryption_keys_old.count; i++) {
    permit = old;
    permit.what = "DecryptionKey";
    permit.actions = decrypt;
    WH_TRY(key_permit(p, p->o->encryption_keys_old.items[i], &permit, err));
    WH_TRY(wh_iam_allow(p->policy, &permit, err));
  }
  return WH_OK;
}

// --- what is done --------------------------------------------------------------------------------

// Of a bucket that keeps versions, what goes on to be read is the version that was begun with.
static wh_status read_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const get[] = {"s3:GetObject", "s3:GetObjectVersion", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, !use->by_name, &found, err));
  for (size_t i = 0; i < found.count; i++) {
    WH_TRY(allow(p, "ReadObjects", get, &found.items[i], err));
    if (use->by_name) WH_TRY(allow_listing(p, found.items[i], err));
  }
  if (!use->by_name) WH_TRY(allow_listing_of(p, use->thing, err));
  return allow_key(p, false, err);
}

static wh_status publish(const permits *p, wh_error *err) {
  static const char *const attempt[] = {"s3:AbortMultipartUpload",
                                        "s3:DeleteObject",
                                        "s3:DeleteObjectVersion",
                                        "s3:GetObject",
                                        "s3:GetObjectVersion",
                                        "s3:PutObject",
                                        NULL};
  static const char *const uploads[] = {"s3:ListBucketMultipartUploads", NULL};
  static const char *const put[] = {"s3:PutObject", NULL};
  const wh_str attempts = WH_STR(WH_S3_ATTEMPTS "*"), probe = WH_STR(WH_S3_PROBE);
  WH_TRY(allow(p, "Attempts", attempt, &attempts, err));
  WH_TRY(allow_listing(p, attempts, err));
  WH_TRY(allow(p, "ListUploads", uploads, NULL, err));
  bool asks = !p->place.is_amazon && p->o->conditional_writes == WH_S3_REQUIRE;
  return asks ? allow(p, "Probe", put, &probe, err) : WH_OK;
}

static wh_status write_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const put[] = {"s3:AbortMultipartUpload", "s3:GetObject",
                                    "s3:GetObjectVersion", "s3:PutObject", NULL};
  static const char *const put_tagged[] = {"s3:AbortMultipartUpload", "s3:GetObject",
                                           "s3:GetObjectVersion",     "s3:PutObject",
                                           "s3:PutObjectTagging",     NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; i < found.count; i++) {
    WH_TRY(allow(p, "WriteObjects", p->o->tags.count ? put_tagged : put, &found.items[i], err));
    WH_TRY(allow_listing(p, found.items[i], err));
  }
  WH_TRY(publish(p, err));
  return allow_key(p, true, err);
}

static wh_status keep_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const keep[] = {"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject",
                                     "s3:GetObjectVersion",     "s3:PutObject",    NULL};
  static const char *const keep_tagged[] = {"s3:AbortMultipartUpload",
                                            "s3:DeleteObject",
                                            "s3:GetObject",
                                            "s3:GetObjectVersion",
                                            "s3:PutObject",
                                            "s3:PutObjectTagging",
                                            NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; i < found.count; i++)
    WH_TRY(allow(p, "KeepObjects", p->o->tags.count ? keep_tagged : keep, &found.items[i], err));
  WH_TRY(allow_listing_of(p, use->thing, err));
  return allow_key(p, true, err);
}

// The store's own copies keep the tags.
static wh_status copy_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const tags[] = {"s3:GetObjectTagging", "s3:GetObjectVersionTagging", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; p->o->tags.count && i < found.count; i++)
    WH_TRY(allow(p, "CopyObjects", tags, &found.items[i], err));
  return WH_OK;
}

static wh_status let_go_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const let_go[] = {"s3:DeleteObject", "s3:GetObject", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; i < found.count; i++)
    WH_TRY(allow(p, "LetGoObjects", let_go, &found.items[i], err));
  return allow_listing_of(p, use->thing, err);
}

// A copy keeps the tags, and the condition of a removal looks at the object.
static wh_status withdraw_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const withdraw[] = {"s3:DeleteObject", "s3:GetObject", "s3:GetObjectTagging",
                                         "s3:GetObjectVersionTagging", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; i < found.count; i++)
    WH_TRY(allow(p, "WithdrawObjects", withdraw, &found.items[i], err));
  return WH_OK;
}

static wh_status move_objects(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const move[] = {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject",
                                     "s3:PutObjectTagging", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, false, &found, err));
  for (size_t i = 0; i < found.count; i++) {
    WH_TRY(allow(p, "MoveObjects", move, &found.items[i], err));
    WH_TRY(allow_listing(p, found.items[i], err));
  }
  return allow_key(p, true, err);
}

static wh_status team(const permits *p, const wh_use *use, bool writes, wh_error *err) {
  static const char *const get[] = {"s3:GetObject", NULL};
  static const char *const put[] = {"s3:AbortMultipartUpload", "s3:PutObject", NULL};
  wh_s3_patterns found;
  WH_TRY(find_patterns(p, use, true, &found, err));
  for (size_t i = 0; i < found.count; i++)
    WH_TRY(allow(p, writes ? "WriteObjects" : "ReadObjects", writes ? put : get, &found.items[i],
                 err));
  if (!writes) WH_TRY(allow_listing_of(p, use->thing, err));
  return allow_key(p, writes, err);
}

wh_status wh_s3_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                        wh_error *err) {
  permits p;
  WH_TRY(begin(c, policy, &p, err));
  switch (use->kind) {
  case WH_USE_READ_OBJECTS:
    return read_objects(&p, use, err);
  case WH_USE_WRITE_OBJECTS:
    return write_objects(&p, use, err);
  case WH_USE_KEEP_OBJECTS:
    return keep_objects(&p, use, err);
  case WH_USE_COPY_OBJECTS:
    return copy_objects(&p, use, err);
  case WH_USE_LET_GO_OBJECTS:
    return let_go_objects(&p, use, err);
  case WH_USE_WITHDRAW_OBJECTS:
    return withdraw_objects(&p, use, err);
  case WH_USE_MOVE_OBJECTS:
    return move_objects(&p, use, err);
  case WH_USE_TEAM_READS:
    return team(&p, use, false, err);
  case WH_USE_TEAM_WRITES:
    return team(&p, use, true, err);
  default:
    return WH_OK;
  }
}
