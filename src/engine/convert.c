#include "engine/convert.h"

#include "connect/local/local.h"
#include "engine/input.h"
#include "engine/lanes.h"

enum { PROGRESS_INTERVAL_US = 100 * 1000 };

// A file that takes its name when it is whole.
typedef struct file_output {
  wh_output base;
  wh_file *file;
  char *path, *temporary;
} file_output;

typedef struct conversion {
  wh_engine *engine;
  const wh_convert *request;
  wh_arena *arena;
  wh_pipeline pipeline;
  wh_connection from;
  wh_local_options from_options;
  wh_run_input in;
  wh_encoding encoding;
  wh_schema schema; // of the rows; a copy
  wh_flow *flow;
  bool in_parts, reader_failed;
  wh_writer *writer;
  wh_compressor *compressor; // NULL: the file is not compressed
  file_output out, rejects;
  wh_counts counts;
  int64_t last_progress_us;
  uint64_t bytes_read; // the reader itself may be ahead, in its own thread
} conversion;

// --- files -------------------------------------------------------------------------------------

static wh_status file_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  file_output *o = (file_output *)base;
  WH_TRY(o->file->type->write_at(o->file, o->base.written, data, len, err));
  o->base.written += len;
  return WH_OK;
}

// The temporary file is this one's alone: nobody else is writing it, nor has just given it its
// name.
static wh_status file_claim(conversion *c, file_output *o, wh_error *err) {
  wh_os *os = c->engine->os;
  wh_file_info named, open;
  wh_error ignored = {0};
  wh_status status = o->file->type->lock(o->file, &ignored);
  if (status == WH_OK) status = o->file->type->stat(o->file, &open, &ignored);
  if (status == WH_OK) status = os->type->stat(os, o->temporary, &named, &ignored);
  if (status == WH_OK && named.inode == open.inode && named.device == open.device) return WH_OK;
  o->temporary = NULL; // not ours to remove
  if (status != WH_OK && status != WH_ERR_BUSY && status != WH_ERR_NOT_FOUND) {
    if (err) *err = ignored;
    return status;
  }
  return wh_fail(err, WH_ERR_BUSY, "%s: another wherry is writing it", o->path);
}

static wh_status file_create(conversion *c, file_output *o, wh_error *err) {
  wh_os *os = c->engine->os;
  *o = (file_output){.base = {.write = file_write}, .path = o->path};
  wh_str name = wh_path_name(wh_str_of(o->path));
  wh_str temporary = wh_arena_printf(c->arena, "%s%.*s", WH_TEMPORARY_PREFIX, WH_STR_ARG(name));
  char *folder = wh_path_folder(c->arena, o->path);
  if (!temporary.data || !folder) return wh_fail_memory(err);
  o->temporary = wh_path_join(c->arena, folder, temporary.data);
  if (!o->temporary) return wh_fail_memory(err);
  wh_status status =
      wh_os_open(os, o->temporary, WH_OPEN_READ | WH_OPEN_WRITE | WH_OPEN_CREATE, &o->file, err);
  if (status == WH_ERR_NOT_FOUND)
    return wh_fail(err, status, "%s: there is no such folder", folder);
  WH_TRY(status);
  WH_TRY(file_claim(c, o, err));
  return o->file->type->truncate(o->file, 0, err);
}

// With --force: that of an earlier OUT, which had other rows.
static wh_status remove_rejects(conversion *c, wh_error *err) {
  wh_error inner = {0};
  wh_status status = c->engine->os->type->remove(c->engine->os, c->rejects.path, &inner);
  if (status == WH_OK || status == WH_ERR_NOT_FOUND) return WH_OK;
  if (err) *err = inner;
  return status;
}

static wh_status file_publish(conversion *c, file_output *o, wh_error *err) {
  wh_os *os = c->engine->os;
  WH_TRY(o->file->type->sync(o->file, err));
  wh_file_close(o->file);
  o->file = NULL;
  WH_TRY(os->type->rename(os, o->temporary, o->path, err));
  o->temporary = NULL;
  char *folder = wh_path_folder(c->arena, o->path);
  return folder ? os->type->sync_dir(os, folder, err) : wh_fail_memory(err);
}

