#include "engine/reject_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BYTES = 64 * 1024, PART_NAME_MAX = 48 };

#define NEW_SUFFIX ".new" // behind the name of a part that is about to take its place

// --- where a folder is ---------------------------------------------------------------------------

typedef struct place {
  wh_engine *engine;
  wh_connection *store; // NULL: the machine's disk
  const char *path;     // of the folder; of a store: the prefix of its keys, with a '/' at the end
} place;

static bool split(wh_str folder, wh_str *ret_store, wh_str *ret_prefix) {
  const char *hit =
      memmem(folder.data, folder.len, ":" WH_REJECT_STORE_PREFIX, sizeof WH_REJECT_STORE_PREFIX);
  if (!hit) return false;
  *ret_store = wh_str_n(folder.data, (size_t)(hit - folder.data));
  *ret_prefix = wh_str_sub(folder, ret_store->len + 1, folder.len);
  return true;
}

static wh_str path_of(const wh_engine *engine, wh_str folder, wh_arena *arena) {
  return wh_arena_printf(arena, "%.*s/quarantine/%.*s", WH_STR_ARG(engine->config->state_folder),
                         WH_STR_ARG(folder));
}

static wh_status find(wh_engine *engine, wh_str folder, wh_arena *arena, place *ret,
                      wh_error *err) {
  *ret = (place){.engine = engine};
  wh_str store, prefix;
  if (!split(folder, &store, &prefix)) {
    ret->path = path_of(engine, folder, arena).data;
  } else {
    WH_TRY(wh_config_connect(engine->config, store, &ret->store, err));
    ret->path = wh_arena_printf(arena, "%.*s/", WH_STR_ARG(prefix)).data;
  }
  return ret->path ? WH_OK : wh_fail_memory(err);
}

static bool is_in_store(const wh_engine *engine, const wh_pipeline *p) {
  wh_str store = engine->config->quarantine;
  return store.len && wh_str_eq(p->from.connection, store);
}

wh_str wh_reject_folder_of(const wh_engine *engine, const wh_pipeline *p, wh_str run,
                           wh_arena *arena) {
  if (!is_in_store(engine, p))
    return wh_arena_printf(arena, "%.*s/%.*s", WH_STR_ARG(p->name), WH_STR_ARG(run));
  return wh_arena_printf(arena, "%.*s:" WH_REJECT_STORE_PREFIX "%.*s/%.*s",
                         WH_STR_ARG(engine->config->quarantine), WH_STR_ARG(p->name),
                         WH_STR_ARG(run));
}

wh_str wh_reject_folder_text(const wh_engine *engine, wh_str folder, wh_arena *arena) {
  wh_str store, prefix;
  return split(folder, &store, &prefix) ? folder : path_of(engine, folder, arena);
}

// Of the part with this number; in the arena.
static const char *name_part(const place *p, uint64_t number, wh_arena *arena) {
  return wh_arena_printf(arena, "%s%spart-%llu.ndjson", p->path, p->store ? "" : "/",
                         (unsigned long long)number)
      .data;
}

// --- writing -------------------------------------------------------------------------------------

struct wh_reject_part {
  place place;
  wh_file *file; // or
  wh_upload *upload;
  uint64_t at;
  wh_arena arena;
};

static wh_status open_file(wh_reject_part *part, const char *path, wh_error *err) {
  wh_os *os = part->place.engine->os;
  if (part->place.engine->scratch_disk)
    return wh_fail(err, WH_ERR_REFUSED,
                   "rows are to be rejected, and this machine's disk keeps nothing. Name the store "
                   "that the pipeline reads, and rejected rows are kept there: quarantine: lake");
  WH_TRY(wh_os_make_path(os, part->place.path, err));
  int flags = WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_PRIVATE;
  WH_TRY(wh_os_open(os, path, flags, &part->file, err));
  return part->file->type->truncate(part->file, 0, err); // what did not commit is written anew
}

static wh_status open_upload(wh_reject_part *part, const char *key, wh_error *err) {
  static const wh_attributes attributes = {.content_type = WH_STR_INIT("application/x-ndjson")};
  static const wh_put_options options = {.attributes = &attributes, .replace = true};
  wh_connection *c = part->place.store;
  return c->type->store->put(c, wh_str_of(key), &options, &part->upload, err);
}

