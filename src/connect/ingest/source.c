#include "connect/ingest/ingest.h"

#include "codec/json/json.h"
#include "connect/ingest/log.h"
#include "data/deleted.h"
#include "data/temporal.h"

// --- what there is -------------------------------------------------------------------------------

static const wh_ingest_options *options_of(const wh_connection *c) {
  return c->options;
}

wh_status wh_ingest_schema(const wh_field *columns, size_t count, wh_arena *arena, wh_schema *ret,
                           wh_error *err) {
  wh_field *fields = WH_NEW_ARRAY(arena, count + WH_INGEST_OWN_COLUMNS, wh_field);
  if (!fields) return wh_fail_memory(err);
  wh_type instant = wh_type_of(WH_TIMESTAMP);
  instant.zoned = true;
  fields[0] = (wh_field){WH_STR(WH_INGEST_CURSOR), wh_type_of(WH_INT64), false, WH_INTERNAL};
  fields[1] = (wh_field){WH_STR("_receipt"), wh_type_of(WH_STRING), false, WH_INTERNAL};
  fields[2] = (wh_field){WH_STR("_received_at"), instant, false, WH_INTERNAL};
  if (count) memcpy(fields + WH_INGEST_OWN_COLUMNS, columns, count * sizeof *columns);
  *ret = (wh_schema){count + WH_INGEST_OWN_COLUMNS, fields};
  return WH_OK;
}

wh_status wh_ingest_find(const wh_connection *c, wh_str table, const wh_ingest_endpoint **ret,
                         wh_error *err) {
  enum { NAMES_MAX = 64 };
  const wh_ingest_options *o = options_of(c);
  wh_str names[NAMES_MAX];
  size_t count = 0;
  for (size_t i = 0; i < o->count; i++) {
    if (wh_str_eq(o->endpoints[i].name, table)) {
      *ret = &o->endpoints[i];
      return WH_OK;
    }
    if (count < NAMES_MAX) names[count++] = o->endpoints[i].name;
  }
  return wh_source_no_table(c, table, names, count, err);
}

static wh_status tables(wh_connection *c, wh_arena *arena, wh_table_name **ret, size_t *ret_count,
                        wh_error *err) {
  const wh_ingest_options *o = options_of(c);
  wh_table_name *names = WH_NEW_ARRAY(arena, o->count, wh_table_name);
  if (!names) return wh_fail_memory(err);
  for (size_t i = 0; i < o->count; i++)
    names[i] = (wh_table_name){.table = o->endpoints[i].name, .is_home = true};
  *ret = names;
  *ret_count = o->count;
  return WH_OK;
}

static const wh_str key[] = {WH_STR(WH_INGEST_CURSOR)};

static wh_status state_of(wh_connection *c, const wh_ingest_endpoint *e, int64_t from,
                          wh_ingest_state *ret, wh_error *err) {
  wh_ingest_log *log;
  *ret = (wh_ingest_state){.oldest_us = INT64_MAX};
  WH_TRY(wh_ingest_log_open_reader(c->os, c->mem, e->log, &log, err));
  if (!log) return WH_OK;
  wh_status status = wh_ingest_log_state(log, from, ret, err);
  wh_ingest_log_close(log);
  return status;
}

static wh_status discover(wh_connection *c, wh_arena *arena, wh_table_visit visit, void *context,
                          wh_error *err) {
  (void)arena;
  const wh_ingest_options *o = options_of(c);
  for (size_t i = 0; i < o->count; i++) {
    const wh_ingest_endpoint *e = &o->endpoints[i];
    wh_ingest_state state;
    WH_TRY(state_of(c, e, 0, &state, err));
    wh_table_info info = {
        .name = e->name, .rows = state.events, .schema = e->schema, .key = key, .key_count = 1};
    WH_TRY(visit(context, &info, err));
  }
  return WH_OK;
}

static wh_status describe(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                          wh_source_info *ret, wh_error *err) {
  (void)arena;
  const wh_ingest_endpoint *e;
  WH_TRY(wh_ingest_find(c, query->table, &e, err));
  *ret = (wh_source_info){.schema = e->schema,
                          .cursor_kind = WH_CURSOR_EXACT,
                          .key = key,
                          .key_count = 1,
                          .tells_deleted = wh_deleted_column(&e->schema) >=
                                           0}; // of a feed: no other may declare it
  return WH_OK;
}

