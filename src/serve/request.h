// What a question says: pure functions over the bytes of a request. Nothing here touches a
// connection, and no text of an error repeats a value.
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum {
  WH_REQUEST_BODY_MAX = 4096, // bytes
  WH_REQUEST_FIELDS_MAX = 64, // in a body, wanted or not
};

typedef enum wh_body_kind { WH_BODY_OTHER, WH_BODY_FORM, WH_BODY_JSON } wh_body_kind;

// By Content-Type: application/x-www-form-urlencoded or application/json, in UTF-8 if it names a
// charset at all.
wh_body_kind wh_body_kind_of(wh_str content_type);
// Whether Accept names application/json and not text/html.
bool wh_accepts_json(wh_str accept);

typedef struct wh_request_field {
  wh_str name;  // wanted
  wh_str value; // set by parsing; valid UTF-8 without control characters; in the arena or the body
  bool given;
} wh_request_field;

// Finds the values of the wanted fields. Other fields are passed over. WH_ERR_DATA, with a text
// that may be shown to whoever asks: a body that is no form or JSON object, a field that is
// missing, given twice, not UTF-8, or not text (JSON: a string or an integer).
wh_status wh_request_parse(wh_body_kind kind, wh_str body, wh_arena *arena,
                           wh_request_field *fields, size_t count, wh_error *err);
