#include "engine/dataset.h"

#include "base/crypto.h"
#include "engine/checksum.h"
#include "engine/publish.h"
#include "ledger/manifest.h"

enum { PUBLISH_TRIES_MAX = 32 }; // against others who publish the same version; WH_ERR_BUSY

// --- which there are -----------------------------------------------------------------------------

typedef struct version_list {
  wh_str prefix;
  wh_arena *arena;
  wh_dataset_version *items;
  size_t count, cap;
} version_list;

static wh_status keep_version(void *context, const wh_object *object, wh_error *err) {
  version_list *l = context;
  uint64_t version = wh_dataset_key_version(l->prefix, object->key);
  if (!version) return WH_OK; // somebody else's
  if (l->count == l->cap) {
    size_t cap = l->cap ? 2 * l->cap : 16;
    wh_dataset_version *items = WH_NEW_ARRAY(l->arena, cap, wh_dataset_version);
    if (!items) return wh_fail_memory(err);
    if (l->count) memcpy(items, l->items, l->count * sizeof *items);
    l->items = items;
    l->cap = cap;
  }
  wh_dataset_version *v = &l->items[l->count++];
  *v = (wh_dataset_version){.version = version, .object = *object};
  bool owned = wh_arena_own(l->arena, &v->object.key) && wh_arena_own(l->arena, &v->object.version);
  return owned ? WH_OK : wh_fail_memory(err);
}

wh_status wh_dataset_versions(wh_connection *c, wh_str prefix, wh_arena *arena,
                              wh_dataset_version **ret, size_t *ret_count, wh_error *err) {
  version_list l = {.prefix = prefix, .arena = arena};
  wh_str folder = wh_arena_printf(arena, "%.*s" WH_DATASET_VERSIONS, WH_STR_ARG(prefix));
  if (!folder.data) return wh_fail_memory(err);
  WH_TRY(c->type->store->list(c, folder, keep_version, &l, err));
  *ret = l.items;
  *ret_count = l.count;
  return WH_OK;
}

wh_status wh_dataset_read(wh_connection *c, wh_str prefix, uint64_t version, wh_arena *arena,
                          wh_dataset_index *ret, wh_error *err) {
  wh_str key = wh_dataset_key(prefix, version, arena), text;
  if (!key.data) return wh_fail_memory(err);
  WH_TRY(wh_input_read_small(c, key, WH_DATASET_INDEX_BYTES_MAX, arena, &text, err));
  wh_status status = wh_dataset_parse(text, arena, ret, err);
  if (status == WH_OK && ret->version != version)
    status = wh_fail(err, WH_ERR_DATA, "it says that it is version %llu",
                     (unsigned long long)ret->version);
  if (status != WH_OK) wh_error_prefix(err, "%.*s:%.*s: ", WH_STR_ARG(c->name), WH_STR_ARG(key));
  return status;
}

wh_status wh_dataset_present(wh_connection *c, wh_str prefix, wh_arena *arena,
                             wh_dataset_index *ret, wh_error *err) {
  wh_dataset_version *versions;
  size_t count;
  WH_TRY(wh_dataset_versions(c, prefix, arena, &versions, &count, err));
  *ret = (wh_dataset_index){0};
  return count ? wh_dataset_read(c, prefix, versions[count - 1].version, arena, ret, err) : WH_OK;
}

wh_status wh_dataset_file_matches(wh_connection *c, wh_str prefix, const wh_dataset_file *file,
                                  wh_mem *mem, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_str key = wh_arena_printf(&arena, "%.*s%.*s", WH_STR_ARG(prefix), WH_STR_ARG(file->path));
  if (!key.data) return wh_fail_memory(err);
  wh_error inner = {0};
  wh_input *in;
  wh_status status = c->type->store->open(c, key, (wh_str){0}, &in, &inner);
  if (status == WH_OK) status = wh_sha256_matches(in, file->sha256, mem, ret, &inner);
  if (status == WH_OK) return WH_OK;
  *ret = false;
  if (status == WH_ERR_NOT_FOUND || status == WH_ERR_DATA) return WH_OK;
  if (err) *err = inner;
  return status;
}

// --- publishing ----------------------------------------------------------------------------------

