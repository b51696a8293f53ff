// Newest wins, item by item. A row's version is the pair (newest_by value, object order):
//   - a greater pair replaces; a stored version that is missing or of another kind is the lowest;
//   - an equal pair with other content replaces: it comes from the same object, where the later of
//     two rows with one key and version wins, so that loading it again ends the same;
//   - an equal pair with equal content, and a lower pair, change nothing.
//
// Most rows take one request: the server writes where there is nothing, or where it can see by
// itself that what is there is older. Where it does not write, what is there is compared here, and
// if the row is to replace it, written under the condition that it is still the same.
//
// Attributes that are no columns stay as they are.
#include "connect/dynamodb/sink.h"

enum {
  IF_OLDER, // steps of a job: written if the server sees that what is there is older
  IF_SEEN,  // written if what is there is what was seen
  LOOK,     // what is there is read
  TURNS_MAX = 100,
};

// --- The request ---------------------------------------------------------------------------------

// What stands between the quotes of an attribute's text.
static wh_str inner_text(wh_str attribute) {
  return wh_str_sub(attribute, 6, attribute.len - 2);
}

// Whether the server orders such versions as we do. Text of times compares as times where both are
// written alike, which it is told to see to (add_condition).
static bool server_can_compare(const wh_dynamodb_target *t, wh_str version) {
  wh_kind kind = t->schema.fields[t->compared].type.kind;
  if (t->hows[t->compared].is_ttl) return true;
  if (kind == WH_BOOL) return false;
  bool has_year = kind == WH_DATE || kind == WH_TIMESTAMP;
  return !has_year || inner_text(version).data[4] == '-'; // not one beyond 9999
}

static bool is_time(const wh_dynamodb_target *t) {
  wh_kind kind = t->schema.fields[t->compared].type.kind;
  return !t->hows[t->compared].is_ttl &&
         (kind == WH_DATE || kind == WH_TIME || kind == WH_TIMESTAMP);
}

static void add_condition_older(const wh_dynamodb_target *t, wh_str version, wh_buf *body) {
  wh_buf_add_c(body, "attribute_not_exists(#k)");
  if (t->compared < 0) {
    wh_buf_add_c(body, " OR attribute_not_exists(#o) OR #o < :o");
    return;
  }
  if (!server_can_compare(t, version)) return;
  int v = (int)t->compared;
  const wh_type *type = &t->schema.fields[v].type;
  wh_buf_add_c(body, " OR (");
  if (is_time(t)) wh_buf_printf(body, "size(#%d) = :n AND ", v);
  if (is_time(t) && type->kind == WH_TIMESTAMP)
    wh_buf_printf(body, "%scontains(#%d, :z) AND ", type->zoned ? "" : "NOT ", v);
  wh_buf_printf(body, "#%d < :%d) OR (#%d = :%d AND (attribute_not_exists(#o) OR #o < :o))", v, v,
                v, v);
}

static void add_condition_values(const wh_dynamodb_target *t, wh_str version, wh_buf *body) {
  if (t->compared < 0 || !server_can_compare(t, version) || !is_time(t)) return;
  wh_buf_printf(body, ",\":n\":{\"N\":\"%zu\"}", inner_text(version).len);
  if (t->schema.fields[t->compared].type.kind == WH_TIMESTAMP)
    wh_buf_add_c(body, ",\":z\":{\"S\":\"Z\"}");
}

static void add_condition_seen(const wh_dynamodb_target *t, const json_t *seen, wh_buf *body) {
  bool has_order = json_object_get(seen, WH_ORDER_COLUMN);
  wh_buf_add_c(body, has_order ? "attribute_exists(#k) AND #o = :so"
                               : "attribute_exists(#k) AND attribute_not_exists(#o)");
  if (t->compared < 0) return;
  wh_str name = t->schema.fields[t->compared].name;
  bool has_version = json_object_getn(seen, name.data, name.len);
  wh_buf_printf(body, has_version ? " AND #%d = :sv" : " AND attribute_not_exists(#%d)",
                (int)t->compared);
}

static wh_status add_seen_values(const wh_dynamodb_target *t, const json_t *seen, wh_buf *body,
                                 wh_error *err) {
  const json_t *order = json_object_get(seen, WH_ORDER_COLUMN);
  if (order) wh_buf_add_c(body, ",\":so\":");
  if (order) WH_TRY(wh_dynamodb_dump(order, body, err));
  if (t->compared < 0) return WH_OK;
  wh_str name = t->schema.fields[t->compared].name;
  const json_t *version = json_object_getn(seen, name.data, name.len);
  if (version) wh_buf_add_c(body, ",\":sv\":");
  return version ? wh_dynamodb_dump(version, body, err) : WH_OK;
}

