#include "connect/splunk/deliver.h"

#include "codec/compression.h"

#include <stdio.h>

enum { NS_PER_US = 1000, SLEEP_NS = 50 * 1000000, EVENTS_FIRST = 256 };

static int64_t now_ns(const wh_splunk_delivery *d) {
  return d->connection->os->type->monotonic_ns(d->connection->os);
}

// --- parcels -------------------------------------------------------------------------------------

// A random GUID (RFC 9562, version 4).
static wh_status make_channel(wh_splunk_delivery *d, wh_error *err) {
  uint8_t r[16];
  WH_TRY(d->connection->os->type->random(d->connection->os, r, sizeof r, err));
  r[6] = (uint8_t)((r[6] & 0x0F) | 0x40);
  r[8] = (uint8_t)((r[8] & 0x3F) | 0x80);
  snprintf(d->channel, sizeof d->channel,
           "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2],
           r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
  return WH_OK;
}

wh_status wh_splunk_delivery_init(wh_splunk_delivery *d, wh_connection *c, wh_str url,
                                  wh_error *err) {
  *d = (wh_splunk_delivery){.connection = c, .url = url};
  wh_buf_init(&d->question, c->mem, 0);
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++) {
    wh_buf_init(&d->parcels[i].text, c->mem, 0);
    wh_buf_init(&d->parcels[i].packed, c->mem, 0);
  }
  WH_TRY(make_channel(d, err));
  return wh_splunk_http(c, &d->http, err);
}

static void count(wh_splunk_delivery *d, const wh_splunk_parcel *p, bool more) {
  size_t by = more ? 1 : (size_t)-1;
  if (p->state == WH_SPLUNK_WAITING) d->waiting += by;
  if (p->state == WH_SPLUNK_SENT) d->sent += by;
  if (p->state != WH_SPLUNK_UNACKED) return;
  d->unacked += by;
  d->unacked_bytes += more ? p->body.len : (size_t)0 - p->body.len;
}

static void move(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_splunk_state state) {
  count(d, p, false);
  if (p->state == WH_SPLUNK_SENT) {
    wh_http_end(p->exchange);
    p->exchange = NULL;
  }
  p->state = state;
  count(d, p, true);
}

static void let_go(wh_splunk_delivery *d, wh_splunk_parcel *p) {
  move(d, p, WH_SPLUNK_FREE);
  wh_buf_clear(&p->text);
  wh_buf_free(&p->packed);
  p->count = 0;
}

static void free_events(const wh_splunk_delivery *d, wh_splunk_parcel *p) {
  wh_mem_free(d->connection->mem, p->events, p->cap * sizeof *p->events);
  p->events = NULL;
  p->count = p->cap = 0;
}

void wh_splunk_delivery_stop(wh_splunk_delivery *d) {
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++)
    let_go(d, &d->parcels[i]);
  wh_http_end(d->asking);
  d->asking = NULL;
}

void wh_splunk_delivery_free(wh_splunk_delivery *d) {
  if (!d->connection) return;
  wh_splunk_delivery_stop(d);
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++) {
    wh_splunk_parcel *p = &d->parcels[i];
    wh_buf_free(&p->text);
    free_events(d, p);
  }
  wh_buf_free(&d->question);
  wh_http_free(d->http);
  *d = (wh_splunk_delivery){0};
}

wh_status wh_splunk_parcel_add(const wh_splunk_delivery *d, wh_splunk_parcel *p, size_t row,
                               wh_error *err) {
  WH_TRY(wh_buf_check(&p->text, err));
  if (p->count == p->cap) {
    size_t cap = p->cap ? 2 * p->cap : EVENTS_FIRST;
    wh_splunk_event *grown =
        wh_mem_realloc(d->connection->mem, p->events, p->cap * sizeof *grown, cap * sizeof *grown);
    if (!grown) return wh_fail_memory(err);
    p->events = grown;
    p->cap = cap;
  }
  p->events[p->count++] = (wh_splunk_event){.end = p->text.len, .row = row};
  return WH_OK;
}

