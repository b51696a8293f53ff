// The rejected rows: reading them back, sending them through again, dropping them.
#include "codec/json/json.h"
#include "engine/deletes.h"
#include "engine/run.h"
#include "ledger/schema_json.h"

enum { FLUSH_BYTES = 64 * 1024 };

#define REPLAY_PREFIX "quarantine:" // and the run that rejected: what a replay loads

static bool is_header(wh_str line) {
  return wh_str_starts(line, "{\"wherry\":");
}

// The data or text of a row line: the last member, so that it can be cut out as it stands.
static bool cut_content(wh_str line, wh_str *ret, bool *ret_is_text) {
  static const char data[] = ",\"data\":", text[] = ",\"text\":";
  // Not inside a string: quotes in strings are escaped, so these bytes occur only as a member. Of
  // several (a column may be called "data") the first one outside of the reason is ours.
  const char *hit = memmem(line.data, line.len, ",\"byte\":", 8);
  if (!hit || !wh_str_ends(line, "}")) return false;
  wh_str rest = wh_str_n(hit, line.len - (size_t)(hit - line.data) - 1);
  const char *d = memmem(rest.data, rest.len, data, sizeof data - 1);
  const char *t = memmem(rest.data, rest.len, text, sizeof text - 1);
  *ret_is_text = t && (!d || t < d);
  const char *from = *ret_is_text ? t : d;
  if (!from) return false;
  from += sizeof data - 1;
  *ret = wh_str_n(from, (size_t)(rest.data + rest.len - from));
  return true;
}

// --- showing -----------------------------------------------------------------------------------

typedef struct showing {
  wh_arena arena; // of the table's name
  wh_str table;   // of the part
  wh_rejected_visit visit;
  void *context;
  const wh_quarantine_entry *entry;
  wh_engine *engine;
} showing;

static uint64_t number(const json_t *object, const char *name) {
  return (uint64_t)json_integer_value(json_object_get(object, name));
}

static wh_status show_header(showing *s, wh_str line, wh_error *err) {
  json_t *header = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
  wh_arena_reset(&s->arena);
  s->table = wh_arena_str(&s->arena, wh_json_text(header, "table"));
  json_decref(header);
  return s->table.data ? WH_OK : wh_fail_memory(err);
}

static wh_status show_line(void *context, wh_str line, wh_error *err) {
  showing *s = context;
  if (is_header(line)) return show_header(s, line, err);
  wh_rejected_row row = {.object = s->entry->object, .table = s->table};
  if (!cut_content(line, &row.data, &row.is_text)) return WH_OK; // a torn last line
  json_t *object = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
  if (!object) return wh_fail(err, WH_ERR_DATA, "a line of the quarantine is damaged");
  row.rule = wh_json_text(object, "rule");
  row.column = wh_json_text(object, "column");
  row.reason = wh_json_text(object, "reason");
  row.place = (wh_place){.row = number(object, "row"),
                         .line = number(object, "line"),
                         .column = number(object, "at"),
                         .byte = number(object, "byte")};
  if (row.is_text) row.data = wh_json_text(object, "text");
  wh_status status = s->visit(s->context, s->entry, &row, err);
  json_decref(object);
  return status;
}

static wh_status show_entry(void *context, const wh_quarantine_entry *entry, wh_error *err) {
  showing *s = context;
  s->entry = entry;
  return wh_reject_folder_lines(s->engine, entry->file, show_line, s, err);
}

wh_status wh_quarantine_rows(wh_engine *engine, wh_str pipeline, wh_rejected_visit visit,
                             void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  showing s = {.visit = visit, .context = context, .engine = engine};
  wh_arena_init(&s.arena, engine->mem);
  wh_status status =
      engine->ledger->type->quarantined(engine->ledger, pipeline, &arena, show_entry, &s, err);
  wh_arena_free(&s.arena);
  return status;
}

// --- replay ------------------------------------------------------------------------------------

// The rows of an entry as NDJSON, in a scratch file, so that the codec reads them like any object.
typedef struct unpack {
  wh_engine *engine;
  wh_arena *arena;
  wh_buf out;
  wh_file *file;
  uint64_t at;
  wh_str table;         // whose rows are wanted, of an object with several
  bool is_wanted;       // the part that is read has them
  uint64_t rows, total; // of the table, and of all
  bool has_header;
  wh_schema schema;
  int64_t order;
} unpack;

static wh_status use_header(unpack *u, const json_t *header, wh_error *err) {
  u->is_wanted = wh_str_eq(wh_json_text(header, "table"), u->table);
  if (!u->is_wanted || u->has_header) return WH_OK;
  u->order = json_integer_value(json_object_get(header, "order"));
  u->has_header = true;
  return wh_schema_of_json(json_object_get(header, "schema"), u->arena, &u->schema, err);
}

