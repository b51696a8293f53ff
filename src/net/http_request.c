#include "net/http_private.h"

enum {
  SMALL_BODY_BYTES = 64 * 1024, // goes out in one piece with the header
  RECEIVE_BYTES = 64 * 1024,    // of one read from the network
  BODY_KEPT_BYTES = 256 * 1024, // of an answer, for the next one on the same handle
};

// --- what libcurl calls --------------------------------------------------------------------------

static void touch(exchange *x) {
  x->active_ns = wh_http_now(x->http);
}

static size_t refuse(exchange *x, wh_status status) {
  x->failed = status;
  return 0; // libcurl then ends the transfer
}

static size_t on_header(char *data, size_t size, size_t count, void *context) {
  exchange *x = context;
  wh_str line = {data, size * count};
  touch(x);
  if (wh_str_starts(line, "HTTP/")) { // after 100 Continue comes another
    wh_buf_clear(&x->headers);
    x->headers_ended = false;
  }
  if (x->headers_ended) return line.len; // behind a body in chunks
  x->headers_ended = wh_str_trim(line).len == 0;
  if (wh_buf_add_str(&x->headers, line)) return line.len;
  if (!x->headers.too_long) return refuse(x, wh_fail_memory(&x->base.error));
  return refuse(x, wh_fail(&x->base.error, WH_ERR_LIMIT,
                           "%s answers with more than %d bytes of header fields", x->host,
                           WH_HTTP_HEADER_BYTES_MAX));
}

static bool begins_taking(exchange *x) {
  long code = 0;
  wh_curl.curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &code);
  return x->take && code >= 200 && code < 300;
}

static size_t on_body(char *data, size_t size, size_t count, void *context) {
  exchange *x = context;
  size_t len = size * count;
  touch(x);
  if (x->taken == 0 && x->body.len == 0) x->is_taking = begins_taking(x);
  if (x->is_taking) {
    wh_status status = x->take(x->take_context, x->taken, data, len, &x->base.error);
    if (status != WH_OK) return refuse(x, status);
    x->taken += len;
    return len;
  }
  if (wh_buf_add(&x->body, data, len)) return len;
  if (!x->body.too_long) return refuse(x, wh_fail_memory(&x->base.error));
  return refuse(x, wh_fail(&x->base.error, WH_ERR_LIMIT, "%s answers with more than %zu bytes",
                           x->host, x->body.max));
}

static size_t on_read(char *out, size_t size, size_t count, void *context) {
  exchange *x = context;
  size_t room = size * count, len = 0;
  touch(x);
  while (len < room && x->piece < x->piece_count) {
    wh_str rest = wh_str_sub(x->pieces[x->piece], x->piece_at, SIZE_MAX);
    size_t n = rest.len < room - len ? rest.len : room - len;
    if (n) memcpy(out + len, rest.data, n);
    len += n;
    x->piece_at += n;
    if (n == rest.len) {
      x->piece++;
      x->piece_at = 0;
    }
  }
  return len;
}

// libcurl goes back to the start when it has to send a request again.
static int on_seek(void *context, curl_off_t offset, int origin) {
  exchange *x = context;
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  x->piece = x->piece_at = 0;
  return CURL_SEEKFUNC_OK;
}

// --- what is the same for all --------------------------------------------------------------------

