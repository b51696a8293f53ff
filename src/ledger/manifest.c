#include "ledger/manifest.h"

#include "connect/store.h"
#include "data/temporal.h"
#include "ledger/ledger.h"
#include "ledger/schema_json.h"

#include <inttypes.h>

enum { SHA256_HEX = 64, ROW_HASH_HEX = 16 };

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

typedef struct manifest_reader {
  const json_t *root;
  wh_arena *arena;
  wh_error *err;
} manifest_reader;

static wh_status fail_member(const manifest_reader *r, const char *name, const char *what) {
  return wh_fail(r->err, WH_ERR_DATA, "the manifest's '%s' is %s", name,
                 json_object_get(r->root, name) ? what : "missing");
}

static wh_status copy(const manifest_reader *r, wh_str text, wh_str *ret) {
  *ret = wh_arena_str(r->arena, text);
  return ret->data ? WH_OK : wh_fail_memory(r->err);
}

static wh_status read_text(const manifest_reader *r, const char *name, wh_str *ret) {
  wh_str text = wh_json_text(r->root, name);
  if (!text.len) return fail_member(r, name, "not a text");
  return copy(r, text, ret);
}

static wh_status read_number(const manifest_reader *r, const char *name, int64_t max,
                             int64_t *ret) {
  const json_t *member = json_object_get(r->root, name);
  int64_t value = json_is_integer(member) ? json_integer_value(member) : -1;
  if (value < 0 || value > max) return fail_member(r, name, "not a number that it can have");
  *ret = value;
  return WH_OK;
}

static wh_status read_count(const manifest_reader *r, const char *name, int64_t max,
                            uint64_t *ret) {
  int64_t value = 0;
  WH_TRY(read_number(r, name, max, &value));
  *ret = (uint64_t)value;
  return WH_OK;
}

// Exactly `digits` lower-case hex digits.
static bool is_hex(wh_str text, size_t digits) {
  if (text.len != digits) return false;
  for (size_t i = 0; i < digits; i++) {
    char c = text.data[i];
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

static wh_status read_row_hash(const manifest_reader *r, uint64_t *ret) {
  wh_str text = wh_json_text(r->root, "row_hash");
  if (!is_hex(text, ROW_HASH_HEX)) return fail_member(r, "row_hash", "not 16 hex digits");
  *ret = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    *ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return WH_OK;
}

static wh_status read_created(const manifest_reader *r, int64_t *ret) {
  wh_iso iso;
  if (!wh_iso_parse(wh_json_text(r->root, "created"), &iso) || !iso.has_date || !iso.has_time ||
      !iso.has_zone || !wh_iso_to_timestamp(&iso, WH_UNIT_US, ret)) {
    return fail_member(r, "created", "not an instant");
  }
  return WH_OK;
}

static wh_status read_last(const manifest_reader *r, const json_t *cursor, wh_manifest *ret) {
  wh_type type;
  wh_status status = wh_type_parse(wh_json_text(cursor, "type"), r->arena, &type, r->err);
  const json_t *last = json_object_get(cursor, "last");
  if (status == WH_OK && json_is_null(last)) {
    ret->cursor_last = (wh_value){.type = type, .is_null = true};
  } else if (status == WH_OK) {
    if (!json_is_string(last)) return fail_member(r, "cursor", "without a 'last' that is a text");
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

static wh_status read_cursor(const manifest_reader *r, wh_manifest *ret) {
  const json_t *cursor = json_object_get(r->root, "cursor");
  if (!cursor) return WH_OK;
  if (!json_is_object(cursor)) return fail_member(r, "cursor", "not an object");
  WH_TRY(copy(r, wh_json_text(cursor, "from"), &ret->cursor_from));
  WH_TRY(copy(r, wh_json_text(cursor, "to"), &ret->cursor_to));
  return json_object_get(cursor, "type") ? read_last(r, cursor, ret) : WH_OK;
}

static wh_status read_version(const manifest_reader *r) {
  const json_t *version = json_object_get(r->root, "manifest");
  if (!json_is_integer(version) || json_integer_value(version) < 1) {
    return wh_fail(r->err, WH_ERR_DATA, "this is no manifest: it does not begin with its version");
  }
  if (json_integer_value(version) == WH_MANIFEST_VERSION) return WH_OK;
  return wh_fail(r->err, WH_ERR_REFUSED,
                 "a newer wherry wrote this manifest (version %" JSON_INTEGER_FORMAT
                 "; this one knows %d). Use that wherry here too",
                 json_integer_value(version), WH_MANIFEST_VERSION);
}

static wh_status read_manifest(const manifest_reader *r, wh_manifest *m) {
  WH_TRY(read_version(r));
  WH_TRY(read_text(r, "key", &m->key));
  WH_TRY(read_text(r, "pipeline", &m->pipeline));
  WH_TRY(read_text(r, "run", &m->run));
  WH_TRY(read_text(r, "codec", &m->codec));
  WH_TRY(read_number(r, "order", WH_ORDER_MAX, &m->order));
  WH_TRY(read_count(r, "epoch", (int64_t)WH_EPOCH_MAX, &m->epoch));
  WH_TRY(read_created(r, &m->created_us));
  WH_TRY(read_text(r, "sha256", &m->sha256));
  if (!is_hex(m->sha256, SHA256_HEX)) return fail_member(r, "sha256", "not 64 hex digits");
  WH_TRY(read_count(r, "bytes", INT64_MAX, &m->bytes));
  WH_TRY(read_count(r, "rows", INT64_MAX, &m->rows));
  WH_TRY(read_row_hash(r, &m->row_hash));
  if (json_object_get(r->root, "newest_by")) WH_TRY(read_text(r, "newest_by", &m->newest_by));
  WH_TRY(read_cursor(r, m));
  const json_t *schema = json_object_get(r->root, "schema");
  if (!schema) return fail_member(r, "schema", "");
  wh_status status = wh_schema_of_json(schema, r->arena, &m->schema, r->err);
  if (status != WH_OK) wh_error_prefix(r->err, "the manifest: ");
  return status;
}

wh_status wh_manifest_parse(wh_str json, wh_arena *arena, wh_manifest *ret, wh_error *err) {
  WH_CLEAN_JSON json_t *root = NULL;
  WH_TRY(wh_json_load(json, WH_MANIFEST_BYTES_MAX, "the manifest", &root, err));
  if (!json_is_object(root)) return wh_fail(err, WH_ERR_DATA, "the manifest is not an object");
  manifest_reader reader = {root, arena, err};
  wh_manifest manifest = {0};
  WH_TRY(read_manifest(&reader, &manifest));
  *ret = manifest;
  return WH_OK;
}

wh_str wh_manifest_key(wh_str object_key, wh_arena *arena) {
  return wh_arena_printf(arena, WH_OWN_PREFIX "manifests/%.*s.json", WH_STR_ARG(object_key));
}