static wh_status read_header(unpack *u, wh_str line, wh_error *err) {
  json_t *header = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
  if (!header) return wh_fail(err, WH_ERR_DATA, "the header of a quarantine file is damaged");
  wh_status status = use_header(u, header, err);
  json_decref(header);
  return status;
}

static wh_status flush(unpack *u, wh_error *err) {
  WH_TRY(wh_buf_check(&u->out, err));
  WH_TRY(u->file->type->write_at(u->file, u->at, u->out.data, u->out.len, err));
  u->at += u->out.len;
  wh_buf_clear(&u->out);
  return WH_OK;
}

// One row a line: a line break in what never became a row is white space to JSON.
static wh_status add_line(unpack *u, wh_str content, wh_error *err) {
  for (size_t i = 0; i < content.len; i++) {
    char c = content.data[i];
    wh_buf_add_char(&u->out, c == '\n' || c == '\r' ? ' ' : c);
    if (u->out.len >= FLUSH_BYTES) WH_TRY(flush(u, err));
  }
  wh_buf_add_char(&u->out, '\n');
  return wh_buf_check(&u->out, err);
}

static wh_status unpack_line(void *context, wh_str line, wh_error *err) {
  unpack *u = context;
  if (is_header(line)) return read_header(u, line, err);
  wh_str content;
  bool is_text;
  if (!cut_content(line, &content, &is_text)) return WH_OK;
  u->total++;
  if (!u->is_wanted) return WH_OK;
  u->rows++;
  if (!is_text) return add_line(u, content, err);
  json_t *text = json_loadb(content.data, content.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  if (!text) return add_line(u, content, err);
  wh_status status = add_line(u, wh_str_n(json_string_value(text), json_string_length(text)), err);
  json_decref(text);
  return status;
}

typedef struct replay {
  wh_engine *engine;
  const wh_pipeline *pipeline;
  wh_lease *lease;
  wh_run_totals *totals;
  wh_quarantine_entry *entries;
  bool *is_replayed; // of each entry, and of each of its tables: whether it is delivered
  size_t table_count;
  size_t count, cap;
  wh_arena *arena;
  wh_arena *scratch; // reset for each run
} replay;

static wh_status collect_entry(void *context, const wh_quarantine_entry *entry, wh_error *err) {
  replay *r = context;
  if (r->count == r->cap) {
    size_t cap = r->cap ? r->cap * 2 : 16;
    wh_quarantine_entry *grown = WH_NEW_ARRAY(r->arena, cap, wh_quarantine_entry);
    if (!grown) return wh_fail_memory(err);
    if (r->count) memcpy(grown, r->entries, r->count * sizeof *grown);
    r->entries = grown;
    r->cap = cap;
  }
  r->entries[r->count++] = *entry;
  return WH_OK;
}

// First the ledger forgets the entry, then its files go: a crash between leaves only files.
static wh_status drop_entry(wh_engine *engine, const wh_quarantine_entry *entry, wh_error *err) {
  WH_TRY(engine->ledger->type->quarantine_drop(engine->ledger, entry->run, err));
  return wh_reject_folder_remove(engine, entry->file, err);
}

static wh_status open_unpacked(unpack *u, const wh_quarantine_entry *entry, const char **ret_path,
                               wh_error *err) {
  wh_engine *e = u->engine;
  wh_str folder = wh_arena_printf(u->arena, "%.*s/scratch", WH_STR_ARG(e->config->state_folder));
  wh_str path = wh_arena_printf(u->arena, "%.*s/replay-%.*s.ndjson", WH_STR_ARG(folder),
                                WH_STR_ARG(entry->run));
  if (!folder.data || !path.data) return wh_fail_memory(err);
  *ret_path = path.data;
  WH_TRY(wh_os_make_path(e->os, folder.data, err));
  int flags = WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_PRIVATE;
  WH_TRY(wh_os_open(e->os, path.data, flags, &u->file, err));
  WH_TRY(u->file->type->truncate(u->file, 0, err));
  // Text that never became a row may begin with anything: no zero byte must look like UTF-16.
  wh_buf_add_c(&u->out, "  ");
  WH_TRY(wh_reject_folder_lines(e, entry->file, unpack_line, u, err));
  WH_TRY(flush(u, err));
  wh_str kept = wh_reject_folder_text(e, entry->file, u->arena);
  if (!kept.data) return wh_fail_memory(err);
  if (u->total && u->total < entry->rows) {
    return wh_fail(err, WH_ERR_DATA,
                   "the quarantine of run %.*s is damaged: %llu of its %llu rows can be read. "
                   "Nothing of it was sent. Look: %.*s",
                   WH_STR_ARG(entry->run), (unsigned long long)u->total,
                   (unsigned long long)entry->rows, WH_STR_ARG(kept));
  }
  if (u->has_header || u->total) return WH_OK;
  return wh_fail(err, WH_ERR_NOT_FOUND, "the rows of run %.*s are gone from the quarantine",
                 WH_STR_ARG(entry->run));
}

// What events are is declared in the configuration, so that a column that was mended there counts.
// A row that became one has only what its pipeline reads; the others need not be there.
static wh_status use_declared_schema(replay *r, unpack *u, wh_error *err) {
  wh_run_input now;
  WH_TRY(wh_input_describe(r->engine, r->pipeline, u->arena, &now, err));
  const wh_schema *all = &now.info.schema;
  wh_field *fields = WH_NEW_ARRAY(u->arena, all->count, wh_field);
  if (!fields) return wh_fail_memory(err);
  for (size_t i = 0; i < all->count; i++) {
    fields[i] = all->fields[i];
    if (wh_schema_find(&now.fetched, fields[i].name) < 0) fields[i].nullable = true;
  }
  u->schema = (wh_schema){all->count, fields};
  return WH_OK;
}

// What a replay loads, as the target's mark has it.
static wh_status name_replay(const wh_pipeline *branch, wh_str run, wh_arena *arena, wh_str *ret,
                             wh_error *err) {
  wh_str table = branch->table;
  *ret = wh_arena_printf(arena, REPLAY_PREFIX "%.*s%s%.*s", WH_STR_ARG(run), table.len ? "/" : "",
                         WH_STR_ARG(table));
  return ret->data ? WH_OK : wh_fail_memory(err);
}

static wh_status replay_rows(replay *r, unpack *u, const wh_quarantine_entry *entry, wh_run *run,
                             wh_error *err) {
  wh_file_input stream;
  wh_file_input_init(&stream, u->file, u->at);
  wh_engine *e = r->engine;
  wh_codec_context context = {.os = e->os,
                              .mem = e->mem,
                              .row_limit_bytes =
                                  (size_t)e->config->memory_bytes / WH_ROW_SHARE_OF_MEMORY,
                              .threads = 1};
  wh_run_input in = {.engine = e, .pipeline = r->pipeline, .arena = u->arena, .order = u->order};
  in.object.key = entry->file;
  WH_TRY(name_replay(r->pipeline, entry->run, u->arena, &in.identity, err));
  const wh_codec_type *codec = wh_codec_by_name(WH_STR("ndjson"));
  static const wh_json_read_options of_events = {.unknown = WH_JSON_UNKNOWN_IGNORE};
  bool events = wh_str_is(r->pipeline->from.connection, WH_INGEST_CONNECTION);
  if (events) WH_TRY(use_declared_schema(r, u, err));
  WH_TRY(codec->open_reader(&context, &stream.base, events ? &of_events : NULL, &u->schema,
                            &in.reader, err));
  wh_status status = wh_deletes_open_replay(&in, err);
  wh_run_options options = {0};
  wh_run_request request = {
      .pipeline = r->pipeline, .lease = r->lease, .options = &options, .is_replay = true};
  if (status == WH_OK) status = wh_run_transfer(e, &request, &in, u->arena, run, err);
  wh_input_close_run(&in);
  return status;
}

static wh_status replay_unpacked(replay *r, unpack *u, const wh_quarantine_entry *entry,
                                 wh_run *run, wh_error *err) {
  wh_engine *e = r->engine;
  wh_str object;
  WH_TRY(name_replay(r->pipeline, entry->run, u->arena, &object, err));
  WH_TRY(e->ledger->type->run_start(e->ledger, r->lease, object, u->arena, run, err));
  wh_status status = replay_rows(r, u, entry, run, err);
  if (status != WH_OK && run->state != WH_RUN_SEALED) wh_run_record_failure(e, run, err);
  return status;
}

// The rows of the pipeline's table, or of the branch that r->pipeline is. Adds to *rows what it has
// of *ret_total; *is_done stays where they are delivered.
static wh_status replay_table(replay *r, const wh_quarantine_entry *entry, bool is_there,
                              uint64_t *rows, uint64_t *ret_total, bool *is_done, wh_error *err) {
  wh_engine *e = r->engine;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, e->mem);
  unpack u = {.engine = e, .arena = &arena, .table = r->pipeline->table};
  wh_buf_init(&u.out, e->mem, 0);
  const char *path = NULL;
  wh_run run = {0};
  wh_status status = open_unpacked(&u, entry, &path, err);
  if (status == WH_OK && u.has_header && !is_there)
    status = replay_unpacked(r, &u, entry, &run, err);
  *rows += u.rows;
  *ret_total = u.total;
  *is_done = *is_done && status == WH_OK;
  wh_file_close(u.file);
  wh_error ignored = {0};
  if (path) WH_IGNORE(e->os->type->remove(e->os, path, &ignored));
  wh_buf_free(&u.out);
  if (!run.id.len) return status;
  if (run.state == WH_RUN_STOPPED) return WH_OK; // its rows still wait
  r->totals->runs++;
  if (run.state != WH_RUN_DONE) r->totals->failed++;
  r->totals->rows_quarantined += run.counts.quarantined;
  if (e->watcher.finished) e->watcher.finished(e->watcher.context, &run);
  return WH_OK;
}

