// How even the rows of the sample are under a candidate, and how many of its cells have a form.
#include "codec/csv/sniff.h"

#include <math.h>

// Marks in sample->widths.
#define HASH  0x80000000u // a line that begins with '#'
#define BAD   0x40000000u // a row with misplaced quotes
#define WIDTH 0x3FFFFFFFu

enum { WIDTHS_MAX = 64 }; // different ones that are counted

// --- Rows ----------------------------------------------------------------------------------------

static bool starts_with(const char *at, const char *end, wh_str s) {
  return s.len && (size_t)(end - at) >= s.len && memcmp(at, s.data, s.len) == 0;
}

// One row from the cursor; 0 for an empty line.
static uint32_t row_width(sniff_cursor *cursor) {
  uint32_t width = 0;
  bool bad = false, empty = true;
  sniff_cell cell;
  do {
    if (!sniff_next(cursor, &cell)) break;
    width++;
    bad |= cell.bad;
    empty &= cell.text.len == 0 && !cell.quoted;
  } while (!cell.last);
  if (width == 1 && empty) return 0;
  return width | (bad ? BAD : 0);
}

// Fills in widths and starts; returns how many rows there are. Comment lines that the options
// speak of are left out; lines that begin with '#' are rows of their own, whatever quotes they
// have.
static uint32_t cut_rows(const sniff_sample *sample, sniff_shape *shape) {
  sniff_cursor cursor = sniff_begin(&shape->cut, sample->text);
  uint32_t n = 0;
  while (cursor.at < cursor.end && n < SNIFF_ROWS) {
    const char *start = cursor.at;
    if (starts_with(start, cursor.end, sample->comment)) {
      cursor.at = sniff_line_end(start, cursor.end);
      continue;
    }
    uint32_t width;
    if (*start == '#' && sample->comment.len == 0) {
      const char *stop = sniff_line_end(start, cursor.end);
      sniff_cursor line = sniff_begin(&shape->cut, wh_str_n(start, (size_t)(stop - start)));
      width = HASH | row_width(&line);
      cursor.at = stop;
    } else {
      width = row_width(&cursor);
    }
    if (width == 0) continue;
    if (cursor.open) shape->lost = (size_t)(cursor.end - start);
    sample->widths[n] = width;
    sample->starts[n++] = (uint32_t)(start - sample->text.data);
  }
  // Whether a quote that is still open there is a fault cannot be said where the sample was cut.
  if (n && shape->lost && !sample->whole) n--;
  if (sample->whole) n -= n > sample->footer ? sample->footer : 0;
  return n;
}

// The width that most speaks for a table: frequent, and rather wide than narrow.
static uint32_t usual_width(const uint32_t *widths, uint32_t n) {
  struct {
    uint32_t width, count;
  } seen[WIDTHS_MAX];
  uint32_t different = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (widths[i] & HASH) continue;
    uint32_t j = 0;
    while (j < different && seen[j].width != (widths[i] & WIDTH))
      j++;
    if (j == WIDTHS_MAX) continue;
    if (j == different) {
      seen[j].width = widths[i] & WIDTH;
      seen[j].count = 0;
      different++;
    }
    seen[j].count++;
  }
  uint32_t best = 1;
  double most = 0;
  for (uint32_t j = 0; j < different; j++) {
    double speaks = seen[j].count * (1 + log2(seen[j].width));
    if (speaks > most) {
      most = speaks;
      best = seen[j].width;
    }
  }
  return best;
}

// --- Where the table begins ----------------------------------------------------------------------

static bool is_row(uint32_t width, uint32_t usual) {
  return width == usual; // neither HASH nor BAD
}

// The first row of the table. What stands before it has to be much narrower: a header that lacks a
// name is no title.
static uint32_t first_row(const sniff_sample *sample, const sniff_shape *shape, uint32_t n) {
  const uint32_t *widths = sample->widths;
  uint32_t usual = shape->width, first = 0;
  while (first < n && !is_row(widths[first], usual))
    first++;
  if (first == n) return 0;
  uint32_t titles = 0;
  for (uint32_t i = 0; i < first; i++) {
    if (widths[i] & HASH) continue;
    titles++;
    if ((widths[i] & WIDTH) > usual / 2) return 0;
  }
  if (titles && n - first < 2) return 0;
  // "#id,name": the names behind a comment mark.
  bool names =
      first && usual > 1 && (widths[first - 1] & HASH) && (widths[first - 1] & ~HASH) == usual;
  return names ? first - 1 : first;
}

