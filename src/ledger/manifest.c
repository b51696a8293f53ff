#include "ledger/manifest.h"

#include "data/temporal.h"
#include "ledger/ledger.h"
#include "ledger/members.h"
#include "ledger/schema_json.h"

#include <inttypes.h>

// --- writing
// ---------------------------------------------------------------------------------------

static void add_text(wh_buf *out, const char *name, wh_str value) {
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, value);
}

static void add_cursor(const wh_manifest *m, wh_buf *out) {
  if (!m->has_cursor && !m->cursor_from.len && !m->cursor_to.len) return;
  wh_buf_add_c(out, ",\"cursor\":{");
  const char *comma = "";
  if (m->cursor_from.len) {
    wh_buf_add_c(out, "\"from\":");
    wh_buf_add_json(out, m->cursor_from);
    comma = ",";
  }
  if (m->cursor_to.len) {
    wh_buf_printf(out, "%s\"to\":", comma);
    wh_buf_add_json(out, m->cursor_to);
    comma = ",";
  }
  if (m->has_cursor) {
    WH_CLEAN_BUF wh_buf text = {.mem = out->mem};
    (void)wh_type_write(&m->cursor_last.type, &text);
    wh_buf_printf(out, "%s\"type\":", comma);
    wh_buf_add_json(out, wh_buf_str(&text));
    out->failed |= text.failed;
    wh_buf_clear(&text);
    wh_buf_add_c(out, ",\"last\":");
    if (m->cursor_last.is_null)
      wh_buf_add_c(out, "null");
    else if (wh_value_write(&m->cursor_last, &text))
      wh_buf_add_json(out, wh_buf_str(&text));
    out->failed |= text.failed;
  }
  wh_buf_add_char(out, '}');
}

bool wh_manifest_write(const wh_manifest *m, wh_buf *out) {
  wh_buf_printf(out, "{\"manifest\":%d", WH_MANIFEST_VERSION);
  add_text(out, "key", m->key);
  add_text(out, "pipeline", m->pipeline);
  add_text(out, "run", m->run);
  add_text(out, "codec", m->codec);
  wh_buf_printf(out, ",\"order\":%" PRId64 ",\"epoch\":%" PRIu64 ",\"created\":\"", m->order,
                m->epoch);
  (void)wh_iso_write_timestamp(m->created_us, WH_UNIT_US, true, out);
  wh_buf_add_char(out, '"');
  add_text(out, "sha256", m->sha256);
  wh_buf_printf(out, ",\"bytes\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"row_hash\":\"%016" PRIx64 "\"",
                m->bytes, m->rows, m->row_hash);
  if (m->newest_by.len) add_text(out, "newest_by", m->newest_by);
  add_cursor(m, out);
  wh_buf_add_c(out, ",\"schema\":");
  (void)wh_schema_write_json(&m->schema, out);
  wh_buf_add_c(out, "}\n");
  return !out->failed;
}

// --- parsing
// ---------------------------------------------------------------------------------------

static wh_status read_last(const wh_members *r, const json_t *cursor, wh_manifest *ret) {
  wh_type type;
  wh_status status = wh_type_parse(wh_json_text(cursor, "type"), r->arena, &type, r->err);
  const json_t *last = json_object_get(cursor, "last");
  if (status == WH_OK && json_is_null(last)) {
    ret->cursor_last = (wh_value){.type = type, .is_null = true};
  } else if (status == WH_OK) {
    if (!json_is_string(last))
      return wh_member_fail(r, "cursor", "without a 'last' that is a text");
    status =
        wh_value_parse(wh_json_text(cursor, "last"), &type, r->arena, &ret->cursor_last, r->err);
  }
  if (status == WH_OK) {
    ret->has_cursor = true;
    return WH_OK;
  }
  wh_error_prefix(r->err, "the manifest's cursor: ");
  if (status != WH_ERR_TYPE) return status;
  if (r->err) r->err->status = WH_ERR_DATA;
  return WH_ERR_DATA;
}

static wh_status read_cursor(const wh_members *r, wh_manifest *ret) {
  const json_t *cursor = json_object_get(r->root, "cursor");
  if (!cursor) return WH_OK;
  if (!json_is_object(cursor)) return wh_member_fail(r, "cursor", "not an object");
  WH_TRY(wh_member_copy(r, wh_json_text(cursor, "from"), &ret->cursor_from));
  WH_TRY(wh_member_copy(r, wh_json_text(cursor, "to"), &ret->cursor_to));
  return json_object_get(cursor, "type") ? read_last(r, cursor, ret) : WH_OK;
}

static wh_status read_manifest(const wh_members *r, wh_manifest *m) {
  WH_TRY(wh_member_form(r, "manifest", WH_MANIFEST_VERSION));
  WH_TRY(wh_member_text(r, "key", &m->key));
  WH_TRY(wh_member_text(r, "pipeline", &m->pipeline));
  WH_TRY(wh_member_text(r, "run", &m->run));
  WH_TRY(wh_member_text(r, "codec", &m->codec));
  WH_TRY(wh_member_number(r, "order", WH_ORDER_MAX, &m->order));
  WH_TRY(wh_member_count(r, "epoch", (int64_t)WH_EPOCH_MAX, &m->epoch));
  WH_TRY(wh_member_instant(r, "created", &m->created_us));
  WH_TRY(wh_member_sha256(r, "sha256", &m->sha256));
  WH_TRY(wh_member_count(r, "bytes", INT64_MAX, &m->bytes));
  WH_TRY(wh_member_count(r, "rows", INT64_MAX, &m->rows));
  WH_TRY(wh_member_hash(r, "row_hash", &m->row_hash));
  WH_TRY(wh_member_maybe(r, "newest_by", &m->newest_by));
  WH_TRY(read_cursor(r, m));
  const json_t *schema = json_object_get(r->root, "schema");
  if (!schema) return wh_member_fail(r, "schema", "");
  wh_status status = wh_schema_of_json(schema, r->arena, &m->schema, r->err);
  if (status != WH_OK) wh_error_prefix(r->err, "the manifest: ");
  return status;
}

wh_status wh_manifest_parse(wh_str json, wh_arena *arena, wh_manifest *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WH_MANIFEST_BYTES_MAX, "the manifest", &root, err));
  if (!json_is_object(root)) return wh_fail(err, WH_ERR_DATA, "the manifest is not an object");
  wh_members reader = {root, arena, "the manifest", err};
  wh_manifest manifest = {0};
  WH_TRY(read_manifest(&reader, &manifest));
  *ret = manifest;
  return WH_OK;
}

wh_str wh_manifest_key(wh_str object_key, wh_arena *arena) {
  return wh_arena_printf(arena, WH_OWN_PREFIX "manifests/%.*s.json", WH_STR_ARG(object_key));
}
