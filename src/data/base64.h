// RFC 4648 section 4, with padding.
#pragma once

#include "base/buf.h"

bool wh_base64_write(wh_str bytes, wh_buf *out);
// Strict: whole groups, padding, zero bits behind the last byte, no white space. False and *ret_len
// unset otherwise. `out` has room for text.len / 4 * 3 bytes.
bool wh_base64_read(wh_str text, uint8_t *out, size_t *ret_len);