// Counts the rows from `first` on.
static void count_rows(const sniff_sample *sample, sniff_shape *shape, uint32_t first, uint32_t n) {
  uint32_t hash_rows = 0, hash_lines = 0;
  for (uint32_t i = first; i < n; i++) {
    uint32_t width = sample->widths[i];
    if (width & BAD) shape->bad++;
    if (width & HASH && i > first) {
      *((width & ~HASH) == shape->width ? &hash_rows : &hash_lines) += 1;
    } else {
      shape->rows++;
      shape->even += (width & ~HASH) == shape->width;
    }
  }
  shape->rows += hash_rows;
  shape->even += hash_rows;
  // Where some are rows, the others are bad rows.
  if (hash_rows || shape->width == 1) {
    shape->rows += hash_lines;
  } else {
    shape->comments = hash_lines;
  }
}

// --- Scores --------------------------------------------------------------------------------------

// What a delimiter is worth besides: those that occur in text, dates and times are less.
static double prior(const sniff_cut *cut) {
  if (cut->delimiter_len > 1) return 0.98;
  switch (cut->delimiter[0]) {
  case ' ':
  case ':':
    return 0.4;
  case '~':
  case '^':
    return 0.9;
  default:
    return 1;
  }
}

static double pattern_of(const sniff_sample *sample, const sniff_shape *shape) {
  const double one_column = 0.3, titled = 0.95;
  if (shape->rows == 0) return 0;
  double even = (double)shape->even / shape->rows;
  double pattern = shape->width > 1 ? even * (shape->width - 1) / shape->width * prior(&shape->cut)
                                    : even * one_column;
  double kept = 1 - (double)shape->lost / (double)(sample->text.len + 1);
  return pattern * kept * kept * (shape->prefaced ? titled : 1);
}

static double weight_of(const sniff_cell *cell) {
  static const double weights[SNIFF_KINDS] = {
      [SNIFF_NUMBER] = 1, [SNIFF_COMMA_NUMBER] = 0.9, [SNIFF_EITHER_NUMBER] = 0.9,
      [SNIFF_TIME] = 1,   [SNIFF_BOOL] = 1,           [SNIFF_WORD] = 1,
      [SNIFF_TEXT] = 0.8, [SNIFF_LIST] = 0.3,         [SNIFF_STRAY] = 0.1,
  };
  const double quoted = 0.95, blanks = 0.7;
  if (cell->quoted) return quoted;
  const char *s = cell->text.data;
  size_t len = cell->text.len;
  double weight = weights[sniff_kind_of(cell->text)];
  return len && (s[0] == ' ' || s[len - 1] == ' ') ? weight * blanks : weight;
}

// The mean weight of the cells in even rows. An empty cell says little, and nothing in a column
// that is always empty.
static double form_of(const sniff_sample *sample, const sniff_shape *shape, uint32_t first,
                      uint32_t n) {
  const double empty = 0.5;
  uint32_t known = shape->width < SNIFF_COLUMNS ? shape->width : SNIFF_COLUMNS;
  memset(sample->filled, 0, known * sizeof *sample->filled);
  double sum = 0;
  uint32_t rows = 0;
  for (uint32_t i = first; i < n; i++) {
    if ((sample->widths[i] & ~HASH) != shape->width) continue;
    rows++;
    sniff_cursor cursor =
        sniff_begin(&shape->cut, wh_str_sub(sample->text, sample->starts[i], sample->text.len));
    sniff_cell cell = {0};
    for (uint32_t column = 0; !cell.last && sniff_next(&cursor, &cell); column++) {
      bool has_text = cell.text.len || cell.quoted;
      if (has_text) sum += weight_of(&cell);
      if (column < known) sample->filled[column] += has_text;
    }
  }
  for (uint32_t column = 0; column < known; column++) {
    if (sample->filled[column]) sum += empty * (rows - sample->filled[column]);
  }
  return rows ? sum / ((double)rows * shape->width) : 0;
}

void sniff_measure(const sniff_sample *sample, double least, sniff_shape *shape) {
  uint32_t n = cut_rows(sample, shape);
  if (n == 0) return;
  shape->width = usual_width(sample->widths, n);
  uint32_t first = sample->from_options ? 0 : first_row(sample, shape, n);
  for (uint32_t i = 0; i < first; i++)
    shape->prefaced |= !(sample->widths[i] & HASH);
  shape->table = sample->starts[first];
  shape->body = first + 1 < n ? sample->starts[first + 1] : sample->text.len;
  count_rows(sample, shape, first, n);
  shape->pattern = pattern_of(sample, shape);
  if (shape->pattern > least) shape->score = shape->pattern * form_of(sample, shape, first, n);
}