static void file_abandon(conversion *c, file_output *o) {
  wh_error ignored = {0};
  wh_file_close(o->file);
  o->file = NULL;
  if (o->temporary) WH_IGNORE(c->engine->os->type->remove(c->engine->os, o->temporary, &ignored));
  o->temporary = NULL;
}

// --- the ends ----------------------------------------------------------------------------------

static const wh_codec_type *codec_of(const wh_format *format, const char *path) {
  return format->codec ? format->codec : wh_codec_by_key(wh_path_name(wh_str_of(path)));
}

static wh_status fail_codec(const char *path, const char *verb, wh_error *err) {
  return wh_fail(err, WH_ERR_USAGE,
                 "%s: no codec %s files with this ending. Name one with --%s type=NAME", path, verb,
                 verb[0] == 'r' ? "read" : "write");
}

static wh_status open_input(conversion *c, wh_error *err) {
  const wh_convert *r = c->request;
  c->from_options.path = wh_str_of(wh_path_folder(c->arena, r->in));
  if (!c->from_options.path.data) return wh_fail_memory(err);
  c->from = (wh_connection){.name = WH_STR("in"),
                            .type = &wh_connector_local,
                            .options = &c->from_options,
                            .os = c->engine->os,
                            .mem = c->engine->mem};
  c->pipeline = (wh_pipeline){.name = WH_STR("convert"),
                              .read.format = r->read,
                              .write.format = r->write,
                              .to.thing = wh_path_name(wh_str_of(r->out)),
                              .gate.all = true};
  c->in = (wh_run_input){.engine = c->engine,
                         .pipeline = &c->pipeline,
                         .arena = c->arena,
                         .connection = &c->from,
                         .inferred = true};
  wh_str key = wh_path_name(wh_str_of(r->in));
  WH_TRY(c->from.type->store->stat(&c->from, key, c->arena, &c->in.object, err));
  c->in.bytes_total = c->in.object.size;
  WH_TRY(wh_input_reopen(&c->in, err));
  if (c->in.reader->schema->count) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%s: has no columns, so there is nothing to write", r->in);
}

static wh_status open_output(conversion *c, wh_error *err) {
  WH_TRY(file_create(c, &c->out, err));
  const wh_encoding *e = &c->encoding;
  wh_output *to = &c->out.base;
  wh_compression compression = wh_codec_compression(e->codec, c->pipeline.to.thing);
  if (compression != WH_UNCOMPRESSED) {
    WH_TRY(wh_compress_open(c->engine->mem, to, compression, &c->compressor, err));
    to = &c->compressor->output;
  }
  return e->codec->open_writer(&e->context, to, e->options, e->schema, &c->writer, err);
}

static wh_status open_flow(conversion *c, wh_error *err) {
  wh_flow_options options = {.engine = c->engine,
                             .pipeline = &c->pipeline,
                             .gate = &c->pipeline.gate,
                             .reader = c->in.reader};
  WH_TRY(wh_flow_open(&options, &c->flow, err));
  WH_TRY(wh_schema_copy(wh_flow_schema(c->flow), c->arena, &c->schema, err));
  c->encoding =
      (wh_encoding){.codec = codec_of(&c->request->write, c->request->out),
                    .options = c->request->write.options,
                    .schema = &c->schema,
                    .context = {.os = c->engine->os,
                                .mem = c->engine->mem,
                                .row_limit_bytes = (size_t)c->engine->config->memory_bytes /
                                                   WH_ROW_SHARE_OF_MEMORY,
                                .threads = 1}};
  wh_lanes_part_size(c->engine, c->encoding.codec, &c->encoding.context);
  c->in_parts = !c->in.one_path && wh_flow_encode(c->flow, &c->encoding);
  return WH_OK;
}

