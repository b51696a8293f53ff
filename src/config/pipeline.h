// A pipeline while it is checked: what the files of config/pipeline*.c share.
#pragma once

#include "config/private.h"

typedef struct wh_pipeline_words {
  const wh_node *when, *read, *steps, *columns, *expect, *write, *complete, *after, *notify,
      *subject, *tables;
  wh_str from, to;
  bool raw;
  int64_t attempts, batch, chunk;
  int begin, on_new_column;
} wh_pipeline_words;

// A pipeline while it is checked.
typedef struct wh_pipeline_checker {
  wh_loader *l;
  wh_pipeline *p;
  const char *owner;
  const wh_node *node;
  wh_pipeline_words words;
  const wh_connection_info *from, *to; // NULL: not known
  const wh_node *read_format, *write_format;
} wh_pipeline_checker;

__attribute__((format(printf, 3, 4))) void
wh_pipeline_problem(const wh_pipeline_checker *c, const wh_node *node, const char *fmt, ...);
bool wh_node_given(const wh_node *node); // and not null
// A word of `map` that has no meaning here.
void wh_pipeline_refuse(const wh_pipeline_checker *c, const wh_node *map, const char *word,
                        const char *why);
// A column that is named outside `columns` must be one that crosses.
void wh_pipeline_check_crosses(const wh_pipeline_checker *c, const wh_node *node, wh_str name,
                               const char *word);
bool wh_pipeline_reads_objects(const wh_pipeline_checker *c);
bool wh_pipeline_writes_objects(const wh_pipeline_checker *c);

// The steps, the gate and the rules between `from` and `to`.
void wh_pipeline_load_content(wh_pipeline_checker *c);
// What stands under `tables` instead of that and `to`; when `from` is known.
void wh_pipeline_load_branches(wh_pipeline_checker *c);

// In this order. config/pipeline_from.c:
void wh_pipeline_load_read(wh_pipeline_checker *c);
void wh_pipeline_check_from(wh_pipeline_checker *c);
// config/pipeline_to.c; the last when what crosses is known:
void wh_pipeline_load_write(wh_pipeline_checker *c);
void wh_pipeline_find_to(wh_pipeline_checker *c);
void wh_pipeline_check_to(wh_pipeline_checker *c);