// Takes one event out of it; the text before and behind it stays.
static void take_out(wh_splunk_parcel *p, size_t number) {
  size_t from = number ? p->events[number - 1].end : 0, to = p->events[number].end;
  memmove(p->text.data + from, p->text.data + to, p->text.len - to);
  p->text.len -= to - from;
  p->count--;
  for (size_t i = number; i < p->count; i++)
    p->events[i] =
        (wh_splunk_event){.end = p->events[i + 1].end - (to - from), .row = p->events[i + 1].row};
}

typedef struct packing {
  wh_output base;
  wh_buf *to;
} packing;

static wh_status pack_write(wh_output *base, const void *data, size_t len, wh_error *err) {
  packing *out = (packing *)base;
  wh_buf_add(out->to, data, len);
  return wh_buf_check(out->to, err);
}

static wh_status pack(const wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  packing out = {.base.write = pack_write, .to = &p->packed};
  wh_compressor *gzip = NULL;
  p->body = wh_buf_str(&p->text);
  if (!wh_splunk_options_of(d->connection)->gzip) return WH_OK;
  wh_buf_clear(&p->packed);
  WH_TRY(wh_compress_open(d->connection->mem, &out.base, WH_GZIP, &gzip, err));
  wh_status status = wh_output_write(&gzip->output, p->text.data, p->text.len, err);
  if (status == WH_OK) status = gzip->finish(gzip, err);
  wh_compressor_close(gzip);
  p->body = wh_buf_str(&p->packed);
  return status;
}

// --- sending -------------------------------------------------------------------------------------

static wh_status start(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  const wh_connection *c = d->connection;
  wh_http_header headers[WH_SPLUNK_HEADERS];
  wh_http_request request = wh_splunk_request(c, "POST", d->url, wh_str_of(d->channel),
                                              wh_splunk_options_of(c)->gzip, headers, &p->body);
  request.tag = p;
  WH_TRY(wh_http_start(d->http, &request, &p->exchange, err));
  move(d, p, WH_SPLUNK_SENT);
  return WH_OK;
}

// At the time that is given, or as soon as there is a connection.
static void wait_until(wh_splunk_delivery *d, wh_splunk_parcel *p, int64_t due_ns) {
  p->due_ns = due_ns;
  move(d, p, WH_SPLUNK_WAITING);
}

static void begin_attempts(const wh_splunk_delivery *d, wh_splunk_parcel *p) {
  p->retry = (wh_retry){.os = d->connection->os, .attempts_max = WH_SPLUNK_ATTEMPTS};
}

// To be sent at once, for the first time or with other events than before.
static wh_status get_ready(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  WH_TRY(pack(d, p, err));
  begin_attempts(d, p);
  wait_until(d, p, now_ns(d));
  return WH_OK;
}

static wh_status again_later(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_retry_reason reason,
                             const char *why, wh_error *err) {
  int64_t wait_us, after_us = 0;
  if (p->exchange->status == WH_OK)
    after_us = wh_retry_after_us(wh_http_header_get(p->exchange, "Retry-After"),
                                 wh_now_us(d->connection->os));
  if (wh_retry_again(&p->retry, reason, after_us, &wait_us)) {
    wait_until(d, p, now_ns(d) + wait_us * NS_PER_US);
    return WH_OK;
  }
  wh_status status = wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: %s (tried %d times)",
                             WH_STR_ARG(d->connection->name), why, p->retry.attempts);
  if (err) err->retry = true;
  return status;
}

static wh_status came_to_nothing(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  const wh_http_exchange *x = p->exchange;
  if (x->status == WH_ERR_UNAVAILABLE)
    return again_later(d, p, x->timed_out ? WH_RETRY_TIMEOUT : WH_RETRY_TRANSIENT, x->error.text,
                       err);
  if (err) *err = x->error;
  wh_error_prefix(err, "%.*s: ", WH_STR_ARG(d->connection->name));
  return x->status;
}