// --- the loop ----------------------------------------------------------------------------------

static void show_progress(conversion *c, bool at_end) {
  const wh_watcher *w = &c->engine->watcher;
  int64_t now = c->engine->os->type->monotonic_ns(c->engine->os) / 1000;
  if (!w->progress || (!at_end && now - c->last_progress_us < PROGRESS_INTERVAL_US)) return;
  c->last_progress_us = now;
  wh_progress progress = {.pipeline = c->pipeline.name,
                          .object = c->in.object.key,
                          .rows = c->counts.read,
                          .bytes = c->bytes_read,
                          .bytes_total = c->in.bytes_total};
  w->progress(w->context, &progress);
}

static wh_status keep_rejects(conversion *c, const wh_flow_item *item, wh_error *err) {
  if (item->rejected->count == 0) return WH_OK;
  if (!c->rejects.file) WH_TRY(file_create(c, &c->rejects, err));
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, c->engine->mem, 0);
  WH_TRY(wh_reject_lines_write(item->rejected, &text, err));
  c->counts.quarantined += item->rejected->count;
  return wh_output_write(&c->rejects.base, text.data, text.len, err);
}

static wh_status take_item(conversion *c, wh_flow_item *item, wh_error *err) {
  c->counts.read += item->counts.read;
  c->counts.filtered += item->counts.filtered;
  c->bytes_read = item->bytes_read;
  WH_TRY(keep_rejects(c, item, err));
  if (item->block) {
    c->counts.written += item->block->rows;
    return c->writer->append(c->writer, item->block, err);
  }
  if (!item->batch || item->batch->rows == 0) return WH_OK;
  c->counts.written += item->batch->rows;
  wh_status status = c->writer->write(c->writer, item->batch, err);
  if (status != WH_OK) wh_error_append_row(err);
  return status;
}

static wh_status consume(conversion *c, wh_error *err) {
  for (;;) {
    const atomic_bool *stop = c->engine->stop;
    if (stop && atomic_load(stop)) return wh_fail(err, WH_ERR_CANCELLED, "stopped");
    wh_flow_item *item;
    wh_status status = wh_flow_next(c->flow, &item, err);
    if (status == WH_ERR_END) break;
    if (status != WH_OK) {
      c->reader_failed = wh_flow_reader_failed(c->flow);
      return status;
    }
    status = take_item(c, item, err);
    wh_flow_release(c->flow, item);
    WH_TRY(status);
    show_progress(c, false);
  }
  WH_TRY(c->writer->finish(c->writer, err));
  if (c->compressor) WH_TRY(c->compressor->finish(c->compressor, err));
  c->bytes_read = c->in.reader->bytes_read;
  show_progress(c, true);
  return WH_OK;
}

static wh_status attempt(conversion *c, wh_error *err) {
  c->counts = (wh_counts){0};
  c->reader_failed = false;
  wh_status status = open_flow(c, err);
  if (status == WH_OK) status = open_output(c, err);
  if (status == WH_OK) status = wh_flow_start(c->flow, 0, err);
  if (status == WH_OK) status = consume(c, err);
  wh_flow_close(c->flow);
  c->flow = NULL;
  wh_writer_close(c->writer);
  c->writer = NULL;
  wh_compressor_close(c->compressor);
  c->compressor = NULL;
  return status;
}

// An inferred type was too narrow, or the file is wrong somewhere. WH_OK: to be tried again.
static wh_status look_again(conversion *c, wh_status why, wh_error *err) {
  if (why != WH_ERR_WIDEN && !c->reader_failed) return why;
  if (!c->in_parts) {
    return why == WH_ERR_WIDEN ? wh_input_widen(&c->in, err) : wh_input_blame(&c->in, why, err);
  }
  if (why != WH_ERR_WIDEN && !wh_input_is_final(why)) return why;
  return wh_input_look_again(&c->in, why, err);
}

