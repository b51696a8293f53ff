// What `wherry init` can make: the worked examples, whose files are built in.
#pragma once

#include "base/str.h"

typedef struct wh_template_file {
  const char *path; // in the project's folder; NULL ends
  const wh_str *content;
  const char *note; // what is in it, for the person who made it; NULL: not worth saying
} wh_template_file;

typedef struct wh_template {
  const char *name; // NULL ends
  const wh_template_file *files;
  const char *sample_erp;     // path of a database of sample orders to make; NULL: none
  const char *const *secrets; // to set to random bytes, NULL-terminated; NULL: none
} wh_template;

extern const wh_template wh_templates[]; // the first is the default
