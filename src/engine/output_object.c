// Rows into one object: written under a name of its own, hashed on the way, sealed, published.
#include "engine/hashed_upload.h"
#include "engine/lanes.h"
#include "engine/output.h"
#include "engine/publish.h"

struct wh_object_output {
  wh_encoding encoding;
  wh_str key, attempt;
  wh_hashed_upload *upload; // NULL: nothing was written
  uint64_t rows, bytes, row_hash;
  bool was_created;
  bool in_ledger; // sealed there: the attempt is kept, whatever happens
};

wh_status wh_output_encoding(wh_engine *engine, const wh_pipeline *pipeline, wh_str key,
                             const wh_schema *schema, wh_encoding *ret, wh_error *err) {
  const wh_format *format = &pipeline->write.format;
  const wh_codec_type *codec = format->codec ? format->codec : wh_codec_by_key(key);
  if (!codec || !codec->open_writer) {
    return wh_fail(err, WH_ERR_USAGE, "%.*s: no codec writes files with this ending",
                   WH_STR_ARG(key));
  }
  *ret = (wh_encoding){.codec = codec, .options = format->options, .schema = schema};
  wh_codec_context *context = &ret->context;
  *context = (wh_codec_context){.os = engine->os,
                                .mem = engine->mem,
                                .row_limit_bytes =
                                    (size_t)engine->config->memory_bytes / WH_ROW_SHARE_OF_MEMORY,
                                .threads = 1};
  wh_lanes_part_size(engine, codec, context);
  return WH_OK;
}

static wh_status object_open(wh_run_output *out, const wh_flow *flow, wh_error *err) {
  const wh_schema *schema = wh_flow_schema(flow);
  struct wh_object_output *o = WH_NEW(out->arena, struct wh_object_output);
  if (!o) return wh_fail_memory(err);
  out->object = o;
  wh_template_values values = {.start_us = out->run->started_us,
                               .run = out->run->id,
                               .pipeline = out->pipeline->name,
                               .source = out->pipeline->is_member ? out->pipeline->from.thing
                                                                  : out->pipeline->from.connection,
                               .name = out->pipeline->from.thing};
  if (!out->input->is_rows) wh_template_name(&values, out->input->object.key);
  WH_TRY(wh_template_expand(out->pipeline->to.thing, &values, out->arena, &o->key, err));
  o->attempt = wh_arena_printf(out->arena, "%.*s-0", WH_STR_ARG(out->run->id));
  if (!o->attempt.data) return wh_fail_memory(err);
  return wh_output_encoding(out->engine, out->pipeline, o->key, schema, &o->encoding, err);
}

static wh_status object_encoding(wh_run_output *out, const wh_encoding **ret, wh_error *err) {
  (void)err;
  *ret = &out->object->encoding;
  return WH_OK;
}

static wh_status start_writing(wh_run_output *out, wh_error *err) {
  struct wh_object_output *o = out->object;
  wh_upload *upload;
  WH_TRY(out->connection->type->store->create(out->connection, o->attempt, &upload, err));
  o->was_created = true;
  return wh_hashed_upload_open(out->engine->mem, upload, o->key, &o->encoding, &o->upload, err);
}

static wh_status object_write(wh_run_output *out, wh_flow_item *item, wh_counts *counts,
                              wh_error *err) {
  struct wh_object_output *o = out->object;
  uint64_t rows = item->batch   ? item->batch->rows
                  : item->block ? item->block->rows
                                : item->file_rows;
  if (rows == 0) return WH_OK;
  if (!o->upload) WH_TRY(start_writing(out, err));
  wh_status status = item->batch   ? wh_hashed_upload_write(o->upload, item->batch, err)
                     : item->block ? wh_hashed_upload_append(o->upload, item->block, err)
                                   : wh_hashed_upload_append_file(o->upload, item->file, err);
  if (status != WH_OK) {
    wh_error_append_row(err);
    return status;
  }
  o->rows += rows;
  o->row_hash += item->hash_out;
  counts->written += rows;
  return WH_OK;
}

