#include "connect/dynamodb/marks.h"

#include "base/crypto.h"
#include "connect/sink_table.h"

#include <stdlib.h>

enum { ID_BYTES = 16, MARKS_MAX = 1 << 20 };

static const char *const number_names[WH_MARK_NUMBERS] = {
    "done",           "rows_done",       "rows_read",     "rows_written",
    "rows_unchanged", "rows_superseded", "rows_filtered", "rows_quarantined",
    "rows_deleted",   "row_hash",        "ord",           "time_us"};
static const char *const text_names[WH_MARK_TEXTS] = {"rejects", "run"};

static wh_str marks_table(const wh_connection *c) {
  return wh_dynamodb_options_of(c)->marks;
}

// {"TableName":...,"Key":{...}, with the object still open.
static void add_head(const wh_connection *c, wh_buf *body, wh_str pipeline, wh_str id) {
  wh_buf_add_c(body, "{\"TableName\":");
  wh_buf_add_json(body, marks_table(c));
  wh_buf_add_c(body, ",\"Key\":{\"pipeline\":{\"S\":");
  wh_buf_add_json(body, pipeline);
  wh_buf_add_c(body, "},\"id\":{\"S\":");
  wh_buf_add_json(body, id);
  wh_buf_add_c(body, "}}");
}

static void mark_id(wh_str object, char id[2 * ID_BYTES + 1]) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_sha256_of(object, digest);
  wh_hex_encode(digest, ID_BYTES, id);
}

wh_status wh_dynamodb_make_marks(wh_connection *c, wh_aws_client *client, wh_error *err) {
  static const wh_dynamodb_attribute hash = {WH_STR_INIT("pipeline"), 'S'};
  static const wh_dynamodb_attribute range = {WH_STR_INIT("id"), 'S'};
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_dynamodb_table table;
  bool exists;
  WH_TRY(wh_dynamodb_describe(c, client, marks_table(c), &arena, &exists, &table, err));
  if (!exists)
    return wh_dynamodb_create(c, client, marks_table(c), &hash, &range, (wh_str){0}, err);
  if (wh_str_eq(table.hash.name, hash.name) && wh_str_eq(table.range.name, range.name))
    return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: table %.*s is not one of marks: its key is not pipeline and id. Name "
                 "another one with the connection's word `marks`",
                 WH_STR_ARG(c->name), WH_STR_ARG(marks_table(c)));
}

// --- The lease and the mark ----------------------------------------------------------------------

// Updates one of the pipeline's items; `body` has the condition: that no higher epoch is on it, or
// (WH_EPOCH_NONE) that it is not done. `answer` may be NULL.
static wh_status update(wh_connection *c, wh_aws_client *client, const wh_load *load,
                        const wh_buf *body, json_t **answer, wh_error *err) {
  WH_CLEAN_JSON json_t *own = NULL;
  wh_error inner = {0};
  wh_status status = wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("UpdateItem"), body, NULL,
                                      answer ? answer : &own, &inner);
  if (status == WH_ERR_CHANGED && load->epoch == WH_EPOCH_NONE)
    return wh_fail(err, WH_ERR_STALE, "%.*s: another worker has loaded %.*s meanwhile",
                   WH_STR_ARG(c->name), WH_STR_ARG(load->object));
  if (status == WH_ERR_CHANGED)
    return wh_fail(err, WH_ERR_STALE,
                   "%.*s: another worker has taken over pipeline %.*s; this one stops",
                   WH_STR_ARG(c->name), WH_STR_ARG(load->pipeline));
  if (status != WH_OK && err) *err = inner;
  return status;
}

// What stands behind SET first. WH_EPOCH_NONE leaves the epoch that is there.
static const char *epoch_of(const wh_load *load) {
  return load->epoch == WH_EPOCH_NONE ? "#e=if_not_exists(#e,:e)" : "#e=:e";
}

static void add_condition(wh_buf *body, const char *expression) {
  wh_buf_printf(body, ",\"ConditionExpression\":\"%s\"", expression);
}

#define NO_HIGHER_EPOCH "attribute_not_exists(#e) OR #e <= :e"