// The others are sent without it. Those before it may have been taken: they come again.
static wh_status without(wh_splunk_delivery *d, wh_splunk_parcel *p, const wh_splunk_answer *a,
                         wh_error *err) {
  size_t number = a->has_number ? (size_t)a->number : 0;
  if (p->sends || number >= p->count || (!a->has_number && p->count > 1))
    return wh_splunk_answer_fail(d->connection, p->exchange->code, a, err);
  WH_TRY(d->refused(d->context, p->events[number].row, a, err));
  take_out(p, number);
  if (p->count == 0) {
    let_go(d, p);
    return WH_OK;
  }
  return get_ready(d, p, err);
}

static wh_status too_large(wh_splunk_delivery *d, wh_splunk_parcel *p, const wh_splunk_answer *a,
                           wh_error *err) {
  if (p->count == 1) {
    wh_splunk_answer first = *a;
    first.has_number = true;
    return without(d, p, &first, err);
  }
  return wh_fail(err, WH_ERR_LIMIT,
                 "%.*s: a request of %zu bytes is more than the collector takes. Say batch_size "
                 "with less, or raise max_content_length in its limits.conf",
                 WH_STR_ARG(d->connection->name), p->text.len);
}

// It was restarted, so that the channel is another, or there are two: nobody knows then which
// request a number stands for. Whoever tries again has a channel of its own.
static wh_status number_came_twice(const wh_splunk_delivery *d, wh_error *err) {
  wh_status status = wh_fail(
      err, WH_ERR_UNAVAILABLE,
      "%.*s: two requests got the same number to be acknowledged by. Either the collector was "
      "restarted, or there is more than one behind `url`: then name one, or have the same client "
      "always sent to the same",
      WH_STR_ARG(d->connection->name));
  if (err) err->retry = true;
  return status;
}

static wh_status keep_unacked(wh_splunk_delivery *d, wh_splunk_parcel *p, const wh_splunk_answer *a,
                              wh_error *err) {
  if (!a->has_ack)
    return wh_fail(err, WH_ERR_USAGE,
                   "%.*s: events were taken, but nobody will say when they are safe: the token "
                   "acknowledges nothing. Turn on indexer acknowledgement for it, or say ack: no",
                   WH_STR_ARG(d->connection->name));
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++)
    if (d->parcels[i].state == WH_SPLUNK_UNACKED && d->parcels[i].ack == a->ack)
      return number_came_twice(d, err);
  p->ack = a->ack;
  p->due_ns = now_ns(d) + wh_splunk_options_of(d->connection)->ack_timeout_us * NS_PER_US;
  move(d, p, WH_SPLUNK_UNACKED);
  free_events(d, p);
  if (p->body.data != p->text.data) wh_buf_free(&p->text);
  if (d->unacked > 1) return WH_OK;
  d->ask_pause_us = WH_SPLUNK_POLL_US_MIN;
  d->ask_due_ns = now_ns(d) + d->ask_pause_us * NS_PER_US;
  return WH_OK;
}

static wh_status take_answer(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  const wh_http_exchange *x = p->exchange;
  if (x->status != WH_OK) return came_to_nothing(d, p, err);
  wh_splunk_answer a;
  char why[sizeof a.text + 64];
  wh_splunk_answer_read(x->code, x->body, &a);
  switch (a.verdict) {
  case WH_SPLUNK_TAKEN:
    if (wh_splunk_options_of(d->connection)->ack) return keep_unacked(d, p, &a, err);
    let_go(d, p);
    return WH_OK;
  case WH_SPLUNK_LATER:
    snprintf(why, sizeof why, "the collector takes nothing now: %s (HTTP %d)",
             a.text[0] ? a.text : "no reason given", x->code);
    return again_later(d, p, x->code == 429 ? WH_RETRY_THROTTLED : WH_RETRY_TRANSIENT, why, err);
  case WH_SPLUNK_BAD_EVENT:
    return without(d, p, &a, err);
  case WH_SPLUNK_TOO_LARGE:
    return too_large(d, p, &a, err);
  case WH_SPLUNK_REFUSED:
    break;
  }
  return wh_splunk_answer_fail(d->connection, x->code, &a, err);
}

