// Rows as items.
#include "connect/dynamodb/sink.h"

#include <stdio.h>
#include <xxhash.h>

static wh_status reject(wh_dynamodb_writing *w, size_t row, const char *rule, wh_str column,
                        wh_str reason, wh_error *err) {
  wh_reject reject = {
      .rule = wh_str_of(rule),
      .column = column,
      .reason = reason,
      .place = wh_batch_place(w->batch, row),
  };
  WH_TRY(w->rejects->row(w->rejects, &reject, w->batch, row, err));
  w->counts->quarantined++;
  return WH_OK;
}

void wh_dynamodb_row_free(wh_dynamodb_row *row) {
  wh_buf_free(&row->text);
}

wh_str wh_dynamodb_row_get(const wh_dynamodb_row *row, size_t column) {
  size_t from = column ? row->ends[column - 1] : 0;
  return wh_str_sub(wh_buf_str(&row->text), from, row->ends[column]);
}

// Why the row's key cannot be one, or NULL. ("Naming rules and data types": a key has a value that
// is not empty.)
static const char *bad_key(const wh_dynamodb_writing *w, size_t row, size_t which) {
  const wh_column *column = &w->batch->columns[w->target->key[which]];
  if (!wh_kind_is_text(column->type.kind)) return NULL;
  size_t len = wh_column_text(column, row).len;
  if (len == 0) return "empty";
  if (which == 0 && len > WH_DYNAMODB_HASH_BYTES_MAX)
    return "longer than 2,048 bytes, the most that DynamoDB takes of a key";
  if (which == 1 && len > WH_DYNAMODB_RANGE_BYTES_MAX)
    return "longer than 1,024 bytes, the most that DynamoDB takes of a sort key";
  return NULL;
}

static wh_status check_row(wh_dynamodb_writing *w, size_t row, bool *ret_fine, wh_error *err) {
  wh_reject bad;
  *ret_fine = !wh_sink_row_is_bad(&w->rows, w->batch, row, &bad);
  if (!*ret_fine) {
    w->counts->quarantined++;
    return w->rejects->row(w->rejects, &bad, w->batch, row, err);
  }
  for (size_t i = 0; i < w->target->key_count; i++) {
    const char *why = bad_key(w, row, i);
    if (!why) continue;
    *ret_fine = false;
    return reject(w, row, "key", w->target->schema.fields[w->target->key[i]].name, wh_str_of(why),
                  err);
  }
  return WH_OK;
}

// What the item counts; its JSON is always longer than that.
static wh_status item_size(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, size_t *ret,
                           wh_error *err) {
  size_t size = sizeof WH_ORDER_COLUMN - 1 + 11; // with a number of 20 digits at most
  for (size_t i = 0; i < w->target->schema.count; i++) {
    WH_CLEAN_JSON json_t *attribute = NULL;
    wh_str text = wh_dynamodb_row_get(row, i);
    if (!text.len) continue;
    WH_TRY(wh_dynamodb_parse(w->sink->connection, text, &attribute, err));
    size += w->target->schema.fields[i].name.len + wh_dynamodb_size(attribute);
  }
  *ret = size;
  return WH_OK;
}

static wh_status check_size(wh_dynamodb_writing *w, size_t row, const wh_dynamodb_row *r,
                            bool *ret_fine, wh_error *err) {
  size_t size = 0, names = 0;
  for (size_t i = 0; i < w->target->schema.count; i++)
    names += w->target->schema.fields[i].name.len;
  *ret_fine = true;
  if (r->text.len + names + 64 <= WH_DYNAMODB_ITEM_BYTES_MAX) return WH_OK;
  WH_TRY(item_size(w, r, &size, err));
  *ret_fine = size <= WH_DYNAMODB_ITEM_BYTES_MAX;
  if (*ret_fine) return WH_OK;
  char reason[128];
  snprintf(reason, sizeof reason, "%zu bytes as an item, of which DynamoDB takes %d", size,
           WH_DYNAMODB_ITEM_BYTES_MAX);
  return reject(w, row, "item_size", (wh_str){0}, wh_str_of(reason), err);
}

