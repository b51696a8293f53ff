// All candidates are measured on the first part of the sample, the best few on all of it; the one
// with the highest score then is the dialect.
#include "codec/csv/sniff.h"

static const char *const delimiters[] = {
    ",",  ";",  "\t", "|",  "~",  "^",   "\x1F", "\x01", ", ", "; ", " | ",
    "||", "::", ";;", "^^", "~~", "~|~", "|~|",  ":",    " ",  NULL,
};
static const char quotes[] = {'"', '\'', 0};
static const char escapes[] = {0, '\\'};

enum {
  QUOTES = sizeof quotes,
  ESCAPES = sizeof escapes,
  FIRST_BYTES = 8 * 1024, // of the sample, for all candidates,
  FIRST_LINES = 10,       // and at least so many lines
  LAST_ROUND = 6,         // candidates that are measured on all of it
};

typedef struct sniffer {
  sniff_sample sample;
  wh_csv_read_options given;
  sniff_shape best[LAST_ROUND]; // by falling score, which is 0 where there are no more
} sniffer;

// --- Candidates ----------------------------------------------------------------------------------

// Puts it in its place among the best, unless it is worse than all of them. Of equals the first
// one stays.
static void try_cut(sniffer *s, const sniff_cut *cut) {
  sniff_shape shape = {.cut = *cut};
  size_t at = LAST_ROUND - 1;
  sniff_measure(&s->sample, s->best[at].score, &shape);
  if (shape.score <= s->best[at].score) return;
  for (; at > 0 && shape.score > s->best[at - 1].score; at--)
    s->best[at] = s->best[at - 1];
  s->best[at] = shape;
}

static bool has(wh_str text, wh_str part) {
  return memmem(text.data, text.len, part.data, part.len) != NULL;
}

static bool has_char(wh_str text, char c) {
  return memchr(text.data, c, text.len) != NULL;
}

// Whether a quote in the sample stands behind an escape.
static bool is_escape(const sniffer *s, char quote, char escape) {
  const char pair[2] = {escape, quote};
  return quote && has(s->sample.text, wh_str_n(pair, sizeof pair));
}

static void try_escapes(sniffer *s, sniff_cut *cut, const csv_dialect *d) {
  if (s->given.escape.len) {
    cut->escape = d->escape;
    try_cut(s, cut);
    return;
  }
  for (size_t i = 0; i < ESCAPES; i++) {
    if (escapes[i] && !is_escape(s, cut->quote, escapes[i])) continue;
    cut->escape = escapes[i];
    try_cut(s, cut);
  }
}

static void try_quotes(sniffer *s, sniff_cut *cut, const csv_dialect *d) {
  if (s->given.quote.len) {
    cut->quote = d->quote;
    try_escapes(s, cut, d);
    return;
  }
  bool any = has_char(s->sample.text, '"') || has_char(s->sample.text, '\'');
  for (size_t i = 0; i < QUOTES; i++) {
    // Where there are no quotes, the usual one is as good as any.
    bool speaks = quotes[i] == '"' || (quotes[i] ? has_char(s->sample.text, quotes[i]) : any);
    bool taken = cut->delimiter_len && quotes[i] &&
                 memchr(cut->delimiter, quotes[i], cut->delimiter_len) != NULL;
    if (!speaks || taken) continue;
    cut->quote = quotes[i];
    try_escapes(s, cut, d);
  }
}

static void try_all(sniffer *s, const csv_dialect *d) {
  sniff_cut cut = {.trim = s->given.trim};
  if (s->given.delimiter.len) {
    memcpy(cut.delimiter, d->delimiter, sizeof cut.delimiter);
    cut.delimiter_len = d->delimiter_len;
    try_quotes(s, &cut, d);
    return;
  }
  for (size_t i = 0; delimiters[i]; i++) {
    wh_str delimiter = wh_str_of(delimiters[i]);
    if (!has(s->sample.text, delimiter)) continue;
    if (d->quote && s->given.quote.len && has_char(delimiter, d->quote)) continue;
    cut = (sniff_cut){.delimiter_len = (uint8_t)delimiter.len, .trim = s->given.trim};
    memcpy(cut.delimiter, delimiter.data, delimiter.len);
    try_quotes(s, &cut, d);
  }
  cut = (sniff_cut){.trim = s->given.trim};
  try_quotes(s, &cut, d);
}

// --- The sample ----------------------------------------------------------------------------------

// Lines before the table. In one column without a header the empty ones right before it are rows.
static uint64_t count_lines(const char *at, const char *end, bool empty_too) {
  uint64_t lines = 0, all = 0;
  while (at < end) {
    bool empty = *at == '\n' || *at == '\r';
    at = sniff_line_end(at, end);
    all++;
    if (!empty || empty_too) lines = all;
  }
  return lines;
}

