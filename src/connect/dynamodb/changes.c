#include "connect/dynamodb/changes.h"

#include "base/crypto.h"
#include "connect/dynamodb/api.h"
#include "data/deleted.h"
#include "data/temporal.h"

#include <math.h>

enum { US_PER_S = 1000000, DEPTH_MAX = 2 * WH_DYNAMODB_DEPTH_MAX };

void wh_dynamodb_lines_init(wh_dynamodb_lines *l, wh_mem *mem, const wh_schema *schema) {
  *l = (wh_dynamodb_lines){.schema = schema, .since_us = INT64_MIN};
  wh_buf_init(&l->text, mem, 0);
  wh_buf_init(&l->events, mem, 0);
  wh_buf_init(&l->scratch, mem, 0);
}

void wh_dynamodb_lines_free(wh_dynamodb_lines *l) {
  wh_buf_free(&l->text);
  wh_buf_free(&l->events);
  wh_buf_free(&l->scratch);
}

void wh_dynamodb_lines_clear(wh_dynamodb_lines *l) {
  wh_buf_clear(&l->text);
  wh_buf_clear(&l->events);
}

wh_status wh_dynamodb_change_schema(const wh_schema *declared, wh_arena *arena, wh_schema *ret,
                                    wh_error *err) {
  size_t count = declared->count + WH_DYNAMODB_CHANGE_COLUMNS;
  wh_field *fields = WH_NEW_ARRAY(arena, count, wh_field);
  if (!fields) return wh_fail_memory(err);
  wh_type text = wh_type_of(WH_STRING), instant = wh_type_of(WH_TIMESTAMP);
  instant.zoned = true;
  wh_class privacy = WH_INTERNAL; // of the item as it was: that of its most private attribute
  for (size_t i = 0; i < declared->count; i++) {
    fields[i + WH_DYNAMODB_CHANGE_COLUMNS] = declared->fields[i];
    if (declared->fields[i].privacy > privacy) privacy = declared->fields[i].privacy;
  }
  fields[0] = (wh_field){WH_STR("_change"), text, false, WH_INTERNAL};
  fields[1] = (wh_field){WH_STR("_changed_at"), instant, true, WH_INTERNAL};
  fields[2] = (wh_field){WH_STR("_sequence"), text, true, WH_INTERNAL};
  fields[3] = (wh_field){WH_STR("_old"), text, true, privacy};
  fields[4] = (wh_field){WH_STR(WH_DELETED_COLUMN), wh_type_of(WH_BOOL), false, WH_INTERNAL};
  *ret = (wh_schema){count, fields};
  return WH_OK;
}

int wh_dynamodb_sequence_cmp(wh_str a, wh_str b) {
  if (a.len != b.len) return a.len < b.len ? -1 : 1;
  return wh_str_cmp(a, b);
}

// --- Values --------------------------------------------------------------------------------------

static size_t skip_digits(wh_str s, size_t at) {
  while (at < s.len && s.data[at] >= '0' && s.data[at] <= '9')
    at++;
  return at;
}

// RFC 8259 section 6.
static bool is_number(wh_str s) {
  size_t at = wh_str_starts(s, "-") ? 1 : 0, from = at;
  at = skip_digits(s, from);
  if (at == from || (s.data[from] == '0' && at > from + 1)) return false;
  if (at < s.len && s.data[at] == '.') {
    from = at + 1;
    at = skip_digits(s, from);
    if (at == from) return false;
  }
  if (at < s.len && (s.data[at] == 'e' || s.data[at] == 'E')) {
    from = at + 1;
    if (from < s.len && (s.data[from] == '+' || s.data[from] == '-')) from++;
    at = skip_digits(s, from);
    if (at == from) return false;
  }
  return at == s.len;
}

// What is no number to JSON stays text, which no column of numbers takes.
static void add_number(wh_str text, wh_buf *out) {
  if (is_number(text))
    wh_buf_add_str(out, text);
  else
    wh_buf_add_json(out, text);
}

static bool add_value(const json_t *attribute, size_t depth, wh_buf *out);

static bool add_list(const json_t *items, bool is_set, char kind, size_t depth, wh_buf *out) {
  size_t i;
  json_t *item;
  bool fine = json_is_array(items);
  wh_buf_add_char(out, '[');
  json_array_foreach(items, i, item) {
    if (i) wh_buf_add_char(out, ',');
    if (!is_set)
      fine = fine && add_value(item, depth, out);
    else if (kind == 'N')
      add_number(wh_dynamodb_text(item), out);
    else
      wh_buf_add_json(out, wh_dynamodb_text(item));
  }
  wh_buf_add_char(out, ']');
  return fine;
}

