#include "serve/template.h"

#include <assert.h>

static const char *entity_of(unsigned char c) {
  switch (c) {
  case '&':
    return "&amp;";
  case '<':
    return "&lt;";
  case '>':
    return "&gt;";
  case '"':
    return "&quot;";
  case '\'':
    return "&#39;";
  case '\t':
  case '\n':
  case '\r':
    return NULL;
  default:
    return c < 0x20 || c == 0x7F ? "\xEF\xBF\xBD" : NULL;
  }
}

bool wh_html_escape(wh_str text, wh_buf *out) {
  size_t valid = wh_utf8_valid_prefix(text);
  for (size_t i = 0; i < text.len; i++) {
    if (i == valid) {
      wh_buf_add_c(out, "\xEF\xBF\xBD");
      wh_str rest = wh_str_sub(text, i + 1, text.len);
      valid = i + 1 + wh_utf8_valid_prefix(rest);
      continue;
    }
    const char *entity = entity_of((unsigned char)text.data[i]);
    if (entity)
      wh_buf_add_c(out, entity);
    else
      wh_buf_add_char(out, text.data[i]);
  }
  return !out->failed;
}

static const wh_template_slot *find_slot(wh_str name, const wh_template_slot *slots, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (wh_str_is(name, slots[i].name)) return &slots[i];
  return NULL;
}

bool wh_template_fill(wh_str text, const wh_template_slot *slots, size_t count, wh_buf *out) {
  size_t at = 0;
  while (at < text.len) {
    const char *open = memmem(text.data + at, text.len - at, "{{", 2);
    size_t begin = open ? (size_t)(open - text.data) : text.len;
    wh_buf_add(out, text.data + at, begin - at);
    if (!open) break;
    const char *close = memmem(open, text.len - begin, "}}", 2);
    assert(close);
    wh_str name = wh_str_sub(text, begin + 2, (size_t)(close - text.data));
    const wh_template_slot *slot = find_slot(name, slots, count);
    assert(slot);
    if (slot->is_html)
      wh_buf_add_str(out, slot->text);
    else
      wh_html_escape(slot->text, out);
    at = (size_t)(close - text.data) + 2;
  }
  return !out->failed;
}
