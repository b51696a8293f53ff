// The feed: positions, and the loop that keeps requests under way.
#include "connect/dynamodb/stream.h"

enum { NS_PER_US = 1000 };

static int64_t clock_us(const wh_feed *f) {
  return f->connection->os->type->monotonic_ns(f->connection->os) / NS_PER_US;
}

int64_t wh_dynamodb_stream_now(const wh_feed *f) {
  const wh_dynamodb_stream *own = f->connection->own;
  return wh_now_us(f->connection->os) + wh_aws_skew_us(own->streams);
}

// --- Positions -----------------------------------------------------------------------------------

wh_status wh_dynamodb_tell(wh_feed *f, const char *name, wh_str value, wh_error *err) {
  wh_feed_position p = {wh_arena_str(&f->page_arena, wh_str_of(name)),
                        wh_arena_str(&f->page_arena, value)};
  if (!p.name.data || !p.value.data) return wh_fail_memory(err);
  wh_buf_add(&f->positions, &p, sizeof p);
  return wh_buf_check(&f->positions, err);
}

static wh_status tell_number(wh_feed *f, const char *name, int64_t value, wh_error *err) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  return wh_dynamodb_tell(f, name, wh_str_of(text), err);
}

static wh_status read_number(const wh_feed_position *p, int64_t *ret, wh_error *err) {
  if (wh_str_to_i64(p->value, ret)) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "the position %.*s, '%.*s', is none", WH_STR_ARG(p->name),
                 WH_STR_ARG(p->value));
}

// The stream was switched off and on: what changed in between nobody knows.
static wh_status check_same(const wh_feed *f, wh_str before, wh_error *err) {
  if (wh_str_eq(before, f->stream)) return WH_OK;
  return wh_fail(err, WH_ERR_CHANGED,
                 "%.*s: changes of %.*s are LOST: its stream is another than the one that was read "
                 "(%.*s), so it was switched off for a while. Read every item again with: wherry "
                 "run --full and the pipelines that read %.*s; what was deleted meanwhile they do "
                 "not learn",
                 WH_STR_ARG(f->connection->name), WH_STR_ARG(f->options->table), WH_STR_ARG(before),
                 WH_STR_ARG(f->connection->name));
}

static wh_status restore(wh_feed *f, const wh_feed_position *p, wh_error *err) {
  if (wh_str_is(p->name, "stream")) {
    f->is_begun = true;
    return check_same(f, p->value, err);
  }
  if (wh_str_is(p->name, "since")) return read_number(p, &f->lines.since_us, err);
  if (wh_str_is(p->name, "begun")) return read_number(p, &f->begun_us, err);
  if (wh_str_is(p->name, "read-to")) return read_number(p, &f->read_to_us, err);
  f->knows_shards = f->knows_shards || wh_str_starts(p->name, WH_DYNAMODB_SHARD_POSITION);
  WH_TRY(wh_dynamodb_export_restore(f, p, err));
  return wh_dynamodb_shards_restore(&f->shards, p, err);
}

static wh_status begin(wh_feed *f, wh_error *err) {
  f->is_begun = true;
  f->begun_us = wh_dynamodb_stream_now(f);
  WH_TRY(wh_dynamodb_tell(f, "stream", f->stream, err));
  WH_TRY(tell_number(f, "begun", f->begun_us, err));
  if (!f->options->export) return WH_OK;
  f->lines.since_us = f->begun_us - WH_DYNAMODB_STREAM_MARGIN_US;
  WH_TRY(tell_number(f, "since", f->lines.since_us, err));
  return wh_dynamodb_export_begin(f, err);
}

// --- Parts ---------------------------------------------------------------------------------------

void wh_dynamodb_part_free(wh_dynamodb_part *part) {
  wh_aws_end(part->exchange);
  part->exchange = NULL;
  wh_buf_free(&part->after);
  wh_buf_free(&part->iterator);
  wh_buf_free(&part->body);
}

wh_status wh_dynamodb_part_start(wh_feed *f, wh_dynamodb_part *part, wh_str action, wh_error *err) {
  WH_TRY(wh_buf_check(&part->body, err));
  part->piece = wh_buf_str(&part->body);
  wh_status status = wh_dynamodb_start(part->shard ? f->streams : f->tables, action, &part->piece,
                                       part, &part->exchange, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(f->connection->name));
  return status;
}

wh_status wh_dynamodb_part_failed(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  wh_aws_exchange *x = part->exchange;
  if (x->status != WH_ERR_BUSY) return wh_dynamodb_fail(f->connection, x, err);
  part->pause_us = part->pause_us ? 2 * part->pause_us : WH_DYNAMODB_STREAM_PAUSE_US;
  if (part->pause_us > WH_DYNAMODB_STREAM_PAUSE_MAX_US)
    part->pause_us = WH_DYNAMODB_STREAM_PAUSE_MAX_US;
  part->due_us += part->pause_us;
  return WH_OK;
}

