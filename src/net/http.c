#include "net/http_private.h"

#include "data/temporal.h"

enum { CONNECTIONS_KEPT = 128 };

// --- lists ---------------------------------------------------------------------------------------

static void enlist(exchange *x, exchange_state state) {
  exchange_list *list = &x->http->lists[state];
  x->state = state;
  x->previous = list->last;
  x->next = NULL;
  *(list->last ? &list->last->next : &list->first) = x;
  list->last = x;
}

static void delist(exchange *x) {
  exchange_list *list = &x->http->lists[x->state];
  *(x->previous ? &x->previous->next : &list->first) = x->next;
  *(x->next ? &x->next->previous : &list->last) = x->previous;
}

static void move_to(exchange *x, exchange_state state) {
  delist(x);
  enlist(x, state);
}

static exchange *first_of(const wh_http *http, exchange_state state) {
  return http->lists[state].first;
}

// --- the pool ------------------------------------------------------------------------------------

wh_status wh_http_new(const wh_http_options *options, wh_http **ret, wh_error *err) {
  wh_http *http = wh_mem_alloc_zero(options->mem, sizeof *http);
  if (!http) return wh_fail_memory(err);
  http->options = *options;
  wh_arena_init(&http->arena, options->mem);
  bool ok = true;
  if (options->tls_ca.len) ok = (http->tls_ca = wh_arena_cstr(&http->arena, options->tls_ca));
  if (ok && options->proxy.len) ok = (http->proxy = wh_arena_cstr(&http->arena, options->proxy));
  if (!ok) {
    wh_http_free(http);
    return wh_fail_memory(err);
  }
  *ret = http;
  return WH_OK;
}

static void free_exchange(exchange *x) {
  wh_curl.curl_easy_cleanup(x->easy);
  wh_arena_free(&x->arena);
  wh_buf_free(&x->headers);
  wh_buf_free(&x->body);
  wh_mem_free(x->http->options.mem, x, sizeof *x);
}

void wh_http_free(wh_http *http) {
  if (!http) return;
  for (exchange_state state = EXCHANGE_UNDER_WAY; state < EXCHANGE_STATES; state++)
    while (first_of(http, state))
      wh_http_end(&first_of(http, state)->base);
  for (exchange *x; (x = first_of(http, EXCHANGE_IDLE));) {
    delist(x);
    free_exchange(x);
  }
  if (http->multi) wh_curl.curl_multi_cleanup(http->multi);
  if (http->holds_curl) wh_curl_release();
  wh_arena_free(&http->arena);
  wh_mem_free(http->options.mem, http, sizeof *http);
}

void wh_http_cancel_by(wh_http *http, const atomic_bool *cancel) {
  http->options.cancel = cancel;
}

static wh_status make_ready(wh_http *http, wh_error *err) {
  if (http->multi) return WH_OK;
  if (!http->holds_curl) WH_TRY(wh_curl_hold(http->options.mem, err));
  http->holds_curl = true;
  CURLM *multi = wh_curl.curl_multi_init();
  if (!multi) return wh_fail_memory(err);
  wh_curl.curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
  http->multi = multi;
  return WH_OK;
}

// --- exchanges -----------------------------------------------------------------------------------

static wh_status new_exchange(wh_http *http, exchange **ret, wh_error *err) {
  exchange *x = first_of(http, EXCHANGE_IDLE);
  if (x) {
    delist(x);
    *ret = x;
    return WH_OK;
  }
  wh_mem *mem = http->options.mem;
  x = wh_mem_alloc_zero(mem, sizeof *x);
  if (!x) return wh_fail_memory(err);
  x->http = http;
  wh_arena_init(&x->arena, mem);
  wh_buf_init(&x->headers, mem, WH_HTTP_HEADER_BYTES_MAX);
  wh_buf_init(&x->body, mem, 0);
  wh_status status = wh_http_handle(x, err);
  if (status == WH_OK)
    *ret = x;
  else
    free_exchange(x);
  return status;
}

wh_status wh_http_start(wh_http *http, const wh_http_request *request, wh_http_exchange **ret,
                        wh_error *err) {
  exchange *x;
  WH_TRY(make_ready(http, err));
  WH_TRY(new_exchange(http, &x, err));
  wh_status status = wh_http_prepare(x, request, err);
  if (status == WH_OK && wh_curl.curl_multi_add_handle(http->multi, x->easy) != CURLM_OK)
    status = wh_fail_memory(err);
  if (status != WH_OK) {
    enlist(x, EXCHANGE_IDLE);
    return status;
  }
  x->started_ns = x->active_ns = wh_http_now(http);
  enlist(x, EXCHANGE_UNDER_WAY);
  *ret = &x->base;
  return WH_OK;
}

void wh_http_end(wh_http_exchange *base) {
  if (!base) return;
  exchange *x = (exchange *)base;
  if (x->state == EXCHANGE_UNDER_WAY) wh_curl.curl_multi_remove_handle(x->http->multi, x->easy);
  move_to(x, EXCHANGE_IDLE);
}

static void finish(exchange *x) {
  wh_curl.curl_multi_remove_handle(x->http->multi, x->easy);
  x->base.body = wh_buf_str(&x->body);
  move_to(x, EXCHANGE_DONE);
}