static wh_status run(conversion *c, wh_converted *ret, wh_error *err) {
  WH_TRY(open_input(c, err));
  for (;;) {
    wh_status status = attempt(c, err);
    if (status == WH_OK) break;
    file_abandon(c, &c->out);
    file_abandon(c, &c->rejects);
    WH_TRY(look_again(c, status, err));
  }
  ret->bytes_read = c->in.reader->bytes_read;
  if (c->in_parts && ret->bytes_read > c->in.bytes_total) ret->bytes_read = c->in.bytes_total;
  ret->found = wh_arena_str(c->arena, c->in.reader->found);
  ret->bytes_written = c->out.base.written;
  ret->counts = c->counts;
  ret->schema = c->schema;
  if (c->rejects.file) {
    ret->rejects = wh_str_of(c->rejects.path);
    WH_TRY(file_publish(c, &c->rejects, err));
  } else if (c->request->replace) {
    WH_TRY(remove_rejects(c, err));
  }
  return file_publish(c, &c->out, err);
}

static wh_status check_in(conversion *c, wh_file_info *ret, wh_error *err) {
  wh_os *os = c->engine->os;
  const char *in = c->request->in;
  wh_error inner = {0};
  wh_status status = os->type->stat(os, in, ret, &inner);
  if (status == WH_ERR_NOT_FOUND) return wh_fail(err, status, "%s: there is no such file", in);
  if (status != WH_OK && err) *err = inner;
  if (status != WH_OK || ret->kind == WH_FILE_REGULAR) return status;
  return wh_fail(err, WH_ERR_USAGE, "%s is %s, not a file", in,
                 ret->kind == WH_FILE_FOLDER ? "a folder" : "a link, a pipe or a device");
}

// What is there already is replaced only when that was asked for, and never IN.
static wh_status check_target(conversion *c, const char *path, const wh_file_info *in,
                              wh_error *err) {
  wh_os *os = c->engine->os;
  wh_file_info info;
  wh_error inner = {0};
  wh_status status = os->type->stat(os, path, &info, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  if (info.kind == WH_FILE_FOLDER) return wh_fail(err, WH_ERR_USAGE, "%s is a folder", path);
  if (info.inode == in->inode && info.device == in->device) {
    return wh_fail(err, WH_ERR_USAGE, "%s is what is read. Write to another name", path);
  }
  if (c->request->replace) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s is there already. To replace it: --force", path);
}

static wh_status check_request(conversion *c, wh_error *err) {
  const wh_convert *r = c->request;
  if (!codec_of(&r->read, r->in)) return fail_codec(r->in, "reads", err);
  const wh_codec_type *to = codec_of(&r->write, r->out);
  if (!to || !to->open_writer) return fail_codec(r->out, "writes", err);
  c->out.path = wh_arena_cstr(c->arena, wh_str_of(r->out));
  wh_str rejects = wh_arena_printf(c->arena, "%s.rejected.ndjson", r->out);
  if (!c->out.path || !rejects.data) return wh_fail_memory(err);
  c->rejects.path = wh_arena_cstr(c->arena, rejects);
  if (!c->rejects.path) return wh_fail_memory(err);
  wh_file_info in;
  WH_TRY(check_in(c, &in, err));
  WH_TRY(check_target(c, c->out.path, &in, err));
  return check_target(c, c->rejects.path, &in, err);
}

wh_status wh_engine_convert(wh_engine *engine, const wh_convert *request, wh_arena *arena,
                            wh_converted *ret, wh_error *err) {
  conversion *c = WH_NEW(arena, conversion);
  if (!c) return wh_fail_memory(err);
  *c = (conversion){.engine = engine, .request = request, .arena = arena};
  *ret = (wh_converted){0};
  wh_status status = check_request(c, err);
  if (status == WH_OK) status = run(c, ret, err);
  wh_input_close_run(&c->in);
  file_abandon(c, &c->out);
  file_abandon(c, &c->rejects);
  return status;
}
