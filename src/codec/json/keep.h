// Which of some fields are wanted, and which of theirs.
#pragma once

#include <stdbool.h>

typedef struct json_keep json_keep;
struct json_keep {
  bool some;
  json_keep *fields; // struct: of its fields; list: one, of its item. NULL: all
};
