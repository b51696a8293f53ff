#include "engine/raw.h"

#include "base/crypto.h"
#include "engine/checksum.h"
#include "engine/publish.h"

enum { RAW_READ_BYTES = 256 * 1024 };

typedef struct raw_copy {
  wh_engine *engine;
  const wh_run_request *request;
  wh_arena *arena;
  wh_run *run;
  wh_connection *from, *to;
  wh_object object;
  bool has_manifest; // beside the source object; it crosses with the bytes
  wh_manifest manifest;
  wh_str key, attempt;
  wh_input *in;
  wh_upload *upload;
  wh_sha256 sha;
  bool has_sha;
  bool at_fault; // the source object is gone, or is not what its manifest says
} raw_copy;

static wh_status open_both(raw_copy *c, wh_error *err) {
  const wh_pipeline *p = c->request->pipeline;
  bool is_rows;
  WH_TRY(wh_input_connect(c->engine, &p->from, &c->from, &is_rows, err));
  WH_TRY(wh_input_connect(c->engine, &p->to, &c->to, &is_rows, err));
  const wh_work *work = c->request->work;
  wh_status status = c->from->type->store->stat(c->from, work->key, c->arena, &c->object, err);
  c->at_fault = status == WH_ERR_NOT_FOUND;
  WH_TRY(status);
  if (work->version.len && !wh_str_eq(work->version, c->object.version)) {
    return wh_fail(err, WH_ERR_CHANGED, "%.*s was replaced before it was read",
                   WH_STR_ARG(work->key));
  }
  WH_TRY(wh_input_manifest(c->from, &c->object, c->arena, &c->has_manifest, &c->manifest, err));
  c->attempt = wh_arena_printf(c->arena, "%.*s-0", WH_STR_ARG(c->run->id));
  if (!c->attempt.data) return wh_fail_memory(err);
  WH_TRY(c->from->type->store->open(c->from, c->object.key, c->object.version, &c->in, err));
  WH_TRY(c->to->type->store->create(c->to, c->attempt, &c->upload, err));
  WH_TRY(wh_sha256_init(&c->sha, err));
  c->has_sha = true;
  return WH_OK;
}

static wh_status copy_bytes(raw_copy *c, wh_error *err) {
  char *data = wh_mem_alloc_aligned(c->engine->mem, RAW_READ_BYTES);
  if (!data) return wh_fail_memory(err);
  wh_status status = WH_OK;
  while (status == WH_OK) {
    size_t n;
    if (wh_engine_stopping(c->engine)) {
      status = wh_fail(err, WH_ERR_CANCELLED, "stopped; the object is copied at the next start");
      break;
    }
    status = wh_input_read(c->in, data, RAW_READ_BYTES, &n, err);
    if (status != WH_OK || n == 0) break;
    c->run->bytes_read += n;
    status = wh_sha256_add(&c->sha, data, n, err);
    if (status == WH_OK) status = wh_output_write(&c->upload->output, data, n, err);
  }
  wh_mem_free(c->engine->mem, data, RAW_READ_BYTES);
  return status;
}

wh_status wh_raw_key(wh_str template, const wh_pipeline *p, const wh_run *run, wh_str key,
                     bool with_run, wh_arena *arena, wh_str *ret, wh_error *err) {
  wh_template_values values = {.start_us = run->started_us,
                               .run = run->id,
                               .pipeline = p->name,
                               .source = p->from.connection};
  wh_template_name(&values, key);
  if (with_run) {
    values.name = wh_arena_printf(arena, "%.*s-%.*s", WH_STR_ARG(values.name), WH_STR_ARG(run->id));
    if (!values.name.data) return wh_fail_memory(err);
  }
  return wh_template_expand(template, &values, arena, ret, err);
}

static wh_status choose_key(raw_copy *c, bool with_run, wh_error *err) {
  const wh_pipeline *p = c->request->pipeline;
  return wh_raw_key(p->to.thing, p, c->run, c->object.key, with_run, c->arena, &c->key, err);
}

// The checksum of what was copied. A manifest at the source must say the same.
static wh_status take_checksum(raw_copy *c, wh_error *err) {
  char hex[WH_SHA256_HEX + 1];
  WH_TRY(wh_sha256_finish_hex(&c->sha, hex, err));
  c->run->sha256 = wh_arena_str(c->arena, wh_str_of(hex));
  if (!c->run->sha256.data) return wh_fail_memory(err);
  if (!c->has_manifest || wh_str_eq(c->manifest.sha256, c->run->sha256)) return WH_OK;
  c->at_fault = true;
  return wh_fail(err, WH_ERR_DATA,
                 "%.*s: its bytes are not those that were published: the checksum differs. It was "
                 "not copied",
                 WH_STR_ARG(c->object.key));
}