static bool set_tls(exchange *x) {
  const wh_http *http = x->http;
  CURL *e = x->easy;
  bool verify = http->options.tls == WH_TLS_VERIFY;
  bool ok = WH_CURL_SET(e, CURLOPT_SSL_VERIFYPEER, (long)verify) &&
            WH_CURL_SET(e, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  if (!http->tls_ca) return ok;
  return ok && WH_CURL_SET(e, CURLOPT_CAINFO, http->tls_ca) && WH_CURL_SET(e, CURLOPT_CAPATH, NULL);
}

static bool set_callbacks(exchange *x) {
  CURL *e = x->easy;
  return WH_CURL_SET(e, CURLOPT_PRIVATE, x) && WH_CURL_SET(e, CURLOPT_HEADERFUNCTION, on_header) &&
         WH_CURL_SET(e, CURLOPT_HEADERDATA, x) && WH_CURL_SET(e, CURLOPT_WRITEFUNCTION, on_body) &&
         WH_CURL_SET(e, CURLOPT_WRITEDATA, x) && WH_CURL_SET(e, CURLOPT_READFUNCTION, on_read) &&
         WH_CURL_SET(e, CURLOPT_READDATA, x) && WH_CURL_SET(e, CURLOPT_SEEKFUNCTION, on_seek) &&
         WH_CURL_SET(e, CURLOPT_SEEKDATA, x);
}

wh_status wh_http_handle(exchange *x, wh_error *err) {
  const wh_http *http = x->http;
  CURL *e = x->easy = wh_curl.curl_easy_init();
  if (!e) return wh_fail_memory(err);
  bool ok = set_callbacks(x) && set_tls(x) && WH_CURL_SET(e, CURLOPT_NOSIGNAL, 1L) &&
            WH_CURL_SET(e, CURLOPT_PROTOCOLS_STR,
                        http->options.tls == WH_TLS_OFF ? "http" : "http,https") &&
            WH_CURL_SET(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
            WH_CURL_SET(e, CURLOPT_PATH_AS_IS, 1L) &&
            // An empty proxy keeps libcurl from looking at the environment.
            WH_CURL_SET(e, CURLOPT_PROXY, http->proxy ? http->proxy : "") &&
            WH_CURL_SET(e, CURLOPT_NOPROXY, "") && WH_CURL_SET(e, CURLOPT_TCP_KEEPALIVE, 1L) &&
            WH_CURL_SET(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES) &&
            WH_CURL_SET(e, CURLOPT_USERAGENT, "wherry/" WHERRY_VERSION);
  return ok ? WH_OK : wh_fail_memory(err);
}

// --- a request -----------------------------------------------------------------------------------

static bool is_printable(wh_str s, char least) {
  for (size_t i = 0; i < s.len; i++)
    if (s.data[i] < least || s.data[i] == 0x7F) return false; // also what is above ASCII
  return true;
}

static wh_status check_url(const exchange *x, wh_str url, wh_error *err) {
  bool plain = wh_str_starts(url, "http://"), tls = wh_str_starts(url, "https://");
  if ((!plain && !tls) || wh_http_host(url).len == 0 || !is_printable(url, '!')) {
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' is no address that begins with https:// or http://",
                   WH_STR_ARG(url));
  }
  if (tls && x->http->options.tls == WH_TLS_OFF) {
    return wh_fail(err, WH_ERR_USAGE, "'%.*s' asks for TLS, which `tls: off` turns off",
                   WH_STR_ARG(url));
  }
  return WH_OK;
}

static bool add_line(exchange *x, struct curl_slist ***tail, char *line) {
  struct curl_slist *item = line ? WH_NEW(&x->arena, struct curl_slist) : NULL;
  if (!item) return false;
  item->data = line;
  **tail = item;
  *tail = &item->next;
  return true;
}

// "name:value"; a field without a value is "name;" to libcurl.
static char *field_text(exchange *x, const wh_http_header *h) {
  if (h->value.len == 0)
    return (char *)wh_arena_printf(&x->arena, "%.*s;", WH_STR_ARG(h->name)).data;
  char *text = wh_arena_alloc(&x->arena, h->name.len + h->value.len + 2);
  if (!text) return NULL;
  memcpy(text, h->name.data, h->name.len);
  text[h->name.len] = ':';
  memcpy(text + h->name.len + 1, h->value.data, h->value.len);
  return text;
}

static bool is_field_value(wh_str s) {
  for (size_t i = 0; i < s.len; i++)
    if (((uint8_t)s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7F) return false;
  return true;
}

static wh_status set_headers(exchange *x, const wh_http_request *r, wh_error *err) {
  struct curl_slist *first = NULL, **tail = &first;
  bool has_type = false, ok = true;
  if (r->header_count > WH_HTTP_HEADERS_MAX)
    return wh_fail(err, WH_ERR_LIMIT, "more than %d header fields", WH_HTTP_HEADERS_MAX);
  for (size_t i = 0; ok && i < r->header_count; i++) {
    const wh_http_header *h = &r->headers[i];
    if (h->name.len == 0 || !is_printable(h->name, '!') || memchr(h->name.data, ':', h->name.len) ||
        !is_field_value(h->value)) {
      return wh_fail(err, WH_ERR_USAGE, "the header field %.*s holds what none may hold",
                     WH_STR_ARG(h->name));
    }
    has_type = has_type || wh_str_eq_nocase(h->name, WH_STR("content-type"));
    ok = add_line(x, &tail, field_text(x, h));
  }
  // What libcurl adds by itself.
  static char no_type[] = "Content-Type:", no_expect[] = "Expect:", no_accept[] = "Accept:";
  if (ok && !has_type) ok = add_line(x, &tail, no_type);
  // Of a larger body some versions ask whether they may send it, and wait a second for an answer.
  if (ok && x->body_size >= SMALL_BODY_BYTES) ok = add_line(x, &tail, no_expect);
  ok = ok && add_line(x, &tail, no_accept) && WH_CURL_SET(x->easy, CURLOPT_HTTPHEADER, first);
  return ok ? WH_OK : wh_fail_memory(err);
}

// A small body in one piece, which libcurl sends together with the header.
static bool set_small_body(exchange *x) {
  wh_str whole = x->piece_count == 1 ? x->pieces[0] : WH_STR("");
  if (x->piece_count > 1) {
    char *bytes = wh_arena_alloc(&x->arena, (size_t)x->body_size + 1);
    if (!bytes) return false;
    on_read(bytes, 1, (size_t)x->body_size, x);
    whole = wh_str_n(bytes, (size_t)x->body_size);
  }
  return WH_CURL_SET(x->easy, CURLOPT_POST, 1L) &&
         WH_CURL_SET(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)whole.len) &&
         WH_CURL_SET(x->easy, CURLOPT_POSTFIELDS, whole.len ? whole.data : "");
}

static bool set_method(exchange *x, const char *method) {
  CURL *e = x->easy;
  bool is_head = strcmp(method, "HEAD") == 0;
  bool has_body = x->body_size || strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
  // HTTPGET takes back what the request before had set.
  bool ok = WH_CURL_SET(e, CURLOPT_HTTPGET, 1L);
  if (is_head)
    ok = ok && WH_CURL_SET(e, CURLOPT_NOBODY, 1L);
  else if (has_body && x->body_size <= SMALL_BODY_BYTES)
    ok = ok && set_small_body(x);
  else if (has_body)
    ok = ok && WH_CURL_SET(e, CURLOPT_UPLOAD, 1L) &&
         WH_CURL_SET(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)x->body_size);
  return ok && WH_CURL_SET(e, CURLOPT_CUSTOMREQUEST, method);
}

