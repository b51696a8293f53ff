// UTF-16 and Latin-1 as UTF-8, on the way into the reader.
#pragma once

#include "codec/csv/csv.h"

// An input whose `read` gives the text of `in` as UTF-8, without read_at and of unknown size.
// `head` are the bytes of `in` that were read already, behind the byte order mark; they are copied.
// A lone surrogate or half a character at the end is WH_ERR_DATA with the byte in `in`
// (`head_at` is where head stands there). Closing it leaves `in` open.
wh_status csv_transcode_open(wh_mem *mem, wh_input *in, wh_csv_encoding from, wh_str head,
                             uint64_t head_at, wh_input **ret, wh_error *err);
