// The stream's shards: which there are, and their records.
#include "connect/dynamodb/stream.h"

#define ACTION(name) WH_STR("DynamoDBStreams_20120810." name)

// --- What was lost -------------------------------------------------------------------------------

static wh_status lost(const wh_feed *f, const char *what, wh_error *err) {
  return wh_fail(err, WH_ERR_CHANGED,
                 "%.*s: changes of %.*s are LOST: its stream keeps them for 24 hours, and %s. "
                 "Nothing is read until every item is, with: wherry run --full and the pipelines "
                 "that read %.*s. What was deleted meanwhile they do not learn",
                 WH_STR_ARG(f->connection->name), WH_STR_ARG(f->options->table), what,
                 WH_STR_ARG(f->connection->name));
}

static wh_status lost_behind(const wh_feed *f, const wh_dynamodb_shard *s, wh_error *err) {
  char what[160];
  snprintf(what, sizeof what, "what came behind %s%s in shard %s is gone",
           s->after[0] ? "record " : "the beginning", s->after, s->id);
  return lost(f, what, err);
}

// --- Which there are -----------------------------------------------------------------------------

static wh_status tell_gone(void *context, wh_dynamodb_shard *shard, wh_error *err) {
  wh_feed *f = context;
  char name[sizeof WH_DYNAMODB_SHARD_POSITION + WH_DYNAMODB_SHARD_ID_MAX];
  snprintf(name, sizeof name, WH_DYNAMODB_SHARD_POSITION "%s", shard->id);
  wh_dynamodb_part *part = shard->reading;
  if (part) wh_dynamodb_part_free(part);
  wh_mem_free(f->connection->mem, part, sizeof *part);
  shard->reading = NULL;
  return wh_dynamodb_tell(f, name, (wh_str){0}, err);
}

static wh_status start_reading(wh_feed *f, wh_dynamodb_shard *shard, wh_error *err) {
  wh_mem *mem = f->connection->mem;
  wh_dynamodb_part *part = wh_mem_alloc_zero(mem, sizeof *part);
  if (!part) return wh_fail_memory(err);
  part->shard = shard;
  wh_buf_init(&part->iterator, mem, 0);
  wh_buf_init(&part->body, mem, 0);
  wh_buf_init(&part->after, mem, 0);
  shard->reading = part;
  return WH_OK;
}

// Until when all is read of shards that no position speaks of: where none was ever told of, they
// are as old as the feed; else they came since all was read.
static int64_t known_to(const wh_feed *f) {
  return f->knows_shards && f->read_to_us ? f->read_to_us : f->begun_us;
}

static wh_status check_shards(wh_feed *f, wh_error *err) {
  int64_t now_us = wh_dynamodb_stream_now(f);
  for (size_t i = 0; i < f->shards.count; i++) {
    wh_dynamodb_shard *shard = f->shards.items[i];
    if (!f->is_described && !shard->fresh_us && !shard->of) shard->fresh_us = known_to(f);
    if (!shard->is_done && !shard->after[0] && !wh_dynamodb_shard_is_whole(shard, now_us))
      return lost_behind(f, shard, err);
    if (!shard->reading) WH_TRY(start_reading(f, shard, err));
  }
  return WH_OK;
}

static wh_status list_page(wh_feed *f, wh_str after, wh_buf *body, json_t **ret, wh_error *err) {
  wh_connection *c = f->connection;
  bool missing;
  wh_buf_clear(body);
  wh_buf_add_c(body, "{\"StreamArn\":");
  wh_buf_add_json(body, f->stream);
  if (after.len) {
    wh_buf_add_c(body, ",\"ExclusiveStartShardId\":");
    wh_buf_add_json(body, after);
  }
  wh_buf_add_char(body, '}');
  WH_TRY(wh_dynamodb_call(c, f->streams, ACTION("DescribeStream"), body, &missing, ret, err));
  return missing ? lost(f, "it is not there any more", err) : WH_OK;
}

