// Errors are values. A fallible function returns a wh_status, which the compiler makes the
// caller check, and writes the detail to its last argument, a wh_error the caller owns.
//
// Rules that hold everywhere:
//  - `ret_` outputs are set only when WH_OK is returned.
//  - A wh_error may be NULL where the caller does not want the detail.
//  - Writing an error never allocates, so it also works when memory has run out.
//  - A callee fills the error; callers on the way up may add context (wh_error_prefix); the one
//    who gives up logs it, once.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum [[nodiscard]] wh_status{
    WH_OK = 0,
    WH_ERR_MEMORY,      // the ceiling is reached, or an allocation failed
    WH_ERR_USAGE,       // the command line or the configuration is wrong (exit status 2)
    WH_ERR_DATA,        // the input is malformed: nothing of it can be trusted (framing)
    WH_ERR_TYPE,        // a value does not fit its type
    WH_ERR_WIDEN,       // an inferred schema was too narrow: read again with the wider one
    WH_ERR_LIMIT,       // a named limit was exceeded
    WH_ERR_IO,          // the operating system or a peer failed
    WH_ERR_NO_SPACE,    // the disk or the quota is full; the same call may succeed later
    WH_ERR_NOT_FOUND,   // no such file, object, table, row, name
    WH_ERR_EXISTS,      // the name is taken
    WH_ERR_CHANGED,     // the object or table is no longer the one that was asked for
    WH_ERR_DENIED,      // no permission, wrong password
    WH_ERR_UNAVAILABLE, // no answer, or "try again"
    WH_ERR_BUSY,        // somebody else holds the lock
    WH_ERR_STALE,       // this worker lost its lease: a newer epoch holds the work
    WH_ERR_REFUSED,     // asked for something the promises forbid
    WH_ERR_CANCELLED,   // asked to stop
    WH_ERR_END,         // no more; not a failure (iteration)
    WH_ERR_BUG,         // an invariant of ours does not hold
} wh_status;

// A position in an input. Zero means unknown, except for `byte`, whose knowledge `line` carries:
// where line is known, byte is too. row and line and column count from 1, byte from 0; column
// counts bytes within the line.
typedef struct wh_place {
  uint64_t row;
  uint64_t line;
  uint64_t column;
  uint64_t byte;
} wh_place;

enum { WH_ERROR_TEXT_MAX = 1024 };

typedef struct wh_error {
  wh_status status;
  bool retry;     // the same call may succeed later
  wh_place place; // where in the input, as far as known
  char text[WH_ERROR_TEXT_MAX];
} wh_error;

// Fills `err` (which may be NULL) and returns `status`, so that `return wh_fail(...)` reads well.
// A text that does not fit is cut at a UTF-8 boundary and ends in "...".
__attribute__((format(printf, 3, 4))) wh_status wh_fail(wh_error *err, wh_status status,
                                                        const char *fmt, ...);
__attribute__((format(printf, 4, 5))) wh_status wh_fail_at(wh_error *err, wh_status status,
                                                           wh_place place, const char *fmt, ...);

// Puts "prefix" in front of the text that is there.
__attribute__((format(printf, 2, 3))) void wh_error_prefix(wh_error *err, const char *fmt, ...);

// Puts `more` behind it, as far as it fits.
void wh_error_append(wh_error *err, const char *more);

// Says which row of the input it is, where the place knows: " (row 4711)".
void wh_error_append_row(wh_error *err);

// Out of memory, with the ceiling named when it is the accountant that refused.
wh_status wh_fail_memory(wh_error *err);

// Turns errno into a status: ENOSPC and EDQUOT become WH_ERR_NO_SPACE, and so on.
wh_status wh_status_from_errno(int errnum);

// A short lower-case word for the status, for --json and logs: "no_space".
const char *wh_status_name(wh_status status);

#define WH_TRY(expr)                                                                               \
  do {                                                                                             \
    wh_status wh_try_status_ = (expr);                                                             \
    if (wh_try_status_ != WH_OK) return wh_try_status_;                                            \
  } while (0)

// For calls whose failure changes nothing any more (closing after an error).
#define WH_IGNORE(expr)                                                                            \
  do {                                                                                             \
    wh_status wh_ignored_status_ = (expr);                                                         \
    (void)wh_ignored_status_;                                                                      \
  } while (0)