// Cuts it back to whole lines, unless the first one is longer.
static void keep_lines(sniff_sample *sample, size_t bytes) {
  wh_str text = wh_str_sub(sample->text, 0, bytes);
  size_t len = text.len;
  while (len && text.data[len - 1] != '\n' && text.data[len - 1] != '\r')
    len--;
  if (len) text.len = len;
  sample->text = text;
  sample->whole = false;
}

static void take_sample(sniff_sample *sample, wh_str text, bool at_end) {
  sample->text = text;
  sample->whole = at_end;
  if (!at_end || text.len > SNIFF_BYTES) keep_lines(sample, SNIFF_BYTES);
}

static void skip_lines(sniff_sample *sample, uint64_t lines) {
  const char *at = sample->text.data, *end = at + sample->text.len;
  while (lines-- && at < end)
    at = sniff_line_end(at, end);
  sample->text = wh_str_n(at, (size_t)(end - at));
}

// "sep=;" in the first line: what a spreadsheet program wants to be told, and tells.
static bool take_sep_line(sniffer *s, csv_dialect *d) {
  wh_str text = s->sample.text;
  const char *end = text.data + text.len, *stop = sniff_line_end(text.data, end);
  wh_str line = wh_str_n(text.data, (size_t)(stop - text.data));
  while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
    line.len--;
  if (line.len != 5 || !wh_str_eq_nocase(wh_str_sub(line, 0, 4), WH_STR("sep="))) return false;
  char c = line.data[4];
  if (c < 0 || c == '"' || c == '=') return false;
  d->delimiter[0] = c;
  d->delimiter_len = 1;
  skip_lines(&s->sample, 1);
  return true;
}

static size_t first_bytes(wh_str text) {
  const char *at = text.data, *end = at + text.len;
  for (int i = 0; i < FIRST_LINES; i++)
    at = sniff_line_end(at, end);
  size_t lines = (size_t)(at - text.data);
  return lines > FIRST_BYTES ? lines : FIRST_BYTES;
}

static void try_rounds(sniffer *s, const csv_dialect *d) {
  sniff_sample all = s->sample;
  size_t first = first_bytes(all.text);
  bool enough = all.text.len <= first;
  if (!enough) keep_lines(&s->sample, first);
  try_all(s, d);
  s->sample = all;
  if (enough) return;
  sniff_shape last[LAST_ROUND];
  memcpy(last, s->best, sizeof last);
  memset(s->best, 0, sizeof s->best);
  for (size_t i = 0; i < LAST_ROUND; i++)
    if (last[i].score > 0) try_cut(s, &last[i].cut);
}

// --- The result ----------------------------------------------------------------------------------

// One column: a delimiter that the text has not.
static void set_no_delimiter(const sniffer *s, csv_dialect *d) {
  static const char unused[] = {',', ';', '\t', '|', '\x1F'};
  size_t i = 0;
  while (i + 1 < sizeof unused && has_char(s->sample.text, unused[i]))
    i++;
  d->delimiter[0] = unused[i];
  d->delimiter_len = 1;
}

static void set_cut(const sniffer *s, csv_dialect *d) {
  const sniff_cut *cut = &s->best[0].cut;
  d->quote = cut->quote;
  d->escape = cut->escape;
  if (s->given.delimiter.len) return;
  if (cut->delimiter_len == 0) {
    set_no_delimiter(s, d);
    return;
  }
  memcpy(d->delimiter, cut->delimiter, sizeof d->delimiter);
  d->delimiter_len = cut->delimiter_len;
}

static bool same_delimiter(const sniff_cut *a, const sniff_cut *b) {
  return a->delimiter_len == b->delimiter_len &&
         memcmp(a->delimiter, b->delimiter, a->delimiter_len) == 0;
}

// Of the next one with another delimiter. Another quote hardly changes the score where quotes are
// few, and says nothing then.
static double second_score(const sniffer *s) {
  for (size_t i = 1; i < LAST_ROUND; i++)
    if (!same_delimiter(&s->best[i].cut, &s->best[0].cut)) return s->best[i].score;
  return 0;
}

// How sure: rows that are even, far from the next best, and enough of them.
static double sure_of(const sniffer *s) {
  const sniff_shape *best = &s->best[0];
  const double close = 0.6;
  double even = best->rows ? (double)best->even / best->rows : 0;
  double margin = best->score > 0 ? 2 * (1 - second_score(s) / best->score) : 0;
  double enough = best->rows / (best->rows + 0.3);
  return even * enough * (close + (1 - close) * (margin < 1 ? margin : 1));
}

