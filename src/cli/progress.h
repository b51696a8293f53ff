// What `wherry run` shows while it works: a bar on a terminal, a plain line now and then elsewhere,
// and a line for each run that ends.
#pragma once

#include "cli/cli.h"

typedef struct wh_progress_view {
  wh_cli *cli;
  bool on_terminal;
  bool bar_shown;
  int64_t started_us, last_line_us; // monotonic
  char subject[320];                // the pipeline and object that the bar is about; copied
  size_t name_width;
} wh_progress_view;

void wh_progress_init(wh_progress_view *view, wh_cli *cli);
wh_watcher wh_progress_watcher(wh_progress_view *view);
void wh_progress_end(wh_progress_view *view); // takes the bar away

// What a run did, in a line: "312 rows -> lake:...  14.2 MB  0.31 s". `alarm` and `plain` go around
// what needs a person (colors, or "").
bool wh_run_describe(const wh_run *run, const char *alarm, const char *plain, wh_buf *out);
