#include "engine/inbox.h"

#include "base/crypto.h"
#include "base/log.h"
#include "connect/ingest/intake.h"
#include "connect/ingest/log.h"
#include "engine/follower.h"

static const int64_t DAY_US = 86400ll * 1000000;

// A message that is stored and not deleted yet.
typedef struct held {
  uint64_t receipt;            // the queue's
  int64_t until;               // number behind its last event
  int64_t hidden_us, shown_us; // how long it is hidden at a time; when it is to be seen again
} held;

struct wh_inbox {
  wh_engine *engine;
  const wh_ingest_endpoint *endpoint;
  wh_connection *connection, *events; // the queue; what pipelines read
  const wh_queue_type *type;          // of a queue
  wh_queue_handle *handle;
  wh_follower *follower; // of a feed; else NULL
  uint64_t bytes;        // that wait, of a feed
  wh_ingest_log *log;
  wh_lease lease;
  held *held;
  size_t count, cap;
  int64_t pruned; // events below this number are gone
};

// --- storing -------------------------------------------------------------------------------------

// A message on its way into the log.
typedef struct letter {
  const wh_event *event;
  wh_intake intake;
  wh_ingest_entry entry;
  uint8_t id[WH_SHA256_BYTES];
} letter;

static wh_status hold(wh_inbox *b, const letter *l, int64_t now_us, wh_error *err) {
  if (b->count == b->cap) {
    size_t cap = b->cap ? 2 * b->cap : 64;
    held *moved =
        wh_mem_realloc(b->engine->mem, b->held, b->cap * sizeof *moved, cap * sizeof *moved);
    if (!moved) return wh_fail_memory(err);
    b->held = moved;
    b->cap = cap;
  }
  const wh_ingest_receipt *r = &l->entry.receipt;
  b->held[b->count++] = (held){.receipt = l->event->receipt,
                               .until = r->first + (int64_t)r->events,
                               .hidden_us = l->event->hidden_us,
                               .shown_us = now_us + l->event->hidden_us};
  return WH_OK;
}

// As one line: between the tokens of JSON a line's end is white space.
static wh_status read_letter(const wh_inbox *b, letter *l, wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, b->engine->mem, 0);
  wh_str body = wh_str_trim(l->event->body);
  if (!body.len) body = WH_STR("\"\""); // no event, but something that can be shown
  wh_buf_add_str(&line, body);
  for (size_t i = 0; i < line.len; i++)
    if (line.data[i] == '\n' || line.data[i] == '\r') line.data[i] = ' ';
  WH_TRY(wh_buf_check(&line, err));
  wh_schema columns = wh_ingest_declared(b->endpoint);
  size_t line_max = (size_t)b->engine->config->memory_bytes / WH_CONFIG_ROW_SHARE;
  WH_TRY(wh_intake_read(&l->intake, &columns, WH_INTAKE_LINES, wh_buf_str(&line), line_max, err));
  wh_sha256_of(l->event->id, l->id);
  l->entry = (wh_ingest_entry){.lines = wh_buf_str(&l->intake.lines),
                               .events = l->intake.events,
                               .rejected = l->intake.rejected,
                               .idempotency = l->id,
                               .body_hash = l->id};
  return WH_OK;
}

// What cannot be stored at all is given back: after so many times the queue takes it for dead.
static void give_back(wh_inbox *b, const wh_event *event, const wh_error *why) {
  wh_error ignored = {0};
  if (why) wh_log_error(WH_LOG_WARN, "queue", why);
  WH_IGNORE(b->type->fail(b->handle, event->receipt, &ignored));
}

static void tell(const wh_inbox *b, const letter *letters, size_t count) {
  uint64_t events = 0, bytes = 0;
  for (size_t i = 0; i < count; i++) {
    if (letters[i].entry.outcome != WH_INGEST_STORED) continue;
    events += letters[i].entry.events;
    bytes += letters[i].entry.lines.len;
  }
  if (events) wh_ingest_tell(b->events, b->endpoint, events, bytes);
}

