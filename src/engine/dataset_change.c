// Changes of a dataset that no source brought: its files made fewer, an earlier version brought
// back. Each is a run of the pipeline that writes the dataset, under its lease: it reads a version,
// has a receipt, and after a kill the next start publishes what it sealed, or removes what it
// wrote.
#include "engine/dataset.h"
#include "engine/dataset_files.h"
#include "ledger/manifest.h"

typedef struct change {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_connection *c;
  wh_str prefix;
  wh_arena arena;
  wh_lease lease;
  wh_run run;
  wh_finish finish;
  wh_dataset_version *versions; // lowest first
  size_t version_count;
  wh_dataset_index present, next;
  wh_manifest manifest; // of the present version
  bool has_manifest;
  bool was_published; // or sealed
  wh_dataset_changed *result;
} change;

wh_status wh_dataset_pipeline(const wh_config *config, wh_str connection, wh_str prefix,
                              const wh_pipeline **ret, wh_error *err) {
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!wh_str_eq(p->to.connection, connection) || !wh_str_eq(p->write.dataset, prefix)) continue;
    *ret = p;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "no pipeline writes the dataset %.*s:%.*s, so nobody says how it is kept",
                 WH_STR_ARG(connection), WH_STR_ARG(prefix));
}

// --- the run -------------------------------------------------------------------------------------

static wh_status begin(change *ch, wh_error *err) {
  wh_ledger *ledger = ch->engine->ledger;
  const wh_pipeline *p = ch->pipeline;
  WH_TRY(wh_config_connect(ch->engine->config, p->to.connection, &ch->c, err));
  WH_TRY(ledger->type->acquire(ledger, p->name, &ch->lease, err));
  WH_TRY(wh_run_recover(ch->engine, p, &ch->lease, err));
  WH_TRY(
      wh_dataset_versions(ch->c, ch->prefix, &ch->arena, &ch->versions, &ch->version_count, err));
  if (ch->version_count == 0)
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s:%.*s: no version is published yet",
                   WH_STR_ARG(ch->c->name), WH_STR_ARG(ch->prefix));
  const wh_dataset_version *newest = &ch->versions[ch->version_count - 1];
  WH_TRY(wh_dataset_read(ch->c, ch->prefix, newest->version, &ch->arena, &ch->present, err));
  WH_TRY(
      wh_input_manifest(ch->c, &newest->object, &ch->arena, &ch->has_manifest, &ch->manifest, err));
  ch->result->files_before = ch->result->files_after = ch->present.file_count;
  return WH_OK;
}

static wh_status start_run(change *ch, wh_error *err) {
  wh_ledger *ledger = ch->engine->ledger;
  const wh_object *object = &ch->versions[ch->version_count - 1].object;
  wh_str identity = wh_arena_printf(&ch->arena, "%.*s:%.*s@%.*s", WH_STR_ARG(ch->c->name),
                                    WH_STR_ARG(object->key), WH_STR_ARG(object->version));
  if (!identity.data) return wh_fail_memory(err);
  WH_TRY(ledger->type->run_start(ledger, &ch->lease, identity, &ch->arena, &ch->run, err));
  ch->run.partial = true; // no run of the source: the next is not compared with it
  ch->finish.run = &ch->run;
  return WH_OK;
}

static wh_status make_next(void *context, const wh_dataset_index *present, wh_dataset_index *ret,
                           wh_error *err) {
  const change *ch = context;
  if (present->version != ch->present.version)
    return wh_fail(err, WH_ERR_BUSY, "%.*s: somebody published version %llu meanwhile; try again",
                   WH_STR_ARG(ch->prefix), (unsigned long long)present->version);
  *ret = ch->next;
  ret->source_order = present->source_order;
  return WH_OK;
}

static wh_status publish(change *ch, wh_error *err) {
  wh_run *run = &ch->run;
  uint64_t rows = 0;
  for (size_t i = 0; i < ch->next.file_count; i++)
    rows += ch->next.files[i].rows;
  run->counts = (wh_counts){.read = rows, .written = rows};
  wh_dataset_publication p = {.engine = ch->engine,
                              .pipeline = ch->pipeline,
                              .connection = ch->c,
                              .run = run,
                              .arena = &ch->arena,
                              .finish = &ch->finish,
                              .make = make_next,
                              .context = ch,
                              .cursor = ch->has_manifest ? &ch->manifest : NULL};
  wh_status status = wh_dataset_publish(&p, err);
  ch->was_published = p.in_ledger;
  WH_TRY(status);
  WH_TRY(wh_run_record_done(ch->engine, run, &ch->finish, err));
  ch->result->version = wh_dataset_key_version(ch->prefix, run->sealed.key);
  ch->result->files_after = ch->next.file_count;
  ch->result->rows = rows;
  ch->result->bytes = run->bytes_written;
  return WH_OK;
}

