#include "cli/page.h"

enum { ITEM_INDENT = 2, ITEM_GAP = 2 };

static void add_blanks(wh_buf *out, size_t count) {
  for (size_t i = 0; i < count; i++)
    wh_buf_add_char(out, ' ');
}

static size_t columns_of(wh_str s) { // characters; nothing here is wide
  size_t count = 0;
  for (size_t i = 0; i < s.len; i++)
    count += ((unsigned char)s.data[i] & 0xC0) != 0x80;
  return count;
}

static void wrap_line(wh_buf *out, wh_str line, size_t at, size_t indent, size_t width) {
  wh_str word;
  bool first = true;
  if (at < indent) {
    add_blanks(out, indent - at);
    at = indent;
  }
  while (wh_str_split(&line, ' ', &word)) {
    size_t wide = columns_of(word);
    if (!first && at + 1 + wide > width) {
      wh_buf_add_char(out, '\n');
      add_blanks(out, indent);
      at = indent;
      first = true;
    }
    if (!first) wh_buf_add_char(out, ' ');
    wh_buf_add_str(out, word);
    at += wide + !first;
    first = false;
  }
  wh_buf_add_char(out, '\n');
}

void wh_doc_wrap(wh_buf *out, wh_str text, size_t at, size_t indent, size_t width) {
  wh_str line;
  while (wh_str_split(&text, '\n', &line)) {
    wrap_line(out, line, at, indent, width);
    at = 0;
  }
}

void wh_doc_item(wh_buf *out, wh_str name, const char *text, size_t column, size_t width) {
  add_blanks(out, ITEM_INDENT);
  wh_buf_add_str(out, name);
  size_t at = ITEM_INDENT + columns_of(name);
  if (at + ITEM_GAP > column) {
    wh_buf_add_char(out, '\n');
    at = 0;
  }
  add_blanks(out, column - at);
  wh_doc_wrap(out, wh_str_of(text), column, column, width);
}

size_t wh_doc_width(int columns) {
  if (columns < WH_PAGE_WIDTH_MIN) return WH_PAGE_WIDTH_MIN;
  return columns > WH_PAGE_WIDTH_MAX ? WH_PAGE_WIDTH_MAX : (size_t)columns;
}