static wh_status append(wh_inbox *b, letter *letters, size_t count, wh_error *err) {
  wh_ingest_entry *entries[WH_INBOX_BATCH];
  int64_t now_us = wh_now_us(b->engine->os);
  for (size_t i = 0; i < count; i++)
    entries[i] = &letters[i].entry;
  if (!count) return WH_OK;
  wh_status status =
      wh_ingest_log_append(b->log, entries, count, now_us - WH_INBOX_KEEP_DAYS * DAY_US, err);
  for (size_t i = 0; status != WH_OK && i < count; i++)
    give_back(b, letters[i].event, NULL);
  WH_TRY(status);
  tell(b, letters, count);
  for (size_t i = 0; i < count; i++)
    WH_TRY(hold(b, &letters[i], now_us, err));
  return WH_OK;
}

static wh_status store(wh_inbox *b, const wh_event *events, size_t count, wh_error *err) {
  letter letters[WH_INBOX_BATCH] = {0};
  size_t good = 0;
  for (size_t i = 0; i < count; i++) {
    letter *l = &letters[good];
    wh_error why = {0};
    l->event = &events[i];
    wh_intake_init(&l->intake, b->engine->mem);
    if (read_letter(b, l, &why) == WH_OK) {
      good++;
      continue;
    }
    wh_error_prefix(&why, "%.*s: message %.*s: ", WH_STR_ARG(b->connection->name),
                    WH_STR_ARG(events[i].id));
    give_back(b, &events[i], &why);
    wh_intake_free(&l->intake);
  }
  wh_status status = append(b, letters, good, err);
  for (size_t i = 0; i < good; i++)
    wh_intake_free(&letters[i].intake);
  return status;
}

static wh_status follow(wh_inbox *b, int64_t wait_us, size_t *ret_count, wh_error *err) {
  uint64_t bytes;
  WH_TRY(wh_follower_take(b->follower, wait_us, ret_count, &bytes, err));
  b->bytes += bytes;
  if (*ret_count) wh_ingest_tell(b->events, b->endpoint, *ret_count, bytes);
  return WH_OK;
}

wh_status wh_inbox_take(wh_inbox *b, int64_t wait_us, size_t *ret_count, wh_error *err) {
  wh_event events[WH_INBOX_BATCH];
  bool lost;
  *ret_count = 0;
  if (wh_inbox_held(b) < WH_INBOX_HELD_MAX && b->follower)
    return follow(b, wait_us, ret_count, err);
  if (wh_inbox_held(b) >= WH_INBOX_HELD_MAX) {
    b->engine->os->type->sleep_ns(b->engine->os, wait_us * 1000);
    return WH_OK;
  }
  WH_TRY(b->type->receive(b->handle, events, WH_INBOX_BATCH, wait_us, ret_count, &lost, err));
  return *ret_count ? store(b, events, *ret_count, err) : WH_OK;
}

// --- afterwards ----------------------------------------------------------------------------------

static wh_status keep_hidden(wh_inbox *b, held *h, int64_t now_us, wh_error *err) {
  if (now_us < h->shown_us - h->hidden_us / 2) return WH_OK;
  h->shown_us = now_us + h->hidden_us;
  return b->type->extend(b->handle, h->receipt, h->hidden_us, err);
}

static wh_status settle_held(wh_inbox *b, int64_t next, wh_error *err) {
  int64_t now_us = wh_now_us(b->engine->os);
  wh_status first = WH_OK;
  size_t kept = 0;
  for (size_t i = 0; i < b->count; i++) {
    held *h = &b->held[i];
    bool is_taken = h->until <= next;
    wh_error *why = first == WH_OK ? err : NULL;
    wh_status status =
        is_taken ? b->type->done(b->handle, h->receipt, why) : keep_hidden(b, h, now_us, why);
    if (first == WH_OK) first = status;
    if (!is_taken) b->held[kept++] = *h;
  }
  b->count = kept;
  wh_status sent = b->type->flush ? b->type->flush(b->handle, first == WH_OK ? err : NULL) : WH_OK;
  return first == WH_OK ? sent : first;
}