wh_status wh_dynamodb_row_encode(wh_dynamodb_writing *w, size_t row, wh_dynamodb_row *ret,
                                 bool *ret_fine, wh_error *err) {
  const wh_dynamodb_target *t = w->target;
  bool omits = wh_dynamodb_options_of(w->sink->connection)->nulls == WH_DYNAMODB_NULLS_OMIT;
  wh_buf_clear(&ret->text);
  WH_TRY(check_row(w, row, ret_fine, err));
  for (size_t i = 0; *ret_fine && i < t->schema.count; i++) {
    const wh_column *column = &w->batch->columns[i];
    wh_misfit misfit;
    wh_status status = WH_OK;
    if (!omits || !wh_column_is_null(column, row))
      status = wh_dynamodb_encode(column, row, t->hows[i], &ret->text, &misfit, err);
    if (status == WH_ERR_TYPE) *ret_fine = false;
    if (status == WH_ERR_TYPE)
      status = reject(w, row, misfit.rule, t->schema.fields[i].name, wh_str_of(misfit.reason), err);
    WH_TRY(status);
    ret->ends[i] = ret->text.len;
  }
  if (!*ret_fine) return WH_OK;
  XXH64_hash_t hash = 0;
  for (size_t i = 0; i < t->key_count; i++) {
    wh_str text = wh_dynamodb_row_get(ret, t->key[i]);
    hash = XXH3_64bits_withSeed(text.data, text.len, hash);
  }
  ret->hash = hash;
  return check_size(w, row, ret, ret_fine, err);
}

static void add_attribute(const wh_dynamodb_writing *w, const wh_dynamodb_row *row, size_t column,
                          wh_buf *out) {
  wh_buf_add_json(out, w->target->schema.fields[column].name);
  wh_buf_add_char(out, ':');
  wh_buf_add_str(out, wh_dynamodb_row_get(row, column));
}

void wh_dynamodb_row_add_key(const wh_dynamodb_writing *w, const wh_dynamodb_row *row,
                             wh_buf *out) {
  for (size_t i = 0; i < w->target->key_count; i++) {
    wh_buf_add_char(out, i ? ',' : '{');
    add_attribute(w, row, w->target->key[i], out);
  }
  wh_buf_add_char(out, '}');
}

void wh_dynamodb_row_add_item(const wh_dynamodb_writing *w, const wh_dynamodb_row *row,
                              wh_buf *out) {
  wh_buf_add_char(out, '{');
  for (size_t i = 0; i < w->target->schema.count; i++) {
    if (!wh_dynamodb_row_get(row, i).len) continue;
    add_attribute(w, row, i, out);
    wh_buf_add_char(out, ',');
  }
  wh_buf_printf(out, "\"" WH_ORDER_COLUMN "\":{\"N\":\"%lld\"}}", (long long)w->sink->load.order);
}

// What DynamoDB says of every row alike: the key is not the table's any more, or the request itself
// is wrong. Of an index's key it says "Index Key", and that is the row's fault: it may be NULL.
static bool is_of_the_table(const char *message) {
  static const char *const said[] = {
      "The provided key element does not match the schema",
      "One or more parameter values were invalid: Type mismatch for key",
      "One or more parameter values were invalid: Missing the key ",
      "One or more parameter values were invalid: Cannot update attribute ",
      "One of the required keys was not given a value",
      "Invalid UpdateExpression",
      "Invalid ConditionExpression",
      "Invalid table/index name",
      "Value provided in ExpressionAttribute",
      "The number of conditions on the keys is invalid",
  };
  for (size_t i = 0; i < sizeof said / sizeof *said; i++)
    if (strncmp(message, said[i], strlen(said[i])) == 0) return true;
  return false;
}

wh_status wh_dynamodb_row_refused(wh_dynamodb_writing *w, size_t row, const wh_aws_exchange *x,
                                  bool *ret_refused, wh_error *err) {
  bool is_invalid = wh_aws_is(x, "ValidationException") && !is_of_the_table(x->message);
  *ret_refused = is_invalid || wh_aws_is(x, "ItemCollectionSizeLimitExceededException");
  if (!*ret_refused) return WH_OK;
  return reject(w, row, "constraint", (wh_str){0}, wh_str_of(x->message), err);
}
