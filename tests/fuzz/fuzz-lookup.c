// Any bytes as a question to a lookup, and as the headers that come with one.
//
// The first byte says how (bits 0 and 1: a form, JSON, neither; bit 2: the allocation numbered by
// the second byte fails), the rest is the body. What must hold: no crash, no leak; an error has a
// text that repeats nothing of the body; a value that is taken is UTF-8 without control characters
// and not longer than the body; what was taken, written as the other kind, is taken again as the
// same. The bytes also serve as Content-Type, Accept, X-Forwarded-For and text of a page.
#include "serve/address.h"
#include "serve/request.h"
#include "serve/template.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 3 };

static void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

static void init_fields(wh_request_field fields[FIELDS]) {
  fields[0] = (wh_request_field){.name = WH_STR("OrderNumber")};
  fields[1] = (wh_request_field){.name = WH_STR("PostcodeProof")};
  fields[2] = (wh_request_field){.name = WH_STR("a")};
}

static void check_value(wh_str value, size_t max) {
  must(value.len <= max, "a value is not longer than the body");
  must(wh_utf8_valid(value), "a value is UTF-8");
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    must(c >= 0x20 || c == '\t' || c == '\r' || c == '\n', "a value has no control characters");
  }
}

static void write_form(const wh_request_field *fields, wh_buf *out) {
  for (size_t i = 0; i < FIELDS; i++) {
    wh_buf_printf(out, "%s%.*s=", i ? "&" : "", WH_STR_ARG(fields[i].name));
    for (size_t j = 0; j < fields[i].value.len; j++)
      wh_buf_printf(out, "%%%02x", (unsigned char)fields[i].value.data[j]);
  }
}

static void write_json(const wh_request_field *fields, wh_buf *out) {
  for (size_t i = 0; i < FIELDS; i++) {
    wh_buf_add_c(out, i ? "," : "{");
    wh_buf_add_json(out, fields[i].name);
    wh_buf_add_c(out, ":");
    wh_buf_add_json(out, fields[i].value);
  }
  wh_buf_add_c(out, "}");
}

static void check_again(wh_mem *mem, wh_body_kind kind, const wh_request_field *fields) {
  wh_arena arena;
  wh_buf body;
  wh_error err;
  wh_request_field again[FIELDS];
  wh_arena_init(&arena, mem);
  wh_buf_init(&body, mem, 0);
  init_fields(again);
  kind == WH_BODY_FORM ? write_json(fields, &body) : write_form(fields, &body);
  wh_status status = wh_request_parse(kind == WH_BODY_FORM ? WH_BODY_JSON : WH_BODY_FORM,
                                      wh_buf_str(&body), &arena, again, FIELDS, &err);
  bool too_long = body.len > WH_REQUEST_BODY_MAX;
  must(status == (too_long ? WH_ERR_DATA : WH_OK), "what was written is read");
  for (size_t i = 0; !too_long && i < FIELDS; i++)
    must(wh_str_eq(fields[i].value, again[i].value), "a value stays the same");
  wh_buf_free(&body);
  wh_arena_free(&arena);
}

static void check_page(wh_mem *mem, wh_str text) {
  wh_buf out;
  wh_buf_init(&out, mem, 0);
  must(wh_html_escape(text, &out), "there is memory");
  wh_str html = wh_buf_str(&out);
  must(wh_utf8_valid(html), "a page is UTF-8");
  must(!html.len || (!memchr(html.data, '<', html.len) && !memchr(html.data, '"', html.len) &&
                     !memchr(html.data, '\'', html.len)),
       "text cannot become a tag");
  wh_buf_free(&out);
}

static void check_headers(wh_str text) {
  (void)wh_body_kind_of(text);
  (void)wh_accepts_json(text);
  wh_ip_block blocks[2], ignored;
  must(wh_ip_block_parse(WH_STR("10.0.0.0/8"), &blocks[0]), "a block");
  must(wh_ip_block_parse(WH_STR("::/0"), &blocks[1]), "another");
  (void)wh_ip_block_parse(text, &ignored);
  wh_ip peer = {.bytes = {[10] = 0xFF, [11] = 0xFF, [12] = 192}}, behind;
  behind = wh_ip_behind(&peer, text, blocks, 1);
  must(wh_ip_eq(&behind, &peer), "one who is not trusted is not believed");
  (void)wh_ip_behind(&peer, text, blocks, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const wh_body_kind kinds[] = {WH_BODY_FORM, WH_BODY_JSON, WH_BODY_OTHER, WH_BODY_JSON};
  if (size < 2) return 0;
  wh_mem mem;
  wh_arena arena;
  wh_error err = {0};
  wh_request_field fields[FIELDS];
  wh_mem_init(&mem, 0);
  wh_arena_init(&arena, &mem);
  init_fields(fields);
  if (data[0] & 4) atomic_store(&mem.fail_at, data[1]);
  wh_body_kind kind = kinds[data[0] & 3];
  wh_str body = wh_str_n((const char *)data + 2, size - 2);
  wh_status status = wh_request_parse(kind, body, &arena, fields, FIELDS, &err);
  atomic_store(&mem.fail_at, 0);
  must(status == WH_OK || err.text[0], "an error has a text");
  must(status == WH_OK || status == WH_ERR_DATA || status == WH_ERR_MEMORY, "a known status");
  for (size_t i = 0; status == WH_OK && i < FIELDS; i++)
    check_value(fields[i].value, body.len);
  if (status == WH_OK) check_again(&mem, kind, fields);
  check_headers(body);
  check_page(&mem, body);
  wh_arena_free(&arena);
  must(atomic_load(&mem.used) == 0, "nothing is left in memory");
  return 0;
}
