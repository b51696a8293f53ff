// The source's reader: a Scan in several segments, whose pages come in as they are ready.
#include "connect/dynamodb/source.h"
#include "connect/row_reader.h"

typedef struct segment {
  wh_dynamodb_asking asking;
  wh_buf body, after;
  wh_str piece;
  wh_aws_exchange *exchange; // under way; NULL: it waits, or has ended
  bool waits;
} segment;

typedef struct reader {
  wh_row_reader base;
  wh_aws_client *client;
  wh_dynamodb_pace pace;
  segment *segments;
  size_t count;
  json_t *page; // an answer
  const json_t *items;
  size_t next; // item of it
  const json_t *item;
  wh_buf scratch;
} reader;

static void reader_close(wh_row_reader *base) {
  reader *r = (reader *)base;
  for (size_t i = 0; r->segments && i < r->count; i++) {
    wh_aws_end(r->segments[i].exchange);
    wh_buf_free(&r->segments[i].body);
    wh_buf_free(&r->segments[i].after);
  }
  json_decref(r->page);
  wh_aws_give(r->client);
  wh_buf_free(&r->scratch);
}

// --- Items ---------------------------------------------------------------------------------------

static wh_status append(wh_row_reader *base, wh_column *columns, size_t *ret_column,
                        wh_misfit *misfit, wh_error *err) {
  reader *r = (reader *)base;
  for (size_t i = 0; i < base->schema.count; i++) {
    const wh_field *f = &base->schema.fields[i];
    const json_t *attribute = json_object_getn(r->item, f->name.data, f->name.len);
    wh_status status = wh_dynamodb_decode(attribute, f, &columns[i], &r->scratch, misfit, err);
    if (status == WH_OK) continue;
    *ret_column = i;
    return status;
  }
  return WH_OK;
}

static wh_status write_json(wh_row_reader *base, wh_buf *out, wh_error *err) {
  reader *r = (reader *)base;
  wh_buf_clear(out);
  return wh_dynamodb_dump(r->item, out, err);
}

// --- Pages ---------------------------------------------------------------------------------------

static wh_status start_segment(reader *r, segment *s, wh_error *err) {
  s->waits = false;
  wh_status status =
      wh_dynamodb_start(r->client, WH_DYNAMODB_ACTION("Scan"), &s->piece, s, &s->exchange, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(r->base.connection->name));
  return status;
}

static wh_status ask(reader *r, segment *s, wh_error *err) {
  WH_TRY(wh_dynamodb_ask(&s->asking, wh_buf_str(&s->after), &s->body, err));
  s->piece = wh_buf_str(&s->body);
  return start_segment(r, s, err);
}

static wh_status take_page(reader *r, segment *s, wh_error *err) {
  json_decref(r->page);
  r->page = NULL;
  r->items = NULL;
  WH_TRY(wh_dynamodb_parse(r->base.connection, s->exchange->body, &r->page, err));
  wh_aws_end(s->exchange);
  s->exchange = NULL;
  r->items = json_object_get(r->page, "Items");
  r->next = 0;
  WH_TRY(wh_dynamodb_after(r->page, &s->after, err));
  return s->after.len ? ask(r, s, err) : WH_OK; // the next page comes while this one is read
}

// Too many at once: the segment waits.
static wh_status refused(reader *r, segment *s, wh_error *err) {
  if (!wh_dynamodb_pace_refused(&r->pace))
    return wh_dynamodb_fail(r->base.connection, s->exchange, err);
  wh_aws_end(s->exchange);
  s->exchange = NULL;
  s->waits = true;
  return WH_OK;
}

