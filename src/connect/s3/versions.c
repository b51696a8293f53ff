// Earlier versions, in a bucket that keeps them.
#include "connect/s3/s3.h"

#include "net/uri.h"

typedef struct version_list {
  wh_s3_session *s;
  wh_str key; // of the connection
  wh_status (*visit)(void *context, const wh_s3_head *version, wh_error *err);
  void *context;
  wh_arena item, page;
  wh_str raw_key;
  wh_s3_head version;
  bool truncated, passed; // passed: other keys began
  wh_str key_marker, id_marker;
} version_list;

static wh_status keep(wh_arena *arena, wh_str text, wh_str *ret, wh_error *err) {
  *ret = wh_arena_str(arena, text);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status show(version_list *l, bool is_deleted, wh_error *err) {
  wh_object *o = &l->version.object;
  wh_str key;
  WH_TRY(wh_s3_decode(l->s, &l->item, l->raw_key, &key, err));
  key = wh_str_sub(key, l->s->s3->prefix.len, key.len);
  l->passed = !wh_str_eq(key, l->key);
  if (l->passed) return WH_OK;
  o->key = key;
  o->is_deleted = is_deleted;
  o->changed_us = o->modified_us;
  if (is_deleted)
    o->version = l->version.version_id; // it has no ETag
  else
    WH_TRY(wh_s3_version(&l->item, l->version.etag, o->modified_us, &o->version, err));
  if (wh_str_is(l->version.version_id, "null") && o->is_latest) l->version.version_id.len = 0;
  return l->visit(l->context, &l->version, err);
}

static wh_status version_field(version_list *l, wh_str name, wh_str text, wh_error *err) {
  wh_object *o = &l->version.object;
  bool ok = true;
  if (wh_str_is(name, "Key")) return keep(&l->item, text, &l->raw_key, err);
  if (wh_str_is(name, "VersionId")) return keep(&l->item, text, &l->version.version_id, err);
  if (wh_str_is(name, "ETag")) return keep(&l->item, text, &l->version.etag, err);
  if (wh_str_is(name, "IsLatest")) o->is_latest = wh_str_is(text, "true");
  if (wh_str_is(name, "Size")) ok = wh_str_to_u64(text, &o->size);
  if (wh_str_is(name, "LastModified")) ok = wh_s3_time(text, &o->modified_us);
  if (ok) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%.*s: the list of its versions has a size or time '%.*s'",
                 WH_STR_ARG(l->key), WH_STR_ARG(text));
}

static wh_status version_element(void *context, wh_str path, wh_str text, wh_error *err) {
  static const char root[] = "/ListVersionsResult/";
  version_list *l = context;
  if (!wh_str_starts(path, root)) return WH_OK;
  wh_str below = wh_str_sub(path, sizeof root - 1, path.len);
  size_t slash = wh_str_find(below, 0, '/');
  wh_str name = wh_str_sub(below, 0, slash), field = wh_str_sub(below, slash + 1, below.len);
  bool is_deleted = wh_str_is(name, "DeleteMarker");
  if (is_deleted || wh_str_is(name, "Version")) {
    if (field.len) return version_field(l, field, text, err);
    wh_status status = show(l, is_deleted, err);
    wh_arena_reset(&l->item);
    l->version = (wh_s3_head){0};
    return status;
  }
  if (wh_str_is(name, "IsTruncated")) l->truncated = wh_str_is(text, "true");
  if (wh_str_is(name, "NextKeyMarker")) {
    WH_TRY(wh_s3_decode(l->s, &l->page, text, &l->key_marker, err));
    return keep(&l->page, l->key_marker, &l->key_marker, err);
  }
  if (wh_str_is(name, "NextVersionIdMarker")) return keep(&l->page, text, &l->id_marker, err);
  return WH_OK;
}

static wh_status version_page(version_list *l, wh_str prefix, wh_error *err) {
  WH_CLEAN_BUF wh_buf query;
  wh_buf_init(&query, l->s->c->mem, 0);
  wh_buf_add_c(&query, "versions=");
  wh_uri_add_param(&query, "encoding-type", WH_STR("url"));
  wh_uri_add_param(&query, "prefix", prefix);
  if (l->truncated) {
    wh_uri_add_param(&query, "key-marker", l->key_marker);
    wh_uri_add_param(&query, "version-id-marker", l->id_marker);
  }
  WH_TRY(wh_buf_check(&query, err));
  wh_arena_reset(&l->page);
  l->truncated = false;
  wh_xml_visitor visitor = {.end = version_element, .context = l};
  return wh_s3_page(l->s, "s3:ListBucketVersions", &query, &visitor, err);
}

// Keys that only begin with this one come behind.
static wh_status list_versions(wh_s3_session *s, wh_str key,
                               wh_status (*visit)(void *, const wh_s3_head *, wh_error *),
                               void *context, wh_error *err) {
  version_list l = {.s = s, .key = key, .visit = visit, .context = context};
  wh_str prefix =
      wh_arena_printf(&s->arena, "%.*s%.*s", WH_STR_ARG(s->s3->prefix), WH_STR_ARG(key));
  if (!prefix.data) return wh_fail_memory(err);
  wh_arena_init(&l.item, s->c->mem);
  wh_arena_init(&l.page, s->c->mem);
  wh_status status;
  do {
    status = version_page(&l, prefix, err);
  } while (status == WH_OK && l.truncated && !l.passed);
  wh_arena_free(&l.item);
  wh_arena_free(&l.page);
  return status;
}

// --- the verb ------------------------------------------------------------------------------------

// S3 lists them newest first; some servers list the markers of removal behind everything else. What
// came within a second stays in the order it was listed.
typedef struct history {
  wh_arena *arena;
  wh_object *items;
  size_t count, cap;
} history;