static wh_status prune(wh_inbox *b, int64_t next, wh_error *err) {
  if (next == b->pruned) return WH_OK;
  wh_ingest_pruned gone = {.more = true};
  int64_t since_us = wh_now_us(b->engine->os) - WH_INBOX_KEEP_DAYS * DAY_US;
  while (gone.more) {
    WH_TRY(wh_ingest_log_prune(b->log, next, since_us, &gone, err));
    b->bytes -= gone.bytes < b->bytes ? gone.bytes : b->bytes;
  }
  b->pruned = next;
  return WH_OK;
}

wh_status wh_inbox_settle(wh_inbox *b, wh_error *err) {
  int64_t next;
  WH_TRY(wh_engine_ingested(b->engine, b->endpoint->name, &next, err));
  wh_status settled = b->follower ? WH_OK : settle_held(b, next, err);
  wh_status pruned = prune(b, next, settled == WH_OK ? err : NULL);
  return settled == WH_OK ? pruned : settled;
}

size_t wh_inbox_held(const wh_inbox *b) {
  if (b->follower) return b->bytes < WH_INBOX_BYTES_MAX ? 1 : WH_INBOX_HELD_MAX;
  return b->count;
}

bool wh_inbox_caught_up(const wh_inbox *b) {
  return b->follower && wh_follower_caught_up(b->follower);
}

wh_status wh_inbox_again(wh_inbox *b, wh_error *err) {
  return b->follower ? wh_follower_again(b->follower, err) : WH_OK;
}

// --- opening -------------------------------------------------------------------------------------

static wh_status acquire(wh_inbox *b, wh_error *err) {
  char name[WH_CONFIG_NAME_MAX + 16]; // no pipeline is called that
  snprintf(name, sizeof name, "@queue-%.*s", WH_STR_ARG(b->endpoint->name));
  wh_ledger *ledger = b->engine->ledger;
  return ledger->type->acquire(ledger, wh_str_of(name), &b->lease, err);
}

static wh_status open_feed(wh_inbox *b, wh_error *err) {
  wh_ingest_state state;
  WH_TRY(wh_ingest_log_state(b->log, 0, &state, err));
  b->bytes = state.bytes;
  return wh_follower_make(b->engine, b->endpoint, b->connection, b->log, &b->follower, err);
}

static wh_status open(wh_inbox *b, wh_error *err) {
  wh_engine *e = b->engine;
  WH_TRY(acquire(b, err));
  WH_TRY(wh_config_connect(e->config, b->endpoint->queue, &b->connection, err));
  WH_TRY(wh_config_connect(e->config, WH_STR(WH_INGEST_CONNECTION), &b->events, err));
  WH_TRY(wh_ingest_log_open(e->os, e->mem, b->endpoint->log, &b->log, err));
  if (b->connection->type->feed) return open_feed(b, err);
  b->type = b->connection->type->queue;
  return b->type->open_messages(b->connection, &b->handle, err);
}

wh_status wh_inbox_open(wh_engine *engine, const wh_ingest_endpoint *endpoint, wh_inbox **ret,
                        wh_error *err) {
  wh_inbox *b = wh_mem_alloc_zero(engine->mem, sizeof *b);
  if (!b) return wh_fail_memory(err);
  b->engine = engine;
  b->endpoint = endpoint;
  wh_status status = open(b, err);
  if (status == WH_OK)
    *ret = b;
  else
    wh_inbox_close(b);
  return status;
}

void wh_inbox_wake(wh_inbox *b) {
  if (b->follower)
    wh_follower_wake(b->follower);
  else if (b->type->wake)
    b->type->wake(b->handle);
}

void wh_inbox_close(wh_inbox *b) {
  if (!b) return;
  if (b->handle) b->type->close(b->handle);
  wh_follower_close(b->follower);
  wh_ingest_log_close(b->log);
  b->engine->ledger->type->release(b->engine->ledger, &b->lease);
  wh_mem_free(b->engine->mem, b->held, b->cap * sizeof *b->held);
  wh_mem_free(b->engine->mem, b, sizeof *b);
}
