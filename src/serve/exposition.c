#include "serve/exposition.h"

#include <math.h>

#define REPLACEMENT "\xEF\xBF\xBD" // U+FFFD

void wh_exposition_family(wh_buf *out, const char *name, const char *type, const char *help) {
  wh_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_escaped(wh_buf *out, wh_str value) {
  for (size_t i = 0; i < value.len;) {
    size_t valid = wh_utf8_valid_prefix(wh_str_sub(value, i, value.len));
    for (size_t end = i + valid; i < end; i++) {
      char c = value.data[i];
      if (c == '\\' || c == '"') wh_buf_add_char(out, '\\');
      if (c == '\n')
        wh_buf_add_c(out, "\\n");
      else
        wh_buf_add_char(out, c);
    }
    if (i == value.len) return;
    wh_buf_add_c(out, REPLACEMENT);
    i++;
  }
}

void wh_exposition_sample(wh_buf *out, const char *name, const wh_label *labels, size_t count,
                          double value) {
  enum { DIGITS = 16 }; // microseconds of a time since 1970
  if (isnan(value)) return;
  wh_buf_add_c(out, name);
  for (size_t i = 0; i < count; i++) {
    wh_buf_printf(out, "%c%s=\"", i ? ',' : '{', labels[i].name);
    add_escaped(out, labels[i].value);
    wh_buf_add_char(out, '"');
  }
  if (count) wh_buf_add_char(out, '}');
  wh_buf_printf(out, " %.*g\n", DIGITS, value);
}
