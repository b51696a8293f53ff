// What the sniffer makes of files: those that people send, and generated ones whose dialect is
// known.
#include "codec/csv/dialect.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double sure;

static wh_status sniff(const wh_csv_read_options *options, wh_str text, bool at_end,
                       csv_dialect *ret) {
  WH_TRY(csv_dialect_of_options(options, ret, &test_err));
  return csv_sniff(&test_mem, text.data, text.len, at_end, options, ret, &sure, &test_err);
}

static void check_as(const wh_csv_read_options *options, const char *text, const char *want,
                     int line) {
  csv_dialect d;
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  CHECK_OK(sniff(options, wh_str_of(text), true, &d));
  CHECK(csv_dialect_write(&d, 1, &got));
  if (!CHECK_STR(wh_buf_str(&got), wh_str_of(want))) test_note("in line %d", line);
  CHECK(sure >= 0 && sure < 1);
}
#define CHECK_DIALECT(text, want) check_as(&wh_csv_read_defaults, text, want, __LINE__)
#define CHECK_GIVEN(option, value, text, want)                                                     \
  do {                                                                                             \
    wh_csv_read_options given_ = wh_csv_read_defaults;                                             \
    given_.option = value;                                                                         \
    check_as(&given_, text, want, __LINE__);                                                       \
  } while (0)

#define USUAL "delimiter \",\", quote '\"', header in line 1, utf-8"

TEST(plain_files) {
  CHECK_DIALECT("id,name,total\n1,Ann,1.50\n2,Bob,2.25\n", USUAL);
  CHECK_DIALECT("id;name;total\n1;Ann;1.50\n2;Bob;2.25\n",
                "delimiter \";\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id\tname\ttotal\n1\tAnn\t1.50\n2\tBob\t2.25\n",
                "delimiter tab, quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id|name|total\n1|Ann|1.50\n2|Bob|2.25\n",
                "delimiter \"|\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id~name~total\n1~Ann~1.50\n2~Bob~2.25\n",
                "delimiter \"~\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id^name^total\n1^Ann^1.50\n2^Bob^2.25\n",
                "delimiter \"^\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/sh\n"
                "bob:x:1001:1001:Bob:/home/bob:/bin/sh\n",
                "delimiter \":\", quote '\"', no header, utf-8");
  CHECK_DIALECT("1 0.5 7\n2 0.25 8\n3 0.125 9\n4 0.5 10\n",
                "delimiter \" \", quote '\"', no header, utf-8");
}

TEST(line_ends) {
  CHECK_DIALECT("id,name\r\n1,Ann\r\n2,Bob\r\n", USUAL);
  CHECK_DIALECT("id,name\r1,Ann\r2,Bob\r", USUAL);
  CHECK_DIALECT("id,name\n1,Ann\n2,Bob", USUAL);
}

TEST(delimiters_of_several_characters) {
  CHECK_DIALECT("id||name||total\n1||Ann||1.50\n2||Bob||2.25\n",
                "delimiter \"||\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id::name::total\n1::Ann::1.50\n2::Bob::2.25\n",
                "delimiter \"::\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id~|~name~|~total\n1~|~Ann~|~1.50\n2~|~Bob~|~2.25\n",
                "delimiter \"~|~\", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id, name, total\n1, \"Ann, dear\", 1.50\n2, \"Bob\", 2.25\n",
                "delimiter \", \", quote '\"', header in line 1, utf-8");
  CHECK_DIALECT("id | name | total\n1 | Ann | 1.50\n2 | Bob | 2.25\n",
                "delimiter \" | \", quote '\"', header in line 1, utf-8");
  // An empty column that has a name is one.
  CHECK_DIALECT("a|b|c\n1||2\n3||4\n5||6\n",
                "delimiter \"|\", quote '\"', header in line 1, utf-8");
}

