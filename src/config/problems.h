// The problems of a configuration, gathered while it is checked. Adding never fails: when memory
// has run out, the collector remembers it, and whoever started the check asks once at its end.
#pragma once

#include "config/config.h"

typedef struct wh_problem_entry {
  bool warning;
  bool overlay; // in the environment's file
  uint32_t line, column;
  char *text;
} wh_problem_entry;

typedef struct wh_problems {
  wh_arena *arena;
  const char *overlay_file; // what its nodes call themselves; NULL: there is none
  wh_problem_entry *entries;
  size_t count;
  size_t warning_count;
  bool out_of_memory;
} wh_problems;

void wh_problems_init(wh_problems *p, wh_arena *arena, const char *overlay_file);
// A problem that somebody's wh_error tells, with its position in front of the text.
void wh_problems_add(wh_problems *p, bool warning, const wh_error *problem);
__attribute__((format(printf, 3, 4))) void wh_problems_error(wh_problems *p, const wh_node *node,
                                                             const char *fmt, ...);
__attribute__((format(printf, 3, 4))) void wh_problems_warn(wh_problems *p, const wh_node *node,
                                                            const char *fmt, ...);
// Errors first, each group in file order, each once; in the arena.
wh_status wh_problems_finish(wh_problems *p, wh_problem **ret, size_t *ret_count,
                             size_t *ret_error_count, wh_error *err);
// For wh_option_context.problem; `context` is the wh_problems.
wh_status wh_problems_take(void *context, wh_error *problem);
