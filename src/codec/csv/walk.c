// One record, a byte at a time: what records and fields are.
#include "codec/csv/scan.h"

typedef struct walker {
  const csv_dialect *d;
  const char *data;
  size_t at, len;
  bool ended;
  uint32_t *ends;
  uint32_t most;
  csv_record r;
} walker;

static void fault(walker *w, csv_fault what, size_t at) {
  if (w->r.fault) return;
  w->r.fault = what;
  w->r.at = at;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static bool at_delimiter(const walker *w) {
  const csv_dialect *d = w->d;
  return w->len - w->at >= d->delimiter_len &&
         memcmp(w->data + w->at, d->delimiter, d->delimiter_len) == 0;
}

static bool at_line_end(const walker *w) {
  return w->data[w->at] == '\n' || w->data[w->at] == '\r';
}

// Counts the line end that may stand here, without going on; a CR before an LF is no end.
static void count_line(walker *w) {
  char c = w->data[w->at];
  if (c == '\n') w->r.lines++;
  if (c == '\r' && !(w->at + 1 < w->len && w->data[w->at + 1] == '\n')) w->r.lines++;
}

// Over one byte of text.
static void pass(walker *w) {
  count_line(w);
  w->at++;
}

// Over an escape and the byte behind it; false where there is none.
static bool pass_escaped(walker *w) {
  if (!w->d->escape || w->data[w->at] != w->d->escape) return false;
  w->at++;
  if (w->at < w->len) pass(w);
  return true;
}

static void skip_blanks(walker *w) {
  while (w->at < w->len && is_blank(w->data[w->at]) && !at_delimiter(w))
    w->at++;
}

// From behind the opening quote to behind the closing one; false: there is none.
static bool walk_quoted(walker *w) {
  const csv_dialect *d = w->d;
  while (w->at < w->len) {
    if (pass_escaped(w)) continue;
    if (w->data[w->at] != d->quote) {
      pass(w);
      continue;
    }
    w->at++;
    if (!d->doubled || w->at >= w->len || w->data[w->at] != d->quote) return true;
    w->at++;
  }
  return false;
}

// Up to the delimiter, line end, or the end of the data.
static void walk_plain(walker *w) {
  while (w->at < w->len && !at_line_end(w) && !at_delimiter(w)) {
    if (pass_escaped(w)) continue;
    if (w->d->quote && w->data[w->at] == w->d->quote) fault(w, CSV_QUOTE_INSIDE, w->at);
    w->at++;
  }
}

static void walk_field(walker *w) {
  const csv_dialect *d = w->d;
  size_t from = w->at;
  if (d->trim) skip_blanks(w);
  if (d->quote && w->at < w->len && w->data[w->at] == d->quote) {
    size_t open = w->at++;
    if (!walk_quoted(w)) {
      w->r.fault = CSV_OPEN;
      w->r.at = open;
      return;
    }
    if (d->trim) skip_blanks(w);
    if (w->at == w->len || at_line_end(w) || at_delimiter(w)) return;
    fault(w, CSV_AFTER_QUOTE, w->at);
  } else {
    w->at = from;
  }
  walk_plain(w);
}

static void end_field(walker *w) {
  if (w->ends && w->r.fields < w->most) w->ends[w->r.fields] = (uint32_t)w->at;
  w->r.fields++;
}

// The record ends here, at a line end or the end of the data.
static void end_record(walker *w) {
  w->r.end = w->at;
  if (w->at < w->len) {
    if (w->data[w->at] == '\r' && w->at + 1 < w->len && w->data[w->at + 1] == '\n') w->at++;
    pass(w);
  }
  w->r.next = w->at;
}

static bool is_comment(const walker *w) {
  const csv_dialect *d = w->d;
  return d->comment_len && w->len - w->at >= d->comment_len &&
         memcmp(w->data + w->at, d->comment, d->comment_len) == 0;
}

static void walk_fields(walker *w) {
  for (;;) {
    walk_field(w);
    if (w->r.fault == CSV_OPEN) {
      w->at = w->len;
      end_field(w);
      break;
    }
    end_field(w);
    if (w->at == w->len || !at_delimiter(w)) break;
    w->at += w->d->delimiter_len;
  }
}

void csv_walk(const csv_dialect *dialect, const char *data, size_t from, size_t len, bool ended,
              uint32_t *ends, uint32_t most, csv_record *ret) {
  walker w = {.d = dialect,
              .data = data,
              .at = from,
              .len = len,
              .ended = ended,
              .ends = ends,
              .most = most,
              .r = {.kind = CSV_RECORD_ROW}};
  if (is_comment(&w)) {
    w.r.kind = CSV_RECORD_COMMENT;
    while (w.at < len && !at_line_end(&w))
      w.at++;
  } else {
    walk_fields(&w);
    if (w.at == from) w.r.kind = CSV_RECORD_BLANK;
  }
  size_t end = w.at;
  end_record(&w);
  // Of what stands at the very end the meaning may depend on what follows.
  if (!ended && (end == len || len - end < CSV_AHEAD)) w.r.kind = CSV_RECORD_MORE;
  *ret = w.r;
}
