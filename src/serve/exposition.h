// The text format that Prometheus reads, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Appends; look at out->failed
// once.
#pragma once

#include "base/buf.h"

#define WH_EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

typedef struct wh_label {
  const char *name;
  wh_str value; // any bytes: escaped, and what is not UTF-8 replaced
} wh_label;

// The head of a family, whose samples follow it. `type`: "counter", "gauge" or "summary".
void wh_exposition_family(wh_buf *out, const char *name, const char *type, const char *help);
// One sample. A value that is not a number writes nothing.
void wh_exposition_sample(wh_buf *out, const char *name, const wh_label *labels, size_t count,
                          double value);
