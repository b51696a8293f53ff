// Parts of an object whose rows are lines: stretches of bytes that end with a newline, which always
// ends a row, so where a part begins is never a guess.
#pragma once

#include "codec/json/reader.h"

enum { JSON_PART_BYTES = 4 * 1024 * 1024 }; // of text, when nobody wants so many rows

// Lets the reader be read in parts, if its input can be read anywhere.
wh_status json_parts_open(json_reader *reader, const wh_codec_context *context, wh_input *in,
                          wh_error *err);
void json_parts_close(json_parts *parts); // NULL is fine

// A row of a part, or of an object that has them, did not fit. WH_ERR_WIDEN, with the reader's
// schema, when the whole object needs a wider one; WH_OK when it does not and the row is to be
// rejected.
wh_status json_parts_widen(json_reader *part, wh_error *err);