// A sealed run may have been published: whether it was is for recovery to find out.
static void undo(change *ch, const wh_error *why) {
  if (!ch->run.id.len || ch->run.state == WH_RUN_SEALED || ch->was_published) return;
  wh_error ignored = {0};
  WH_IGNORE(wh_dataset_discard(ch->c, ch->prefix, ch->run.id, &ignored));
  wh_run_record_failure(ch->engine, &ch->run, why);
}

static wh_status carry_out(wh_engine *engine, const wh_pipeline *pipeline,
                           wh_status (*work)(change *ch, wh_error *err), wh_dataset_changed *ret,
                           wh_error *err) {
  change ch = {
      .engine = engine, .pipeline = pipeline, .prefix = pipeline->write.dataset, .result = ret};
  wh_error why = {0};
  wh_arena_init(&ch.arena, engine->mem);
  wh_status status = begin(&ch, &why);
  if (status == WH_OK) status = work(&ch, &why);
  if (status != WH_OK) undo(&ch, &why);
  if (status != WH_OK && err) *err = why;
  engine->ledger->type->release(engine->ledger, &ch.lease);
  wh_arena_free(&ch.arena);
  return status;
}

// --- fewer files ---------------------------------------------------------------------------------

static bool same_texts(const wh_str *a, const wh_str *b, size_t count) {
  bool same = true;
  for (size_t i = 0; i < count && same; i++)
    same = !a[i].data == !b[i].data && wh_str_eq(a[i], b[i]);
  return same;
}

static bool is_sorted(const wh_dataset_file *file, const wh_str_list *by) {
  return file->sorted_by.count >= by->count &&
         same_texts(file->sorted_by.items, by->items, by->count);
}

// The files of one partition that are to become others.
typedef struct group {
  wh_dataset_file *files;
  size_t count;
  bool unsorted;
} group;

static bool is_in(const change *ch, const wh_dataset_file *a, const wh_dataset_file *b) {
  return same_texts(a->partition, b->partition, ch->present.partition_by.count);
}

// The group of the partition of file `first`, the first of it that was not looked at.
static group find_group(const change *ch, size_t first, bool *looked_at, wh_dataset_file *room) {
  const wh_dataset_index *present = &ch->present;
  const wh_write *write = &ch->pipeline->write;
  group g = {.files = room};
  for (size_t i = first; i < present->file_count; i++) {
    const wh_dataset_file *file = &present->files[i];
    if (looked_at[i] || !is_in(ch, file, &present->files[first])) continue;
    looked_at[i] = true;
    bool unsorted = !is_sorted(file, &write->sort_by);
    g.unsorted |= unsorted;
    if (unsorted || file->bytes < (uint64_t)write->file_bytes / 2) g.files[g.count++] = *file;
  }
  if (!g.unsorted && g.count < 2) g.count = 0; // as they should be
  return g;
}

static wh_status copy_rows(change *ch, wh_reader *reader, wh_dataset_files *files, wh_error *err) {
  wh_rejects rejects = wh_rejects_none(); // a row that is missing is found when they are counted
  wh_batch batch;
  WH_TRY(wh_batch_init(&batch, ch->engine->mem, reader->schema, err));
  wh_status status = WH_OK;
  do {
    wh_batch_reset(&batch);
    status = reader->next(reader, &batch, &rejects, err);
    if (status == WH_OK && batch.rows) status = wh_dataset_files_add(files, &batch, err);
    if (status == WH_OK && wh_engine_stopping(ch->engine))
      status = wh_fail(err, WH_ERR_CANCELLED, "stopped; nothing was changed");
  } while (status == WH_OK && (batch.rows || reader->paused));
  wh_batch_free(&batch);
  return status;
}

static void sum(const wh_dataset_file *files, size_t count, uint64_t *rows, uint64_t *hash) {
  *rows = *hash = 0;
  for (size_t i = 0; i < count; i++) {
    *rows += files[i].rows;
    *hash += files[i].row_hash;
  }
}