TEST(quotes) {
  CHECK_DIALECT("id,name\n1,\"Smith, Ann\"\n2,\"say \"\"hi\"\"\"\n3,plain\n", USUAL);
  CHECK_DIALECT("id;name\n1;'Smith; Ann'\n2;'it''s'\n3;plain\n",
                "delimiter \";\", quote \"'\", header in line 1, utf-8");
  CHECK_DIALECT("id,name\n1,O'Neill\n2,D'Arcy\n3,'tis\n", USUAL);
  CHECK_DIALECT("id,name\n1,\"say \\\"hi\\\", Ann\"\n2,\"plain\"\n",
                "delimiter \",\", quote '\"', escape \"\\\", header in line 1, utf-8");
  CHECK_DIALECT("size,price\n5\" pipe,1.50\n6\" pipe,2.25\n8\" pipe,3\n",
                "delimiter \",\", quote none, header in line 1, utf-8");
  // More fields in quotes than with a stray one.
  CHECK_DIALECT("id,name\n1,\"Joe\" Jr\n2,\"Ann\"\n3,\"Bob\"\n4,x\n5,y\n6,z\n7,u\n8,v\n", USUAL);
  CHECK_DIALECT("id,text\n1,\"two\nlines; and more\"\n2,\"three\n\nlines\"\n3,x\n", USUAL);
  // Semicolons in quotes are not the delimiter, though there are more of them.
  CHECK_DIALECT("\"a;b;c\",\"d;e;f\"\n\"1;2;3\",\"4;5;6\"\n\"1;2;3\",\"4;5;7\"\n",
                "delimiter \",\", quote '\"', header in line 1, utf-8");
}

TEST(decimal_commas) {
  CHECK_DIALECT("id;price\n1;1,50\n2;22,25\n",
                "delimiter \";\", quote '\"', header in line 1, decimal \",\", utf-8");
  CHECK_DIALECT("id;price\n1;1.234,50\n2;22,25\n3;1.000\n",
                "delimiter \";\", quote '\"', header in line 1, decimal \",\", thousands \".\", "
                "utf-8");
  // 1,234 alone may be either.
  CHECK_DIALECT("id;price\n1;1,234\n2;22,255\n",
                "delimiter \";\", quote '\"', header in line 1, utf-8");
  // Two kinds in one file: nobody knows.
  CHECK_DIALECT("id;price;rate\n1;1,50;0.5\n2;22,25;0.25\n",
                "delimiter \";\", quote '\"', header in line 1, utf-8");
  CHECK_GIVEN(decimal, WH_STR("."), "id;price\n1;1,50\n2;22,25\n",
              "delimiter \";\", quote '\"', header in line 1, utf-8");
}

