#include "serve/openapi_private.h"

// For POSIX shells: within single quotes nothing means anything but the quote itself.
static void add_quoted(wh_buf *out, wh_str text) {
  wh_buf_add_char(out, '\'');
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\'')
      wh_buf_add_c(out, "'\\''");
    else
      wh_buf_add_char(out, text.data[i]);
  }
  wh_buf_add_char(out, '\'');
}

// What has to be known before: a variable that the reader sets, and what is made from it.
static void add_signing(wh_buf *out, const wh_auth_hmac *h) {
  if (h->timestamp.len) wh_buf_add_c(out, "timestamp=$(date +%s)\n");
  wh_buf_add_c(out, "signature=$(printf ");
  wh_buf_add_c(out, h->timestamp.len ? "'%s.%s' \"$timestamp\" \"$body\"" : "%s \"$body\"");
  wh_buf_add_c(out, " | openssl dgst -sha256 -hmac \"$SECRET\" ");
  wh_buf_add_c(out, h->encoding == WH_AUTH_HEX ? "| sed 's/.*= //')\n" : "-binary | base64)\n");
}

static void add_sender(wh_buf *out, const wh_openapi_sender *s) {
  if (!s || s->is_open) return;
  const wh_auth_hmac *h = &s->words.hmac;
  switch (s->words.kind) {
  case WH_AUTH_KEY:
    wh_buf_add_c(out, " \\\n  -H \"Authorization: Bearer $API_KEY\"");
    return;
  case WH_AUTH_BEARER:
    wh_buf_add_c(out, " \\\n  -H \"Authorization: Bearer $TOKEN\"");
    return;
  case WH_AUTH_HMAC:
    if (h->timestamp.len)
      wh_buf_printf(out, " \\\n  -H \"%.*s: $timestamp\"", WH_STR_ARG(h->timestamp));
    wh_buf_printf(out, " \\\n  -H \"%.*s: \"", WH_STR_ARG(h->header));
    add_quoted(out, h->prefix);
    wh_buf_add_c(out, "\"$signature\"");
    return;
  case WH_AUTH_ADDRESS:
    return;
  }
}

static void add_url(wh_openapi *o, wh_buf *out, wh_str path) {
  wh_buf_printf(out, " \\\n  \"%.*s%.*s\"", WH_STR_ARG(o->base), WH_STR_ARG(path));
}

static void add_command(wh_openapi *o, const wh_openapi_call *call, wh_buf *out) {
  bool is_signed =
      call->sender && !call->sender->is_open && call->sender->words.kind == WH_AUTH_HMAC;
  wh_str body = call->line_count ? call->lines[0] : WH_STR("");
  if (is_signed) {
    wh_buf_add_c(out, "body=");
    add_quoted(out, body);
    wh_buf_add_char(out, '\n');
    add_signing(out, &call->sender->words.hmac);
  } else if (call->line_count > 1) {
    wh_buf_add_c(out, "printf '%s\\n'");
    for (size_t i = 0; i < call->line_count; i++) {
      wh_buf_add_c(out, " \\\n  ");
      add_quoted(out, call->lines[i]);
    }
    wh_buf_add_c(out, " |\n");
  }
  wh_buf_add_c(out, "curl -sS");
  add_sender(out, call->sender);
  if (call->type) wh_buf_printf(out, " \\\n  -H 'Content-Type: %s'", call->type);
  if (call->type && is_signed) {
    wh_buf_add_c(out, " \\\n  --data-binary \"$body\"");
  } else if (call->line_count > 1) {
    wh_buf_add_c(out, " \\\n  --data-binary @-");
  } else if (call->type) {
    wh_buf_add_c(out, " \\\n  --data-binary ");
    add_quoted(out, body);
  }
  add_url(o, out, call->path);
}

json_t *wh_openapi_sample(wh_openapi *o, const wh_openapi_call *call) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, o->arena->mem, 0);
  add_command(o, call, &text);
  if (text.failed) {
    o->failed = true;
    return NULL;
  }
  json_t *sample = json_object();
  wh_openapi_set(o, sample, "lang", json_string("Shell"));
  wh_openapi_set(o, sample, "label", json_string(call->label));
  wh_openapi_set(o, sample, "source", wh_openapi_text(wh_buf_str(&text)));
  return sample;
}