static wh_status finish(sniffer *s, csv_dialect *d, wh_mem *mem, double *ret_sure, wh_error *err) {
  const wh_csv_read_options *given = &s->given;
  const sniff_shape *best = &s->best[0];
  double sure = sure_of(s);
  bool header = given->header != WH_CSV_HEADER_NO;
  if (given->header == WH_CSV_HEADER_SNIFF) {
    double header_sure;
    if (!sniff_has_header(&s->sample, best, mem, &header_sure, &header)) return wh_fail_memory(err);
    sure *= header_sure;
  }
  set_cut(s, d);
  d->header = header;
  if (given->preamble < 0) {
    const char *text = s->sample.text.data;
    d->preamble += count_lines(text, text + best->table, header || best->width > 1);
  }
  if (best->comments && !given->comment.len) {
    d->comment[0] = '#';
    d->comment_len = 1;
  }
  if (!given->decimal.len) {
    char thousands;
    sniff_marks(&s->sample, best, &d->decimal, &thousands);
    if (!given->thousands.len) d->thousands = thousands;
    if (d->thousands == d->decimal) d->decimal = '.';
  }
  *ret_sure = sure;
  return WH_OK;
}

static wh_status sniff(sniffer *s, wh_mem *mem, csv_dialect *d, double *ret_sure, wh_error *err) {
  csv_dialect found = *d;
  bool said = false;
  if (s->given.preamble >= 0) {
    skip_lines(&s->sample, (uint64_t)s->given.preamble);
    s->sample.from_options = true;
  } else if (!s->given.delimiter.len && take_sep_line(s, &found)) {
    found.preamble = 1;
    said = true;
  }
  if (said) s->given.delimiter = wh_str_n(found.delimiter, 1);
  if (s->sample.text.len) try_rounds(s, &found);
  if (s->best[0].score <= 0) { // nothing to go by
    *d = found;
    *ret_sure = 0;
    return WH_OK;
  }
  WH_TRY(finish(s, &found, mem, ret_sure, err));
  *d = found;
  return WH_OK;
}

wh_status csv_sniff(wh_mem *mem, const char *sample, size_t len, bool at_end,
                    const wh_csv_read_options *given, csv_dialect *dialect, double *ret_sure,
                    wh_error *err) {
  size_t size = (2 * SNIFF_ROWS + SNIFF_COLUMNS) * sizeof(uint32_t);
  uint32_t *work = wh_mem_alloc(mem, size);
  if (!work) return wh_fail_memory(err);
  sniffer s = {.sample = {.comment = given->comment,
                          .footer = (uint32_t)given->footer,
                          .widths = work,
                          .starts = work + SNIFF_ROWS,
                          .filled = work + 2 * SNIFF_ROWS},
               .given = *given};
  take_sample(&s.sample, wh_str_n(sample, len), at_end);
  wh_status status = sniff(&s, mem, dialect, ret_sure, err);
  wh_mem_free(mem, work, size);
  return status;
}

// --- For people ----------------------------------------------------------------------------------

static bool write_char(char c, wh_buf *out) {
  if (c == 0) return wh_buf_add_c(out, "none");
  const char text[3] = {c == '"' ? '\'' : '"', c, c == '"' ? '\'' : '"'};
  return wh_buf_add(out, text, sizeof text);
}

static bool write_delimiter(const csv_dialect *d, wh_buf *out) {
  if (d->delimiter_len == 1 && *d->delimiter == '\t') return wh_buf_add_c(out, "delimiter tab");
  return wh_buf_add_c(out, "delimiter ") &&
         wh_buf_add_json(out, wh_str_n(d->delimiter, d->delimiter_len));
}

static bool write_header(const csv_dialect *d, wh_buf *out) {
  if (!d->header) {
    return d->preamble ? wh_buf_printf(out, ", no header, rows from line %llu",
                                       (unsigned long long)d->preamble + 1)
                       : wh_buf_add_c(out, ", no header");
  }
  return wh_buf_printf(out, ", header in line %llu", (unsigned long long)d->preamble + 1);
}

bool csv_dialect_write(const csv_dialect *d, double sure, wh_buf *out) {
  static const char *const encodings[] = {"", "utf-8", "utf-16le", "utf-16be", "latin-1"};
  enum { MOST = 99 }; // short of having it been told
  bool ok = write_delimiter(d, out) && wh_buf_add_c(out, ", quote ") && write_char(d->quote, out);
  if (d->escape) ok = ok && wh_buf_add_c(out, ", escape ") && write_char(d->escape, out);
  ok = ok && write_header(d, out);
  if (d->comment_len) {
    ok = ok && wh_buf_add_c(out, ", comments ") &&
         wh_buf_add_json(out, wh_str_n(d->comment, d->comment_len));
  }
  if (d->decimal != '.') ok = ok && wh_buf_add_c(out, ", decimal ") && write_char(d->decimal, out);
  if (d->thousands) ok = ok && wh_buf_add_c(out, ", thousands ") && write_char(d->thousands, out);
  if (d->trim) ok = ok && wh_buf_add_c(out, ", blanks trimmed");
  ok = ok && wh_buf_printf(out, ", %s", encodings[d->encoding]);
  int percent = (int)(sure * 100 + 0.5);
  return ok &&
         (sure >= 1 ? true : wh_buf_printf(out, "; %d %% sure", percent > MOST ? MOST : percent));
}