static wh_status bound(wh_connection *c, const wh_source_query *query, wh_arena *arena,
                       wh_bound *ret, wh_error *err) {
  (void)arena;
  const wh_ingest_endpoint *e;
  wh_ingest_log *log;
  *ret = (wh_bound){.clock_us = wh_now_us(c->os), .has_to = true};
  ret->to = (wh_value){.type = wh_type_of(WH_INT64)};
  WH_TRY(wh_ingest_find(c, query->table, &e, err));
  WH_TRY(wh_ingest_log_open_reader(c->os, c->mem, e->log, &log, err));
  if (!log) return WH_OK;
  int64_t from = query->has_from ? query->from.as.i : 0;
  wh_status status = wh_ingest_log_bound(log, from, &ret->to.as.i, &ret->has_more, err);
  wh_ingest_log_close(log);
  return status;
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  (void)err;
  size_t count = options_of(c)->count;
  wh_buf_printf(ret_note, "%zu %s of serve.ingest", count, count == 1 ? "endpoint" : "endpoints");
  return wh_buf_check(ret_note, err);
}

// --- the log as NDJSON ---------------------------------------------------------------------------

// Each line of the log with the own columns in front.
typedef struct lines {
  wh_input base;
  wh_ingest_log *log;   // NULL: nothing was ever received
  int64_t next, to;     // numbers of events
  uint64_t left;        // lines that are still wanted
  wh_ingest_receipt of; // the request in hand
  wh_str rest;          // of its lines
  int64_t event;        // number of the next one
  wh_buf text;          // ready to be read
  size_t at;
} lines;

enum {
  TEXT_BYTES = 64 * 1024,
  OWN_BYTES = 256, // that a line becomes longer by
};

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

// `line` begins with '{', unless it is something that is going to be rejected.
static void add_line(lines *l, wh_str line) {
  if (!wh_str_starts(line, "{")) {
    wh_buf_add_c(&l->text, "  "); // or a zero behind the first byte of all would look like UTF-16
    wh_buf_add_str(&l->text, line);
    wh_buf_add_char(&l->text, '\n');
    return;
  }
  size_t from = 1;
  while (from < line.len && is_blank(line.data[from]))
    from++;
  wh_buf_add_c(&l->text, "{\"" WH_INGEST_CURSOR "\":");
  wh_buf_add_i64(&l->text, l->event);
  wh_buf_add_c(&l->text, ",\"_receipt\":\"");
  wh_buf_add_c(&l->text, l->of.id);
  wh_buf_add_c(&l->text, "\",\"_received_at\":\"");
  wh_iso_write_timestamp(l->of.received_us, WH_UNIT_US, true, &l->text);
  wh_buf_add_char(&l->text, '"');
  bool is_empty = from < line.len && line.data[from] == '}';
  if (!is_empty) wh_buf_add_char(&l->text, ',');
  wh_buf_add_str(&l->text, wh_str_sub(line, from, line.len));
  wh_buf_add_char(&l->text, '\n');
}

static wh_status next_request(lines *l, bool *ret_found, wh_error *err) {
  *ret_found = false;
  if (!l->log) return WH_OK;
  WH_TRY(wh_ingest_log_read(l->log, l->next, l->to, ret_found, &l->of, &l->rest, err));
  if (!*ret_found) return WH_OK;
  l->event = l->of.first;
  l->next = l->of.first + (int64_t)l->of.events;
  return WH_OK;
}

static wh_status fill(lines *l, wh_error *err) {
  wh_buf_clear(&l->text);
  l->at = 0;
  while (l->left && l->text.len < TEXT_BYTES) {
    bool found = true;
    if (!l->rest.len) WH_TRY(next_request(l, &found, err));
    if (!found) break;
    size_t end = wh_str_find(l->rest, 0, '\n');
    add_line(l, wh_str_sub(l->rest, 0, end));
    l->rest = end < l->rest.len ? wh_str_sub(l->rest, end + 1, l->rest.len) : (wh_str){0};
    l->event++;
    l->left--;
  }
  return wh_buf_check(&l->text, err);
}

static wh_status lines_read(wh_input *base, void *data, size_t cap, size_t *ret_len,
                            wh_error *err) {
  lines *l = (lines *)base;
  if (l->at == l->text.len) WH_TRY(fill(l, err));
  size_t n = l->text.len - l->at;
  if (n > cap) n = cap;
  if (n) memcpy(data, l->text.data + l->at, n);
  l->at += n;
  *ret_len = n;
  return WH_OK;
}

// --- the reader ----------------------------------------------------------------------------------

// Every declared column is decoded, so that what is wrong with an event does not depend on who
// reads it; the batch shows those that are wanted.
typedef struct reader {
  wh_reader base;
  wh_connection *connection;
  wh_arena arena;
  wh_schema schema;
  size_t *map; // column of `all` for each of the schema's
  lines lines;
  wh_reader *inner;
  wh_batch all;
} reader;