static void note_body(exchange *x, const wh_http_request *r) {
  x->pieces = r->body;
  x->piece_count = r->body_count;
  x->piece = x->piece_at = 0;
  x->body_size = 0;
  for (size_t i = 0; i < r->body_count; i++)
    x->body_size += r->body[i].len;
}

static void note_limits(exchange *x, const wh_http_request *r) {
  size_t max = r->body_bytes_max ? r->body_bytes_max : WH_HTTP_BODY_BYTES;
  if (x->body.cap > BODY_KEPT_BYTES) wh_buf_free(&x->body);
  wh_buf_clear(&x->body);
  x->body.max = max;
  wh_buf_clear(&x->headers);
  x->headers_ended = false;
  x->connect_us = r->connect_us ? r->connect_us : WH_HTTP_CONNECT_US;
  x->idle_us = r->idle_us ? r->idle_us : WH_HTTP_IDLE_US;
  x->total_us = r->total_us;
  x->take = r->take;
  x->take_context = r->take_context;
  x->taken = 0;
  x->is_taking = false;
  x->failed = WH_OK;
}

wh_status wh_http_prepare(exchange *x, const wh_http_request *r, wh_error *err) {
  x->base = (wh_http_exchange){.tag = r->tag, .body = WH_STR("")};
  wh_arena_reset(&x->arena);
  note_body(x, r);
  note_limits(x, r);
  WH_TRY(check_url(x, r->url, err));
  wh_str host = wh_http_host(r->url);
  snprintf(x->host, sizeof x->host, "%.*s", WH_STR_ARG(host));
  WH_TRY(set_headers(x, r, err));
  const char *url = wh_arena_cstr(&x->arena, r->url);
  // libcurl would take 0 for its own default.
  long connect_ms = x->connect_us < 1000 ? 1 : (long)(x->connect_us / 1000);
  if (!url || !WH_CURL_SET(x->easy, CURLOPT_URL, url) ||
      !WH_CURL_SET(x->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) || !set_method(x, r->method)) {
    return wh_fail_memory(err);
  }
  return WH_OK;
}