static wh_status write_index(const wh_dataset_publication *p, wh_str attempt, wh_str text,
                             wh_error *err) {
  const wh_store_type *store = p->connection->type->store;
  wh_upload *upload;
  WH_TRY(store->create(p->connection, attempt, &upload, err));
  wh_status status = wh_output_write(&upload->output, text.data, text.len, err);
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

static wh_status write_manifest(const wh_dataset_publication *p, const wh_dataset_index *index,
                                wh_buf *text, wh_error *err) {
  const wh_run *run = p->run;
  wh_manifest manifest = {.key = run->sealed.key,
                          .pipeline = run->pipeline,
                          .run = run->id,
                          .codec = WH_STR(WH_CODEC_DATASET),
                          .sha256 = run->sha256,
                          .cursor_from = run->cursor_from,
                          .cursor_to = run->cursor_to,
                          .order = index->order,
                          .epoch = run->epoch,
                          .rows = index->rows,
                          .bytes = run->sealed.bytes,
                          .row_hash = index->row_hash,
                          .created_us = run->started_us,
                          .schema = index->schema};
  if (p->cursor) {
    manifest.cursor_from = p->cursor->cursor_from;
    manifest.cursor_to = p->cursor->cursor_to;
    manifest.has_cursor = p->cursor->has_cursor;
    manifest.cursor_last = p->cursor->cursor_last;
  } else if (p->finish->cursor) {
    manifest.has_cursor = true;
    manifest.cursor_last = p->finish->cursor->last;
  }
  wh_manifest_write(&manifest, text);
  return wh_buf_check(text, err);
}

// What of the index hangs on the version that it follows.
static void follow(const wh_dataset_publication *p, const wh_dataset_index *present,
                   wh_dataset_index *index) {
  index->version = present->version + 1;
  index->run = p->run->id;
  index->pipeline = p->run->pipeline;
  index->created_us = p->run->started_us;
  index->order = p->run->order > present->order ? p->run->order : present->order + 1;
  index->rows = index->bytes = index->row_hash = 0;
  for (size_t i = 0; i < index->file_count; i++) {
    index->rows += index->files[i].rows;
    index->bytes += index->files[i].bytes;
    index->row_hash += index->files[i].row_hash;
  }
}

static wh_status check_limits(const wh_dataset_index *index, wh_error *err) {
  if (index->file_count <= WH_DATASET_FILES_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "a dataset has at most %d files, and this would have %zu. Make larger ones of "
                 "them: wherry compact",
                 (int)WH_DATASET_FILES_MAX, index->file_count);
}

static wh_status seal(wh_dataset_publication *p, const wh_dataset_index *index, unsigned try,
                      wh_error *err) {
  wh_run *run = p->run;
  wh_str prefix = p->pipeline->write.dataset;
  wh_str attempt = wh_arena_printf(p->arena, "%.*s-%u", WH_STR_ARG(run->id), try);
  WH_CLEAN_BUF wh_buf text, manifest;
  wh_buf_init(&text, p->engine->mem, WH_DATASET_INDEX_BYTES_MAX);
  wh_buf_init(&manifest, p->engine->mem, 0);
  wh_dataset_write(index, &text);
  WH_TRY(wh_buf_check(&text, err));
  WH_TRY(write_index(p, attempt, wh_buf_str(&text), err));
  uint8_t sha[WH_SHA256_BYTES];
  wh_sha256_of(wh_buf_str(&text), sha);
  wh_buf hex = {.mem = p->engine->mem};
  wh_buf_add_hex(&hex, sha, sizeof sha);
  run->sha256 = wh_arena_str(p->arena, wh_buf_str(&hex));
  wh_buf_free(&hex);
  wh_str store = p->pipeline->to.connection;
  run->sealed = (wh_sealed){.attempt = attempt,
                            .store = store,
                            .key = wh_dataset_key(prefix, index->version, p->arena),
                            .sha256 = run->sha256,
                            .bytes = text.len,
                            .rows = index->rows,
                            .row_hash = index->row_hash};
  run->output =
      wh_arena_printf(p->arena, "%.*s:%.*s", WH_STR_ARG(store), WH_STR_ARG(run->sealed.key));
  if (!attempt.data || !run->sha256.data || !run->sealed.key.data || !run->output.data)
    return wh_fail_memory(err);
  WH_TRY(write_manifest(p, index, &manifest, err));
  run->sealed.manifest = wh_arena_str(p->arena, wh_buf_str(&manifest));
  if (!run->sealed.manifest.data) return wh_fail_memory(err);
  wh_ledger *ledger = p->engine->ledger;
  wh_status status = ledger->type->run_seal(ledger, run, p->finish, err);
  // Whether it is sealed nobody knows then: recovery finds out, and needs the files if it is.
  p->in_ledger = status == WH_OK || status == WH_ERR_STALE || status == WH_ERR_UNAVAILABLE;
  WH_TRY(status);
  run->state = WH_RUN_SEALED;
  return WH_OK;
}

// A number below the highest that is not there was taken, and is kept no more: nobody may take it
// again, for no later version would have the rows.
static wh_status check_number(wh_engine *engine, const wh_pipeline *p, const wh_run *run,
                              wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_connection *c;
  wh_dataset_version *versions;
  size_t count;
  uint64_t number = wh_dataset_key_version(p->write.dataset, run->sealed.key);
  WH_TRY(wh_config_connect(engine->config, run->sealed.store, &c, err));
  WH_TRY(wh_dataset_versions(c, p->write.dataset, &arena, &versions, &count, err));
  bool is_there = false;
  for (size_t i = 0; i < count; i++)
    is_there |= versions[i].version == number;
  if (!count || is_there || versions[count - 1].version < number) return WH_OK;
  return wh_fail(err, WH_ERR_EXISTS, "version %llu of %.*s was published by somebody else",
                 (unsigned long long)number, WH_STR_ARG(p->write.dataset));
}

// Doing it twice is harmless.
static wh_status publish_version(wh_engine *engine, const wh_pipeline *p, const wh_run *run,
                                 wh_arena *arena, wh_object *ret, wh_error *err) {
  WH_TRY(check_number(engine, p, run, err));
  WH_TRY(wh_publish_object(engine, &run->sealed, arena, ret, err));
  return wh_publish_manifest(engine, &run->sealed, run->id, arena, err);
}

// Once on top of what is there now. WH_ERR_EXISTS: somebody was faster.
static wh_status publish_next(wh_dataset_publication *p, wh_arena *scratch, unsigned try,
                              wh_error *err) {
  wh_dataset_index present, index = {0};
  WH_TRY(wh_dataset_present(p->connection, p->pipeline->write.dataset, scratch, &present, err));
  WH_TRY(p->make(p->context, &present, &index, err));
  follow(p, &present, &index);
  WH_TRY(check_limits(&index, err));
  WH_TRY(seal(p, &index, try, err));
  wh_object object;
  WH_TRY(publish_version(p->engine, p->pipeline, p->run, p->arena, &object, err));
  p->run->output_version = object.version;
  return WH_OK;
}

wh_status wh_dataset_publish(wh_dataset_publication *p, wh_error *err) {
  const wh_store_type *store = p->connection->type->store;
  for (unsigned try = 0; try < PUBLISH_TRIES_MAX; try++) {
    WH_CLEAN_ARENA wh_arena scratch;
    wh_arena_init(&scratch, p->engine->mem);
    wh_status status = publish_next(p, &scratch, try, err);
    if (status == WH_OK) return wh_dataset_tend(p->engine, p->pipeline, err);
    if (status != WH_ERR_EXISTS) return status;
    WH_TRY(store->discard(p->connection, p->run->sealed.attempt, err));
  }
  return wh_fail(err, WH_ERR_BUSY,
                 "%.*s: others publish this dataset all the time; try again later",
                 WH_STR_ARG(p->pipeline->write.dataset));
}

// --- after a crash -------------------------------------------------------------------------------

// Whether a version there is was published by the run, or has files that it wrote.
static wh_status is_run_in(wh_connection *c, wh_str prefix, wh_str run, bool *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena, scratch;
  wh_arena_init(&arena, c->mem);
  wh_arena_init(&scratch, c->mem);
  wh_dataset_version *versions;
  size_t count;
  WH_TRY(wh_dataset_versions(c, prefix, &arena, &versions, &count, err));
  *ret = false;
  for (size_t i = count; i-- > 0 && !*ret;) {
    wh_dataset_index index;
    wh_arena_reset(&scratch);
    WH_TRY(wh_dataset_read(c, prefix, versions[i].version, &scratch, &index, err));
    *ret = wh_str_eq(index.run, run);
    for (size_t f = 0; f < index.file_count && !*ret; f++)
      *ret = wh_dataset_wrote(run, index.files[f].path);
  }
  return WH_OK;
}

wh_status wh_dataset_adopt(wh_engine *engine, const wh_pipeline *p, const wh_run *run,
                           wh_arena *arena, wh_object *ret, wh_error *err) {
  wh_error inner = {0};
  wh_status status = publish_version(engine, p, run, arena, ret, &inner);
  if (status == WH_ERR_EXISTS || status == WH_ERR_NOT_FOUND) {
    wh_connection *c;
    bool published;
    WH_TRY(wh_config_connect(engine->config, run->sealed.store, &c, err));
    WH_TRY(is_run_in(c, p->write.dataset, run->id, &published, err));
    if (published) { // and its index is kept no more
      *ret = (wh_object){0};
      status = WH_OK;
    }
  }
  if (status == WH_OK) return wh_dataset_tend(engine, p, err);
  if (err) *err = inner;
  return status;
}

typedef struct discarding {
  wh_connection *c;
  wh_str run;
} discarding;

bool wh_dataset_wrote(wh_str run, wh_str path) {
  wh_str name = wh_path_name(path);
  return name.len > run.len && name.data[run.len] == '-' &&
         wh_str_eq(wh_str_sub(name, 0, run.len), run);
}

static wh_status discard_one(void *context, const wh_object *object, wh_error *err) {
  const discarding *d = context;
  if (!wh_dataset_wrote(d->run, object->key)) return WH_OK;
  return d->c->type->store->remove(d->c, object->key, err);
}

wh_status wh_dataset_discard(wh_connection *c, wh_str prefix, wh_str run, wh_error *err) {
  bool published;
  WH_TRY(is_run_in(c, prefix, run, &published, err));
  if (published) return WH_OK;
  discarding d = {.c = c, .run = run};
  return c->type->store->list(c, prefix, discard_one, &d, err);
}