static void add_epoch(wh_buf *body, const wh_load *load) {
  wh_buf_printf(body, ",\"UpdateExpression\":\"SET %s\"", epoch_of(load));
  if (load->epoch != WH_EPOCH_NONE) add_condition(body, NO_HIGHER_EPOCH);
  wh_buf_add_c(body, ",\"ReturnValues\":\"ALL_NEW\",\"ExpressionAttributeNames\":{\"#e\":"
                     "\"epoch\"},\"ExpressionAttributeValues\":{\":e\":{\"N\":\"");
  wh_buf_add_u64(body, load->epoch);
  wh_buf_add_c(body, "\"}}}");
}

wh_status wh_dynamodb_take_lease(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 wh_error *err) {
  if (load->epoch == WH_EPOCH_NONE) return WH_OK; // each item has its own condition
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, c->mem, 0);
  add_head(c, &body, load->pipeline, WH_STR("lease"));
  add_epoch(&body, load);
  return update(c, client, load, &body, NULL, err);
}

// False: it has our epoch alone.
static bool read_parts(const json_t *item, int64_t numbers[WH_MARK_NUMBERS],
                       wh_str texts[WH_MARK_TEXTS]) {
  for (size_t i = 0; i < WH_MARK_NUMBERS; i++)
    numbers[i] = wh_dynamodb_item_number(item, number_names[i], 0);
  for (size_t i = 0; i < WH_MARK_TEXTS; i++)
    texts[i] = wh_dynamodb_item_text(item, text_names[i], "S");
  return json_object_get(item, "rows_done") != NULL;
}

wh_status wh_dynamodb_begin_mark(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 wh_arena *arena, wh_mark *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_JSON json_t *answer = NULL;
  char id[2 * ID_BYTES + 1];
  wh_buf_init(&body, c->mem, 0);
  mark_id(load->object, id);
  add_head(c, &body, load->pipeline, wh_str_of(id));
  add_epoch(&body, load);
  WH_TRY(update(c, client, load, &body, &answer, err));
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  if (read_parts(json_object_get(answer, "Attributes"), numbers, texts))
    return wh_mark_read(numbers, texts, arena, ret, err);
  *ret = (wh_mark){.found = false};
  return WH_OK;
}

wh_status wh_dynamodb_write_mark(wh_connection *c, wh_aws_client *client, const wh_load *load,
                                 const wh_mark *mark, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  char id[2 * ID_BYTES + 1];
  wh_buf_init(&body, c->mem, 0);
  mark_id(load->object, id);
  wh_mark_write(mark, load, numbers, texts);
  add_head(c, &body, load->pipeline, wh_str_of(id));
  wh_buf_printf(&body, ",\"UpdateExpression\":\"SET %s,#o=:o", epoch_of(load));
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    wh_buf_printf(&body, ",#%d=:%d", i, i);
  for (int i = 0; i < WH_MARK_TEXTS; i++)
    wh_buf_printf(&body, ",#t%d=:t%d", i, i);
  wh_buf_add_char(&body, '"');
  // Without an epoch: whoever has ended the load (:e is 0) is not taken back.
  add_condition(&body, load->epoch == WH_EPOCH_NONE ? "attribute_not_exists(#0) OR #0 = :e"
                                                    : NO_HIGHER_EPOCH);
  wh_buf_add_c(&body, ",\"ExpressionAttributeNames\":{\"#e\":\"epoch\",\"#o\":\"object\"");
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    wh_buf_printf(&body, ",\"#%d\":\"%s\"", i, number_names[i]);
  for (int i = 0; i < WH_MARK_TEXTS; i++)
    wh_buf_printf(&body, ",\"#t%d\":\"%s\"", i, text_names[i]);
  wh_buf_add_c(&body, "},\"ExpressionAttributeValues\":{\":e\":{\"N\":\"");
  wh_buf_add_u64(&body, load->epoch);
  wh_buf_add_c(&body, "\"},\":o\":{\"S\":");
  wh_buf_add_json(&body, load->object);
  wh_buf_add_char(&body, '}');
  for (int i = 0; i < WH_MARK_NUMBERS; i++)
    wh_buf_printf(&body, ",\":%d\":{\"N\":\"%lld\"}", i, (long long)numbers[i]);
  for (int i = 0; i < WH_MARK_TEXTS; i++) {
    wh_buf_printf(&body, ",\":t%d\":{\"S\":", i);
    wh_buf_add_json(&body, texts[i]);
    wh_buf_add_char(&body, '}');
  }
  wh_buf_add_c(&body, "}}");
  return update(c, client, load, &body, NULL, err);
}

