// The block-wise scan against the one that goes a byte at a time.
#include "codec/csv/scan.h"
#include "test.h"

static const wh_cpu levels[] = {WH_CPU_PLAIN, WH_CPU_AVX2};

typedef struct tries {
  csv_dialect dialect;
  wh_buf text; // with CSV_SLACK zeros behind it
  size_t len;
} tries;

// What csv_cut_run should say, a line a record: "row start: ends" or "bad start end fault at".
static void write_walked(const tries *t, uint32_t columns, bool ended, wh_buf *out) {
  uint32_t ends[64];
  size_t at = 0;
  uint32_t line = 0;
  while (at < t->len) {
    csv_record r;
    csv_walk(&t->dialect, t->text.data, at, t->len, ended, ends, columns, &r);
    if (r.kind == CSV_RECORD_MORE || r.fault == CSV_OPEN) break;
    bool row = r.kind == CSV_RECORD_ROW || (r.kind == CSV_RECORD_BLANK && columns == 1);
    if (row && !r.fault && r.fields == columns) {
      wh_buf_printf(out, "row %zu line %u:", at, line);
      for (uint32_t i = 0; i < columns; i++)
        wh_buf_printf(out, " %u", ends[i]);
    } else if (row) {
      wh_buf_printf(out, "bad %zu line %u: %zu fault %d fields %u", at, line, r.end,
                    r.fault ? r.fault : CSV_FIELDS, r.fields);
    }
    if (row) wh_buf_add_char(out, '\n');
    at = r.next;
    line += r.lines;
  }
  wh_buf_printf(out, "next %zu line %u\n", at, line);
}

static void write_bad(const csv_bad *bad, uint32_t line, wh_buf *out) {
  wh_buf_printf(out, "bad %u line %u: %u fault %d fields %u\n", bad->start, line + bad->line,
                bad->end, bad->fault, bad->fields);
}

static void write_cut(const csv_cut *cut, uint32_t line, wh_buf *out) {
  uint32_t bad = 0;
  for (uint32_t row = 0; row <= cut->rows; row++) {
    for (; bad < cut->bad_count && cut->bads[bad].row <= row; bad++)
      write_bad(&cut->bads[bad], line, out);
    if (row == cut->rows) break;
    CHECK_EQ(cut->numbers[row], row + bad);
    wh_buf_printf(out, "row %u line %u:", cut->starts[row], line + cut->lines[row]);
    for (uint32_t i = 0; i < cut->columns; i++)
      wh_buf_printf(out, " %u", cut->ends[row * cut->columns + i]);
    wh_buf_add_char(out, '\n');
  }
}

static void write_cuts(const tries *t, uint32_t columns, uint32_t rows_max, bool ended,
                       wh_buf *out) {
  csv_cut cut;
  REQUIRE_OK(csv_cut_init(&cut, &test_mem, &t->dialect, columns, rows_max, &test_err));
  size_t at = 0;
  uint32_t line = 0;
  for (;;) {
    csv_cut_run(&cut, t->text.data, at, t->len, SIZE_MAX, ended);
    CHECK(cut.rows <= rows_max);
    write_cut(&cut, line, out);
    bool moved = cut.next > at;
    at = cut.next;
    line += cut.next_line;
    if (!moved || cut.broken) break;
  }
  wh_buf_printf(out, "next %zu line %u\n", at, line);
  csv_cut_free(&cut);
}

static void compare(const tries *t, uint32_t columns) {
  WH_CLEAN_BUF wh_buf want, got;
  wh_buf_init(&want, &test_mem, 0);
  wh_buf_init(&got, &test_mem, 0);
  for (int ended = 0; ended < 2; ended++) {
    wh_buf_clear(&want);
    write_walked(t, columns, ended, &want);
    for (size_t level = 0; level < 2; level++) {
      wh_cpu_limit(levels[level]);
      wh_buf_clear(&got);
      write_cuts(t, columns, 1 + (uint32_t)test_random_below(200), ended, &got);
      if (!CHECK_STR(wh_buf_str(&got), wh_buf_str(&want))) {
        test_note("level %d, ended %d: %.*s", levels[level], ended, (int)t->len, t->text.data);
      }
    }
  }
  wh_cpu_limit(WH_CPU_AVX512);
}

static void fill(tries *t, const char *const *pieces, size_t count, size_t len) {
  wh_buf_clear(&t->text);
  while (t->text.len < len)
    wh_buf_add_c(&t->text, pieces[test_random_below(count)]);
  t->len = t->text.len;
  for (int i = 0; i < CSV_SLACK; i++)
    wh_buf_add_char(&t->text, 0);
}

static void try_all(const csv_dialect *dialect, const char *const *pieces, size_t count) {
  tries t = {.dialect = *dialect};
  wh_buf_init(&t.text, &test_mem, 0);
  for (int i = 0; i < 300 && !test_failed(); i++) {
    fill(&t, pieces, count, 1 + test_random_below(i % 10 ? 300 : 3000));
    compare(&t, 1 + (uint32_t)test_random_below(4));
  }
  wh_buf_free(&t.text);
}

