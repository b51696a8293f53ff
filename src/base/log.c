#include "base/log.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048 };

static struct {
  wh_log_level least;
  bool json;
  wh_log_sink sink;
  void *context;
} setup = {.least = WH_LOG_INFO};

void wh_log_setup(wh_log_level least, bool json, wh_log_sink sink, void *context) {
  setup.least = least;
  setup.json = json;
  setup.sink = sink;
  setup.context = context;
}

bool wh_log_enabled(wh_log_level level) {
  return level >= setup.least;
}

static void emit(wh_log_level level, wh_str line) {
  if (setup.sink) {
    setup.sink(setup.context, level, line);
    return;
  }
  // One write a line, so that lines of several threads do not mix.
  char text[LOG_LINE_MAX + 1];
  size_t n = line.len < LOG_LINE_MAX ? line.len : LOG_LINE_MAX;
  memcpy(text, line.data, n);
  text[n++] = '\n';
  ssize_t ignored = write(STDERR_FILENO, text, n);
  (void)ignored;
}

// Control characters in a message would let outside text forge lines.
static void make_printable(char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) *text = ' ';
  }
}

static void json_escape(const char *text, char *out, size_t cap) {
  size_t n = 0;
  for (; *text && n + 3 < cap; text++) {
    if (*text == '"' || *text == '\\') out[n++] = '\\';
    out[n++] = *text;
  }
  out[n] = 0;
}

void wh_log(wh_log_level level, const char *topic, const char *fmt, ...) {
  static const char *const names[] = {"debug", "info", "warn", "error"};
  if (!wh_log_enabled(level)) return;
  char text[1024];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  make_printable(text);

  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char stamp[32];
  size_t at = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(stamp + at, sizeof stamp - at, ".%03ldZ", now.tv_nsec / 1000000);

  char line[LOG_LINE_MAX];
  int n;
  if (setup.json) {
    char quoted[1400];
    json_escape(text, quoted, sizeof quoted);
    n = snprintf(line, sizeof line,
                 "{\"time\":\"%s\",\"level\":\"%s\",\"topic\":\"%s\",\"text\":\"%s\"}", stamp,
                 names[level], topic, quoted);
  } else {
    n = snprintf(line, sizeof line, "%s %-5s %s: %s", stamp, names[level], topic, text);
  }
  if (n < 0) return;
  emit(level, wh_str_n(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1));
}

void wh_log_error(wh_log_level level, const char *topic, const wh_error *err) {
  wh_log(level, topic, "%s", err->text);
}