// What the source's manifest knows of the bytes (schema, rows, order) stays true of the copy; who
// published it, and when, is this run.
static wh_status describe_sealed(raw_copy *c, wh_error *err) {
  wh_manifest manifest = {.codec = WH_STR(WH_CODEC_RAW), .order = c->object.modified_us};
  if (c->has_manifest) manifest = c->manifest;
  manifest.key = c->key;
  manifest.pipeline = c->run->pipeline;
  manifest.run = c->run->id;
  manifest.sha256 = c->run->sha256;
  manifest.epoch = c->run->epoch;
  manifest.bytes = c->run->bytes_read;
  manifest.created_us = c->run->started_us;
  manifest.has_cursor = false;
  manifest.cursor_from = manifest.cursor_to = (wh_str){0};
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, c->engine->mem, 0);
  wh_manifest_write(&manifest, &text);
  WH_TRY(wh_buf_check(&text, err));
  c->run->sealed = (wh_sealed){.attempt = c->attempt,
                               .store = c->request->pipeline->to.connection,
                               .key = c->key,
                               .sha256 = c->run->sha256,
                               .bytes = c->run->bytes_read,
                               .manifest = wh_arena_str(c->arena, wh_buf_str(&text))};
  c->run->output = wh_arena_printf(
      c->arena, "%.*s:%.*s", WH_STR_ARG(c->request->pipeline->to.connection), WH_STR_ARG(c->key));
  if (!c->run->output.data || !c->run->sealed.manifest.data) return wh_fail_memory(err);
  return WH_OK;
}

// Whether the key holds the very bytes already, by the manifest that stands beside it.
static wh_status same_bytes_there(raw_copy *c, bool *ret_taken, bool *ret_same, wh_error *err) {
  wh_object there;
  wh_error inner = {0};
  const wh_store_type *store = c->to->type->store;
  wh_status status = store->stat(c->to, c->key, c->arena, &there, &inner);
  *ret_taken = status == WH_OK;
  *ret_same = false;
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    if (err) *err = inner;
    return status;
  }
  if (there.size != c->run->bytes_read) return WH_OK;
  wh_input *in;
  WH_TRY(store->open(c->to, c->key, there.version, &in, err));
  return wh_sha256_matches(in, c->run->sha256, c->engine->mem, ret_same, err);
}

static wh_status publish(raw_copy *c, wh_error *err) {
  wh_ledger *ledger = c->engine->ledger;
  wh_run *run = c->run;
  WH_TRY(c->upload->seal(c->upload, err));
  WH_TRY(take_checksum(c, err));
  WH_TRY(choose_key(c, false, err));
  wh_finish finish = {.run = run, .work = c->request->work->id};
  run->counts = (wh_counts){.read = 1, .written = 1};
  bool taken, same;
  WH_TRY(same_bytes_there(c, &taken, &same, err));
  if (taken && !same) WH_TRY(choose_key(c, true, err));
  WH_TRY(describe_sealed(c, err));
  if (same) {
    run->counts = (wh_counts){.read = 1, .unchanged = 1};
    run->sealed = (wh_sealed){0};
    WH_TRY(c->to->type->store->discard(c->to, c->attempt, err));
    return wh_run_record_done(c->engine, run, &finish, err);
  }
  run->bytes_written = run->bytes_read;
  WH_TRY(ledger->type->run_seal(ledger, run, &finish, err));
  run->state = WH_RUN_SEALED;
  wh_object object;
  WH_TRY(wh_publish_sealed(c->engine, &run->sealed, run->id, c->arena, &object, err));
  run->output_version = object.version;
  return wh_run_record_done(c->engine, run, &finish, err);
}

wh_status wh_run_raw(wh_engine *engine, const wh_run_request *r, wh_arena *arena, wh_run *ret_run,
                     wh_error *err) {
  raw_copy c = {.engine = engine, .request = r, .arena = arena, .run = ret_run};
  wh_ledger *ledger = engine->ledger;
  wh_str identity;
  WH_TRY(wh_input_identity(r->pipeline, r->work->key, r->work->version, arena, &identity, err));
  WH_TRY(ledger->type->run_start(ledger, r->lease, identity, arena, ret_run, err));
  wh_status status = open_both(&c, err);
  if (status == WH_OK) status = copy_bytes(&c, err);
  if (status == WH_OK) status = publish(&c, err);
  if (r->ret_final) *r->ret_final = status != WH_OK && c.at_fault;
  wh_input_close(c.in);
  if (c.upload) c.upload->close(c.upload);
  wh_error ignored = {0};
  if (c.upload && status != WH_OK && ret_run->state != WH_RUN_SEALED)
    WH_IGNORE(c.to->type->store->discard(c.to, c.attempt, &ignored));
  if (c.has_sha) wh_sha256_free(&c.sha);
  if (status != WH_OK && ret_run->state != WH_RUN_SEALED)
    wh_run_record_failure(engine, ret_run, err);
  return status;
}
