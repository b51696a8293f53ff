#include "serve/show.h"

#include "config/config.h"
#include "serve/pages.h"
#include "serve/template.h"

#include "data/temporal.h"
#include "data/value.h"

bool wh_show_json(const wh_batch *batch, size_t row, size_t count, wh_buf *out) {
  wh_buf_add_c(out, "{\"found\":true");
  for (size_t i = 0; i < count; i++) {
    wh_buf_add_char(out, ',');
    wh_buf_add_json(out, batch->schema->fields[i].name);
    wh_buf_add_char(out, ':');
    wh_column_write_json(&batch->columns[i], row, out);
  }
  return wh_buf_add_c(out, "}\n");
}

// "21 November 2026, 08:55 UTC"
static void write_when(const wh_iso *iso, wh_buf *out) {
  static const char *const months[] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
  const wh_civil *c = &iso->civil;
  wh_buf_printf(out, "%d %s %d", c->day, months[c->month - 1], c->year);
  if (!iso->has_time) return;
  wh_buf_printf(out, ", %02d:%02d", c->hour, c->minute);
  if (!iso->has_zone) return;
  int minutes = (iso->offset_s < 0 ? -iso->offset_s : iso->offset_s) / 60;
  if (minutes == 0)
    wh_buf_add_c(out, " UTC");
  else
    wh_buf_printf(out, " UTC%c%d:%02d", iso->offset_s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

// Text too may hold a day or a time: then it is shown as one. What a program gets is unchanged.
static bool may_be_when(wh_kind kind) {
  return kind == WH_DATE || kind == WH_TIMESTAMP || kind == WH_STRING;
}

bool wh_show_value_html(const wh_column *column, size_t row, wh_mem *mem, wh_buf *out) {
  if (wh_column_is_null(column, row)) {
    return wh_buf_add_c(out, "<span class=\"none\">Not set</span>");
  }
  if (column->type.kind == WH_BOOL) {
    return wh_buf_add_c(out, wh_column_bool(column, row) ? "Yes" : "No");
  }
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, mem, 0);
  if (!wh_column_write(column, row, &text)) return false;
  wh_iso iso;
  wh_str canonical = wh_buf_str(&text);
  if (may_be_when(column->type.kind) && wh_iso_parse(canonical, &iso) && iso.has_date) {
    wh_buf_add_c(out, "<time datetime=\"");
    wh_html_escape(canonical, out);
    wh_buf_add_c(out, "\">");
    write_when(&iso, out);
    return wh_buf_add_c(out, "</time>");
  }
  if (canonical.len == 0) return wh_buf_add_c(out, "<span class=\"none\">Empty</span>");
  return wh_html_escape(canonical, out);
}

bool wh_show_html(const wh_batch *batch, size_t row, size_t count, wh_mem *mem, wh_buf *out) {
  WH_CLEAN_BUF wh_buf value;
  wh_buf_init(&value, mem, 0);
  for (size_t i = 0; i < count; i++) {
    WH_CLEAN_ARENA wh_arena arena;
    wh_arena_init(&arena, mem);
    wh_str label = wh_name_in_words(batch->schema->fields[i].name, &arena);
    wh_buf_clear(&value);
    if (!label.data || !wh_show_value_html(&batch->columns[i], row, mem, &value)) return false;
    const wh_template_slot slots[] = {
        {"label", label, false},
        {"value", wh_buf_str(&value), true},
    };
    if (!wh_template_fill(wh_page_item, slots, sizeof slots / sizeof slots[0], out)) return false;
  }
  return true;
}
