// What pipelines and teams do at a connection, and so have to be allowed by an IAM policy.
#pragma once

#include "connect/sink.h"
#include "net/iam.h"

typedef enum wh_use_kind {
  WH_USE_READ_ROWS,        // of a table, or of those that a pattern with '*' matches
  WH_USE_FIND_ROWS,        // of a table, by key
  WH_USE_LOAD_ROWS,        // into a table
  WH_USE_READ_OBJECTS,     // that a glob matches
  WH_USE_WRITE_OBJECTS,    // that a glob matches, and what publishing them takes
  WH_USE_KEEP_OBJECTS,     // that a glob matches: put, replace, list, read and remove them
  WH_USE_COPY_OBJECTS,     // among those that a glob matches, and that it may KEEP
  WH_USE_LET_GO_OBJECTS,   // that a glob matches: list, look at and remove them
  WH_USE_WITHDRAW_OBJECTS, // that a glob matches: remove them, or move them elsewhere
  WH_USE_MOVE_OBJECTS,     // to keys that a glob matches
  WH_USE_TEAM_READS,       // by people, with any tool: objects that a glob matches
  WH_USE_TEAM_WRITES,
  WH_USE_EVENTS, // of a queue
  WH_USE_TELL,   // a queue or topic of runs
  WH_USE_POST,   // events to a queue
  WH_USE_LEDGER, // keep one there
} wh_use_kind;

typedef struct wh_use {
  wh_use_kind kind;
  wh_str who;         // the pipeline, as marks are kept for it
  wh_str thing;       // table or glob; of a queue, nothing
  bool by_name;       // READ_OBJECTS: their names are known, and nothing is listed
  wh_write_mode mode; // LOAD_ROWS
} wh_use;