// --- acknowledgements ----------------------------------------------------------------------------

static wh_status ask(wh_splunk_delivery *d, wh_error *err) {
  const wh_connection *c = d->connection;
  wh_buf_clear(&d->question);
  const char *before = "{\"acks\":[";
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++) {
    if (d->parcels[i].state != WH_SPLUNK_UNACKED) continue;
    wh_buf_add_c(&d->question, before);
    wh_buf_add_u64(&d->question, d->parcels[i].ack);
    before = ",";
  }
  wh_buf_add_c(&d->question, "]}");
  WH_TRY(wh_buf_check(&d->question, err));
  d->asked = wh_buf_str(&d->question);
  wh_http_header headers[WH_SPLUNK_HEADERS];
  wh_http_request request = wh_splunk_request(c, "POST", wh_splunk_place_of(c)->ack_url,
                                              wh_str_of(d->channel), false, headers, &d->asked);
  return wh_http_start(d->http, &request, &d->asking, err);
}

static void acknowledge(void *context, uint64_t ack) {
  wh_splunk_delivery *d = context;
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++) {
    wh_splunk_parcel *p = &d->parcels[i];
    if (p->state == WH_SPLUNK_UNACKED && p->ack == ack) let_go(d, p);
  }
}

// A question that came to nothing is asked again, for as long as the requests may wait.
static wh_status take_acks(wh_splunk_delivery *d, wh_error *err) {
  const wh_http_exchange *x = d->asking;
  wh_status status = WH_OK;
  size_t before = d->unacked;
  wh_splunk_answer a = {.verdict = WH_SPLUNK_LATER};
  if (x->status == WH_OK && x->code == 200) {
    status = wh_splunk_acks_read(x->body, acknowledge, d, err);
    if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(d->connection->name));
  } else if (x->status == WH_OK) {
    wh_splunk_answer_read(x->code, x->body, &a);
    if (a.verdict != WH_SPLUNK_LATER)
      status = wh_splunk_answer_fail(d->connection, x->code, &a, err);
  }
  wh_http_end(d->asking);
  d->asking = NULL;
  d->ask_pause_us = d->unacked < before                           ? WH_SPLUNK_POLL_US_MIN
                    : 2 * d->ask_pause_us > WH_SPLUNK_POLL_US_MAX ? WH_SPLUNK_POLL_US_MAX
                                                                  : 2 * d->ask_pause_us;
  d->ask_due_ns = now_ns(d) + d->ask_pause_us * NS_PER_US;
  return status;
}

static wh_status was_not_acknowledged(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  if (++p->sends < WH_SPLUNK_SENDS) {
    begin_attempts(d, p);
    wait_until(d, p, now_ns(d));
    return WH_OK;
  }
  wh_status status =
      wh_fail(err, WH_ERR_UNAVAILABLE,
              "%.*s: the indexers acknowledged nothing for %lld s, after each of %d sendings. See "
              "whether they are up and have room; ack_timeout says how long to wait",
              WH_STR_ARG(d->connection->name),
              (long long)(wh_splunk_options_of(d->connection)->ack_timeout_us / 1000000), p->sends);
  if (err) err->retry = true;
  return status;
}

// --- going on ------------------------------------------------------------------------------------

