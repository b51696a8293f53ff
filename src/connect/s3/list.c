// Listings: objects, attempts, and uploads that were begun and not finished.
#include "connect/s3/s3.h"

#include "data/temporal.h"
#include "net/uri.h"
#include "net/xml.h"

// --- pages ---------------------------------------------------------------------------------------

// Keys come percent-encoded, since XML cannot hold every character; a space may be a '+'.
wh_status wh_s3_decode(const wh_s3_session *s, wh_arena *arena, wh_str text, wh_str *ret,
                       wh_error *err) {
  if (!s->keys_are_encoded) {
    *ret = text;
    return WH_OK;
  }
  WH_CLEAN_BUF wh_buf spaced;
  WH_CLEAN_BUF wh_buf decoded;
  wh_buf_init(&spaced, arena->mem, 0);
  wh_buf_init(&decoded, arena->mem, 0);
  wh_buf_add_str(&spaced, text);
  for (size_t i = 0; i < spaced.len; i++)
    if (spaced.data[i] == '+') spaced.data[i] = ' ';
  WH_TRY(wh_buf_check(&spaced, err));
  wh_uri_add_decoded(&decoded, wh_buf_str(&spaced));
  WH_TRY(wh_buf_check(&decoded, err));
  wh_str copy = wh_arena_str(arena, wh_buf_str(&decoded));
  if (!copy.data) return wh_fail_memory(err);
  *ret = copy;
  return WH_OK;
}

wh_status wh_s3_page(wh_s3_session *s, const char *action, const wh_buf *query,
                     const wh_xml_visitor *visitor, wh_error *err) {
  wh_s3_request r;
  wh_aws_exchange *x;
  WH_TRY(wh_buf_check(query, err));
  WH_TRY(
      wh_s3_request_init(s->c, &s->arena, "GET", action, (wh_str){0}, wh_buf_str(query), &r, err));
  wh_status status = wh_s3_call(s, &r, &x, err);
  if (status == WH_OK) {
    static const char encoded[] = "<EncodingType>url<"; // wherever the page says it
    s->keys_are_encoded = memmem(x->body.data, x->body.len, encoded, sizeof encoded - 1) != NULL;
  }
  if (status == WH_OK) status = wh_xml_read(s->c->mem, x->body, visitor, err);
  wh_aws_end(x);
  return status;
}

static bool ends_in(wh_str path, const char *name) {
  size_t slash = path.len;
  while (slash > 0 && path.data[slash - 1] != '/')
    slash--;
  return wh_str_is(wh_str_sub(path, slash, path.len), name);
}

// --- objects -------------------------------------------------------------------------------------

typedef struct object_list {
  wh_s3_session *s;
  wh_str prefix; // as in the bucket
  bool shows_own;
  wh_object_visit visit;
  void *context;
  bool visitor_failed;
  wh_arena item; // emptied after each
  wh_str raw_key, raw_etag;
  wh_object object;
  // Of the page.
  bool truncated, passed_own;
  wh_arena page;
  wh_str token;
} object_list;

static wh_status keep(wh_arena *arena, wh_str text, wh_str *ret, wh_error *err) {
  *ret = wh_arena_str(arena, text);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// Keys that no store could have are somebody else's: "folder/", say, which consoles make.
static wh_status show_object(object_list *l, wh_error *err) {
  wh_object *o = &l->object;
  wh_str key;
  WH_TRY(wh_s3_decode(l->s, &l->item, l->raw_key, &key, err));
  o->key = wh_str_sub(key, l->s->s3->prefix.len, key.len);
  l->passed_own = !l->shows_own && wh_str_starts(o->key, WH_OWN_PREFIX);
  if (l->passed_own || wh_key_check(o->key, NULL) != WH_OK) return WH_OK;
  o->changed_us = o->modified_us;
  o->is_latest = true;
  WH_TRY(wh_s3_version(&l->item, l->raw_etag, o->modified_us, &o->version, err));
  wh_status status = l->visit(l->context, o, err);
  l->visitor_failed = status != WH_OK;
  return status;
}

static wh_status object_element(void *context, wh_str path, wh_str text, wh_error *err) {
  object_list *l = context;
  if (wh_str_is(path, "/ListBucketResult/IsTruncated")) {
    l->truncated = wh_str_is(text, "true");
  } else if (wh_str_is(path, "/ListBucketResult/NextContinuationToken")) {
    return keep(&l->page, text, &l->token, err);
  } else if (wh_str_is(path, "/ListBucketResult/Contents")) {
    wh_status status = show_object(l, err);
    wh_arena_reset(&l->item);
    l->object = (wh_object){0};
    return status;
  } else if (!wh_str_starts(path, "/ListBucketResult/Contents/")) {
    return WH_OK;
  }
  if (ends_in(path, "Key")) return keep(&l->item, text, &l->raw_key, err);
  if (ends_in(path, "ETag")) return keep(&l->item, text, &l->raw_etag, err);
  bool ok = true;
  if (ends_in(path, "Size")) ok = wh_str_to_u64(text, &l->object.size);
  if (ends_in(path, "LastModified")) ok = wh_s3_time(text, &l->object.modified_us);
  if (ok) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "the bucket's listing has a size or time '%.*s'",
                 WH_STR_ARG(text));
}

