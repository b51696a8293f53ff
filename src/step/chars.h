// What masks and steps know of characters: white space, letters and digits, simple case. The
// knowledge is a table of Unicode 14.0 that is part of the program (chars_table.h), not the
// system's locale, so that the same text gives the same result on every machine.
//
// No normalisation (NFC): a letter with an accent and the same letter followed by a combining
// accent stay different. Case is one character to one character: what becomes several (the German
// sharp s) stays as it is.
//
// Texts are UTF-8; a byte that is not counts as one character, U+FFFD, and is never a letter.
#pragma once

#include "base/buf.h"
#include "base/str.h"

enum { WH_CHAR_INVALID = 0xFFFD };

uint32_t wh_char_next_wide_(wh_str s, size_t *at);
// The character at *at, which moves behind it. *at < s.len.
static inline uint32_t wh_char_next(wh_str s, size_t *at) {
  unsigned char c = (unsigned char)s.data[*at];
  if (c >= 0x80) return wh_char_next_wide_(s, at);
  ++*at;
  return c;
}
// Writes the character's 1 to 4 bytes and returns how many.
size_t wh_char_encode(uint32_t c, char out[4]);

// Unicode's White_Space, and the invisible U+200B, U+2060 and U+FEFF.
bool wh_char_is_space(uint32_t c);
// Letters, marks (which letters of many scripts need) and decimal digits.
bool wh_char_is_alphanumeric(uint32_t c);
uint32_t wh_char_upper(uint32_t c);
uint32_t wh_char_lower(uint32_t c);

wh_str wh_chars_trim(wh_str s); // white space at both ends
size_t wh_chars_count(wh_str s);