// The n-th part of what is read now: the scan, and the stream when that is done.
static wh_dynamodb_part *part_at(const wh_feed *f, size_t n) {
  if (f->segments_left) return n < f->segment_count ? &f->segments[n] : NULL;
  return n < f->shards.count ? f->shards.items[n]->reading : NULL;
}

static bool wants(const wh_dynamodb_part *part) {
  return part->shard ? wh_dynamodb_shard_is_ready(part->shard) : !part->is_done;
}

// *ret_due_us: when the next part is due that is not under way.
static wh_status start_due(wh_feed *f, size_t *ret_flying, int64_t *ret_due_us, wh_error *err) {
  size_t flying = 0;
  wh_dynamodb_part *part;
  int64_t now_us = clock_us(f);
  *ret_due_us = INT64_MAX;
  for (size_t i = 0; (part = part_at(f, i)); i++)
    flying += part->exchange != NULL;
  for (size_t i = 0; (part = part_at(f, i)); i++) {
    if (part->exchange || !wants(part)) continue;
    if (part->due_us > now_us || flying == WH_DYNAMODB_STREAM_FLIGHT_MAX) {
      if (part->due_us < *ret_due_us) *ret_due_us = part->due_us;
      continue;
    }
    WH_TRY(part->shard ? wh_dynamodb_shard_ask(f, part, err)
                       : wh_dynamodb_export_ask(f, part, err));
    flying++;
  }
  *ret_flying = flying;
  return WH_OK;
}

static wh_status take(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  part->due_us = clock_us(f);
  wh_status status =
      part->shard ? wh_dynamodb_shard_take(f, part, err) : wh_dynamodb_export_take(f, part, err);
  wh_aws_end(part->exchange);
  part->exchange = NULL;
  return status;
}

// --- The loop ------------------------------------------------------------------------------------

static bool has_page(const wh_feed *f) {
  return f->lines.events.len || f->positions.len;
}

// What is under way, or is due next, but no longer than a wish to stop may go unheard.
static wh_status wait_for(wh_feed *f, bool flying, int64_t until_us, wh_error *err) {
  wh_aws_exchange *x = NULL;
  wh_os *os = f->connection->os;
  int64_t left_us = until_us - clock_us(f);
  if (left_us > WH_DYNAMODB_STREAM_WAKE_US) left_us = WH_DYNAMODB_STREAM_WAKE_US;
  if (left_us < 0) left_us = 0;
  if (!flying) {
    os->type->sleep_ns(os, left_us * NS_PER_US);
    return WH_OK;
  }
  wh_aws_client *client = f->segments_left ? f->tables : f->streams;
  wh_status status = wh_aws_wait(client, NULL, left_us, &x, err);
  if (status == WH_ERR_END) return WH_OK;
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(f->connection->name));
  return status == WH_OK && x ? take(f, x->tag, err) : status;
}

static wh_status list_if_due(wh_feed *f, wh_error *err) {
  if (f->segments_left || clock_us(f) < f->list_us) return WH_OK;
  WH_TRY(wh_dynamodb_stream_list(f, err));
  f->list_us = clock_us(f) + WH_DYNAMODB_STREAM_LIST_US;
  return WH_OK;
}

static wh_status go_on(wh_feed *f, int64_t wait_us, wh_error *err) {
  int64_t until_us = clock_us(f) + wait_us, due_us;
  const atomic_bool *cancel = f->connection->cancel;
  while (!has_page(f)) {
    size_t flying;
    if (cancel && atomic_load(cancel))
      return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(f->connection->name));
    if (atomic_exchange(&f->woken, false)) return WH_OK;
    WH_TRY(list_if_due(f, err));
    WH_TRY(start_due(f, &flying, &due_us, err));
    WH_TRY(wh_dynamodb_stream_tell_rest(f, err));
    if (has_page(f) || clock_us(f) >= until_us) return WH_OK;
    int64_t next_us = until_us < due_us ? until_us : due_us;
    if (f->list_us < next_us && !f->segments_left) next_us = f->list_us;
    WH_TRY(wait_for(f, flying > 0, flying ? until_us : next_us, err));
  }
  return WH_OK;
}

static wh_status feed_next(wh_feed *f, int64_t wait_us, wh_feed_page *ret, wh_error *err) {
  wh_dynamodb_lines_clear(&f->lines);
  wh_buf_clear(&f->positions);
  wh_arena_reset(&f->page_arena);
  *ret = (wh_feed_page){0};
  WH_TRY(f->is_begun ? go_on(f, wait_us, err) : begin(f, err));
  *ret = (wh_feed_page){.lines = wh_buf_str(&f->lines.text),
                        .events = (const wh_feed_event *)(const void *)f->lines.events.data,
                        .count = f->lines.events.len / sizeof(wh_feed_event),
                        .positions = (const wh_feed_position *)(const void *)f->positions.data,
                        .position_count = f->positions.len / sizeof(wh_feed_position)};
  return WH_OK;
}

