#include "ledger/members.h"

#include "data/temporal.h"

enum { SHA256_HEX = 64, HASH_HEX = 16 };

wh_status wh_member_fail(const wh_members *m, const char *name, const char *what) {
  return wh_fail(m->err, WH_ERR_DATA, "%s's '%s' is %s", m->what, name,
                 json_object_get(m->root, name) ? what : "missing");
}

wh_status wh_member_copy(const wh_members *m, wh_str text, wh_str *ret) {
  *ret = wh_arena_str(m->arena, text);
  return ret->data ? WH_OK : wh_fail_memory(m->err);
}

wh_status wh_member_text(const wh_members *m, const char *name, wh_str *ret) {
  wh_str text = wh_json_text(m->root, name);
  if (!text.len) return wh_member_fail(m, name, "not a text");
  return wh_member_copy(m, text, ret);
}

wh_status wh_member_maybe(const wh_members *m, const char *name, wh_str *ret) {
  *ret = (wh_str){0};
  return json_object_get(m->root, name) ? wh_member_text(m, name, ret) : WH_OK;
}

wh_status wh_member_number(const wh_members *m, const char *name, int64_t max, int64_t *ret) {
  const json_t *member = json_object_get(m->root, name);
  int64_t value = json_is_integer(member) ? json_integer_value(member) : -1;
  if (value < 0 || value > max) return wh_member_fail(m, name, "not a number that it can have");
  *ret = value;
  return WH_OK;
}

wh_status wh_member_count(const wh_members *m, const char *name, int64_t max, uint64_t *ret) {
  int64_t value = 0;
  WH_TRY(wh_member_number(m, name, max, &value));
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

wh_status wh_member_sha256(const wh_members *m, const char *name, wh_str *ret) {
  WH_TRY(wh_member_text(m, name, ret));
  return is_hex(*ret, SHA256_HEX) ? WH_OK : wh_member_fail(m, name, "not 64 hex digits");
}

wh_status wh_member_hash(const wh_members *m, const char *name, uint64_t *ret) {
  wh_str text = wh_json_text(m->root, name);
  if (!is_hex(text, HASH_HEX)) return wh_member_fail(m, name, "not 16 hex digits");
  *ret = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    *ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return WH_OK;
}

wh_status wh_member_instant(const wh_members *m, const char *name, int64_t *ret_us) {
  wh_iso iso;
  if (!wh_iso_parse(wh_json_text(m->root, name), &iso) || !iso.has_date || !iso.has_time ||
      !iso.has_zone || !wh_iso_to_timestamp(&iso, WH_UNIT_US, ret_us)) {
    return wh_member_fail(m, name, "not an instant");
  }
  return WH_OK;
}

wh_status wh_member_form(const wh_members *m, const char *name, int known) {
  const json_t *version = json_object_get(m->root, name);
  if (!json_is_integer(version) || json_integer_value(version) < 1) {
    return wh_fail(m->err, WH_ERR_DATA, "this is no %s: it does not begin with its version", name);
  }
  if (json_integer_value(version) == known) return WH_OK;
  return wh_fail(m->err, WH_ERR_REFUSED,
                 "a newer wherry wrote this %s (version %" JSON_INTEGER_FORMAT
                 "; this one knows %d). Use that wherry here too",
                 name, json_integer_value(version), known);
}
