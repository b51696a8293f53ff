// What is behind the switch to a new version. All of it can be done again: the copies follow the
// highest version there is, and a version that is removed keeps its index until its files are gone.
#include "connect/sealed_store.h"
#include "engine/dataset.h"
#include "ledger/manifest.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOLLOW_TRIES_MAX = 32 };

typedef struct tending {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *c;
  wh_str prefix;
  wh_arena *arena;
  wh_dataset_version *versions; // lowest first
  size_t count;
} tending;

// --- copies for other programs -------------------------------------------------------------------

static wh_status put_text(const tending *t, const char *name, wh_str text, const char *type,
                          wh_arena *arena, wh_error *err) {
  wh_attributes attributes = {.content_type = wh_str_of(type)};
  wh_put_options options = {.attributes = &attributes, .replace = true};
  wh_str key = wh_arena_printf(arena, "%.*s%s", WH_STR_ARG(t->prefix), name);
  if (!key.data) return wh_fail_memory(err);
  wh_upload *upload;
  WH_TRY(t->c->type->store->put(t->c, key, &options, &upload, err));
  wh_status status = wh_output_write(&upload->output, text.data, text.len, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

// Only where it says it all: of a partitioned dataset the list would lose the values in the paths,
// and what is encrypted nobody else can read.
static wh_status put_symlinks(const tending *t, const wh_dataset_index *index, wh_arena *arena,
                              wh_error *err) {
  const wh_store_type *store = t->c->type->store;
  if (!store->located || index->partition_by.count || wh_sealed_is(t->c)) return WH_OK;
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, t->engine->mem, 0);
  for (size_t i = 0; i < index->file_count; i++) {
    wh_str bucket, key, path = index->files[i].path;
    key = wh_arena_printf(arena, "%.*s%.*s", WH_STR_ARG(t->prefix), WH_STR_ARG(path));
    if (!key.data) return wh_fail_memory(err);
    key = store->located(t->c, key, arena, &bucket);
    if (!key.data) return wh_fail_memory(err);
    wh_buf_printf(&text, "s3://%.*s/%.*s\n", WH_STR_ARG(bucket), WH_STR_ARG(key));
  }
  WH_TRY(wh_buf_check(&text, err));
  return put_text(t, WH_DATASET_SYMLINKS, wh_buf_str(&text), "text/plain", arena, err);
}

static wh_status list_versions(tending *t, wh_error *err) {
  return wh_dataset_versions(t->c, t->prefix, t->arena, &t->versions, &t->count, err);
}

// Whoever else publishes does the same: the last to write looks again, so what stays is the newest.
static wh_status put_copies(tending *t, wh_error *err) {
  uint64_t written = 0;
  for (unsigned tries = 0; tries < FOLLOW_TRIES_MAX; tries++) {
    WH_TRY(list_versions(t, err));
    if (t->count == 0 || t->versions[t->count - 1].version == written) return WH_OK;
    const wh_dataset_version *newest = &t->versions[t->count - 1];
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, t->engine->mem);
    wh_str text;
    wh_dataset_index index;
    wh_status status = wh_input_read_small(t->c, newest->object.key, WH_DATASET_INDEX_BYTES_MAX,
                                           &arena, &text, err);
    if (status == WH_ERR_NOT_FOUND) continue; // it was replaced, and is kept no more
    WH_TRY(status);
    WH_TRY(wh_dataset_parse(text, &arena, &index, err));
    WH_TRY(put_symlinks(t, &index, &arena, err));
    WH_TRY(put_text(t, WH_DATASET_CURRENT, text, "application/json", &arena, err));
    written = newest->version;
  }
  return WH_OK; // others are at it
}

// --- versions that are kept no more --------------------------------------------------------------

static int compare_paths(const void *a, const void *b) {
  return wh_str_cmp(*(const wh_str *)a, *(const wh_str *)b);
}

// Strikes out, in the sorted paths, those that a version which stays has.
static wh_status strike(const tending *t, uint64_t version, wh_str *paths, bool *struck,
                        size_t count, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, t->engine->mem);
  wh_dataset_index index;
  WH_TRY(wh_dataset_read(t->c, t->prefix, version, &arena, &index, err));
  for (size_t i = 0; i < index.file_count; i++) {
    const wh_str *found = bsearch(&index.files[i].path, paths, count, sizeof *paths, compare_paths);
    if (found) struck[found - paths] = true;
  }
  return WH_OK;
}

static wh_status remove_files(const tending *t, const wh_dataset_index *index, wh_arena *arena,
                              wh_error *err) {
  size_t count = index->file_count;
  wh_str *paths = WH_NEW_ARRAY(arena, count + 1, wh_str);
  bool *struck = WH_NEW_ARRAY(arena, count + 1, bool);
  if (!paths || !struck) return wh_fail_memory(err);
  memset(struck, 0, count + 1);
  for (size_t i = 0; i < count; i++)
    paths[i] = index->files[i].path;
  qsort(paths, count, sizeof *paths, compare_paths);
  for (size_t i = 0; i < t->count; i++) {
    if (t->versions[i].version > index->version)
      WH_TRY(strike(t, t->versions[i].version, paths, struck, count, err));
  }
  for (size_t i = 0; i < count; i++) {
    if (struck[i]) continue;
    wh_str key = wh_arena_printf(arena, "%.*s%.*s", WH_STR_ARG(t->prefix), WH_STR_ARG(paths[i]));
    if (!key.data) return wh_fail_memory(err);
    WH_TRY(t->c->type->store->remove(t->c, key, err));
  }
  return WH_OK;
}

static wh_status remove_version(const tending *t, const wh_dataset_version *v, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, t->engine->mem);
  const wh_store_type *store = t->c->type->store;
  wh_dataset_index index;
  WH_TRY(wh_dataset_read(t->c, t->prefix, v->version, &arena, &index, err));
  WH_TRY(remove_files(t, &index, &arena, err));
  wh_str manifest = wh_manifest_key(v->object.key, &arena);
  if (!manifest.data) return wh_fail_memory(err);
  WH_TRY(store->remove(t->c, manifest, err));
  return store->remove(t->c, v->object.key, err);
}

static wh_status remove_old(const tending *t, wh_error *err) {
  uint64_t keep = (uint64_t)t->pipeline->write.keep;
  uint64_t highest = t->count ? t->versions[t->count - 1].version : 0;
  for (size_t i = 0; i < t->count && t->versions[i].version + keep <= highest; i++)
    WH_TRY(remove_version(t, &t->versions[i], err));
  return WH_OK;
}

static void tell(const tending *t, const char *what, const wh_error *why) {
  char text[WH_ERROR_TEXT_MAX];
  snprintf(text, sizeof text, "%s: %.400s", what, why->text);
  wh_engine_notice(t->engine, t->pipeline->name, text);
}

wh_status wh_dataset_tend(wh_engine *engine, const wh_pipeline *p, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  tending t = {.engine = engine, .pipeline = p, .prefix = p->write.dataset, .arena = &arena};
  WH_TRY(wh_config_connect(engine->config, p->to.connection, &t.c, err));
  // The version is published, whatever becomes of these.
  wh_error why = {0};
  if (put_copies(&t, &why) != WH_OK)
    tell(&t, "the copies of the index for other programs are older than it", &why);
  why = (wh_error){0};
  if (remove_old(&t, &why) != WH_OK) tell(&t, "versions that are kept no more stay for now", &why);
  return WH_OK;
}