// What is Wherry's own is passed over in one step, however much it is.
static wh_status add_start(object_list *l, wh_buf *query, wh_error *err) {
  if (!l->passed_own) {
    if (l->token.len) wh_uri_add_param(query, "continuation-token", l->token);
    return wh_buf_check(query, err);
  }
  wh_str after = wh_arena_printf(&l->page, "%.*s%s\xF4\x8F\xBF\xBF", WH_STR_ARG(l->s->s3->prefix),
                                 WH_OWN_PREFIX);
  if (!after.data) return wh_fail_memory(err);
  wh_uri_add_param(query, "start-after", after);
  return wh_buf_check(query, err);
}

static wh_status list_page(object_list *l, wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, l->s->c->mem, 0);
  wh_uri_add_param(&query, "list-type", WH_STR("2"));
  wh_uri_add_param(&query, "encoding-type", WH_STR("url"));
  wh_uri_add_param(&query, "prefix", l->prefix);
  WH_TRY(add_start(l, &query, err));
  wh_arena_reset(&l->page);
  l->truncated = l->passed_own = false;
  l->token = (wh_str){0};
  wh_xml_visitor visitor = {.end = object_element, .context = l};
  return wh_s3_page(l->s, "s3:ListBucket", &query, &visitor, err);
}

static wh_status list_all(object_list *l, wh_str prefix, wh_error *err) {
  l->shows_own = wh_str_starts(prefix, WH_OWN_PREFIX);
  l->prefix =
      wh_arena_printf(&l->s->arena, "%.*s%.*s", WH_STR_ARG(l->s->s3->prefix), WH_STR_ARG(prefix));
  if (!l->prefix.data) return wh_fail_memory(err);
  do {
    WH_TRY(list_page(l, err));
    if (l->s->c->cancel && atomic_load(l->s->c->cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
  } while (l->truncated);
  return WH_OK;
}

// `ret_visitor_failed`: then the words are the visitor's.
static wh_status list_objects(wh_s3_session *s, wh_str prefix, wh_object_visit visit, void *context,
                              bool *ret_visitor_failed, wh_error *err) {
  object_list l = {.s = s, .visit = visit, .context = context};
  wh_arena_init(&l.item, s->c->mem);
  wh_arena_init(&l.page, s->c->mem);
  wh_status status = list_all(&l, prefix, err);
  *ret_visitor_failed = l.visitor_failed;
  wh_arena_free(&l.item);
  wh_arena_free(&l.page);
  return status;
}

wh_status wh_s3_list(wh_connection *c, wh_str prefix, wh_object_visit visit, void *context,
                     wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  bool visitor_failed = false;
  wh_status status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = list_objects(&s, prefix, visit, context, &visitor_failed, err);
  return visitor_failed ? status : wh_s3_say(c, status, err);
}

// --- uploads that were not finished --------------------------------------------------------------

typedef struct unfinished_list {
  wh_s3_session *s;
  wh_s3_unfinished_visit visit;
  void *context;
  wh_arena item, page;
  wh_str raw_key;
  wh_s3_unfinished upload;
  bool truncated;
  wh_str key_marker, id_marker;
} unfinished_list;

static wh_status show_unfinished(unfinished_list *l, wh_error *err) {
  wh_str key;
  WH_TRY(wh_s3_decode(l->s, &l->item, l->raw_key, &key, err));
  l->upload.key = wh_str_sub(key, l->s->s3->prefix.len, key.len);
  return l->visit(l->context, &l->upload, err);
}

static wh_status unfinished_element(void *context, wh_str path, wh_str text, wh_error *err) {
  unfinished_list *l = context;
  if (wh_str_is(path, "/ListMultipartUploadsResult/IsTruncated")) {
    l->truncated = wh_str_is(text, "true");
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/NextKeyMarker")) {
    WH_TRY(wh_s3_decode(l->s, &l->page, text, &l->key_marker, err));
    return keep(&l->page, l->key_marker, &l->key_marker, err);
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/NextUploadIdMarker")) {
    return keep(&l->page, text, &l->id_marker, err);
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/Upload")) {
    wh_status status = show_unfinished(l, err);
    wh_arena_reset(&l->item);
    return status;
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/Upload/Key")) {
    return keep(&l->item, text, &l->raw_key, err);
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/Upload/UploadId")) {
    return keep(&l->item, text, &l->upload.id, err);
  } else if (wh_str_is(path, "/ListMultipartUploadsResult/Upload/Initiated")) {
    if (!wh_s3_time(text, &l->upload.begun_us)) l->upload.begun_us = INT64_MAX;
  }
  return WH_OK;
}

static wh_status unfinished_page(unfinished_list *l, wh_str prefix, wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, l->s->c->mem, 0);
  wh_buf_add_c(&query, "uploads");
  wh_uri_add_param(&query, "encoding-type", WH_STR("url"));
  wh_uri_add_param(&query, "prefix", prefix);
  if (l->truncated) {
    wh_uri_add_param(&query, "key-marker", l->key_marker);
    wh_uri_add_param(&query, "upload-id-marker", l->id_marker);
  }
  WH_TRY(wh_buf_check(&query, err));
  wh_arena_reset(&l->page);
  l->truncated = false;
  wh_xml_visitor visitor = {.end = unfinished_element, .context = l};
  return wh_s3_page(l->s, "s3:ListBucketMultipartUploads", &query, &visitor, err);
}

wh_status wh_s3_list_unfinished(wh_s3_session *s, wh_str prefix, wh_s3_unfinished_visit visit,
                                void *context, wh_error *err) {
  unfinished_list l = {.s = s, .visit = visit, .context = context};
  wh_str whole =
      wh_arena_printf(&s->arena, "%.*s%.*s", WH_STR_ARG(s->s3->prefix), WH_STR_ARG(prefix));
  if (!whole.data) return wh_fail_memory(err);
  wh_arena_init(&l.item, s->c->mem);
  wh_arena_init(&l.page, s->c->mem);
  wh_status status;
  do {
    status = unfinished_page(&l, whole, err);
  } while (status == WH_OK && l.truncated);
  wh_arena_free(&l.item);
  wh_arena_free(&l.page);
  return status;
}

// --- attempts ------------------------------------------------------------------------------------

typedef struct attempt_list {
  wh_s3_session *s;
  wh_object_visit visit;
  void *context;
  bool visitor_failed;
} attempt_list;

static wh_status show_attempt(attempt_list *l, wh_object *object, wh_error *err) {
  size_t own = strlen(WH_S3_ATTEMPTS);
  object->key = wh_str_sub(object->key, own, object->key.len);
  if (wh_attempt_check(object->key, NULL) != WH_OK) return WH_OK;
  wh_status status = l->visit(l->context, object, err);
  l->visitor_failed = status != WH_OK;
  return status;
}

static wh_status whole_attempt(void *context, const wh_object *object, wh_error *err) {
  wh_object copy = *object;
  return show_attempt(context, &copy, err);
}

// Parts of an attempt that was never sealed, or of anything that was given up long ago: nobody sees
// them, but they are paid for.
static wh_status begun_attempt(void *context, const wh_s3_unfinished *u, wh_error *err) {
  attempt_list *l = context;
  if (wh_str_starts(u->key, WH_S3_ATTEMPTS)) {
    wh_object object = {.key = u->key, .version = u->id, .modified_us = u->begun_us};
    return show_attempt(l, &object, err);
  }
  if (u->begun_us > wh_now_us(l->s->c->os) - WH_S3_ABANDONED_US) return WH_OK;
  wh_error denied = {0}; // somebody else's, who did not let us
  wh_status status = wh_s3_abort(l->s, u->key, u->id, &denied);
  if (status == WH_ERR_DENIED) return WH_OK;
  if (status != WH_OK && err) *err = denied;
  return status;
}

wh_status wh_s3_attempts(wh_connection *c, wh_object_visit visit, void *context, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  attempt_list l = {.s = &s, .visit = visit, .context = context};
  bool failed;
  wh_status status = wh_s3_begin(c, &s, err);
  if (status == WH_OK)
    status = list_objects(&s, WH_STR(WH_S3_ATTEMPTS), whole_attempt, &l, &failed, err);
  if (status == WH_OK) status = wh_s3_list_unfinished(&s, (wh_str){0}, begun_attempt, &l, err);
  return l.visitor_failed ? status : wh_s3_say(c, status, err);
}