// --- All of a pipeline ---------------------------------------------------------------------------

typedef struct entry {
  int64_t numbers[WH_MARK_NUMBERS];
  wh_str texts[WH_MARK_TEXTS];
  wh_str object;
} entry;

enum { ORDER_NUMBER = 10 };

static int compare_entries(const void *a, const void *b) {
  const entry *x = a, *y = b;
  int64_t left = x->numbers[ORDER_NUMBER], right = y->numbers[ORDER_NUMBER];
  return left != right ? (left < right ? -1 : 1) : wh_str_cmp(x->object, y->object);
}

static wh_status add_entry(const json_t *item, wh_arena *arena, wh_buf *entries, wh_error *err) {
  entry e;
  if (!read_parts(item, e.numbers, e.texts)) return WH_OK;
  e.object = wh_arena_str(arena, wh_dynamodb_item_text(item, "object", "S"));
  bool copied = e.object.data;
  for (size_t i = 0; i < WH_MARK_TEXTS; i++) {
    e.texts[i] = wh_arena_str(arena, e.texts[i]);
    copied = copied && e.texts[i].data;
  }
  if (!copied) return wh_fail_memory(err);
  wh_buf_add(entries, &e, sizeof e);
  return wh_buf_check(entries, err);
}

// One page; *ret_after is where the next begins, empty at the end.
static wh_status query_page(wh_connection *c, wh_aws_client *client, wh_str pipeline, wh_buf *after,
                            json_t **ret, bool *ret_missing, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, c->mem, 0);
  wh_buf_add_c(&body, "{\"TableName\":");
  wh_buf_add_json(&body, marks_table(c));
  wh_buf_add_c(&body, ",\"ConsistentRead\":true,\"KeyConditionExpression\":\"#p = :p\","
                      "\"ExpressionAttributeNames\":{\"#p\":\"pipeline\"},"
                      "\"ExpressionAttributeValues\":{\":p\":{\"S\":");
  wh_buf_add_json(&body, pipeline);
  wh_buf_add_c(&body, "}}");
  if (after->len) wh_buf_add_c(&body, ",\"ExclusiveStartKey\":");
  wh_buf_add_str(&body, wh_buf_str(after));
  wh_buf_add_char(&body, '}');
  WH_TRY(wh_dynamodb_call(c, client, WH_DYNAMODB_ACTION("Query"), &body, ret_missing, ret, err));
  wh_buf_clear(after);
  const json_t *last = json_object_get(*ret, "LastEvaluatedKey");
  return last ? wh_dynamodb_dump(last, after, err) : WH_OK;
}

static wh_status collect(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_buf *entries,
                         wh_error *err) {
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  WH_CLEAN_BUF wh_buf after;
  wh_buf_init(&after, c->mem, 0);
  WH_TRY(wh_dynamodb_take(c, &client, err));
  do {
    WH_CLEAN_JSON json_t *page = NULL;
    bool missing;
    size_t i;
    json_t *item;
    WH_TRY(query_page(c, client, pipeline, &after, &page, &missing, err));
    if (missing) return WH_OK;
    json_array_foreach(json_object_get(page, "Items"), i, item)
        WH_TRY(add_entry(item, arena, entries, err));
  } while (after.len);
  return WH_OK;
}

wh_status wh_dynamodb_marks(wh_connection *c, wh_str pipeline, wh_arena *arena, wh_mark_visit visit,
                            void *context, wh_error *err) {
  WH_CLEAN_ARENA wh_arena own;
  WH_CLEAN_BUF wh_buf entries;
  wh_arena_init(&own, c->mem);
  wh_buf_init(&entries, c->mem, MARKS_MAX * sizeof(entry));
  WH_TRY(collect(c, pipeline, &own, &entries, err));
  size_t count = entries.len / sizeof(entry);
  entry *all = (entry *)(void *)entries.data;
  if (count) qsort(all, count, sizeof *all, compare_entries);
  for (size_t i = 0; i < count; i++) {
    wh_mark mark;
    WH_TRY(wh_mark_read(all[i].numbers, all[i].texts, arena, &mark, err));
    wh_str object = wh_arena_str(arena, all[i].object);
    if (!object.data) return wh_fail_memory(err);
    WH_TRY(visit(context, object, &mark, err));
  }
  return WH_OK;
}
