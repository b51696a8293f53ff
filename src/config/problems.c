#include "config/problems.h"

#include <stdio.h>

// Warnings leave room for errors, which matter more.
enum { WARNINGS_MAX = WH_CONFIG_PROBLEMS_MAX / 4 };

void wh_problems_init(wh_problems *p, wh_arena *arena, const char *overlay_file) {
  *p = (wh_problems){.arena = arena, .overlay_file = overlay_file};
}

static bool is_known(const wh_problems *p, const char *text) {
  for (size_t i = 0; i < p->count; i++)
    if (strcmp(p->entries[i].text, text) == 0) return true;
  return false;
}

void wh_problems_add(wh_problems *p, bool warning, const wh_error *problem) {
  if (p->out_of_memory || is_known(p, problem->text)) return;
  if (p->count == WH_CONFIG_PROBLEMS_MAX || (warning && p->warning_count == WARNINGS_MAX)) return;
  if (!p->entries) p->entries = WH_NEW_ARRAY(p->arena, WH_CONFIG_PROBLEMS_MAX, wh_problem_entry);
  char *text = p->entries ? wh_arena_cstr(p->arena, wh_str_of(problem->text)) : NULL;
  if (!text) {
    p->out_of_memory = true;
    return;
  }
  size_t prefix = p->overlay_file ? strlen(p->overlay_file) : 0;
  p->entries[p->count++] = (wh_problem_entry){
      .warning = warning,
      .overlay = prefix && strncmp(text, p->overlay_file, prefix) == 0 && text[prefix] == ':',
      .line = (uint32_t)problem->place.line,
      .column = (uint32_t)problem->place.column,
      .text = text,
  };
  p->warning_count += warning;
}

__attribute__((format(printf, 4, 0))) static void
add_formatted(wh_problems *p, bool warning, const wh_node *node, const char *fmt, va_list args) {
  char text[WH_ERROR_TEXT_MAX];
  vsnprintf(text, sizeof text, fmt, args);
  wh_error problem = {0};
  WH_IGNORE(wh_node_fail(node, &problem, "%s", text));
  wh_problems_add(p, warning, &problem);
}

void wh_problems_error(wh_problems *p, const wh_node *node, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  add_formatted(p, false, node, fmt, args);
  va_end(args);
}

void wh_problems_warn(wh_problems *p, const wh_node *node, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  add_formatted(p, true, node, fmt, args);
  va_end(args);
}

wh_status wh_problems_take(void *context, wh_error *problem) {
  wh_problems *p = context;
  wh_problems_add(p, false, problem);
  return p->out_of_memory ? wh_fail_memory(problem) : WH_OK;
}

static int compare(const void *left, const void *right) {
  const wh_problem_entry *a = left, *b = right;
  if (a->warning != b->warning) return a->warning ? 1 : -1;
  if (a->overlay != b->overlay) return a->overlay ? 1 : -1;
  if (a->line != b->line) return a->line < b->line ? -1 : 1;
  if (a->column != b->column) return a->column < b->column ? -1 : 1;
  return strcmp(a->text, b->text);
}

wh_status wh_problems_finish(wh_problems *p, wh_problem **ret, size_t *ret_count,
                             size_t *ret_error_count, wh_error *err) {
  wh_problem *list = p->out_of_memory ? NULL : WH_NEW_ARRAY(p->arena, p->count, wh_problem);
  if (!list) return wh_fail_memory(err);
  if (p->count) qsort(p->entries, p->count, sizeof *p->entries, compare);
  for (size_t i = 0; i < p->count; i++)
    list[i] = (wh_problem){.warning = p->entries[i].warning, .text = p->entries[i].text};
  *ret = list;
  *ret_count = p->count;
  *ret_error_count = p->count - p->warning_count;
  return WH_OK;
}