static const csv_dialect usual = {.delimiter = ",",
                                  .delimiter_len = 1,
                                  .quote = '"',
                                  .doubled = true,
                                  .decimal = '.',
                                  .header = true};

#define COUNT(array) (sizeof(array) / sizeof *(array))

TEST(blocks_and_bytes_agree_on_clean_text) {
  static const char *const pieces[] = {"a",
                                       "bb,",
                                       "1,2\n",
                                       "\"x,y\",",
                                       "\"q\"\"q\"\n",
                                       "\n",
                                       ",",
                                       "long text without anything in it"};
  try_all(&usual, pieces, COUNT(pieces));
}

TEST(blocks_and_bytes_agree_on_dirty_text) {
  static const char *const pieces[] = {"a",    ",",    "\n",  "\"",  "\"\"",  "\r\n",    "\r",
                                       "a\"b", "\"\n", "\",", ",\"", "x,y\n", "\xC3\xA9"};
  try_all(&usual, pieces, COUNT(pieces));
}

TEST(blocks_and_bytes_agree_on_comments) {
  static const char *const pieces[] = {"a",     ",",     "\n",   "#", "#it's \"odd\"\n",
                                       "\"#\"", "\r\n#", "1,2\n"};
  csv_dialect d = usual;
  d.comment[0] = '#';
  d.comment_len = 1;
  try_all(&d, pieces, COUNT(pieces));
  memcpy(d.comment, "# ", 2);
  d.comment_len = 2;
  try_all(&d, pieces, COUNT(pieces));
}

TEST(blocks_and_bytes_agree_on_escapes) {
  static const char *const pieces[] = {"a",    ",",  "\n",  "\\",     "\\\\",
                                       "\\\"", "\"", "\\,", "\\\r\n", "\"a\\\"b\","};
  csv_dialect d = usual;
  d.escape = '\\';
  try_all(&d, pieces, COUNT(pieces));
  d.doubled = false;
  try_all(&d, pieces, COUNT(pieces));
}

TEST(blocks_and_bytes_agree_on_long_delimiters) {
  static const char *const pieces[] = {"a",  "||",     "|",    "|||",    "\n",
                                       "\"", "\"||\"", "\"||", "b||c\n", "\r\n"};
  csv_dialect d = usual;
  memcpy(d.delimiter, "||", 3);
  d.delimiter_len = 2;
  try_all(&d, pieces, COUNT(pieces));
  memcpy(d.delimiter, "|a|a", 5);
  d.delimiter_len = 4;
  static const char *const more[] = {"|a|a", "|a", "|", "a|a|a|a", "\n", "\"", "\"|a|a", "b"};
  try_all(&d, more, COUNT(more));
  memcpy(d.delimiter, "<======>", 8);
  d.delimiter_len = 8;
  static const char *const longest[] = {"<======>", "<=====", "=", ">", "\n", "\"", "b<======>c\n"};
  try_all(&d, longest, COUNT(longest));
}

TEST(blocks_and_bytes_agree_on_blanks_around_quotes) {
  static const char *const pieces[] = {" ",     "\t",       ",", "\n",  "\"",
                                       "\"a\"", " \"b\" ,", "x", "\"\""};
  csv_dialect d = usual;
  d.trim = true;
  try_all(&d, pieces, COUNT(pieces));
}

TEST(blocks_and_bytes_agree_without_quotes) {
  static const char *const pieces[] = {"a", ";", "\n", "\"", "\r\n", "1;2\n"};
  csv_dialect d = usual;
  d.quote = 0;
  d.delimiter[0] = ';';
  try_all(&d, pieces, COUNT(pieces));
}

static bool valid_by_both(const char *text, size_t len) {
  bool plain = csv_utf8_valid(text, len, WH_CPU_PLAIN);
  CHECK_EQ(csv_utf8_valid(text, len, wh_cpu_level()), plain);
  return plain;
}

TEST(utf8_is_judged_alike) {
  static const char *const pieces[] = {"a",
                                       "plain text",
                                       "\xC3\xA9",
                                       "\xE2\x82\xAC",
                                       "\xF0\x9F\x98\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xF0\x90\x80\x80",
                                       "\xC2\x80"};
  static const char *const wrong[] = {"\x80",
                                      "\xC3",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xE2\x82",
                                      "\xF0\x9F\x98",
                                      "\xFF",
                                      "\xBF\xBF"};
  char text[200];
  for (int i = 0; i < 3000; i++) {
    size_t len = 0, most = test_random_below(150);
    size_t odd = i % 2 ? test_random_below(most + 1) : SIZE_MAX;
    while (len < most) {
      const char *piece = len >= odd ? wrong[test_random_below(COUNT(wrong))]
                                     : pieces[test_random_below(COUNT(pieces))];
      if (len >= odd) odd = SIZE_MAX;
      memcpy(text + len, piece, strlen(piece));
      len += strlen(piece);
    }
    bool valid = valid_by_both(text, len);
    if (i % 2 == 0) CHECK(valid);
  }
  for (int i = 0; i < 20000; i++) {
    for (int k = 0; k < 40; k++)
      text[k] = (char)(k < 28 ? 'a' : (int)test_random());
    valid_by_both(text, 32 + test_random_below(8));
  }
}
