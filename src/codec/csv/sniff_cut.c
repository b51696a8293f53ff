// The sample as cells, a byte after the other.
#include "codec/csv/sniff.h"

const char *sniff_line_end(const char *at, const char *end) {
  while (at < end && *at != '\n' && *at != '\r')
    at++;
  if (at == end) return end;
  return at + 1 + (*at == '\r' && at + 1 < end && at[1] == '\n');
}

static bool at_delimiter(const sniff_cut *cut, const char *at, const char *end) {
  if (cut->delimiter_len == 0 || *at != cut->delimiter[0]) return false;
  return cut->delimiter_len == 1 || ((size_t)(end - at) >= cut->delimiter_len &&
                                     memcmp(at, cut->delimiter, cut->delimiter_len) == 0);
}

// From behind the opening quote to the closing one, or the end.
static const char *closing_quote(const sniff_cut *cut, const char *at, const char *end) {
  while (at < end) {
    if (cut->escape && *at == cut->escape && at + 1 < end) {
      at += 2;
    } else if (*at != cut->quote) {
      at++;
    } else if (at + 1 < end && at[1] == cut->quote) {
      at += 2;
    } else {
      return at;
    }
  }
  return end;
}

// Up to the delimiter, line end or end; *bad is set when a quote stands before it.
static const char *field_end(const sniff_cut *cut, const char *at, const char *end, bool *bad) {
  const char first = cut->delimiter_len ? cut->delimiter[0] : '\n';
  const char quote = cut->quote ? cut->quote : '\n';
  for (;; at++) {
    while (at < end && *at != '\n' && *at != '\r' && *at != first && *at != quote)
      at++;
    if (at == end || *at == '\n' || *at == '\r' || at_delimiter(cut, at, end)) return at;
    *bad |= *at == quote;
  }
}

static const char *skip_blanks(const sniff_cut *cut, const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t') && !at_delimiter(cut, at, end))
    at++;
  return at;
}

// Where quotes mean nothing, a text between two of them is a mistake.
static bool is_wrapped(wh_str s) {
  return s.len >= 2 && (*s.data == '"' || *s.data == '\'') && s.data[s.len - 1] == *s.data;
}

bool sniff_next(sniff_cursor *cursor, sniff_cell *ret) {
  const sniff_cut *cut = cursor->cut;
  const char *at = cursor->at, *end = cursor->end;
  if (at == end && !cursor->begun) return false;
  *ret = (sniff_cell){0};
  const char *stop;
  if (cut->trim) at = skip_blanks(cut, at, end);
  if (cut->quote && at < end && *at == cut->quote) {
    const char *close = closing_quote(cut, at + 1, end);
    ret->quoted = true;
    ret->text = wh_str_n(at + 1, (size_t)(close - at - 1));
    cursor->open = close == end;
    const char *behind = close < end ? close + 1 : end;
    if (cut->trim) behind = skip_blanks(cut, behind, end);
    stop = field_end(cut, behind, end, &ret->bad);
    if (stop > behind || cursor->open) ret->bad = true;
  } else {
    stop = field_end(cut, at, end, &ret->bad);
    ret->text = wh_str_n(at, (size_t)(stop - at));
    if (cut->trim) ret->text = wh_str_trim(ret->text);
    if (!cut->quote && is_wrapped(ret->text)) ret->bad = true;
  }
  cursor->begun = stop < end && at_delimiter(cut, stop, end);
  ret->last = !cursor->begun;
  cursor->at = cursor->begun ? stop + cut->delimiter_len : sniff_line_end(stop, end);
  return true;
}
