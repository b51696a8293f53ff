// Strings of JSON (RFC 8259 section 7): escapes and UTF-8.
#pragma once

#include "codec/json/walk.h"

enum { JSON_TEXT_SLACK = 16 };

// Looks at a string that is not plain. JSON_BAD where it has a wrong escape, a control character,
// half a surrogate pair, or is not UTF-8.
bool json_text_check(json_feed *feed, const json_value *value);

// What the string means, as UTF-8: at most as many bytes as it is long. `out` has room for
// JSON_TEXT_SLACK more.
bool json_text_unescape(json_feed *feed, const json_value *value, char *out, size_t *ret_len);