// Of several tables one after the other, in the order of the pipeline. What of them is delivered
// already when it is interrupted, their marks tell.
static wh_status replay_entry(replay *r, const wh_quarantine_entry *entry, const bool *is_replayed,
                              wh_error *err) {
  const wh_pipeline *p = r->pipeline;
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(p, &count);
  uint64_t rows = 0, total = 0;
  bool is_done = true;
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < count; i++) {
    r->pipeline = &branches[i];
    status = replay_table(r, entry, is_replayed[i], &rows, &total, &is_done, err);
  }
  r->pipeline = p;
  WH_TRY(status);
  if (!is_done) return WH_OK;
  if (rows < total)
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: %llu rejected rows of run %.*s are of tables that are not under `tables` "
                   "any more. Bring these back, or drop the rows",
                   WH_STR_ARG(p->name), (unsigned long long)(total - rows), WH_STR_ARG(entry->run));
  return drop_entry(r->engine, entry, err);
}

// A replay that was interrupted behind its end has delivered its entry and not dropped it.
static wh_status note_replayed(void *context, const wh_run *run, wh_error *err) {
  replay *r = context;
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(r->pipeline, &count);
  bool is_replay = wh_str_starts(run->object, REPLAY_PREFIX);
  for (size_t i = 0; is_replay && i < r->count * count; i++) {
    wh_str name;
    WH_TRY(name_replay(&branches[i % count], r->entries[i / count].run, r->scratch, &name, err));
    r->is_replayed[i] |= wh_str_eq(run->object, name);
  }
  wh_arena_reset(r->scratch);
  return WH_OK;
}