wh_status wh_dynamodb_stream_list(wh_feed *f, wh_error *err) {
  WH_CLEAN_BUF wh_buf body;
  WH_CLEAN_BUF wh_buf after;
  wh_buf_init(&body, f->connection->mem, 0);
  wh_buf_init(&after, f->connection->mem, 0);
  wh_dynamodb_shards_forget(&f->shards);
  size_t pages = 0; // each has a shard at least
  do {
    WH_CLEAN_JSON json_t *answer = NULL;
    wh_str last;
    WH_TRY(list_page(f, wh_buf_str(&after), &body, &answer, err));
    const json_t *description = json_object_get(answer, "StreamDescription");
    WH_TRY(wh_dynamodb_shards_list(&f->shards, description, &last, err));
    wh_buf_clear(&after);
    wh_buf_add_str(&after, last);
    WH_TRY(wh_buf_check(&after, err));
  } while (after.len && ++pages < WH_DYNAMODB_SHARDS_MAX);
  wh_error why = {0};
  wh_status status = wh_dynamodb_shards_settle(&f->shards, tell_gone, f, &why);
  if (status == WH_ERR_CHANGED) return lost(f, why.text, err);
  if (status == WH_OK) status = check_shards(f, &why);
  if (status != WH_OK && err) *err = why;
  f->is_described = true;
  return status;
}

// --- Requests ------------------------------------------------------------------------------------

// From the oldest where nothing was read, or where what was read is not known there any more.
static wh_status ask_iterator(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  const wh_dynamodb_shard *s = part->shard;
  bool is_behind = s->after[0] && !s->is_at_front;
  wh_buf_add_c(&part->body, "{\"StreamArn\":");
  wh_buf_add_json(&part->body, f->stream);
  wh_buf_printf(&part->body, ",\"ShardId\":\"%s\",\"ShardIteratorType\":\"%s\"", s->id,
                is_behind ? "AFTER_SEQUENCE_NUMBER" : "TRIM_HORIZON");
  if (is_behind) wh_buf_printf(&part->body, ",\"SequenceNumber\":\"%s\"", s->after);
  wh_buf_add_char(&part->body, '}');
  part->asks_iterator = true;
  return wh_dynamodb_part_start(f, part, ACTION("GetShardIterator"), err);
}

wh_status wh_dynamodb_shard_ask(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  wh_buf_clear(&part->body);
  if (!part->iterator.len) return ask_iterator(f, part, err);
  wh_buf_add_c(&part->body, "{\"ShardIterator\":");
  wh_buf_add_json(&part->body, wh_buf_str(&part->iterator));
  wh_buf_printf(&part->body, ",\"Limit\":%d}", WH_DYNAMODB_STREAM_RECORDS);
  part->asks_iterator = false;
  part->asked_us = wh_dynamodb_stream_now(f);
  return wh_dynamodb_part_start(f, part, ACTION("GetRecords"), err);
}

// --- Answers -------------------------------------------------------------------------------------

// The iterator is too old, or what it stands for is gone. The latter loses nothing where all that
// follows is still kept.
static wh_status iterate_again(wh_feed *f, wh_dynamodb_part *part, bool is_trimmed, wh_error *err) {
  wh_dynamodb_shard *s = part->shard;
  if (is_trimmed && !wh_dynamodb_shard_is_whole(s, wh_dynamodb_stream_now(f)))
    return lost_behind(f, s, err);
  s->is_at_front = s->is_at_front || is_trimmed;
  wh_buf_clear(&part->iterator);
  part->due_us += WH_DYNAMODB_STREAM_BUSY_US;
  return WH_OK;
}

static wh_status tell_shard(wh_feed *f, wh_dynamodb_shard *s, wh_error *err) {
  char name[sizeof WH_DYNAMODB_SHARD_POSITION + WH_DYNAMODB_SHARD_ID_MAX];
  char value[WH_DYNAMODB_SEQUENCE_MAX + 32];
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, f->connection->mem, sizeof value);
  snprintf(name, sizeof name, WH_DYNAMODB_SHARD_POSITION "%s", s->id);
  wh_dynamodb_shard_write(s, &text);
  WH_TRY(wh_buf_check(&text, err));
  s->told_us = s->fresh_us;
  return wh_dynamodb_tell(f, name, wh_buf_str(&text), err);
}

// Whether a position is due: of what came, of the end, and now and then of nothing.
static bool is_to_be_told(const wh_dynamodb_shard *s) {
  return s->is_done || s->fresh_us - s->told_us > WH_DYNAMODB_STREAM_REST_US;
}