static wh_status check_rows(const group *g, const wh_dataset_file *made, size_t count,
                            wh_error *err) {
  uint64_t rows, hash, made_rows, made_hash;
  sum(g->files, g->count, &rows, &hash);
  sum(made, count, &made_rows, &made_hash);
  if (rows == made_rows && hash == made_hash) return WH_OK;
  return wh_fail(err, WH_ERR_DATA,
                 "the rows of %.*s and the files beside it are not those that were published: %llu "
                 "of %llu, with another hash. See: wherry verify",
                 WH_STR_ARG(g->files[0].path), (unsigned long long)made_rows,
                 (unsigned long long)rows);
}

static wh_status rewrite(change *ch, const group *g, const wh_dataset_shape *shape,
                         const wh_dataset_file **ret, size_t *ret_count, wh_error *err) {
  wh_engine *engine = ch->engine;
  wh_dataset_index index = ch->present;
  index.files = g->files;
  index.file_count = g->count;
  wh_dataset_source source = {
      .connection = ch->c,
      .prefix = ch->prefix,
      .index = &index,
      .format = &(wh_format){0},
      .context = {.os = engine->os,
                  .mem = engine->mem,
                  .row_limit_bytes = (size_t)engine->config->memory_bytes / WH_ROW_SHARE_OF_MEMORY,
                  .threads = 1}};
  wh_reader *reader = NULL;
  wh_dataset_files *files = NULL;
  wh_status status = wh_dataset_reader_open(&source, &reader, err);
  if (status == WH_OK)
    status = wh_dataset_files_open(engine, ch->c, shape, &ch->arena, &files, err);
  if (status == WH_OK) status = copy_rows(ch, reader, files, err);
  if (status == WH_OK) status = wh_dataset_files_finish(files, ret, ret_count, err);
  if (status == WH_OK) status = check_rows(g, *ret, *ret_count, err);
  wh_dataset_files_close(files);
  wh_reader_close(reader);
  return status;
}

// What is being made of the present version: which of its files stay, and those that are new.
typedef struct compaction {
  wh_dataset_file *files; // of the next version
  size_t count, cap;
  uint64_t made;
} compaction;

static wh_status keep(change *ch, compaction *k, const wh_dataset_file *file, wh_error *err) {
  if (k->count == k->cap) {
    size_t cap = k->cap ? 2 * k->cap : 64;
    wh_dataset_file *files = WH_NEW_ARRAY(&ch->arena, cap, wh_dataset_file);
    if (!files) return wh_fail_memory(err);
    if (k->count) memcpy(files, k->files, k->count * sizeof *files);
    k->files = files;
    k->cap = cap;
  }
  k->files[k->count++] = *file;
  return WH_OK;
}

static bool has(const group *g, const wh_dataset_file *file) {
  for (size_t i = 0; i < g->count; i++)
    if (wh_str_eq(g->files[i].path, file->path)) return true;
  return false;
}

// One partition: its files that stay, and what becomes of the others.
static wh_status compact_partition(change *ch, compaction *k, size_t first, const group *g,
                                   wh_error *err) {
  for (size_t i = first; i < ch->present.file_count; i++) {
    const wh_dataset_file *file = &ch->present.files[i];
    if (is_in(ch, file, &ch->present.files[first]) && !has(g, file)) WH_TRY(keep(ch, k, file, err));
  }
  if (g->count == 0) return WH_OK;
  if (!ch->run.id.len) WH_TRY(start_run(ch, err));
  const wh_write *write = &ch->pipeline->write;
  wh_dataset_shape shape = {.prefix = ch->prefix,
                            .run = ch->run.id,
                            .format = write->format,
                            .schema = ch->present.schema,
                            .partition_by = ch->present.partition_by,
                            .sort_by = write->sort_by,
                            .file_bytes = (uint64_t)write->file_bytes,
                            .numbered = k->made};
  const wh_dataset_file *made;
  size_t count;
  WH_TRY(rewrite(ch, g, &shape, &made, &count, err));
  k->made += count;
  for (size_t i = 0; i < count; i++) {
    ch->run.bytes_written += made[i].bytes;
    ch->run.row_hash += made[i].row_hash;
    WH_TRY(keep(ch, k, &made[i], err));
  }
  for (size_t i = 0; i < g->count; i++)
    ch->run.bytes_read += g->files[i].bytes;
  return WH_OK;
}