wh_status wh_reject_part_open(wh_engine *engine, wh_str folder, uint64_t number,
                              wh_reject_part **ret, wh_error *err) {
  wh_reject_part *part = wh_mem_alloc_zero(engine->mem, sizeof *part);
  if (!part) return wh_fail_memory(err);
  part->place.engine = engine;
  wh_arena_init(&part->arena, engine->mem);
  wh_status status = find(engine, folder, &part->arena, &part->place, err);
  const char *name = status == WH_OK ? name_part(&part->place, number, &part->arena) : NULL;
  if (status == WH_OK && !name) status = wh_fail_memory(err);
  if (status == WH_OK)
    status = part->place.store ? open_upload(part, name, err) : open_file(part, name, err);
  if (status == WH_OK)
    *ret = part;
  else
    wh_reject_part_close(part);
  return status;
}

wh_status wh_reject_part_write(wh_reject_part *part, wh_str text, wh_error *err) {
  if (part->upload) return wh_output_write(&part->upload->output, text.data, text.len, err);
  WH_TRY(part->file->type->write_at(part->file, part->at, text.data, text.len, err));
  part->at += text.len;
  return WH_OK;
}

wh_status wh_reject_part_seal(wh_reject_part *part, wh_error *err) {
  if (part->upload) return part->upload->seal(part->upload, err);
  wh_os *os = part->place.engine->os;
  WH_TRY(part->file->type->sync(part->file, err));
  return os->type->sync_dir(os, part->place.path, err);
}

void wh_reject_part_close(wh_reject_part *part) {
  if (!part) return;
  wh_file_close(part->file);
  if (part->upload) part->upload->close(part->upload);
  wh_arena_free(&part->arena);
  wh_mem_free(part->place.engine->mem, part, sizeof *part);
}

// --- which parts there are -----------------------------------------------------------------------

typedef struct part_list {
  uint64_t *parts;
  size_t count, cap;
  wh_arena *arena;
  size_t prefix; // bytes of a key before its part's name
} part_list;

static wh_status add_part(part_list *l, wh_str name, wh_error *err) {
  uint64_t number;
  if (!wh_str_starts(name, "part-") || !wh_str_ends(name, ".ndjson")) return WH_OK;
  if (!wh_str_to_u64(wh_str_sub(name, 5, name.len - 7), &number)) return WH_OK;
  if (l->count == l->cap) {
    size_t cap = l->cap ? l->cap * 2 : 16;
    uint64_t *grown = WH_NEW_ARRAY(l->arena, cap, uint64_t);
    if (!grown) return wh_fail_memory(err);
    if (l->count) memcpy(grown, l->parts, l->count * sizeof *grown);
    l->parts = grown;
    l->cap = cap;
  }
  l->parts[l->count++] = number;
  return WH_OK;
}

static wh_status add_file(void *context, const wh_dir_entry *entry, wh_error *err) {
  return add_part(context, entry->name, err);
}

static wh_status add_object(void *context, const wh_object *object, wh_error *err) {
  part_list *l = context;
  return add_part(l, wh_str_sub(object->key, l->prefix, object->key.len), err);
}

static int compare_parts(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

// In order. WH_ERR_NOT_FOUND: there is no such folder.
static wh_status list_parts(const place *p, wh_arena *arena, part_list *ret, wh_error *err) {
  wh_os *os = p->engine->os;
  *ret = (part_list){.arena = arena, .prefix = strlen(p->path)};
  if (p->store)
    WH_TRY(p->store->type->store->list(p->store, wh_str_of(p->path), add_object, ret, err));
  else
    WH_TRY(os->type->list(os, p->path, add_file, ret, err));
  if (ret->count) qsort(ret->parts, ret->count, sizeof *ret->parts, compare_parts);
  if (ret->count || !p->store) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "nothing is at %s", p->path);
}

// --- reading -------------------------------------------------------------------------------------

static wh_status read_lines(wh_input *in, wh_mem *mem, wh_reject_line_visit visit, void *context,
                            wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, mem, 0);
  for (;;) {
    size_t n;
    if (!wh_buf_reserve(&line, READ_BYTES)) return wh_buf_check(&line, err);
    WH_TRY(wh_input_read(in, line.data + line.len, READ_BYTES, &n, err));
    if (n == 0) return WH_OK;
    line.len += n;
    size_t from = 0, end;
    while ((end = wh_str_find(wh_buf_str(&line), from, '\n')) < line.len) {
      WH_TRY(visit(context, wh_str_n(line.data + from, end - from), err));
      from = end + 1;
    }
    memmove(line.data, line.data + from, line.len - from);
    line.len -= from;
  }
}

