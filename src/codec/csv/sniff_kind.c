// What a cell looks like. Rough on purpose: it is asked of every cell under every candidate, and
// what counts is how many of them look like something.
#include "codec/csv/sniff.h"

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c < 0;
}

static size_t digits_at(wh_str s, size_t at) {
  size_t n = 0;
  while (at + n < s.len && is_digit(s.data[at + n]))
    n++;
  return n;
}

// --- Numbers -------------------------------------------------------------------------------------

// The digits of a number and the marks between them.
typedef struct marks {
  size_t points, commas, digits;
  char last;       // the last mark
  size_t lead;     // digits before the first mark
  size_t tail;     // behind the last
  bool in_threes;  // all groups behind the first mark but the last have three
  bool zero_first; // the first digit is a zero
} marks;

static size_t scan_marks(wh_str s, size_t at, marks *m) {
  *m = (marks){.in_threes = true, .zero_first = at < s.len && s.data[at] == '0'};
  m->lead = m->digits = digits_at(s, at);
  at += m->lead;
  while (at < s.len && (s.data[at] == '.' || s.data[at] == ',')) {
    if (m->last && m->tail != 3) m->in_threes = false;
    m->last = s.data[at++];
    *(m->last == '.' ? &m->points : &m->commas) += 1;
    m->tail = digits_at(s, at);
    m->digits += m->tail;
    at += m->tail;
  }
  return at;
}

static sniff_kind kind_of_marks(const marks *m) {
  bool lead_group = m->lead >= 1 && m->lead <= 3;
  bool groups = lead_group && m->in_threes;
  size_t total = m->points + m->commas;
  if (total == 0) return SNIFF_NUMBER;
  if (total == 1 && m->last == '.') return SNIFF_NUMBER;
  if (total == 1) {
    bool either = lead_group && m->tail == 3 && !m->zero_first;
    return either ? SNIFF_EITHER_NUMBER : SNIFF_COMMA_NUMBER;
  }
  if (!groups) return SNIFF_TEXT;
  if (m->commas == 0) return m->tail == 3 ? SNIFF_COMMA_NUMBER : SNIFF_TEXT;
  if (m->points == 0) return m->tail == 3 ? SNIFF_NUMBER : SNIFF_TEXT;
  if (m->points == 1 && m->last == '.') return SNIFF_NUMBER;
  return m->commas == 1 && m->last == ',' ? SNIFF_COMMA_NUMBER : SNIFF_TEXT;
}

static sniff_kind number_kind(wh_str s) {
  size_t at = s.len && (s.data[0] == '-' || s.data[0] == '+');
  if (at < s.len && s.data[at] == '$') at++;
  marks m;
  at = scan_marks(s, at, &m);
  if (m.digits == 0) return SNIFF_TEXT;
  if (at < s.len && (s.data[at] == 'e' || s.data[at] == 'E')) {
    size_t sign = at + 1 < s.len && (s.data[at + 1] == '-' || s.data[at + 1] == '+');
    size_t power = digits_at(s, at + 1 + sign);
    if (power) at += 1 + sign + power;
  }
  if (at < s.len && s.data[at] == '%') at++;
  return at == s.len ? kind_of_marks(&m) : SNIFF_TEXT;
}

// --- Dates and times -----------------------------------------------------------------------------

// hh:mm[:ss[.f]] [AM|PM] [zone] to the end of the text.
static bool is_clock(wh_str s, size_t at) {
  size_t n = digits_at(s, at);
  if (n < 1 || n > 2) return false;
  at += n;
  int parts = 1;
  while (parts < 3 && at < s.len && s.data[at] == ':' && digits_at(s, at + 1) == 2) {
    at += 3;
    parts++;
  }
  if (parts == 1) return false;
  if (at < s.len && (s.data[at] == '.' || s.data[at] == ',')) at += 1 + digits_at(s, at + 1);
  if (at == s.len || (s.data[at] == 'Z' && at + 1 == s.len)) return true;
  if (s.data[at] == '+' || s.data[at] == '-') return s.len - at <= 6;
  wh_str half = wh_str_trim(wh_str_sub(s, at, s.len));
  return wh_str_eq_nocase(half, WH_STR("am")) || wh_str_eq_nocase(half, WH_STR("pm"));
}

