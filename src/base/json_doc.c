#include "base/json_doc.h"

wh_status wh_json_load(wh_str json, size_t max_bytes, const char *what, json_t **ret,
                       wh_error *err) {
  if (json.len > max_bytes) {
    return wh_fail(err, WH_ERR_LIMIT, "%s is %zu bytes long, more than %zu", what, json.len,
                   max_bytes);
  }
  json_error_t detail;
  json_t *root = json_loadb(json.data ? json.data : "", json.len,
                            JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &detail);
  if (root) {
    *ret = root;
    return WH_OK;
  }
  if (json_error_code(&detail) == json_error_out_of_memory) return wh_fail_memory(err);
  wh_place place = {.line = detail.line > 0 ? (uint64_t)detail.line : 0,
                    .column = detail.column > 0 ? (uint64_t)detail.column : 0,
                    .byte = detail.position > 0 ? (uint64_t)detail.position : 0};
  return wh_fail_at(err, WH_ERR_DATA, place, "%s is not JSON: %s (line %d, byte %d)", what,
                    detail.text, detail.line, detail.position);
}

wh_str wh_json_text(const json_t *object, const char *name) {
  const json_t *member = json_object_get(object, name);
  if (!json_is_string(member)) return (wh_str){0};
  return wh_str_n(json_string_value(member), json_string_length(member));
}