static bool add_map(const json_t *map, size_t depth, wh_buf *out) {
  bool fine = json_is_object(map), any = false;
  wh_buf_add_char(out, '{');
  for (void *at = json_object_iter((json_t *)(uintptr_t)map); fine && at;
       at = json_object_iter_next((json_t *)(uintptr_t)map, at)) {
    if (any) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, wh_str_n(json_object_iter_key(at), json_object_iter_key_len(at)));
    wh_buf_add_char(out, ':');
    fine = add_value(json_object_iter_value(at), depth, out);
    any = true;
  }
  wh_buf_add_char(out, '}');
  return fine;
}

// False: it is no attribute.
static bool add_value(const json_t *attribute, size_t depth, wh_buf *out) {
  const json_t *value;
  const char *kind = wh_dynamodb_kind(attribute, &value);
  if (!kind || depth > DEPTH_MAX) return false;
  if (strcmp(kind, "L") == 0) return add_list(value, false, 0, depth + 1, out);
  if (strcmp(kind, "M") == 0) return add_map(value, depth + 1, out);
  if (strcmp(kind, "BOOL") == 0) {
    wh_buf_add_c(out, json_is_true(value) ? "true" : "false");
    return json_is_boolean(value);
  }
  if (strcmp(kind, "NULL") == 0) {
    wh_buf_add_c(out, "null");
    return true;
  }
  if (kind[0] && kind[1] == 'S' && !kind[2] && strchr("SNB", kind[0]))
    return add_list(value, true, kind[0], depth + 1, out);
  if (strcmp(kind, "N") == 0)
    add_number(wh_dynamodb_text(value), out);
  else
    wh_buf_add_json(out, wh_dynamodb_text(value));
  return json_is_string(value) &&
         (strcmp(kind, "N") == 0 || strcmp(kind, "S") == 0 || strcmp(kind, "B") == 0);
}

// Seconds since 1970, as TTL attributes are. False: it is something else.
static bool add_instant(const json_t *attribute, const wh_type *type, wh_buf *out) {
  const json_t *value;
  const char *kind = wh_dynamodb_kind(attribute, &value);
  int64_t seconds, at;
  if (type->kind != WH_TIMESTAMP || !type->zoned || !kind || strcmp(kind, "N") != 0) return false;
  if (!wh_str_to_i64(wh_dynamodb_text(value), &seconds)) return false;
  if (!wh_unit_convert(seconds, WH_UNIT_S, WH_UNIT_US, &at)) return false;
  wh_buf_add_char(out, '"');
  bool fine = wh_iso_write_timestamp(at, WH_UNIT_US, true, out);
  wh_buf_add_char(out, '"');
  return fine;
}

// --- Lines ---------------------------------------------------------------------------------------

static wh_status bad_answer(wh_error *err) {
  return wh_fail(err, WH_ERR_DATA, "the server's answer has an item that is none");
}

// "name":value of all attributes that are declared, each with a comma in front, but the first where
// `first` says so.
static wh_status add_declared(const wh_schema *schema, const json_t *item, bool first, wh_buf *out,
                              wh_error *err) {
  if (!json_is_object(item)) return bad_answer(err);
  for (size_t i = WH_DYNAMODB_CHANGE_COLUMNS; i < schema->count; i++) {
    const wh_field *f = &schema->fields[i];
    const json_t *attribute = json_object_getn(item, f->name.data, f->name.len);
    if (!attribute) continue;
    if (!first) wh_buf_add_char(out, ',');
    first = false;
    wh_buf_add_json(out, f->name);
    wh_buf_add_char(out, ':');
    size_t before = out->len;
    if (add_instant(attribute, &f->type, out)) continue;
    out->len = before;
    if (!add_value(attribute, 0, out)) return bad_answer(err);
  }
  return WH_OK;
}

// What an event is about: a hash of the key's attributes.
static wh_status key_of(wh_dynamodb_lines *l, const json_t *item, uint64_t *ret, wh_error *err) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_buf_clear(&l->scratch);
  for (size_t i = 0; i < 2 && l->key[i].len; i++) {
    const json_t *part = json_object_getn(item, l->key[i].data, l->key[i].len);
    if (!part) return bad_answer(err);
    WH_TRY(wh_dynamodb_dump(part, &l->scratch, err));
  }
  wh_sha256_of(wh_buf_str(&l->scratch), digest);
  memcpy(ret, digest, sizeof *ret);
  return WH_OK;
}

static wh_status end_line(wh_dynamodb_lines *l, const json_t *keys, bool removes, wh_error *err) {
  wh_buf_add_c(&l->text, "}\n");
  wh_feed_event event = {.end = l->text.len, .removes = removes};
  WH_TRY(key_of(l, keys, &event.key, err));
  wh_buf_add(&l->events, &event, sizeof event);
  WH_TRY(wh_buf_check(&l->events, err));
  return wh_buf_check(&l->text, err);
}