static wh_status write_manifest(const wh_run_output *out, const wh_run *run,
                                const wh_finish *finish, wh_str sha256, wh_buf *text,
                                wh_error *err) {
  const struct wh_object_output *o = out->object;
  wh_manifest manifest = {.key = o->key,
                          .pipeline = run->pipeline,
                          .run = run->id,
                          .codec = wh_str_of(o->encoding.codec->name),
                          .sha256 = sha256,
                          .cursor_from = run->cursor_from,
                          .cursor_to = run->cursor_to,
                          .order = out->load.order,
                          .epoch = run->epoch,
                          .rows = o->rows,
                          .bytes = o->bytes,
                          .row_hash = o->row_hash,
                          .created_us = run->started_us,
                          .schema = *o->encoding.schema};
  if (finish->cursor) {
    manifest.has_cursor = true;
    manifest.cursor_last = finish->cursor->last;
  }
  wh_manifest_write(&manifest, text);
  return wh_buf_check(text, err);
}

static wh_status seal(wh_run_output *out, wh_finish *finish, wh_run *run, wh_error *err) {
  struct wh_object_output *o = out->object;
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_hashed_upload_seal(o->upload, hex, &o->bytes, err));
  run->sha256 = wh_arena_str(out->arena, wh_str_of(hex));
  if (!run->sha256.data) return wh_fail_memory(err);
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, out->engine->mem, 0);
  WH_TRY(write_manifest(out, run, finish, run->sha256, &text, err));
  run->sealed = (wh_sealed){.attempt = o->attempt,
                            .store = out->pipeline->to.connection,
                            .key = o->key,
                            .sha256 = run->sha256,
                            .bytes = o->bytes,
                            .rows = o->rows,
                            .row_hash = o->row_hash,
                            .manifest = wh_arena_str(out->arena, wh_buf_str(&text))};
  if (!run->sealed.manifest.data) return wh_fail_memory(err);
  run->bytes_written = run->sealed.bytes;
  run->row_hash = o->row_hash;
  run->output = wh_arena_printf(out->arena, "%.*s:%.*s", WH_STR_ARG(out->pipeline->to.connection),
                                WH_STR_ARG(o->key));
  if (!run->output.data) return wh_fail_memory(err);
  wh_ledger *ledger = out->engine->ledger;
  WH_TRY(ledger->type->run_seal(ledger, run, finish, err));
  o->in_ledger = true;
  run->state = WH_RUN_SEALED;
  return WH_OK;
}

static wh_status object_complete(wh_run_output *out, wh_mark *mark, wh_finish *finish, wh_run *run,
                                 wh_error *err) {
  (void)mark;
  struct wh_object_output *o = out->object;
  if (!o->upload) {
    // Nothing new. An incremental run then publishes nothing; a whole table that is empty is an
    // empty object, since a `replace` further down must see it.
    if (out->input->has_cursor || !out->input->is_rows) return WH_OK;
    WH_TRY(start_writing(out, err));
  }
  WH_TRY(seal(out, finish, run, err));
  wh_object object;
  WH_TRY(wh_publish_sealed(out->engine, &run->sealed, run->id, out->arena, &object, err));
  run->output_version = object.version;
  return WH_OK;
}

static void object_close(wh_run_output *out) {
  struct wh_object_output *o = out->object;
  if (!o) return;
  wh_hashed_upload_close(o->upload);
  wh_error ignored = {0};
  if (o->was_created && !o->in_ledger)
    WH_IGNORE(out->connection->type->store->discard(out->connection, o->attempt, &ignored));
  out->object = NULL;
}

const wh_output_verbs wh_output_object = {
    .open = object_open,
    .encoding = object_encoding,
    .write = object_write,
    .complete = object_complete,
    .close = object_close,
};