static void conclude(exchange *x, CURLcode code) {
  long http_code = 0;
  wh_curl.curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &http_code);
  // libcurl takes a header that breaks off for a whole one.
  if (code == CURLE_OK && !x->headers_ended) code = CURLE_RECV_ERROR;
  if (x->headers_ended) x->base.code = (int)http_code;
  if (code != CURLE_OK) wh_http_failed(x, code);
  finish(x);
}

// Limits of time are kept here and not by libcurl, which counts idle time in whole seconds.
static void look_at_limits(wh_http *http) {
  int64_t now = wh_http_now(http);
  if (now - http->looked_ns < WH_HTTP_TICK_US * INT64_C(1000) / 4) return;
  http->looked_ns = now;
  for (exchange *x = first_of(http, EXCHANGE_UNDER_WAY), *next; x; x = next) {
    next = x->next;
    bool total = x->total_us && now - x->started_ns > x->total_us * 1000;
    bool idle = now - x->active_ns > x->idle_us * 1000;
    if (!total && !idle) continue;
    wh_http_timed_out(x, !total);
    finish(x);
  }
}

static wh_status work(wh_http *http, wh_error *err) {
  int running, left;
  CURLMcode code = wh_curl.curl_multi_perform(http->multi, &running);
  if (code == CURLM_OUT_OF_MEMORY) return wh_fail_memory(err);
  if (code != CURLM_OK)
    return wh_fail(err, WH_ERR_IO, "the network: %s", wh_curl.curl_multi_strerror(code));
  for (CURLMsg *m; (m = wh_curl.curl_multi_info_read(http->multi, &left));) {
    if (m->msg != CURLMSG_DONE) continue;
    CURLcode result = m->data.result; // removing the handle takes the message away
    char *x = NULL;
    wh_curl.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x);
    conclude((exchange *)x, result);
  }
  look_at_limits(http);
  return WH_OK;
}

static exchange *find_done(wh_http *http, exchange *x) {
  exchange *found = x ? (x->state >= EXCHANGE_DONE ? x : NULL) : first_of(http, EXCHANGE_DONE);
  if (found) move_to(found, EXCHANGE_RETURNED);
  return found;
}

wh_status wh_http_wait(wh_http *http, wh_http_exchange *base, int64_t timeout_us,
                       wh_http_exchange **ret, wh_error *err) {
  exchange *x = (exchange *)base, *found;
  const atomic_bool *cancel = http->options.cancel;
  int64_t end = 0;
  while (!(found = find_done(http, x))) {
    if (!first_of(http, EXCHANGE_UNDER_WAY))
      return wh_fail(err, WH_ERR_END, "nothing is under way");
    if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
      return wh_fail(err, WH_ERR_CANCELLED, "asked to stop");
    WH_TRY(work(http, err));
    if ((found = find_done(http, x))) break;
    int64_t now = wh_http_now(http) / 1000, wait = WH_HTTP_TICK_US;
    if (timeout_us >= 0) {
      if (!end) end = now + timeout_us;
      if (now >= end) break;
      if (end - now < wait) wait = end - now;
    }
    int events;
    wh_curl.curl_multi_poll(http->multi, NULL, 0, (int)((wait + 999) / 1000), &events);
  }
  *ret = found ? &found->base : NULL;
  return WH_OK;
}

// --- reading an answer ---------------------------------------------------------------------------

wh_str wh_http_header_get(const wh_http_exchange *base, const char *name) {
  const exchange *x = (const exchange *)base;
  wh_str rest = wh_buf_str(&x->headers), line, want = wh_str_of(name);
  while (wh_str_split(&rest, '\n', &line)) {
    if (line.len <= want.len || line.data[want.len] != ':') continue;
    if (!wh_str_eq_nocase(wh_str_sub(line, 0, want.len), want)) continue;
    return wh_str_trim(wh_str_sub(line, want.len + 1, line.len));
  }
  return (wh_str){0};
}

wh_str wh_http_host(wh_str url) {
  const char *own = wh_str_starts(url, "https://") ? ":443" : ":80";
  size_t from = 0;
  while (from < url.len && url.data[from] != '/')
    from++;
  wh_str host = wh_str_sub(url, from + 2, url.len);
  size_t len = 0;
  while (len < host.len && !memchr("/?#", host.data[len], 3))
    len++;
  host = wh_str_sub(host, 0, len);
  size_t at = wh_str_find(host, 0, '@'); // a name and a password do not belong into messages
  if (at < host.len) host = wh_str_sub(host, at + 1, host.len);
  if (wh_str_ends(host, own)) host.len -= strlen(own);
  return host;
}

bool wh_http_date(wh_str text, int64_t *ret_us) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char buf[64], month[4];
  wh_civil c = {0};
  if (text.len >= sizeof buf) return false;
  snprintf(buf, sizeof buf, "%.*s", WH_STR_ARG(text));
  if (sscanf(buf, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &c.day, month, &c.year, &c.hour, &c.minute,
             &c.second) != 6) {
    return false;
  }
  const char *found = strlen(month) == 3 ? strstr(months, month) : NULL;
  if (!found || (found - months) % 3 || c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 ||
      c.second > 60 || c.year < 1970) {
    return false;
  }
  c.month = (int32_t)((found - months) / 3 + 1);
  *ret_us = wh_us_from_civil(&c);
  return true;
}