static const char *change_of(wh_str event) {
  static const char *const words[][2] = {
      {"INSERT", "insert"}, {"MODIFY", "modify"}, {"REMOVE", "remove"}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (wh_str_is(event, words[i][0])) return words[i][1];
  return NULL;
}

typedef struct record {
  const char *change;
  bool removes;
  wh_str sequence;
  int64_t time_us;
  const json_t *keys, *now, *old;
} record;

static wh_status read_record(const json_t *json, record *ret, wh_error *err) {
  const json_t *d = json_object_get(json, "dynamodb");
  double seconds = json_number_value(json_object_get(d, "ApproximateCreationDateTime"));
  *ret = (record){.change = change_of(wh_json_text(json, "eventName")),
                  .sequence = wh_json_text(d, "SequenceNumber"),
                  .keys = json_object_get(d, "Keys"),
                  .now = json_object_get(d, "NewImage"),
                  .old = json_object_get(d, "OldImage")};
  bool is_time = isfinite(seconds) && seconds >= 0 && seconds < 1e11;
  size_t digits = skip_digits(ret->sequence, 0);
  bool is_sequence =
      digits > 0 && digits == ret->sequence.len && digits <= WH_DYNAMODB_SEQUENCE_MAX;
  if (!ret->change || !is_time || !is_sequence || !json_is_object(ret->keys))
    return wh_fail(err, WH_ERR_DATA, "the server's answer has a record that is none");
  ret->time_us = (int64_t)seconds * US_PER_S;
  ret->removes = ret->change[0] == 'r';
  if (!ret->removes && !json_is_object(ret->now))
    return wh_fail(err, WH_ERR_REFUSED,
                   "a record of the stream does not have the item as it is now. Its view has to be "
                   "NEW_IMAGE or NEW_AND_OLD_IMAGES");
  return WH_OK;
}

static wh_status add_record(wh_dynamodb_lines *l, const record *r, wh_error *err) {
  wh_buf_printf(&l->text, "{\"_change\":\"%s\",\"_changed_at\":\"", r->change);
  wh_iso_write_timestamp(r->time_us, WH_UNIT_US, true, &l->text);
  wh_buf_printf(&l->text, "\",\"_sequence\":\"%.*s\"", WH_STR_ARG(r->sequence));
  if (r->old) { // as text: an item that did not fit its columns is no reason against the next
    wh_buf_clear(&l->scratch);
    wh_buf_add_char(&l->scratch, '{');
    WH_TRY(add_declared(l->schema, r->old, true, &l->scratch, err));
    wh_buf_add_char(&l->scratch, '}');
    WH_TRY(wh_buf_check(&l->scratch, err));
    wh_buf_add_c(&l->text, ",\"_old\":");
    wh_buf_add_json(&l->text, wh_buf_str(&l->scratch));
  }
  wh_buf_printf(&l->text, ",\"" WH_DELETED_COLUMN "\":%s", r->removes ? "true" : "false");
  WH_TRY(add_declared(l->schema, r->removes ? r->keys : r->now, false, &l->text, err));
  return end_line(l, r->keys, r->removes, err);
}

wh_status wh_dynamodb_add_records(wh_dynamodb_lines *l, const json_t *answer,
                                  wh_dynamodb_read_to *ret, wh_error *err) {
  size_t i;
  json_t *item;
  const json_t *records = json_object_get(answer, "Records");
  *ret = (wh_dynamodb_read_to){0};
  if (!json_is_array(records))
    return wh_fail(err, WH_ERR_DATA, "the server's answer has no records");
  json_array_foreach(records, i, item) {
    record r;
    WH_TRY(read_record(item, &r, err));
    snprintf(ret->sequence, sizeof ret->sequence, "%.*s", WH_STR_ARG(r.sequence));
    ret->time_us = r.time_us;
    bool is_known = l->after.len && wh_dynamodb_sequence_cmp(r.sequence, l->after) <= 0;
    if (r.time_us >= l->since_us && !is_known) WH_TRY(add_record(l, &r, err));
  }
  return WH_OK;
}

wh_status wh_dynamodb_add_items(wh_dynamodb_lines *l, const json_t *answer, wh_error *err) {
  size_t i;
  json_t *item;
  const json_t *items = json_object_get(answer, "Items");
  if (!json_is_array(items)) return wh_fail(err, WH_ERR_DATA, "the server's answer has no items");
  json_array_foreach(items, i, item) {
    wh_buf_add_c(&l->text, "{\"_change\":\"export\",\"" WH_DELETED_COLUMN "\":false");
    WH_TRY(add_declared(l->schema, item, false, &l->text, err));
    WH_TRY(end_line(l, item, false, err));
  }
  return WH_OK;
}