static wh_status take_records(wh_feed *f, wh_dynamodb_part *part, const json_t *answer,
                              wh_error *err) {
  wh_dynamodb_shard *s = part->shard;
  wh_dynamodb_read_to to;
  f->lines.after = s->is_at_front ? wh_str_of(s->after) : (wh_str){0};
  WH_TRY(wh_dynamodb_add_records(&f->lines, answer, &to, err));
  bool any = to.sequence[0] != 0;
  bool is_new = any && wh_dynamodb_sequence_cmp(wh_str_of(to.sequence), wh_str_of(s->after)) > 0;
  s->empties = any ? 0 : s->empties + 1;
  if (is_new) {
    memcpy(s->after, to.sequence, sizeof s->after);
    s->is_at_front = false;
    if (to.time_us > s->fresh_us) s->fresh_us = to.time_us;
    if (to.time_us > f->opened_us) s->is_caught_up = true;
  }
  wh_str next = wh_json_text(answer, "NextShardIterator");
  wh_buf_clear(&part->iterator);
  wh_buf_add_str(&part->iterator, next);
  s->is_done = next.len == 0;
  if (s->is_done) f->list_us = 0; // it may have children
  if (is_new || is_to_be_told(s)) WH_TRY(tell_shard(f, s, err));
  return wh_buf_check(&part->iterator, err);
}

static void choose_due(wh_dynamodb_part *part) {
  wh_dynamodb_shard *s = part->shard;
  bool is_idle = s->empties >= WH_DYNAMODB_STREAM_EMPTIES;
  // Some empty answers in a row are the end; the first may be a gap.
  if (is_idle && part->asked_us > s->fresh_us) s->fresh_us = part->asked_us;
  if (is_idle) s->is_caught_up = true;
  part->pause_us = 0;
  part->due_us += is_idle ? WH_DYNAMODB_STREAM_IDLE_US : WH_DYNAMODB_STREAM_BUSY_US;
}

wh_status wh_dynamodb_shard_take(wh_feed *f, wh_dynamodb_part *part, wh_error *err) {
  const wh_aws_exchange *x = part->exchange;
  WH_CLEAN_JSON json_t *answer = NULL;
  bool is_trimmed = wh_aws_is(x, "TrimmedDataAccessException");
  if (is_trimmed || wh_aws_is(x, "ExpiredIteratorException"))
    return iterate_again(f, part, is_trimmed, err);
  if (wh_aws_is(x, "ResourceNotFoundException")) return lost_behind(f, part->shard, err);
  if (x->status != WH_OK) return wh_dynamodb_part_failed(f, part, err);
  WH_TRY(wh_dynamodb_parse(f->connection, x->body, &answer, err));
  if (part->asks_iterator) {
    wh_buf_clear(&part->iterator);
    wh_buf_add_str(&part->iterator, wh_json_text(answer, "ShardIterator"));
    if (part->iterator.len) return wh_buf_check(&part->iterator, err);
    return wh_fail(err, WH_ERR_DATA, "%.*s: the server's answer has no iterator",
                   WH_STR_ARG(f->connection->name));
  }
  wh_status status = take_records(f, part, answer, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(f->connection->name));
  choose_due(part);
  return status;
}

// --- The whole -----------------------------------------------------------------------------------

bool wh_dynamodb_stream_caught_up(const wh_feed *f) {
  if (!f->is_begun || f->segments_left || !f->is_described || !f->list_us) return false;
  for (size_t i = 0; i < f->shards.count; i++)
    if (!f->shards.items[i]->is_caught_up && !f->shards.items[i]->is_done) return false;
  return true;
}

// Everything that was made before is read; 0: nobody knows.
static int64_t read_to(const wh_feed *f) {
  int64_t least_us = wh_dynamodb_stream_now(f);
  for (size_t i = 0; i < f->shards.count; i++) {
    const wh_dynamodb_shard *s = f->shards.items[i];
    if (!wh_dynamodb_shard_is_ready(s)) continue; // its parent counts, if it has one
    if (s->fresh_us < least_us) least_us = s->fresh_us;
  }
  return least_us;
}

wh_status wh_dynamodb_stream_tell_rest(wh_feed *f, wh_error *err) {
  int64_t now_us = wh_now_us(f->connection->os), to_us = f->is_described ? read_to(f) : 0;
  if (now_us - f->told_us < WH_DYNAMODB_STREAM_TELL_US || !to_us || f->segments_left) return WH_OK;
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)to_us);
  f->told_us = now_us;
  return wh_dynamodb_tell(f, "read-to", wh_str_of(text), err);
}
