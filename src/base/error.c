#include "base/error.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Writes the formatted text, cut at a character boundary.
__attribute__((format(printf, 2, 0))) static void write_text(char text[WH_ERROR_TEXT_MAX],
                                                             const char *fmt, va_list args) {
  int n = vsnprintf(text, WH_ERROR_TEXT_MAX, fmt, args);
  if (n < WH_ERROR_TEXT_MAX) return;
  size_t cut = wh_utf8_cut(wh_str_n(text, WH_ERROR_TEXT_MAX - 1), WH_ERROR_TEXT_MAX - 4);
  memcpy(text + cut, "...", 4);
}

wh_status wh_fail(wh_error *err, wh_status status, const char *fmt, ...) {
  if (!err) return status;
  va_list args;
  va_start(args, fmt);
  // The arguments may point into err->text, so write aside first.
  char text[WH_ERROR_TEXT_MAX];
  write_text(text, fmt, args);
  va_end(args);
  *err = (wh_error){.status = status, .retry = status == WH_ERR_UNAVAILABLE};
  memcpy(err->text, text, sizeof text);
  return status;
}

wh_status wh_fail_at(wh_error *err, wh_status status, wh_place place, const char *fmt, ...) {
  if (!err) return status;
  va_list args;
  va_start(args, fmt);
  char text[WH_ERROR_TEXT_MAX];
  write_text(text, fmt, args);
  va_end(args);
  *err = (wh_error){.status = status, .place = place};
  memcpy(err->text, text, sizeof text);
  return status;
}

void wh_error_prefix(wh_error *err, const char *fmt, ...) {
  if (!err) return;
  char text[WH_ERROR_TEXT_MAX];
  va_list args;
  va_start(args, fmt);
  write_text(text, fmt, args);
  va_end(args);
  size_t head = strlen(text);
  size_t tail = strlen(err->text);
  if (head + tail >= sizeof text)
    tail = wh_utf8_cut(wh_str_n(err->text, tail), sizeof text - 1 - head);
  memcpy(text + head, err->text, tail);
  text[head + tail] = 0;
  memcpy(err->text, text, sizeof text);
}

void wh_error_append(wh_error *err, const char *more) {
  if (!err) return;
  size_t at = strlen(err->text), room = sizeof err->text - 1 - at;
  size_t n = wh_utf8_cut(wh_str_of(more), room);
  memcpy(err->text + at, more, n);
  err->text[at + n] = 0;
}

void wh_error_append_row(wh_error *err) {
  char text[40];
  if (!err || !err->place.row) return;
  snprintf(text, sizeof text, " (row %llu)", (unsigned long long)err->place.row);
  wh_error_append(err, text);
}

wh_status wh_fail_memory(wh_error *err) {
  return wh_fail(err, WH_ERR_MEMORY,
                 "out of memory: the ceiling set by `memory` (or the system) refused more");
}

wh_status wh_status_from_errno(int errnum) {
  switch (errnum) {
  case ENOSPC:
  case EDQUOT:
    return WH_ERR_NO_SPACE;
  case ENOENT:
  case ENOTDIR:
    return WH_ERR_NOT_FOUND;
  case EEXIST:
  case ENOTEMPTY:
    return WH_ERR_EXISTS;
  case EACCES:
  case EPERM:
  case EROFS:
    return WH_ERR_DENIED;
  case ENOMEM:
    return WH_ERR_MEMORY;
  case EAGAIN:
  case EBUSY:
    return WH_ERR_BUSY;
  default:
    return WH_ERR_IO;
  }
}

const char *wh_status_name(wh_status status) {
  switch (status) {
  case WH_OK:
    return "ok";
  case WH_ERR_MEMORY:
    return "memory";
  case WH_ERR_USAGE:
    return "usage";
  case WH_ERR_DATA:
    return "data";
  case WH_ERR_TYPE:
    return "type";
  case WH_ERR_WIDEN:
    return "widen";
  case WH_ERR_LIMIT:
    return "limit";
  case WH_ERR_IO:
    return "io";
  case WH_ERR_NO_SPACE:
    return "no_space";
  case WH_ERR_NOT_FOUND:
    return "not_found";
  case WH_ERR_EXISTS:
    return "exists";
  case WH_ERR_CHANGED:
    return "changed";
  case WH_ERR_DENIED:
    return "denied";
  case WH_ERR_UNAVAILABLE:
    return "unavailable";
  case WH_ERR_BUSY:
    return "busy";
  case WH_ERR_STALE:
    return "stale";
  case WH_ERR_REFUSED:
    return "refused";
  case WH_ERR_CANCELLED:
    return "cancelled";
  case WH_ERR_END:
    return "end";
  case WH_ERR_BUG:
    return "bug";
  }
  return "unknown";
}
