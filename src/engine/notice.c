#include "engine/notice.h"

#include "connect/object_event.h"
#include "data/temporal.h"
#include "ledger/receipt.h"

#include <inttypes.h>

static void add_text(wh_buf *out, const char *before, const char *name, wh_str value) {
  wh_buf_printf(out, "%s\"%s\":", before, name);
  wh_buf_add_json(out, value);
}

static const char *status_of(const wh_run *run) {
  bool rejected = run->state == WH_RUN_DONE && run->counts.quarantined;
  return rejected ? "quarantined" : wh_run_state_name(run->state);
}

static wh_status add_bucket(wh_engine *engine, wh_str connection, wh_str key, wh_arena *arena,
                            wh_buf *out, wh_error *err) {
  wh_connection *c;
  WH_TRY(wh_config_connect(engine->config, connection, &c, err));
  const wh_store_type *store = c->type->store;
  if (!store->located) return WH_OK;
  wh_str bucket, there = store->located(c, key, arena, &bucket);
  if (!there.data) return wh_fail_memory(err);
  add_text(out, ",", "bucket", bucket);
  add_text(out, ",", "key", there);
  return WH_OK;
}

static wh_status add_object(wh_engine *engine, const wh_run *run, wh_str connection, wh_str key,
                            wh_arena *arena, wh_buf *out, wh_error *err) {
  add_text(out, ",\"object\":{", "address", run->output);
  WH_TRY(add_bucket(engine, connection, key, arena, out, err));
  add_text(out, ",", "version", run->output_version);
  wh_buf_printf(out, ",\"bytes\":%" PRIu64, run->bytes_written);
  add_text(out, ",", "sha256", run->sha256);
  wh_buf_add_char(out, '}');
  return WH_OK;
}

// What the run made, where it made something.
static wh_status add_output(wh_engine *engine, const wh_run *run, wh_arena *arena, wh_buf *out,
                            wh_error *err) {
  wh_str connection = {0}, thing = run->output; // "lake:inbound/a.json"
  (void)wh_str_split(&thing, ':', &connection);
  const wh_connection_info *info = wh_config_find_connection(engine->config, connection);
  if (run->state != WH_RUN_DONE || !info) return WH_OK; // else it is gone from the configuration
  if (!info->type->store)
    add_text(out, ",", "table", run->output);
  else if (run->output_version.len)
    return add_object(engine, run, connection, thing, arena, out, err);
  return WH_OK;
}

wh_status wh_notice_make(wh_engine *engine, const wh_run *run, wh_str target, wh_arena *arena,
                         wh_buf *body, wh_notice *ret, wh_error *err) {
  wh_str id = wh_arena_printf(arena, "%.*s-%.*s", WH_STR_ARG(run->id), WH_STR_ARG(target));
  if (!id.data) return wh_fail_memory(err);
  wh_str status = wh_str_of(status_of(run));
  wh_buf_printf(body, "{\"" WH_NOTICE_FORM "\":%d", WH_NOTICE_VERSION);
  add_text(body, ",", "id", id);
  add_text(body, ",", "pipeline", run->pipeline);
  add_text(body, ",", "run", run->id);
  add_text(body, ",", "status", status);
  wh_buf_add_c(body, ",\"time\":\"");
  (void)wh_iso_write_timestamp(run->finished_us, WH_UNIT_US, true, body);
  wh_buf_printf(body, "\",\"order\":%" PRId64, run->order);
  if (run->object.len) add_text(body, ",", "source", run->object);
  WH_TRY(add_output(engine, run, arena, body, err));
  wh_counts_write_json(&run->counts, body);
  wh_buf_add_char(body, '}');
  WH_TRY(wh_buf_check(body, err));
  *ret = (wh_notice){.id = id,
                     .group = wh_pipeline_base(run->pipeline),
                     .body = wh_buf_str(body),
                     .pipeline = run->pipeline,
                     .status = status};
  return WH_OK;
}
