// The pages, made from the templates in page/. All are whole documents; false means that memory or
// `out` has run out.
#pragma once

#include "config/config.h"

// What a page of a lookup says besides its form.
typedef struct wh_page_note {
  const char *heading; // NULL: nothing
  const char *text;
  wh_str answer; // items of a definition list instead of a text
} wh_page_note;

bool wh_page_lookup(const wh_lookup *lookup, const wh_page_note *note, wh_mem *mem, wh_buf *out);
// Every lookup by its title.
bool wh_page_list(const wh_serve *serve, wh_mem *mem, wh_buf *out);
bool wh_page_plain(const char *heading, const char *text, wh_mem *mem, wh_buf *out);
// A document around a body that is HTML already.
bool wh_page_whole_of(wh_str title, wh_str body, wh_buf *out);
// The style sheet that is part of every page as an expression for Content-Security-Policy:
// 'sha256-...'.
bool wh_page_style_source(wh_buf *out);

// How a field helps whoever fills it in: what HTML's attributes of these names take.
typedef struct wh_field_hints {
  const char *type, *inputmode, *autocomplete, *autocapitalize;
} wh_field_hints;
// From words in the label and the column's name, and from the mask's normal form; mask NULL: the
// key.
wh_field_hints wh_field_hints_of(wh_str label, wh_str column, const wh_mask *mask);