static wh_status compact(change *ch, wh_error *err) {
  WH_TRY(wh_store_sweep_puts(ch->c, err)); // here, as it is called now and then
  const wh_dataset_index *present = &ch->present;
  wh_str format = wh_str_of(ch->pipeline->write.format.codec->name);
  if (!wh_str_eq(present->format, format))
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s has files of %.*s, and its pipeline writes %.*s; they are not made into "
                   "each other",
                   WH_STR_ARG(ch->prefix), WH_STR_ARG(present->format), WH_STR_ARG(format));
  bool *looked_at = WH_NEW_ARRAY(&ch->arena, present->file_count + 1, bool);
  wh_dataset_file *room = WH_NEW_ARRAY(&ch->arena, present->file_count + 1, wh_dataset_file);
  if (!looked_at || !room) return wh_fail_memory(err);
  memset(looked_at, 0, present->file_count + 1);
  compaction k = {0};
  for (size_t i = 0; i < present->file_count; i++) {
    if (looked_at[i]) continue;
    group g = find_group(ch, i, looked_at, room);
    WH_TRY(compact_partition(ch, &k, i, &g, err));
  }
  if (!k.made) return WH_OK; // as it should be
  ch->next = *present;
  ch->next.operation = WH_DATASET_COMPACT;
  ch->next.of = present->version;
  ch->next.files = k.files;
  ch->next.file_count = k.count;
  return publish(ch, err);
}

wh_status wh_dataset_compact(wh_engine *engine, const wh_pipeline *pipeline,
                             wh_dataset_changed *ret, wh_error *err) {
  *ret = (wh_dataset_changed){0};
  return carry_out(engine, pipeline, compact, ret, err);
}

// --- an earlier version --------------------------------------------------------------------------

static const wh_dataset_version *find_version(const change *ch, uint64_t version) {
  for (size_t i = 0; i < ch->version_count; i++)
    if (ch->versions[i].version == version) return &ch->versions[i];
  return NULL;
}

// The version whose rows are shown: what was compacted or brought back has those of another.
static wh_status find_shown(change *ch, uint64_t *ret, wh_error *err) {
  wh_dataset_index index = ch->present;
  for (;;) {
    *ret = index.version;
    bool is_other = index.operation == WH_DATASET_COMPACT || index.operation == WH_DATASET_ROLLBACK;
    if (!is_other || !find_version(ch, index.of) || index.of >= index.version) return WH_OK;
    WH_TRY(wh_dataset_read(ch->c, ch->prefix, index.of, &ch->arena, &index, err));
  }
}

static wh_status choose_earlier(change *ch, uint64_t *ret, wh_error *err) {
  uint64_t shown;
  WH_TRY(find_shown(ch, &shown, err));
  *ret = 0;
  for (size_t i = 0; i < ch->version_count && ch->versions[i].version < shown; i++)
    *ret = ch->versions[i].version;
  if (*ret) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s:%.*s: no earlier version is kept",
                 WH_STR_ARG(ch->c->name), WH_STR_ARG(ch->prefix));
}

// Its files may be half removed, where whoever removed them was stopped.
static wh_status check_whole(change *ch, const wh_dataset_index *index, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, ch->engine->mem);
  for (size_t i = 0; i < index->file_count; i++) {
    wh_arena_reset(&arena);
    wh_str key = wh_arena_printf(&arena, "%.*s%.*s", WH_STR_ARG(ch->prefix),
                                 WH_STR_ARG(index->files[i].path));
    if (!key.data) return wh_fail_memory(err);
    wh_object object;
    WH_TRY(ch->c->type->store->stat(ch->c, key, &arena, &object, err));
  }
  return WH_OK;
}

static wh_status rollback(change *ch, wh_error *err) {
  uint64_t version = ch->result->of;
  if (!version) WH_TRY(choose_earlier(ch, &version, err));
  if (!find_version(ch, version))
    return wh_fail(err, WH_ERR_NOT_FOUND, "%.*s:%.*s has no version %llu. See: wherry versions",
                   WH_STR_ARG(ch->c->name), WH_STR_ARG(ch->prefix), (unsigned long long)version);
  ch->result->of = version;
  if (version == ch->present.version) return WH_OK; // it is there
  WH_TRY(wh_dataset_read(ch->c, ch->prefix, version, &ch->arena, &ch->next, err));
  WH_TRY(check_whole(ch, &ch->next, err));
  WH_TRY(start_run(ch, err));
  ch->next.operation = WH_DATASET_ROLLBACK;
  ch->next.of = version;
  return publish(ch, err);
}

wh_status wh_dataset_rollback(wh_engine *engine, const wh_pipeline *pipeline, uint64_t version,
                              wh_dataset_changed *ret, wh_error *err) {
  *ret = (wh_dataset_changed){.of = version};
  return carry_out(engine, pipeline, rollback, ret, err);
}
