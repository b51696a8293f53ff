// Any bytes as an answer of DynamoDB: to GetRecords or to Scan, and to DescribeStream.
//
// What must hold: no crash, no leak; an error has a text; each event has a line, which is JSON of
// the feed's columns, and nothing is behind the last. The first byte: with bit 0 set, the
// allocation numbered by the second byte fails; with bit 1 the answer is one to Scan, with bit 2
// one to DescribeStream.
#include "connect/dynamodb/shards.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void check_lines(const wh_dynamodb_lines *l) {
  const wh_feed_event *events = (const wh_feed_event *)(const void *)l->events.data;
  size_t count = l->events.len / sizeof *events, at = 0;
  for (size_t i = 0; i < count; i++) {
    must(events[i].end > at && events[i].end <= l->text.len, "a line lies behind the one before");
    wh_str line = wh_str_sub(wh_buf_str(&l->text), at, events[i].end);
    must(wh_str_find(line, 0, '\n') == line.len - 1, "an event is one line");
    json_error_t ignored;
    json_t *json = json_loadb(line.data, line.len, 0, &ignored);
    must(json_is_object(json), "a line is JSON");
    must(json_object_get(json, "_change") != NULL, "a line says what changed");
    json_decref(json);
    at = events[i].end;
  }
}

static wh_status gone(void *context, wh_dynamodb_shard *shard, wh_error *err) {
  (void)context, (void)shard, (void)err;
  return WH_OK;
}

static wh_status read_shards(wh_mem *mem, const json_t *answer, wh_error *err) {
  wh_dynamodb_shards all;
  wh_str last;
  wh_dynamodb_shards_init(&all, mem);
  wh_status status = wh_dynamodb_shards_list(&all, answer, &last, err);
  if (status == WH_OK) status = wh_dynamodb_shards_settle(&all, gone, NULL, err);
  for (size_t i = 0; status == WH_OK && i < all.count; i++)
    must(all.items[i]->id[0] != 0, "a shard has a name");
  wh_dynamodb_shards_free(&all);
  return status;
}

static wh_status read_lines(wh_mem *mem, const json_t *answer, bool is_scan, wh_error *err) {
  wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_schema rows;
  wh_dynamodb_read_to to;
  wh_type instant = wh_type_of(WH_TIMESTAMP);
  instant.zoned = true;
  wh_field fields[] = {{WH_STR("id"), wh_type_of(WH_INT64), true, WH_INTERNAL},
                       {WH_STR("at"), instant, true, WH_INTERNAL}};
  wh_schema declared = {2, fields};
  wh_dynamodb_lines l = {0};
  wh_status status = wh_dynamodb_change_schema(&declared, &arena, &rows, err);
  if (status == WH_OK) {
    wh_dynamodb_lines_init(&l, mem, &rows);
    l.key[0] = WH_STR("id");
    status = is_scan ? wh_dynamodb_add_items(&l, answer, err)
                     : wh_dynamodb_add_records(&l, answer, &to, err);
  }
  if (status == WH_OK) check_lines(&l);
  wh_dynamodb_lines_free(&l);
  wh_arena_free(&arena);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  wh_mem mem;
  wh_error err = {0};
  json_error_t ignored;
  wh_mem_init(&mem, 0);
  json_t *answer = json_loadb((const char *)data + 2, size - 2, JSON_REJECT_DUPLICATES, &ignored);
  if (data[0] & 1) atomic_store(&mem.fail_at, data[1]);
  wh_status status =
      data[0] & 4 ? read_shards(&mem, answer, &err) : read_lines(&mem, answer, data[0] & 2, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || (err.text[0] && err.status == status), "an error has a text");
  json_decref(answer);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