static wh_status add_version(void *context, const wh_s3_head *version, wh_error *err) {
  history *h = context;
  if (h->count == h->cap) {
    size_t cap = h->cap ? h->cap * 2 : 16;
    wh_object *items = WH_NEW_ARRAY(h->arena, cap, wh_object);
    if (!items) return wh_fail_memory(err);
    if (h->count) memcpy(items, h->items, h->count * sizeof *items);
    h->items = items;
    h->cap = cap;
  }
  wh_object copy = version->object;
  WH_TRY(keep(h->arena, copy.key, &copy.key, err));
  WH_TRY(keep(h->arena, copy.version, &copy.version, err));
  size_t at = h->count++;
  while (at > 0 && !h->items[at - 1].is_latest &&
         (copy.is_latest || h->items[at - 1].modified_us < copy.modified_us)) {
    h->items[at] = h->items[at - 1];
    at--;
  }
  h->items[at] = copy;
  return WH_OK;
}

static wh_status read_history(wh_s3_session *s, wh_str key, history *h, wh_error *err) {
  h->arena = &s->arena;
  WH_TRY(list_versions(s, key, add_version, h, err));
  if (h->count) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s: there is no such object, nor was there",
                 WH_STR_ARG(key));
}

wh_status wh_s3_versions(wh_connection *c, wh_str key, wh_object_visit visit, void *context,
                         wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  history h = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = read_history(&s, key, &h, err);
  if (status != WH_OK) return wh_s3_say(c, status, err);
  for (size_t i = 0; i < h.count; i++)
    WH_TRY(visit(context, &h.items[i], err)); // its words, not ours
  return WH_OK;
}

// --- removing for good ---------------------------------------------------------------------------

typedef struct old_versions {
  wh_arena *arena;
  int64_t before_us;
  wh_str *ids;
  size_t count, cap, versions;
} old_versions;

static wh_status find_old(void *context, const wh_s3_head *v, wh_error *err) {
  old_versions *o = context;
  if (v->object.is_latest || v->object.modified_us >= o->before_us) return WH_OK;
  if (o->count == o->cap) {
    size_t cap = o->cap ? o->cap * 2 : 16;
    wh_str *ids = WH_NEW_ARRAY(o->arena, cap, wh_str);
    if (!ids) return wh_fail_memory(err);
    if (o->count) memcpy(ids, o->ids, o->count * sizeof *ids);
    o->ids = ids;
    o->cap = cap;
  }
  WH_TRY(keep(o->arena, v->version_id, &o->ids[o->count], err));
  o->count++;
  o->versions += !v->object.is_deleted;
  return WH_OK;
}

static wh_status purge(wh_s3_session *s, wh_str key, int64_t before_us, uint64_t *ret_count,
                       wh_error *err) {
  old_versions o = {.arena = &s->arena, .before_us = before_us};
  WH_TRY(list_versions(s, key, find_old, &o, err));
  for (size_t i = 0; i < o.count; i++)
    if (o.ids[i].len) WH_TRY(wh_s3_delete(s, key, o.ids[i], (wh_str){0}, err));
  *ret_count += o.versions;
  return WH_OK;
}

wh_status wh_s3_purge(wh_connection *c, wh_str key, int64_t before_us, uint64_t *ret_count,
                      wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = purge(&s, key, before_us, ret_count, err);
  return wh_s3_say(c, status, err);
}

// --- finding and restoring -----------------------------------------------------------------------

typedef struct search {
  wh_str version; // ours, or S3's id
  wh_arena *arena;
  wh_s3_head *ret;
  bool found;
} search;

static wh_status compare(void *context, const wh_s3_head *v, wh_error *err) {
  search *f = context;
  if (f->found || v->object.is_deleted) return WH_OK;
  f->found = wh_str_eq(f->version, v->object.version) || wh_str_eq(f->version, v->version_id);
  if (!f->found) return WH_OK;
  *f->ret = *v;
  WH_TRY(keep(f->arena, v->object.key, &f->ret->object.key, err));
  WH_TRY(keep(f->arena, v->object.version, &f->ret->object.version, err));
  WH_TRY(keep(f->arena, v->etag, &f->ret->etag, err));
  return keep(f->arena, v->version_id, &f->ret->version_id, err);
}

wh_status wh_s3_find_version(wh_s3_session *s, wh_str key, wh_str version, wh_arena *arena,
                             wh_s3_head *ret, wh_error *err) {
  search f = {.version = version, .arena = arena, .ret = ret};
  WH_TRY(list_versions(s, key, compare, &f, err));
  if (f.found) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: has no earlier version '%.*s'. See what it has: wherry versions %.*s:%.*s",
                 WH_STR_ARG(key), WH_STR_ARG(version), WH_STR_ARG(s->c->name), WH_STR_ARG(key));
}

static wh_status restore(wh_s3_session *s, wh_str key, wh_str version, wh_arena *arena,
                         wh_object *ret, wh_error *err) {
  wh_s3_head earlier, now;
  WH_TRY(wh_s3_find_version(s, key, version, &s->arena, &earlier, err));
  if (!earlier.object.is_latest) WH_TRY(wh_s3_copy_object(s, &earlier, key, err));
  WH_TRY(wh_s3_head_get(s, key, arena, &now, err));
  *ret = now.object;
  return WH_OK;
}

wh_status wh_s3_restore(wh_connection *c, wh_str key, wh_str version, wh_arena *arena,
                        wh_object *ret, wh_error *err) {
  WH_CLEAN_S3 wh_s3_session s = {0};
  wh_status status = wh_key_check(key, err);
  if (status == WH_OK) status = wh_s3_begin(c, &s, err);
  if (status == WH_OK) status = restore(&s, key, version, arena, ret, err);
  return wh_s3_say(c, status, err);
}
