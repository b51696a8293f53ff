// The program's log, one line an event, to standard error or wherever the sink writes.
// Library code logs at debug only; the caller who gives up on an error logs it once.
// A secret never gets here: configuration values that are secret are wh_secret, not wh_str.
#pragma once

#include "base/error.h"
#include "base/str.h"

typedef enum wh_log_level { WH_LOG_DEBUG, WH_LOG_INFO, WH_LOG_WARN, WH_LOG_ERROR } wh_log_level;

typedef void (*wh_log_sink)(void *context, wh_log_level level, wh_str line);

// Set once by main (or a test) before threads start. json: one JSON object a line.
void wh_log_setup(wh_log_level least, bool json, wh_log_sink sink, void *context);
bool wh_log_enabled(wh_log_level level);
// `topic` is a short fixed word (a pipeline's name, "serve"), `fmt` the sentence.
__attribute__((format(printf, 3, 4))) void wh_log(wh_log_level level, const char *topic,
                                                  const char *fmt, ...);
void wh_log_error(wh_log_level level, const char *topic, const wh_error *err);
