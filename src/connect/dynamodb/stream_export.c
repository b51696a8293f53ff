// All items of the table, by a scan in segments, before the stream is read.
#include "connect/dynamodb/stream.h"

#define POSITION "export/"
#define DONE     "done"
#define BEGIN    "-" // no item was read yet

// What is asked for: the key, and what is declared.
static wh_status choose_attributes(wh_feed *f, const wh_dynamodb_table *table, wh_error *err) {
  const wh_schema *rows = f->lines.schema;
  const wh_str key[] = {table->hash.name, table->range.name};
  wh_field *fields = WH_NEW_ARRAY(&f->arena, rows->count + 2, wh_field);
  if (!fields) return wh_fail_memory(err);
  size_t count = 0;
  for (size_t i = WH_DYNAMODB_CHANGE_COLUMNS; i < rows->count; i++)
    fields[count++] = rows->fields[i];
  f->scanned = (wh_schema){count, fields};
  for (size_t i = 0; i < 2; i++)
    if (key[i].len && wh_schema_find(&f->scanned, key[i]) < 0)
      fields[count++] = (wh_field){.name = key[i], .type = wh_type_of(WH_STRING)};
  f->scanned.count = count;
  if (count <= WH_DYNAMODB_COLUMNS_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED, "%.*s: at most %d columns can be read from DynamoDB at once",
                 WH_STR_ARG(f->connection->name), WH_DYNAMODB_COLUMNS_MAX);
}

wh_status wh_dynamodb_export_make(wh_feed *f, const wh_dynamodb_table *table, wh_error *err) {
  wh_connection *c = f->connection;
  WH_TRY(choose_attributes(f, table, err));
  f->segments = WH_NEW_ARRAY(&f->arena, WH_DYNAMODB_SEGMENTS_MAX, wh_dynamodb_part);
  if (!f->segments) return wh_fail_memory(err);
  for (size_t i = 0; i < WH_DYNAMODB_SEGMENTS_MAX; i++) {
    wh_dynamodb_part *part = &f->segments[i];
    part->asking = (wh_dynamodb_asking){.table = f->options->table,
                                        .columns = &f->scanned,
                                        .segment = i,
                                        .limit = WH_DYNAMODB_PAGE_ITEMS};
    wh_buf_init(&part->after, c->mem, 0);
    wh_buf_init(&part->body, c->mem, 0);
  }
  return WH_OK;
}

// There are as many segments as the export began with, whatever the option says now.
wh_status wh_dynamodb_export_restore(wh_feed *f, const wh_feed_position *position, wh_error *err) {
  if (!wh_str_starts(position->name, POSITION)) return WH_OK;
  uint64_t number;
  wh_str text = wh_str_sub(position->name, sizeof POSITION - 1, position->name.len);
  if (!wh_str_to_u64(text, &number) || number >= WH_DYNAMODB_SEGMENTS_MAX)
    return wh_fail(err, WH_ERR_DATA, "the position '%.*s' is none", WH_STR_ARG(position->name));
  wh_dynamodb_part *part = &f->segments[number];
  part->is_done = wh_str_is(position->value, DONE);
  if (!part->is_done) f->segments_left++;
  if (!part->is_done && !wh_str_is(position->value, BEGIN))
    wh_buf_add_str(&part->after, position->value);
  if (number >= f->segment_count) f->segment_count = (size_t)number + 1;
  return wh_buf_check(&part->after, err);
}

static wh_status tell(wh_feed *f, const wh_dynamodb_part *part, wh_str value, wh_error *err) {
  char name[32];
  snprintf(name, sizeof name, POSITION "%zu", part->asking.segment);
  return wh_dynamodb_tell(f, name, value, err);
}

wh_status wh_dynamodb_export_begin(wh_feed *f, wh_error *err) {
  f->segment_count = f->segments_left = (size_t)f->options->segments;
  for (size_t i = 0; i < f->segment_count; i++)
    WH_TRY(tell(f, &f->segments[i], WH_STR(BEGIN), err));
  return WH_OK;
}

wh_status wh_dynamodb_export_ask(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  part->asking.segments = f->segment_count;
  WH_TRY(wh_dynamodb_ask(&part->asking, wh_buf_str(&part->after), &part->body, err));
  return wh_dynamodb_part_start(f, part, WH_DYNAMODB_ACTION("Scan"), err);
}

wh_status wh_dynamodb_export_take(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  WH_CLEAN_JSON json_t *answer = NULL;
  if (part->exchange->status != WH_OK) return wh_dynamodb_part_failed(f, part, err);
  WH_TRY(wh_dynamodb_parse(f->connection, part->exchange->body, &answer, err));
  part->pause_us = 0;
  WH_TRY(wh_dynamodb_add_items(&f->lines, answer, err));
  WH_TRY(wh_dynamodb_after(answer, &part->after, err));
  part->is_done = part->after.len == 0;
  if (part->is_done) f->segments_left--;
  return tell(f, part, part->is_done ? WH_STR(DONE) : wh_buf_str(&part->after), err);
}
