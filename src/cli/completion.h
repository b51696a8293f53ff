// Completion scripts for shells, made from wh_commands. What only the project knows (pipelines,
// connections, runs) the scripts ask for with the hidden `wherry completion words KIND`.
#pragma once

#include "cli/commands.h"

// One argument of a command, from its `completes`: kinds or alternatives, one an argument, with
// blanks between them: "list|show|replay|drop pipeline". The last one stands for all that follow.
typedef struct wh_completion {
  size_t position; // of the argument, from 0
  bool repeats;    // and all behind it
  wh_str what;     // a kind, or words with '|' between them
} wh_completion;

// The next argument; begin with *at zeroed. False when there is no more.
bool wh_completion_next(const wh_command *command, size_t *at, wh_completion *ret);
// Whether `what` is a kind: file and folder, which shells know, or one that `words` knows.
bool wh_completion_is_kind(wh_str what);
bool wh_completion_is_path(wh_str what); // file or folder

// 'text' for a POSIX-like shell or zsh; for fish.
void wh_add_quoted(wh_buf *out, const char *text);
void wh_add_quoted_fish(wh_buf *out, const char *text);

void wh_completion_bash(wh_buf *out);
void wh_completion_zsh(wh_buf *out);
void wh_completion_fish(wh_buf *out);
