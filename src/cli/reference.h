// The reference pages (docs/reference), made from the tables that the program itself works by.
#pragma once

#include "base/buf.h"

typedef struct wh_reference_page {
  const char *file; // NULL ends
  void (*write)(wh_buf *out);
} wh_reference_page;
extern const wh_reference_page wh_reference_pages[];