// Starts what is due. *ret_next_ns: when there is something to start again; INT64_MAX: nothing.
static wh_status start_due(wh_splunk_delivery *d, int64_t *ret_next_ns, wh_error *err) {
  int64_t now = now_ns(d), next = INT64_MAX;
  size_t most = (size_t)wh_splunk_options_of(d->connection)->connections;
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++) {
    wh_splunk_parcel *p = &d->parcels[i];
    bool timed = p->state == WH_SPLUNK_WAITING || p->state == WH_SPLUNK_UNACKED;
    if (timed && p->due_ns <= now && p->state == WH_SPLUNK_UNACKED && !d->asking)
      WH_TRY(was_not_acknowledged(d, p, err));
    if (p->state == WH_SPLUNK_WAITING && p->due_ns <= now && d->sent < most)
      WH_TRY(start(d, p, err));
    else if (timed && p->due_ns > now && p->due_ns < next)
      next = p->due_ns;
  }
  if (d->unacked && !d->asking && d->ask_due_ns <= now) WH_TRY(ask(d, err));
  if (d->unacked && !d->asking && d->ask_due_ns < next) next = d->ask_due_ns;
  *ret_next_ns = next;
  return WH_OK;
}

static wh_status sleep_until(const wh_splunk_delivery *d, int64_t until_ns, wh_error *err) {
  const wh_connection *c = d->connection;
  int64_t left = until_ns - now_ns(d);
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  if (left > 0) c->os->type->sleep_ns(c->os, left < SLEEP_NS ? left : SLEEP_NS);
  return WH_OK;
}

// Goes on until one more answer came, or a pause is over.
static wh_status step(wh_splunk_delivery *d, wh_error *err) {
  int64_t next_ns;
  WH_TRY(start_due(d, &next_ns, err));
  if (!d->sent && !d->asking) return sleep_until(d, next_ns, err);
  int64_t left_us = -1;
  if (next_ns != INT64_MAX) {
    left_us = (next_ns - now_ns(d)) / NS_PER_US;
    if (left_us < 0) left_us = 0;
  }
  wh_http_exchange *x = NULL;
  WH_TRY(wh_http_wait(d->http, NULL, left_us, &x, err));
  if (!x) return WH_OK;
  return x == d->asking ? take_acks(d, err) : take_answer(d, x->tag, err);
}

static wh_splunk_parcel *find_free(wh_splunk_delivery *d) {
  size_t most = (size_t)wh_splunk_options_of(d->connection)->connections;
  if (d->waiting + d->sent >= most || d->unacked_bytes >= WH_SPLUNK_UNACKED_BYTES_MAX) return NULL;
  for (size_t i = 0; i < WH_SPLUNK_PARCELS_MAX; i++)
    if (d->parcels[i].state == WH_SPLUNK_FREE) return &d->parcels[i];
  return NULL;
}

wh_status wh_splunk_delivery_parcel(wh_splunk_delivery *d, wh_splunk_parcel **ret, wh_error *err) {
  wh_splunk_parcel *p;
  while (!(p = find_free(d)))
    WH_TRY(step(d, err));
  p->state = WH_SPLUNK_FILLING;
  p->sends = 0;
  *ret = p;
  return WH_OK;
}

wh_status wh_splunk_delivery_send(wh_splunk_delivery *d, wh_splunk_parcel *p, wh_error *err) {
  int64_t next_ns;
  if (p->count == 0) {
    let_go(d, p);
    return WH_OK;
  }
  WH_TRY(get_ready(d, p, err));
  return start_due(d, &next_ns, err);
}

wh_status wh_splunk_delivery_settle(wh_splunk_delivery *d, wh_error *err) {
  while (d->waiting + d->sent)
    WH_TRY(step(d, err));
  return WH_OK;
}

wh_status wh_splunk_delivery_finish(wh_splunk_delivery *d, wh_error *err) {
  while (d->waiting + d->sent + d->unacked)
    WH_TRY(step(d, err));
  return WH_OK;
}