static wh_status start_waiting(reader *r, size_t *ret_flying, wh_error *err) {
  size_t flying = 0, waiting = 0;
  for (size_t i = 0; i < r->count; i++) {
    flying += r->segments[i].exchange != NULL;
    waiting += r->segments[i].waits;
  }
  if (waiting && !flying) WH_TRY(wh_dynamodb_pace_wait(&r->pace, r->base.connection, err));
  bool is_time = waiting && wh_dynamodb_pace_left(&r->pace) == 0;
  for (size_t i = 0; is_time && i < r->count && flying < r->pace.window; i++) {
    if (!r->segments[i].waits) continue;
    WH_TRY(start_segment(r, &r->segments[i], err));
    flying++;
  }
  *ret_flying = flying;
  return WH_OK;
}

// *ret_page is false when all segments have ended.
static wh_status next_page(reader *r, bool *ret_page, wh_error *err) {
  wh_aws_exchange *x = NULL;
  size_t flying;
  *ret_page = false;
  WH_TRY(start_waiting(r, &flying, err));
  if (flying == 0) return WH_OK;
  WH_TRY(wh_aws_wait(r->client, NULL, -1, &x, err));
  *ret_page = true;
  segment *s = x->tag;
  if (x->status == WH_ERR_BUSY) return refused(r, s, err);
  if (x->status != WH_OK) return wh_dynamodb_fail(r->base.connection, x, err);
  wh_dynamodb_pace_answered(&r->pace);
  return take_page(r, s, err);
}

static wh_status fetch(wh_row_reader *base, bool *ret_row, wh_error *err) {
  reader *r = (reader *)base;
  *ret_row = false;
  if (base->limit && base->rows >= base->limit) return WH_OK;
  while (r->next == json_array_size(r->items)) {
    bool page;
    WH_TRY(next_page(r, &page, err));
    if (!page) return WH_OK;
  }
  r->item = json_array_get(r->items, r->next++);
  *ret_row = true;
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

static wh_status check_columns(const wh_connection *c, const wh_schema *schema, wh_error *err) {
  if (schema->count <= WH_DYNAMODB_COLUMNS_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: at most %d columns can be read from DynamoDB at once, not %zu: list those "
                 "that are to cross",
                 WH_STR_ARG(c->name), WH_DYNAMODB_COLUMNS_MAX, schema->count);
}

static wh_status start(wh_row_reader *base, const wh_source_query *query, wh_error *err) {
  reader *r = (reader *)base;
  wh_connection *c = r->base.connection;
  size_t limit = WH_DYNAMODB_PAGE_ITEMS;
  r->base.what = wh_arena_str(&r->base.arena, query->table);
  if (!r->base.what.data) return wh_fail_memory(err);
  WH_TRY(check_columns(c, &r->base.schema, err));
  WH_TRY(wh_dynamodb_check_name(c, query->table, err));
  wh_buf_init(&r->scratch, c->mem, 0);
  r->count = query->limit_rows ? 1 : (size_t)wh_dynamodb_options_of(c)->segments;
  if (query->limit_rows && query->limit_rows < limit) limit = (size_t)query->limit_rows;
  r->segments = WH_NEW_ARRAY(&r->base.arena, r->count, segment);
  if (!r->segments) return wh_fail_memory(err);
  wh_dynamodb_pace_init(&r->pace, c->os, r->count);
  WH_TRY(wh_dynamodb_take(c, &r->client, err));
  for (size_t i = 0; i < r->count; i++) {
    segment *s = &r->segments[i];
    s->asking = (wh_dynamodb_asking){.table = r->base.what,
                                     .columns = &r->base.schema,
                                     .segment = i,
                                     .segments = r->count,
                                     .limit = limit};
    wh_buf_init(&s->body, c->mem, 0);
    wh_buf_init(&s->after, c->mem, 0);
    WH_TRY(ask(r, s, err));
  }
  return WH_OK;
}

wh_status wh_dynamodb_open_reader(wh_connection *c, const wh_source_query *query,
                                  const wh_schema *schema, wh_reader **ret, wh_error *err) {
  static const wh_row_reader_type type = {
      .size = sizeof(reader),
      .start = start,
      .fetch = fetch,
      .append = append,
      .write_json = write_json,
      .close = reader_close,
  };
  return wh_row_reader_open(&type, c, query, schema, 0, ret, err);
}
