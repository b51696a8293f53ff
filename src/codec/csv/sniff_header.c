// Names, or the first row already; and the marks in numbers.
#include "codec/csv/sniff.h"

#include <math.h>

// A column below its first cell.
typedef struct column {
  wh_str name; // its first cell
  sniff_kind kind;
  uint32_t numbers, times, bools, texts;
  bool repeated;      // the first cell stands below too
  size_t least, most; // length of the texts below
} column;

static bool is_number(sniff_kind kind) {
  return kind == SNIFF_NUMBER || kind == SNIFF_COMMA_NUMBER || kind == SNIFF_EITHER_NUMBER;
}

static void look_at(column *c, const sniff_cell *cell) {
  sniff_kind kind = sniff_kind_of(cell->text);
  if (kind == SNIFF_EMPTY || kind == SNIFF_WORD) return;
  if (is_number(kind)) {
    c->numbers++;
  } else if (kind == SNIFF_TIME) {
    c->times++;
  } else if (kind == SNIFF_BOOL) {
    c->bools++;
  } else {
    size_t len = cell->text.len;
    if (c->texts == 0 || len < c->least) c->least = len;
    if (len > c->most) c->most = len;
    c->texts++;
  }
  c->repeated |= wh_str_eq(cell->text, c->name);
}

// The rows below `body`; comments have other widths and do not matter much.
static uint32_t look_below(const sniff_sample *sample, const sniff_shape *shape, column *columns,
                           uint32_t count) {
  sniff_cursor cursor =
      sniff_begin(&shape->cut, wh_str_sub(sample->text, shape->body, sample->text.len));
  uint32_t rows = 0;
  sniff_cell cell;
  for (uint32_t at = 0; sniff_next(&cursor, &cell); at++) {
    bool empty_line = at == 0 && cell.last && cell.text.len == 0;
    if (at < count && !(shape->comments && at == 0 && *cell.text.data == '#')) {
      look_at(&columns[at], &cell);
    }
    if (!cell.last) continue;
    rows += !empty_line;
    at = (uint32_t)-1;
  }
  return rows;
}

static void look_at_first(const sniff_sample *sample, const sniff_shape *shape, column *columns,
                          uint32_t count) {
  sniff_cursor cursor =
      sniff_begin(&shape->cut, wh_str_sub(sample->text, shape->table, sample->text.len));
  sniff_cell cell = {0};
  for (uint32_t i = 0; i < count && !cell.last && sniff_next(&cursor, &cell); i++) {
    columns[i].name = cell.text;
    columns[i].kind = sniff_kind_of(cell.text);
  }
}

// Years and other numbers that go up by the same step: names of columns, though they are numbers.
static bool is_series(const column *columns, uint32_t count) {
  int64_t before = 0, step = 0, value;
  uint32_t numbers = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!is_number(columns[i].kind)) continue;
    if (!wh_str_to_i64(wh_str_trim(columns[i].name), &value)) return false;
    if (numbers == 1) step = value - before;
    if (numbers > 1 && value - before != step) return false;
    before = value;
    numbers++;
  }
  return numbers > 2 && step != 0 && columns[0].kind >= SNIFF_TEXT;
}

// How much one column speaks for names (positive) or against.
static double vote(const column *c, bool series) {
  uint32_t typed = c->numbers + c->times + c->bools, all = typed + c->texts;
  if (c->kind == SNIFF_EMPTY || all == 0) return 0;
  bool has_type = typed * 10 >= all * 9; // nearly all of them
  bool is_text = c->kind >= SNIFF_TEXT;
  if (has_type && is_text) return 1;
  if (has_type) return series ? 0.2 : -1;
  double sum = 0;
  if (c->repeated) sum -= all < 3 ? 0.2 : 0.7;
  if (!is_text && c->texts > typed) sum -= series ? 0 : 0.5; // names are seldom numbers
  if (is_text && c->texts > 2 && c->least == c->most) sum += c->name.len == c->least ? -0.3 : 0.5;
  if (c->name.len > 64) sum -= 0.5;
  return sum;
}

static bool has_duplicate(const column *columns, uint32_t count) {
  enum { COMPARED = 64 };
  if (count > COMPARED) count = COMPARED;
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t j = 0; j < i; j++)
      if (columns[i].name.len && wh_str_eq(columns[i].name, columns[j].name)) return true;
  return false;
}

// Without rows below, names are what is no number.
static bool lone_row(const column *columns, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (is_number(columns[i].kind) || columns[i].kind == SNIFF_TIME) return false;
  return true;
}

bool sniff_has_header(const sniff_sample *sample, const sniff_shape *shape, wh_mem *mem,
                      double *ret_sure, bool *ret_header) {
  const double guess = 0.7, best = 0.995, lone = 0.6;
  uint32_t count = shape->width < SNIFF_COLUMNS ? shape->width : SNIFF_COLUMNS;
  column *columns = wh_mem_alloc_zero(mem, count * sizeof *columns);
  if (!columns) return false;
  look_at_first(sample, shape, columns, count);
  if (look_below(sample, shape, columns, count) == 0) {
    *ret_header = lone_row(columns, count);
    *ret_sure = lone;
  } else {
    bool series = is_series(columns, count);
    double sum = has_duplicate(columns, count) ? -0.5 : 0;
    for (uint32_t i = 0; i < count; i++)
      sum += vote(&columns[i], series);
    *ret_header = sum > -0.25; // in doubt there are names, as in most files
    *ret_sure = guess + (best - guess) * (1 - exp(-2 * fabs(sum)));
  }
  wh_mem_free(mem, columns, count * sizeof *columns);
  return true;
}

// --- Marks in numbers ----------------------------------------------------------------------------

// "1.234" or "1.234.567"
static bool is_grouped(wh_str s) {
  size_t point = wh_str_find(s, 0, '.');
  if (point == s.len || point > 4) return false;
  for (; point < s.len; point += 4)
    if (s.data[point] != '.' || s.len - point < 4) return false;
  return true;
}

void sniff_marks(const sniff_sample *sample, const sniff_shape *shape, char *decimal,
                 char *thousands) {
  sniff_cursor cursor =
      sniff_begin(&shape->cut, wh_str_sub(sample->text, shape->table, sample->text.len));
  uint32_t commas = 0, points = 0, groups = 0, maybe = 0;
  sniff_cell cell;
  while (sniff_next(&cursor, &cell)) {
    wh_str text = wh_str_trim(cell.text);
    bool has_point = wh_str_find(text, 0, '.') < text.len;
    bool has_comma = wh_str_find(text, 0, ',') < text.len;
    sniff_kind kind = sniff_kind_of(text);
    if (kind == SNIFF_COMMA_NUMBER) {
      commas++;
      groups += has_point;
    } else if (kind == SNIFF_NUMBER && (has_comma || has_point)) {
      bool grouped = !has_comma && is_grouped(text);
      maybe += grouped;
      points += !grouped;
    }
  }
  *decimal = '.';
  *thousands = 0;
  // "1.234" beside "1,5" has groups if other numbers prove it ("1.234,5"); else nobody knows.
  if (commas == 0 || points || (maybe && !groups)) return;
  *decimal = ',';
  if (groups) *thousands = '.';
}
