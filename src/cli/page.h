// Text set for reading: wrapped paragraphs and two-column lists.
#pragma once

#include "base/buf.h"

enum { WH_PAGE_WIDTH_MIN = 40, WH_PAGE_WIDTH_MAX = 100 };

// Appends the text broken at blanks so that lines are at most `width` columns, each after `indent`
// blanks. The first line is taken to begin at column `at`; where that is past `indent`, nothing is
// put before its first word. Ends with a newline. Existing newlines stay.
void wh_doc_wrap(wh_buf *out, wh_str text, size_t at, size_t indent, size_t width);
// "  name      text, wrapped under itself" with the text at column `column`.
void wh_doc_item(wh_buf *out, wh_str name, const char *text, size_t column, size_t width);
// The width to set for on a terminal with so many columns.
size_t wh_doc_width(int columns);