static void add_changes(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, wh_buf *body) {
  const wh_dynamodb_target *t = w->target;
  const char *sep = " REMOVE ";
  wh_buf_add_c(body, "SET #o=:o");
  for (size_t i = 0; i < t->schema.count; i++)
    if (!wh_dynamodb_is_key(t, i) && wh_dynamodb_row_get(row, i).len)
      wh_buf_printf(body, ",#%zu=:%zu", i, i);
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_dynamodb_is_key(t, i) || wh_dynamodb_row_get(row, i).len) continue;
    wh_buf_printf(body, "%s#%zu", sep, i);
    sep = ",";
  }
}

static void add_names(const wh_dynamodb_target *t, wh_buf *body) {
  wh_buf_add_c(body, "{\"#o\":\"" WH_ORDER_COLUMN "\",\"#k\":");
  wh_buf_add_json(body, t->schema.fields[t->key[0]].name);
  for (size_t i = 0; i < t->schema.count; i++) {
    if (wh_dynamodb_is_key(t, i)) continue;
    wh_buf_printf(body, ",\"#%zu\":", i);
    wh_buf_add_json(body, t->schema.fields[i].name);
  }
  wh_buf_add_char(body, '}');
}

static void add_values(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, wh_buf *body) {
  wh_buf_printf(body, "{\":o\":{\"N\":\"%lld\"}", (long long)w->sink->load.order);
  for (size_t i = 0; i < w->target->schema.count; i++) {
    wh_str text = wh_dynamodb_row_get(row, i);
    if (wh_dynamodb_is_key(w->target, i) || !text.len) continue;
    wh_buf_printf(body, ",\":%zu\":", i);
    wh_buf_add_str(body, text);
  }
}

static void add_head(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, wh_buf *body) {
  wh_buf_clear(body);
  wh_buf_add_c(body, "{\"TableName\":");
  wh_buf_add_json(body, w->target->spec.table);
  wh_buf_add_c(body, ",\"Key\":");
  wh_dynamodb_row_add_key(w, row, body);
}

// `seen`: the item that is there; NULL: written if that is older.
static wh_status make_update(const wh_dynamodb_writing *w, const wh_dynamodb_row *row,
                             const json_t *seen, wh_dynamodb_job *job, wh_error *err) {
  const wh_dynamodb_target *t = w->target;
  wh_buf *body = &job->body;
  wh_str version = t->compared < 0 ? (wh_str){0} : wh_dynamodb_row_get(row, (size_t)t->compared);
  job->step = seen ? IF_SEEN : IF_OLDER;
  job->action = WH_DYNAMODB_ACTION("UpdateItem");
  add_head(w, row, body);
  wh_buf_add_c(body, ",\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\","
                     "\"UpdateExpression\":\"");
  add_changes(w, row, body);
  wh_buf_add_c(body, "\",\"ConditionExpression\":\"");
  if (seen)
    add_condition_seen(t, seen, body);
  else
    add_condition_older(t, version, body);
  wh_buf_add_c(body, "\",\"ExpressionAttributeNames\":");
  add_names(t, body);
  wh_buf_add_c(body, ",\"ExpressionAttributeValues\":");
  add_values(w, row, body);
  if (seen)
    WH_TRY(add_seen_values(t, seen, body, err));
  else
    add_condition_values(t, version, body);
  wh_buf_add_c(body, "}}");
  return wh_buf_check(body, err);
}

static wh_status make_look(const wh_dynamodb_writing *w, const wh_dynamodb_row *row,
                           wh_dynamodb_job *job, wh_error *err) {
  job->step = LOOK;
  job->action = WH_DYNAMODB_ACTION("GetItem");
  add_head(w, row, &job->body);
  wh_buf_add_c(&job->body, ",\"ConsistentRead\":true}");
  return wh_buf_check(&job->body, err);
}

// --- What is there -------------------------------------------------------------------------------

// The stored version against the row's: -1, 0, 1.
static wh_status compare_version(const wh_dynamodb_writing *w, size_t row, const json_t *seen,
                                 int *ret, wh_error *err) {
  const wh_dynamodb_target *t = w->target;
  const wh_field *field = &t->stored.fields[t->compared];
  const json_t *attribute = json_object_getn(seen, field->name.data, field->name.len);
  const json_t *value;
  const char *kind = wh_dynamodb_kind(attribute, &value);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, w->sink->connection->mem);
  wh_value there, here;
  *ret = -1;
  if (t->schema.fields[t->compared].type.kind == WH_BOOL) {
    if (!kind || strcmp(kind, "BOOL") != 0) return WH_OK;
    *ret = json_is_true(value) - wh_column_bool(&w->batch->columns[t->compared], row);
    return WH_OK;
  }
  bool is_ttl = t->hows[t->compared].is_ttl;
  char letter = is_ttl ? 'N' : wh_dynamodb_key_kind(&field->type);
  if (!kind || kind[0] != letter || kind[1]) return WH_OK;
  // Seconds compare as the numbers they are.
  wh_type number = wh_type_of(WH_INT64);
  const wh_type *type = is_ttl ? &number : &field->type;
  wh_str mine = inner_text(wh_dynamodb_row_get(&w->again, (size_t)t->compared));
  wh_status status = wh_value_parse(wh_dynamodb_text(value), type, &arena, &there, NULL);
  if (status == WH_ERR_MEMORY) return wh_fail_memory(err);
  if (status != WH_OK) return WH_OK;
  if (is_ttl)
    WH_TRY(wh_value_parse(mine, type, &arena, &here, err));
  else
    WH_TRY(wh_value_get(&w->batch->columns[t->compared], row, &here, err));
  *ret = wh_value_compare(&there, &here);
  return WH_OK;
}