static wh_status collect_entries(replay *r, wh_error *err) {
  wh_ledger *ledger = r->engine->ledger;
  wh_str pipeline = r->pipeline->name;
  WH_TRY(ledger->type->quarantined(ledger, pipeline, r->arena, collect_entry, r, err));
  if (r->count == 0) return WH_OK;
  wh_pipeline_branches(r->pipeline, &r->table_count);
  r->is_replayed = WH_NEW_ARRAY(r->arena, r->count * r->table_count, bool);
  if (!r->is_replayed) return wh_fail_memory(err);
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, r->engine->mem);
  r->scratch = &scratch;
  return ledger->type->runs(ledger, pipeline, WH_RUN_DONE, 0, &scratch, note_replayed, r, err);
}

wh_status wh_quarantine_replay(wh_engine *engine, const wh_pipeline *pipeline,
                               wh_run_totals *totals, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  wh_ledger *ledger = engine->ledger;
  wh_lease lease;
  WH_TRY(ledger->type->acquire(ledger, pipeline->name, &lease, err));
  replay r = {
      .engine = engine, .pipeline = pipeline, .lease = &lease, .totals = totals, .arena = &arena};
  wh_status status = wh_run_recover(engine, pipeline, &lease, err);
  if (status == WH_OK) status = collect_entries(&r, err);
  for (size_t i = 0; status == WH_OK && i < r.count; i++) {
    if (wh_engine_stopping(engine)) break;
    const bool *is_replayed = &r.is_replayed[i * r.table_count];
    // Of several tables, some may have gone from the configuration: that shows when they are
    // counted.
    status = !pipeline->branch_count && *is_replayed
                 ? drop_entry(engine, &r.entries[i], err)
                 : replay_entry(&r, &r.entries[i], is_replayed, err);
  }
  if (wh_engine_stopping(engine)) totals->stopped = true;
  ledger->type->release(ledger, &lease);
  return status;
}

wh_status wh_quarantine_drop(wh_engine *engine, wh_str pipeline, uint64_t *ret_rows,
                             wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, engine->mem);
  replay r = {.engine = engine, .arena = &arena};
  WH_TRY(
      engine->ledger->type->quarantined(engine->ledger, pipeline, &arena, collect_entry, &r, err));
  uint64_t rows = 0;
  for (size_t i = 0; i < r.count; i++) {
    WH_TRY(drop_entry(engine, &r.entries[i], err));
    rows += r.entries[i].rows;
  }
  *ret_rows = rows;
  return WH_OK;
}
