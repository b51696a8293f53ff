#include "codec/csv/sniff.h"

// Characters of two bytes whose high byte is zero are most of what UTF-16 text with delimiters,
// digits and line ends has, at least one in four; UTF-8 text has no zeros.
static bool is_utf16(const char *bytes, size_t len, unsigned high) {
  size_t zeros = 0, others = 0, pairs = len / 2;
  for (size_t i = 0; i < pairs; i++) {
    zeros += bytes[2 * i + high] == 0;
    others += bytes[2 * i + 1 - high] == 0;
  }
  return pairs && zeros * 4 >= pairs && others * 16 <= zeros;
}

// Latin-1 has bytes that UTF-8 has not. Where there is good UTF-8 too, those are mistakes: their
// rows are rejected then, one by one.
static bool is_latin1(const char *bytes, size_t len, bool at_end) {
  size_t wrong = 0, good = 0;
  for (size_t at = 0; at < len;) {
    if (bytes[at] >= 0) {
      at++;
      continue;
    }
    unsigned char lead = (unsigned char)bytes[at];
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (at + size > len) {
      // A character that the end of the sample cuts is none of either.
      if (at_end || !wh_utf8_valid_prefix(wh_str_n(bytes + at, len - at))) wrong += at_end;
      break;
    }
    bool ok = wh_utf8_valid(wh_str_n(bytes + at, size));
    *(ok ? &good : &wrong) += 1;
    at += ok ? size : 1;
  }
  return wrong > good;
}

wh_csv_encoding csv_sniff_encoding(const char *bytes, size_t len, bool at_end, size_t *ret_bom) {
  wh_str all = {bytes, len};
  *ret_bom = 0;
  if (wh_str_starts(all, "\xEF\xBB\xBF")) {
    *ret_bom = 3;
    return WH_CSV_UTF8;
  }
  if (wh_str_starts(all, "\xFF\xFE") || wh_str_starts(all, "\xFE\xFF")) {
    *ret_bom = 2;
    return *bytes == '\xFF' ? WH_CSV_UTF16LE : WH_CSV_UTF16BE;
  }
  if (len > SNIFF_BYTES) {
    len = SNIFF_BYTES;
    at_end = false;
  }
  if (is_utf16(bytes, len, 1)) return WH_CSV_UTF16LE;
  if (is_utf16(bytes, len, 0)) return WH_CSV_UTF16BE;
  return is_latin1(bytes, len, at_end) ? WH_CSV_LATIN1 : WH_CSV_UTF8;
}