static wh_status read_part(const place *p, const char *name, wh_reject_line_visit visit,
                           void *context, wh_error *err) {
  wh_mem *mem = p->engine->mem;
  if (!p->store) {
    wh_file *file;
    WH_TRY(wh_os_open(p->engine->os, name, WH_OPEN_READ, &file, err));
    wh_file_input in;
    wh_file_input_init(&in, file, WH_SIZE_UNKNOWN);
    wh_status status = read_lines(&in.base, mem, visit, context, err);
    wh_file_close(file);
    return status;
  }
  wh_input *in;
  WH_TRY(p->store->type->store->open(p->store, wh_str_of(name), (wh_str){0}, &in, err));
  wh_status status = read_lines(in, mem, visit, context, err);
  wh_input_close(in);
  return status;
}

wh_status wh_reject_folder_lines(wh_engine *engine, wh_str folder, wh_reject_line_visit visit,
                                 void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  place p;
  part_list parts;
  WH_TRY(find(engine, folder, &arena, &p, err));
  WH_TRY(list_parts(&p, &arena, &parts, err));
  for (size_t i = 0; i < parts.count; i++) {
    const char *name = name_part(&p, parts.parts[i], &arena);
    if (!name) return wh_fail_memory(err);
    WH_TRY(read_part(&p, name, visit, context, err));
  }
  return WH_OK;
}

// --- rewriting -----------------------------------------------------------------------------------

typedef struct rewrite {
  wh_reject_line_test test;
  void *context;
  wh_reject_part *to; // NULL: only looks
  wh_buf line;
  bool drops; // a line does not stay
} rewrite;

static wh_status rewrite_line(void *context, wh_str line, wh_error *err) {
  rewrite *r = context;
  bool stays = true;
  if (!r->to && r->drops) return WH_OK;
  WH_TRY(r->test(r->context, line, &stays, err));
  r->drops |= !stays;
  if (!r->to || !stays) return WH_OK;
  wh_buf_clear(&r->line);
  wh_buf_add_str(&r->line, line);
  wh_buf_add_char(&r->line, '\n');
  WH_TRY(wh_buf_check(&r->line, err));
  return wh_reject_part_write(r->to, wh_buf_str(&r->line), err);
}

static wh_status open_new(const place *p, const char *name, const char *made, wh_reject_part **ret,
                          wh_error *err) {
  wh_reject_part *part = wh_mem_alloc_zero(p->engine->mem, sizeof *part);
  if (!part) return wh_fail_memory(err);
  part->place = *p;
  wh_arena_init(&part->arena, p->engine->mem);
  wh_status status = p->store ? open_upload(part, name, err) : open_file(part, made, err);
  if (status == WH_OK)
    *ret = part;
  else
    wh_reject_part_close(part);
  return status;
}

// In a store the upload takes the old one's place when it is sealed.
static wh_status put_in_place(const place *p, const char *name, const char *made, wh_error *err) {
  wh_os *os = p->engine->os;
  uint64_t versions = 0;
  if (p->store)
    return p->store->type->store->purge(p->store, wh_str_of(name), INT64_MAX, &versions, err);
  WH_TRY(os->type->rename(os, made, name, err));
  return os->type->sync_dir(os, p->path, err);
}

static wh_status rewrite_part(const place *p, const char *name, rewrite *r, wh_arena *arena,
                              wh_error *err) {
  r->drops = false;
  r->to = NULL;
  WH_TRY(read_part(p, name, rewrite_line, r, err));
  if (!r->drops) return WH_OK;
  const char *made = wh_arena_printf(arena, "%s" NEW_SUFFIX, name).data;
  if (!made) return wh_fail_memory(err);
  WH_TRY(open_new(p, name, made, &r->to, err));
  wh_status status = read_part(p, name, rewrite_line, r, err);
  if (status == WH_OK) status = wh_reject_part_seal(r->to, err);
  wh_reject_part_close(r->to);
  return status == WH_OK ? put_in_place(p, name, made, err) : status;
}

wh_status wh_reject_folder_rewrite(wh_engine *engine, wh_str folder, wh_reject_line_test test,
                                   void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  place p;
  part_list parts;
  WH_TRY(find(engine, folder, &arena, &p, err));
  WH_TRY(list_parts(&p, &arena, &parts, err));
  rewrite r = {.test = test, .context = context};
  wh_buf_init(&r.line, engine->mem, 0);
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < parts.count; i++) {
    const char *name = name_part(&p, parts.parts[i], &arena);
    status = name ? rewrite_part(&p, name, &r, &arena, err) : wh_fail_memory(err);
  }
  wh_buf_free(&r.line);
  return status;
}

// --- removing ------------------------------------------------------------------------------------