// --- Opening -------------------------------------------------------------------------------------

static wh_status check_view(const wh_feed *f, const wh_dynamodb_table *table, wh_error *err) {
  wh_str name = f->connection->name, view = table->view;
  bool fits = wh_str_is(view, "NEW_IMAGE") || wh_str_is(view, "NEW_AND_OLD_IMAGES");
  if (fits && table->stream.len) return WH_OK;
  char region[64];
  wh_str at = wh_aws_region_of(((const wh_dynamodb_stream *)f->connection->own)->tables);
  snprintf(region, sizeof region, "%s%.*s", at.len ? " --region " : "", WH_STR_ARG(at));
#define UPDATE "aws dynamodb update-table%s --table-name %.*s --stream-specification "
  if (view.len)
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: the stream of %.*s has the view %.*s, which does not say what an item is "
                   "now. NEW_IMAGE does, or NEW_AND_OLD_IMAGES. A view cannot be changed; switch "
                   "the stream off (" UPDATE "StreamEnabled=false), and on again with the other",
                   WH_STR_ARG(name), WH_STR_ARG(f->options->table), WH_STR_ARG(view), region,
                   WH_STR_ARG(f->options->table));
  return wh_fail(
      err, WH_ERR_REFUSED,
      "%.*s: the table %.*s has no stream, and Wherry switches none on. Do so with: " UPDATE
      "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES",
      WH_STR_ARG(name), WH_STR_ARG(f->options->table), region, WH_STR_ARG(f->options->table));
#undef UPDATE
}

static void feed_close(wh_feed *f) {
  if (!f) return;
  wh_mem *mem = f->connection->mem;
  for (size_t i = 0; f->segments && i < WH_DYNAMODB_SEGMENTS_MAX; i++)
    wh_dynamodb_part_free(&f->segments[i]);
  for (size_t i = 0; i < f->shards.count; i++) {
    wh_dynamodb_part *part = f->shards.items[i]->reading;
    if (part) wh_dynamodb_part_free(part);
    wh_mem_free(mem, part, sizeof *part);
  }
  wh_dynamodb_shards_free(&f->shards);
  wh_aws_give(f->tables);
  wh_aws_give(f->streams);
  wh_dynamodb_lines_free(&f->lines);
  wh_buf_free(&f->positions);
  wh_arena_free(&f->page_arena);
  wh_arena_free(&f->arena);
  wh_mem_free(mem, f, sizeof *f);
}

static wh_status start(wh_feed *f, const wh_feed_position *positions, size_t count, wh_error *err) {
  wh_connection *c = f->connection;
  const wh_dynamodb_stream *own = c->own;
  wh_dynamodb_table table;
  wh_status status = wh_aws_take(own->tables, c->cancel, &f->tables, err);
  if (status == WH_OK) status = wh_aws_take(own->streams, c->cancel, &f->streams, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  WH_TRY(status);
  WH_TRY(wh_dynamodb_find(c, f->tables, f->options->table, &f->arena, &table, err));
  WH_TRY(check_view(f, &table, err));
  f->stream = table.stream;
  f->lines.key[0] = table.hash.name;
  f->lines.key[1] = table.range.name;
  f->opened_us = wh_dynamodb_stream_now(f);
  WH_TRY(wh_dynamodb_export_make(f, &table, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(restore(f, &positions[i], err));
  return WH_OK;
}

static wh_status feed_open(wh_connection *c, const wh_schema *schema,
                           const wh_feed_position *positions, size_t count, wh_feed **ret,
                           wh_error *err) {
  wh_feed *f = wh_mem_alloc_zero(c->mem, sizeof *f);
  if (!f) return wh_fail_memory(err);
  f->connection = c;
  f->options = c->options;
  wh_arena_init(&f->arena, c->mem);
  wh_arena_init(&f->page_arena, c->mem);
  wh_buf_init(&f->positions, c->mem, 0);
  wh_dynamodb_lines_init(&f->lines, c->mem, schema);
  wh_dynamodb_shards_init(&f->shards, c->mem);
  wh_status status = start(f, positions, count, err);
  if (status == WH_OK)
    *ret = f;
  else
    feed_close(f);
  return status;
}

static void feed_wake(wh_feed *f) {
  atomic_store(&f->woken, true);
}

const wh_feed_type wh_dynamodb_feed = {
    .schema = wh_dynamodb_change_schema,
    .open = feed_open,
    .next = feed_next,
    .caught_up = wh_dynamodb_stream_caught_up,
    .wake = feed_wake,
    .close = feed_close,
};