static wh_status is_same(const wh_dynamodb_writing *w, const json_t *seen, bool *ret,
                         wh_error *err) {
  const wh_dynamodb_target *t = w->target;
  *ret = true;
  for (size_t i = 0; *ret && i < t->schema.count; i++) {
    WH_CLEAN_JSON json_t *mine = NULL;
    wh_str name = t->schema.fields[i].name, text = wh_dynamodb_row_get(&w->again, i);
    const json_t *theirs = json_object_getn(seen, name.data, name.len);
    if (text.len) WH_TRY(wh_dynamodb_parse(w->sink->connection, text, &mine, err));
    *ret = mine && theirs ? wh_dynamodb_equal(mine, theirs) : !mine && !theirs;
  }
  return WH_OK;
}

// w->again is the job's row.
static wh_status judge(wh_dynamodb_writing *w, wh_dynamodb_job *job, const json_t *seen,
                       bool *again, wh_error *err) {
  int version = 0;
  bool same;
  if (w->target->compared >= 0) WH_TRY(compare_version(w, job->rows[0], seen, &version, err));
  int64_t stored = wh_dynamodb_item_number(seen, WH_ORDER_COLUMN, INT64_MIN);
  int64_t order = w->sink->load.order;
  if (version == 0) version = stored < order ? -1 : stored > order;
  if (version > 0) {
    w->counts->superseded++;
    return WH_OK;
  }
  if (version == 0) {
    WH_TRY(is_same(w, seen, &same, err));
    w->counts->unchanged += same;
    if (same) return WH_OK;
  }
  *again = true;
  return make_update(w, &w->again, seen, job, err);
}

// The row was not written, or was looked at: goes on with what is there.
static wh_status go_on(wh_dynamodb_writing *w, wh_dynamodb_job *job, const wh_aws_exchange *x,
                       bool *again, wh_error *err) {
  WH_CLEAN_JSON json_t *answer = NULL;
  bool fine;
  if (++job->turns > TURNS_MAX) {
    wh_status status =
        wh_fail(err, WH_ERR_BUSY, "%.*s: an item of %.*s is changed by others all the time",
                WH_STR_ARG(w->sink->connection->name), WH_STR_ARG(w->target->spec.table));
    if (err) err->retry = true;
    return status;
  }
  WH_TRY(wh_dynamodb_row_encode(w, job->rows[0], &w->again, &fine, err));
  if (!fine) return wh_fail(err, WH_ERR_BUG, "a row fits once only");
  WH_TRY(wh_dynamodb_parse(w->sink->connection, x->body, &answer, err));
  const json_t *item = json_object_get(answer, "Item");
  if (item) return judge(w, job, item, again, err);
  *again = true;
  // The server did not tell what is there; or nothing is.
  return job->step == LOOK ? make_update(w, &w->again, NULL, job, err)
                           : make_look(w, &w->again, job, err);
}

static wh_status answered(void *context, wh_dynamodb_job *job, const wh_aws_exchange *x,
                          bool *again, bool *refused, wh_error *err) {
  wh_dynamodb_writing *w = context;
  bool is_rows_fault;
  (void)refused;
  if (x->status == WH_OK && job->step != LOOK) {
    w->counts->written++;
    return WH_OK;
  }
  if (x->status == WH_OK || wh_aws_is(x, "ConditionalCheckFailedException"))
    return go_on(w, job, x, again, err);
  WH_TRY(wh_dynamodb_row_refused(w, job->rows[0], x, &is_rows_fault, err));
  return is_rows_fault ? WH_OK : wh_dynamodb_fail(w->sink->connection, x, err);
}

wh_status wh_dynamodb_upsert(wh_dynamodb_writing *w, wh_error *err) {
  wh_dynamodb_flight *f = &w->sink->flight;
  f->answered = answered;
  f->context = w;
  for (size_t row = 0; row < w->batch->rows; row++) {
    bool fine;
    wh_dynamodb_job *job;
    WH_TRY(wh_dynamodb_row_encode(w, row, &w->row, &fine, err));
    if (!fine) continue;
    WH_TRY(wh_dynamodb_flight_clear(f, w->row.hash, err)); // rows of one key keep their order
    WH_TRY(wh_dynamodb_flight_room(f, &job, err));
    job->rows[0] = row;
    job->keys[0] = w->row.hash;
    job->count = 1;
    WH_TRY(make_update(w, &w->row, NULL, job, err));
    WH_TRY(wh_dynamodb_flight_go(f, job, err));
  }
  return wh_dynamodb_flight_finish(f, err);
}