// Gives the batch the columns that it shows, and takes its buffers for the next round: it is not
// ours when that comes.
static void hand_over(reader *r, wh_batch *batch) {
  wh_batch *all = &r->all, before = *batch;
  for (size_t i = 0; i < r->schema.count; i++) {
    wh_column *mine = &all->columns[r->map[i]], *shown = &batch->columns[i], own = *mine;
    *mine = *shown;
    *shown = own;
  }
  batch->rows = all->rows;
  batch->bytes = all->bytes;
  batch->first_row = all->first_row;
  batch->places = all->places;
  batch->places_own = all->places_own;
  batch->places_cap = all->places_cap;
  all->places = NULL;
  all->places_own = before.places_own;
  all->places_cap = before.places_cap;
}

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  reader *r = (reader *)base;
  const wh_connection *c = r->connection;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  wh_batch_reset(&r->all);
  WH_TRY(r->inner->next(r->inner, &r->all, rejects, err));
  hand_over(r, batch);
  base->bytes_read = r->inner->bytes_read;
  base->paused = r->inner->paused;
  return WH_OK;
}

static void reader_close(wh_reader *base) {
  reader *r = (reader *)base;
  wh_batch_free(&r->all);
  wh_reader_close(r->inner);
  wh_ingest_log_close(r->lines.log);
  wh_buf_free(&r->lines.text);
  wh_arena_free(&r->arena);
  wh_mem_free(r->connection->mem, r, sizeof *r);
}

static wh_status map_columns(reader *r, const wh_schema *from, wh_error *err) {
  r->map = WH_NEW_ARRAY(&r->arena, r->schema.count, size_t);
  if (!r->map) return wh_fail_memory(err);
  for (size_t i = 0; i < r->schema.count; i++) {
    ptrdiff_t at = wh_schema_find(from, r->schema.fields[i].name);
    if (at < 0)
      return wh_source_no_column(r->connection, WH_STR("the endpoint"), r->schema.fields[i].name,
                                 from->fields, from->count, sizeof *from->fields, err);
    r->map[i] = (size_t)at;
  }
  return WH_OK;
}

static wh_status open_inner(reader *r, const wh_source_query *query, const wh_ingest_endpoint *e,
                            wh_error *err) {
  const wh_connection *c = r->connection;
  wh_codec_context context = {
      .os = c->os,
      .mem = c->mem,
      .row_limit_bytes = c->row_limit_bytes + OWN_BYTES,
      .batch_rows = query->batch_rows ? query->batch_rows : c->batch_rows,
      .batch_bytes = query->batch_bytes ? query->batch_bytes : c->batch_bytes,
      .threads = 1,
  };
  static const wh_json_read_options options = {.unknown = WH_JSON_UNKNOWN_IGNORE};
  WH_TRY(
      wh_codec_ndjson.open_reader(&context, &r->lines.base, &options, &e->schema, &r->inner, err));
  // The types of the columns that are handed over live as long as the configuration.
  return wh_batch_init(&r->all, c->mem, &e->schema, err);
}

static wh_status start(reader *r, const wh_source_query *query, const wh_schema *schema,
                       wh_error *err) {
  wh_connection *c = r->connection;
  const wh_ingest_endpoint *e;
  WH_TRY(wh_ingest_find(c, query->table, &e, err));
  WH_TRY(wh_schema_copy(schema, &r->arena, &r->schema, err));
  WH_TRY(map_columns(r, &e->schema, err));
  lines *l = &r->lines;
  l->base = (wh_input){.size = WH_SIZE_UNKNOWN, .read = lines_read};
  l->next = query->has_from ? query->from.as.i : 0;
  l->to = query->has_to ? query->to.as.i : INT64_MAX;
  l->left = query->limit_rows ? query->limit_rows : UINT64_MAX;
  WH_TRY(wh_ingest_log_open_reader(c->os, c->mem, e->log, &l->log, err));
  return open_inner(r, query, e, err);
}

static wh_status open_reader(wh_connection *c, const wh_source_query *query,
                             const wh_schema *schema, wh_reader **ret, wh_error *err) {
  reader *r = wh_mem_alloc_zero(c->mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->connection = c;
  r->base = (wh_reader){.next = reader_next, .close = reader_close, .schema = &r->schema};
  wh_arena_init(&r->arena, c->mem);
  wh_buf_init(&r->lines.text, c->mem, 0);
  wh_status status = start(r, query, schema, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    reader_close(&r->base);
  return status;
}

static const wh_source_type source = {
    .tables = tables,
    .discover = discover,
    .describe = describe,
    .bound = bound,
    .open = open_reader,
    .gather = wh_ingest_gather,
};

static const wh_option no_options[] = {{0}};

const wh_connector wh_connector_ingest = {
    .name = WH_INGEST_CONNECTION,
    .help = "events that the endpoints of serve.ingest have taken",
    .options = no_options,
    .options_size = sizeof(wh_ingest_options),
    .source = &source,
    .open = wh_ingest_hub_open,
    .close = wh_ingest_hub_close,
    .reach = reach,
    .reserve_bytes = 4 << 20, // the pages of a log that is written and of one that is read
    .reserve_is_accounted = true,
};
