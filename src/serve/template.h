// Filling in {{name}} in a text that is built in. What goes in is escaped unless it is HTML
// already; what has been filled in is not looked at again.
#pragma once

#include "base/buf.h"

typedef struct wh_template_slot {
  const char *name;
  wh_str text;
  bool is_html;
} wh_template_slot;

// Appends the text with its slots filled. A slot that the text does not name is passed over; a
// name that no slot has is a mistake of ours (asserted). False when `out` refuses.
bool wh_template_fill(wh_str text, const wh_template_slot *slots, size_t count, wh_buf *out);
// Escapes & < > " ' for text and for attributes in quotes; bytes that are not UTF-8 and control
// characters other than line ends and tabs become U+FFFD.
bool wh_html_escape(wh_str text, wh_buf *out);