// What a crash left of writing a part once more.
static wh_status remove_new(const place *p, const char *name, wh_arena *arena, wh_error *err) {
  const char *made = wh_arena_printf(arena, "%s" NEW_SUFFIX, name).data;
  if (!made) return wh_fail_memory(err);
  wh_error inner = {0};
  wh_status status = p->engine->os->type->remove(p->engine->os, made, &inner);
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

static wh_status remove_part(const place *p, uint64_t number, wh_arena *arena, wh_error *err) {
  const char *name = name_part(p, number, arena);
  if (!name) return wh_fail_memory(err);
  wh_os *os = p->engine->os;
  if (p->store) return p->store->type->store->remove(p->store, wh_str_of(name), err);
  WH_TRY(remove_new(p, name, arena, err));
  return os->type->remove(os, name, err);
}

static wh_status remove_parts(const place *p, uint64_t from, wh_arena *arena, bool *ret_any,
                              wh_error *err) {
  part_list parts;
  *ret_any = false;
  wh_error inner = {0};
  wh_status status = list_parts(p, arena, &parts, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK && err) *err = inner;
  WH_TRY(status);
  for (size_t i = 0; i < parts.count; i++) {
    if (parts.parts[i] < from) continue;
    WH_TRY(remove_part(p, parts.parts[i], arena, err));
    *ret_any = true;
  }
  return WH_OK;
}

wh_status wh_reject_parts_remove(wh_engine *engine, wh_str folder, uint64_t from, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  place p;
  bool any;
  WH_TRY(find(engine, folder, &arena, &p, err));
  WH_TRY(remove_parts(&p, from, &arena, &any, err));
  return any && !p.store ? engine->os->type->sync_dir(engine->os, p.path, err) : WH_OK;
}

wh_status wh_reject_folder_remove(wh_engine *engine, wh_str folder, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  place p;
  bool any;
  WH_TRY(find(engine, folder, &arena, &p, err));
  WH_TRY(remove_parts(&p, 0, &arena, &any, err));
  if (p.store) return WH_OK;
  wh_error inner = {0};
  wh_status status = engine->os->type->remove(engine->os, p.path, &inner);
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

// --- which folders there are ---------------------------------------------------------------------

typedef struct folder_visit {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_reject_folder_visit visit;
  void *context;
  size_t prefix; // bytes of a key before the run's name
  wh_str last;   // run that was visited; in the arena
  wh_arena *arena;
} folder_visit;

static wh_status visit_run(folder_visit *v, wh_str folder, wh_str run, wh_error *err) {
  if (!folder.data || !run.data) return wh_fail_memory(err);
  return v->visit(v->context, folder, run, err);
}

static wh_status visit_local(void *context, const wh_dir_entry *entry, wh_error *err) {
  folder_visit *v = context;
  if (entry->kind != WH_FILE_FOLDER) return WH_OK;
  wh_str run = wh_arena_str(v->arena, entry->name);
  return visit_run(
      v, wh_arena_printf(v->arena, "%.*s/%.*s", WH_STR_ARG(v->pipeline->name), WH_STR_ARG(run)),
      run, err);
}

static wh_status visit_object(void *context, const wh_object *object, wh_error *err) {
  folder_visit *v = context;
  wh_str rest = wh_str_sub(object->key, v->prefix, object->key.len);
  wh_str run = wh_str_sub(rest, 0, wh_str_find(rest, 0, '/'));
  if (run.len == rest.len || wh_str_eq(run, v->last)) return WH_OK;
  v->last = wh_arena_str(v->arena, run);
  return visit_run(v, wh_reject_folder_of(v->engine, v->pipeline, run, v->arena), v->last, err);
}

wh_status wh_reject_folders(wh_engine *engine, const wh_pipeline *p, wh_reject_folder_visit visit,
                            void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  folder_visit v = {
      .engine = engine, .pipeline = p, .visit = visit, .context = context, .arena = &arena};
  const char *path = path_of(engine, p->name, &arena).data;
  if (!path) return wh_fail_memory(err);
  wh_error inner = {0};
  wh_status status = engine->os->type->list(engine->os, path, visit_local, &v, &inner);
  if (status != WH_OK && status != WH_ERR_NOT_FOUND) {
    if (err) *err = inner;
    return status;
  }
  if (!is_in_store(engine, p)) return WH_OK;
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, engine->config->quarantine, &c, err));
  wh_str prefix = wh_arena_printf(&arena, WH_REJECT_STORE_PREFIX "%.*s/", WH_STR_ARG(p->name));
  if (!prefix.data) return wh_fail_memory(err);
  v.prefix = prefix.len;
  return c->type->store->list(c, prefix, visit_object, &v, err);
}