// Three numbers with the same mark between them, one of them of four digits (or all of two).
static bool is_date(wh_str s, size_t *ret_end) {
  size_t a = digits_at(s, 0);
  if ((a != 1 && a != 2 && a != 4) || a >= s.len) return false;
  char mark = s.data[a];
  if (mark != '-' && mark != '/' && mark != '.') return false;
  size_t b = digits_at(s, a + 1), at = a + 1 + b;
  if (b < 1 || b > 2 || at >= s.len || s.data[at] != mark) return false;
  size_t c = digits_at(s, at + 1);
  *ret_end = at + 1 + c;
  return a == 4 ? c >= 1 && c <= 2 : c == 4 || (c == 2 && a + b >= 2);
}

static bool is_time(wh_str s) {
  size_t end;
  if (!is_date(s, &end)) return is_clock(s, 0);
  return end == s.len || ((s.data[end] == 'T' || s.data[end] == ' ') && is_clock(s, end + 1));
}

// --- Words and text ------------------------------------------------------------------------------

static bool is_one_of(wh_str s, const char *const *words) {
  for (; *words; words++)
    if (wh_str_eq_nocase(s, wh_str_of(*words))) return true;
  return false;
}

// Addresses and identifiers: a@b.c, https://..., 8-4-4-4-12.
static bool is_address(wh_str s) {
  size_t mail = wh_str_find(s, 0, '@');
  if (mail > 0 && mail < s.len && wh_str_find(s, mail, '.') < s.len &&
      wh_str_find(s, 0, ' ') == s.len && wh_str_find(s, 0, ',') == s.len) {
    return true;
  }
  if (wh_str_starts(s, "http://") || wh_str_starts(s, "https://")) {
    return wh_str_find(s, 0, ' ') == s.len;
  }
  return s.len == 36 && s.data[8] == '-' && s.data[13] == '-' && s.data[18] == '-' &&
         s.data[23] == '-';
}

// A delimiter as nobody would write it in prose.
static bool is_list(wh_str s) {
  for (size_t i = 0; i < s.len; i++) {
    char c = s.data[i];
    if (c == '\t' || c == '|' || c == '~' || c == '^' || c == '\x1F' || c == 1) return true;
    bool prose = i + 1 == s.len || s.data[i + 1] == ' ';
    if ((c == ',' || c == ';') && !prose) return true;
  }
  return false;
}

static bool is_stray(wh_str s) {
  char first = s.data[0], last = s.data[s.len - 1];
  if (first == '"') return true;
  if (first == '\'' && last == '\'') return true;
  return last == '"' && s.len > 1 && !is_digit(s.data[s.len - 2]);
}

sniff_kind sniff_kind_of(wh_str cell) {
  static const char *const bools[] = {"true", "false", "yes", "no", NULL};
  static const char *const nulls[] = {"null", "na", "n/a", "nan", "none", "nil", "\\n", "-", NULL};
  wh_str s = wh_str_trim(cell);
  if (s.len == 0) return SNIFF_EMPTY;
  if (!is_letter(s.data[0])) {
    sniff_kind number = number_kind(s);
    if (is_digit(s.data[0]) && is_time(s)) return SNIFF_TIME;
    if (number != SNIFF_TEXT) return number;
  }
  if (s.len <= 5 && is_one_of(s, bools)) return SNIFF_BOOL;
  if (s.len <= 4 && is_one_of(s, nulls)) return SNIFF_WORD;
  if (is_stray(s)) return SNIFF_STRAY;
  if (is_address(s)) return SNIFF_WORD;
  return is_list(s) ? SNIFF_LIST : SNIFF_TEXT;
}