TEST(headers) {
  CHECK_DIALECT("1,Ann,1.50\n2,Bob,2.25\n3,Eve,4\n",
                "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_DIALECT("first,last,city\nAnn,Smith,Leeds\nBob,Jones,York\nEve,Brown,Hull\n", USUAL);
  CHECK_DIALECT("Ann,Open,Leeds\nBob,Open,York\nEve,Open,Leeds\nAnn,Shipped,York\n",
                "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_DIALECT("country,2019,2020,2021\nUK,1.5,2.5,3.5\nFR,4,5,6\n", USUAL);
  CHECK_DIALECT(",a,b\n0,1,x\n1,2,y\n", USUAL);
  CHECK_DIALECT("id,name,when\n", USUAL);
  CHECK_DIALECT("1,Ann,2026-11-21\n", "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_DIALECT("2026-11-21,1.5\n2026-11-22,2.5\n",
                "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_GIVEN(header, WH_CSV_HEADER_NO, "id,name\n1,Ann\n2,Bob\n",
              "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_GIVEN(header, WH_CSV_HEADER_YES, "1,Ann\n2,Bob\n", USUAL);
}

TEST(what_stands_before_the_table) {
  CHECK_DIALECT("Sales report\nmade by Ann's office, 2026\n\nid;name;total\n1;Ann;1.50\n2;Bob;2\n",
                "delimiter \";\", quote '\"', header in line 4, utf-8");
  CHECK_DIALECT("\n\nid,name,total\n1,Ann,1.50\n2,Bob,2\n",
                "delimiter \",\", quote '\"', header in line 3, utf-8");
  CHECK_DIALECT("# made by a machine\n# id, name, and so on\nid,name,total,when\n1,Ann,1.50,x\n"
                "2,Bob,2,y\n",
                "delimiter \",\", quote '\"', header in line 3, utf-8");
  CHECK_DIALECT("# made by a machine\n#id\tname\ttotal\n1\tAnn\t1.50\n2\tBob\t2\n",
                "delimiter tab, quote '\"', header in line 2, utf-8");
  CHECK_DIALECT("sep=;\r\nid;name\r\n1;a,b,c\r\n2;d,e,f\r\n",
                "delimiter \";\", quote '\"', header in line 2, utf-8");
  CHECK_DIALECT("sep=,\nid,name\n1;2,b\n2;3,e\n",
                "delimiter \",\", quote '\"', header in line 2, utf-8");
  // A header that lacks a name is no title: its rows are rejected, and somebody is told.
  CHECK_DIALECT("id,name\n1,Ann,1.50\n2,Bob,2\n3,Eve,3\n", USUAL);
  CHECK_GIVEN(preamble, 1, "id,name,x\nid,name,total\n1,Ann,1.50\n2,Bob,2\n",
              "delimiter \",\", quote '\"', header in line 2, utf-8");
}

TEST(comments) {
  CHECK_DIALECT("id,name,total\n1,Ann,1.50\n# a break\n2,Bob,2\n3,Eve,3\n",
                "delimiter \",\", quote '\"', header in line 1, comments \"#\", utf-8");
  CHECK_DIALECT("id,name,total\n#1,Ann,1.50\n#2,Bob,2\n3,Eve,3\n", USUAL);
  CHECK_GIVEN(comment, WH_STR("//"), "// made, by, a, machine\nid,name\n1,Ann\n// so\n2,Bob\n",
              "delimiter \",\", quote '\"', header in line 2, comments \"//\", utf-8");
}

TEST(one_column) {
  CHECK_DIALECT("name\nAnn Smith\nBob Jones\nEve Brown\n", USUAL);
  CHECK_DIALECT("when\n2026-11-21 08:55:00\n2026-11-22 09:55:00\n", USUAL);
  CHECK_DIALECT("08:55:00\n09:55:00\n10:00:00\n", "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_DIALECT("id\n1\n2\n3\n", USUAL);
  CHECK_DIALECT("\n\n1\n\n2\n3\n", "delimiter \",\", quote '\"', no header, utf-8");
  CHECK_DIALECT("text\nWell, yes\nNo\nOh, come, on\nMaybe so\nFine\n",
                "delimiter \";\", quote '\"', header in line 1, utf-8");
}

TEST(what_is_given_is_kept) {
  CHECK_GIVEN(delimiter, WH_STR(","), "id;name\n1;Ann\n2;Bob\n", USUAL);
  CHECK_GIVEN(quote, WH_STR("none"), "id,name\n1,\"Ann\"\n2,\"Bob\"\n",
              "delimiter \",\", quote none, header in line 1, utf-8");
  CHECK_GIVEN(escape, WH_STR("none"), "id,name\n1,\"say \\\"hi\\\"\"\n2,\"Bob\"\n", USUAL);
  CHECK_GIVEN(delimiter, WH_STR("tab"), "a\tb\n1\t2\n",
              "delimiter tab, quote '\"', header in line 1, utf-8");
}

TEST(nothing_and_next_to_nothing) {
  CHECK_DIALECT("", USUAL);
  CHECK_DIALECT("\n\n\n", USUAL);
  CHECK_DIALECT("x", USUAL);
  CHECK_DIALECT("\"", "delimiter \",\", quote none, header in line 1, utf-8");
}

TEST(how_sure) {
  csv_dialect d;
  CHECK_OK(sniff(&wh_csv_read_defaults,
                 WH_STR("id,name,total\n1,Ann,1.50\n2,Bob,2.25\n3,Eve,1\n4,Joe,2\n5,Al,3\n"), true,
                 &d));
  CHECK(sure > 0.9);
  double clear = sure;
  CHECK_OK(sniff(&wh_csv_read_defaults,
                 WH_STR("id,name,total\n1,Ann\n2,Bob,2.25\n3,Eve,1,5\n4,Joe,2\n5,Al,3\n"), true,
                 &d));
  CHECK(sure < clear && sure < 0.8);
  CHECK_OK(sniff(&wh_csv_read_defaults, WH_STR("a b\n"), true, &d));
  CHECK(sure < 0.6);
}

TEST(options_about_rows_and_blanks) {
  wh_csv_read_options o = wh_csv_read_defaults;
  o.trim = true;
  check_as(&o, "a , b\n 1 , \"x \" \n2,  y z\t\n",
           "delimiter \",\", quote '\"', header in line 1, blanks trimmed, utf-8", __LINE__);
  o = wh_csv_read_defaults;
  o.preamble = 2;
  o.footer = 2;
  check_as(&o, "Report, \"of\nall\na,b\n1,2\n3,4\nTotal,4,6\nend",
           "delimiter \",\", quote '\"', header in line 3, utf-8", __LINE__);
  // Half of the rows are broken: still a table.
  CHECK_DIALECT("a,b\n1\n1,2\n3\n4,5\n", USUAL);
}

// --- Encodings -----------------------------------------------------------------------------------

static void check_encoding(wh_str bytes, bool at_end, wh_csv_encoding want, size_t want_bom,
                           int line) {
  size_t bom = 99;
  bool ok = CHECK_EQ(csv_sniff_encoding(bytes.data, bytes.len, at_end, &bom), want) &&
            CHECK_EQ(bom, want_bom);
  if (!ok) test_note("in line %d", line);
}
#define CHECK_ENCODING(bytes, at_end, want, bom)                                                   \
  check_encoding(WH_STR(bytes), at_end, want, bom, __LINE__)

TEST(encodings) {
  CHECK_ENCODING("", true, WH_CSV_UTF8, 0);
  CHECK_ENCODING("id,name\n1,Ann\n", true, WH_CSV_UTF8, 0);
  CHECK_ENCODING("\xEF\xBB\xBFid\n", true, WH_CSV_UTF8, 3);
  CHECK_ENCODING("id,caf\xC3\xA9\n", true, WH_CSV_UTF8, 0);
  CHECK_ENCODING("id,caf\xE9\n", true, WH_CSV_LATIN1, 0);
  CHECK_ENCODING("id,caf\xC3", false, WH_CSV_UTF8, 0);
  CHECK_ENCODING("id,caf\xC3", true, WH_CSV_LATIN1, 0);
  CHECK_ENCODING("caf\xC3\xA9,na\xC3\xAF"
                 "f,x\xFF\n",
                 true, WH_CSV_UTF8, 0); // one mistake
  CHECK_ENCODING("\xFF\xFEi\0d\0\n\0", true, WH_CSV_UTF16LE, 2);
  CHECK_ENCODING("\xFE\xFF\0i\0d\0\n", true, WH_CSV_UTF16BE, 2);
  CHECK_ENCODING("i\0d\0,\0n\0\n\0", true, WH_CSV_UTF16LE, 0);
  CHECK_ENCODING("\0i\0d\0,\0n\0\n", true, WH_CSV_UTF16BE, 0);
  CHECK_ENCODING("1\0,\0\x2D\x4E\x87\x65\n\0", true, WH_CSV_UTF16LE, 0); // 1,中文
}

// --- Generated files -----------------------------------------------------------------------------

typedef struct maker {
  wh_buf text;
  wh_str delimiter;
  char quote; // 0: none
  const char *end;
  bool comma; // decimal
  int columns;
  int kinds[12];
} maker;

static const char *const words[] = {
    "Open",       "Back ordered", "Shipped", "Leeds",
    "New York",   "naive",        "O'Neill", "B-12",
    "north/west", "caf\xC3\xA9",  "x",       "a longer sentence of words",
    "R&D",        "No. 5"};

static void put(maker *m, wh_str text) {
  bool needs = memmem(text.data, text.len, m->delimiter.data, m->delimiter.len) ||
               memchr(text.data, '\n', text.len) ||
               (m->quote && memchr(text.data, m->quote, text.len));
  if (!m->quote || (!needs && test_random_below(8))) {
    wh_buf_add_str(&m->text, text);
    return;
  }
  wh_buf_add_char(&m->text, m->quote);
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == m->quote) wh_buf_add_char(&m->text, m->quote);
    wh_buf_add_char(&m->text, text.data[i]);
  }
  wh_buf_add_char(&m->text, m->quote);
}

static void put_number(maker *m, bool fraction) {
  char text[40];
  int n = snprintf(text, sizeof text, "%" PRIu64, test_random_below(100000));
  if (fraction)
    n += snprintf(text + n, sizeof text - (size_t)n, "%c%02d", m->comma ? ',' : '.',
                  (int)test_random_below(100));
  put(m, wh_str_n(text, (size_t)n));
}

static void put_words(maker *m) {
  enum { WORDS = sizeof words / sizeof *words };
  char text[200];
  int n = snprintf(text, sizeof text, "%s", words[test_random_below(WORDS)]);
  if (m->quote && test_random_below(4) == 0) { // something to quote
    static const char *const odd[] = {", ", "; ", "\n", " | ", "\t", " "};
    n += snprintf(text + n, sizeof text - (size_t)n, "%s%s", odd[test_random_below(6)],
                  words[test_random_below(WORDS)]);
  }
  if (!m->quote && memmem(text, (size_t)n, m->delimiter.data, m->delimiter.len)) n = 1;
  put(m, wh_str_n(text, (size_t)n));
}

static void put_cell(maker *m, int kind) {
  char text[60];
  int n;
  if (test_random_below(12) == 0) return; // empty
  switch (kind) {
  case 0:
    put_number(m, false);
    return;
  case 1:
    put_number(m, true);
    return;
  case 2:
    n = snprintf(text, sizeof text, "20%02d-%02d-%02d", (int)test_random_below(40),
                 1 + (int)test_random_below(12), 1 + (int)test_random_below(28));
    put(m, wh_str_n(text, (size_t)n));
    return;
  case 3:
    n = snprintf(text, sizeof text, "2026-11-%02d %02d:%02d:00", 1 + (int)test_random_below(28),
                 (int)test_random_below(24), (int)test_random_below(60));
    put(m, wh_str_n(text, (size_t)n));
    return;
  default:
    put_words(m);
  }
}

static void put_table(maker *m, bool header, int rows) {
  for (int row = header ? -1 : 0; row < rows; row++) {
    for (int i = 0; i < m->columns; i++) {
      char name[20];
      if (i) wh_buf_add_str(&m->text, m->delimiter);
      if (row >= 0) {
        put_cell(m, m->kinds[i]);
      } else {
        put(m, wh_str_n(name, (size_t)snprintf(name, sizeof name, "field_%d", i)));
      }
    }
    wh_buf_add_c(&m->text, m->end);
  }
}

static int put_titles(maker *m) {
  static const char *const titles[] = {"Quarterly report", "", "Made on 2026-11-21", "# raw data"};
  int lines = (int)test_random_below(4);
  for (int i = 0; i < lines; i++) {
    wh_buf_add_c(&m->text, titles[test_random_below(4)]);
    wh_buf_add_c(&m->text, m->end);
  }
  return lines;
}

static bool check_made(const maker *m, bool header, int titles) {
  csv_dialect d;
  if (!CHECK_OK(sniff(&wh_csv_read_defaults, wh_buf_str(&m->text), true, &d))) return false;
  bool ok = wh_str_eq(wh_str_n(d.delimiter, d.delimiter_len), m->delimiter);
  bool has_quotes = m->quote && memchr(m->text.data, m->quote, m->text.len);
  ok = ok && (!has_quotes || d.quote == m->quote) && d.header == header &&
       d.preamble == (uint64_t)titles;
  if (!ok) {
    WH_CLEAN_BUF wh_buf got;
    wh_buf_init(&got, &test_mem, 0);
    csv_dialect_write(&d, sure, &got);
    test_note("made: delimiter '%.*s', quote %c, header %d, titles %d; found: %.*s\n%.*s",
              WH_STR_ARG(m->delimiter), m->quote ? m->quote : '-', header, titles,
              WH_STR_ARG(wh_buf_str(&got)), WH_STR_ARG(wh_str_sub(wh_buf_str(&m->text), 0, 500)));
  }
  return ok;
}

// A file with at least two columns, one of them of a type that is no text, so that names can be
// told from values.
static bool make_one(maker *m) {
  static const char *const delimiters[] = {",", ";", "\t", "|", "||", "::", "~", "^"};
  static const char *const ends[] = {"\n", "\r\n", "\r"};
  wh_buf_clear(&m->text);
  m->delimiter = wh_str_of(delimiters[test_random_below(8)]);
  m->quote = "\"\"\"'"[test_random_below(4)];
  m->end = ends[test_random_below(3)];
  m->comma = !wh_str_is(m->delimiter, ",") && test_random_below(2);
  m->columns = 3 + (int)test_random_below(8);
  for (int i = 0; i < m->columns; i++)
    m->kinds[i] = i < 2 ? i : (int)test_random_below(5);
  bool header = test_random_below(4) > 0;
  int titles = header ? put_titles(m) : 0;
  put_table(m, header, 8 + (int)test_random_below(60));
  return check_made(m, header, titles);
}

TEST(generated_files) {
  maker m = {0};
  wh_buf_init(&m.text, &test_mem, 0);
  int files = test_is_long() ? 20000 : 2000, wrong = 0;
  for (int i = 0; i < files && wrong < 20; i++)
    wrong += !make_one(&m);
  // Chance makes a few that anybody would misread.
  CHECK(wrong <= files / 500);
  wh_buf_free(&m.text);
}

// --- Bounds --------------------------------------------------------------------------------------

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// What most files are like: 64 KiB of them.
TEST(usual_work) {
  maker m = {.delimiter = WH_STR(";"), .quote = '"', .end = "\n", .columns = 10};
  wh_buf_init(&m.text, &test_mem, 0);
  for (int i = 0; i < m.columns; i++)
    m.kinds[i] = i % 5;
  put_table(&m, true, 1500);
  csv_dialect d;
  double begun = seconds();
  CHECK_OK(sniff(&wh_csv_read_defaults, wh_buf_str(&m.text), true, &d));
  test_note("%zu bytes took %.1f ms", m.text.len, (seconds() - begun) * 1e3);
  CHECK(sure > 0.95);
  wh_buf_free(&m.text);
}

// Samples that keep every candidate alive, and random bytes; far more than is looked at.
TEST(bounded_work) {
  enum { BYTES = 1 << 20 };
  static const char all[] = ",;\t|~^\x1F\x01 :\"'\\\n\ra1";
  char *text = malloc(BYTES);
  REQUIRE(text);
  double most = 0;
  for (int round = 0; round < 6; round++) {
    for (size_t i = 0; i < BYTES; i++) {
      text[i] = (char)(round == 0   ? ','
                       : round == 1 ? all[i % (sizeof all - 1)]
                       : round == 2 ? (int)test_random()
                       : round == 3 ? '"'
                       : round == 4 ? (i % 2 ? '|' : ',')
                                    : all[test_random_below(sizeof all - 1)]);
    }
    csv_dialect d;
    double begun = seconds();
    CHECK_OK(sniff(&wh_csv_read_defaults, wh_str_n(text, BYTES), round & 1, &d));
    double took = seconds() - begun;
    if (took > most) most = took;
  }
  test_note("the longest took %.1f ms", most * 1e3);
  CHECK(most < 1);
  free(text);
}

TEST(no_memory_is_an_error) {
  csv_dialect d;
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 10; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    status = sniff(&wh_csv_read_defaults, WH_STR("a,b\n1,2\n"), true, &d);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
    atomic_store(&test_mem.fail_at, 0);
  }
  CHECK_EQ(status, WH_OK);
}
