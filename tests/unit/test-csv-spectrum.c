// The files of csv-spectrum, against the rows they mean.
#include "codec-run.h"
#include "codec/csv/csv.h"
#include "codec/json/json.h"
#include "test.h"

#include <stdio.h>

static bool read_file(const char *folder, const char *name, const char *suffix, wh_buf *out) {
  char path[512];
  snprintf(path, sizeof path, "%s/../shared/corpora/csv-spectrum/%s/%s%s", test_root(), folder,
           name, suffix);
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  char bytes[4096];
  for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;)
    wh_buf_add(out, bytes, n);
  fclose(file);
  return true;
}

static void compare(const char *name, wh_str csv, wh_str json) {
  codec_run a, b;
  wh_csv_read_options options = wh_csv_read_defaults;
  options.text = true;
  codec_run_init(&a, &test_mem, &wh_codec_csv);
  codec_run_init(&b, &test_mem, &wh_codec_json);
  a.options = &options;
  bool ok =
      CHECK_OK(codec_run_read(&a, csv, &test_err)) && CHECK_OK(codec_run_read(&b, json, &test_err));
  // The corpus says "" for what is empty.
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, &test_mem, 0);
  for (size_t i = 0; i < a.rows.len;) {
    wh_str rest = wh_str_sub(wh_buf_str(&a.rows), i, a.rows.len);
    bool null = wh_str_starts(rest, ":null");
    wh_buf_add_str(&rows, null ? WH_STR(":\"\"") : wh_str_sub(rest, 0, 1));
    i += null ? strlen(":null") : 1;
  }
  ok = ok && CHECK_STR(wh_buf_str(&rows), wh_buf_str(&b.rows));
  CHECK_EQ(a.reject_count, 0);
  if (!ok) test_note("in %s", name);
  codec_run_free(&a);
  codec_run_free(&b);
}

TEST(csv_spectrum_means_its_rows) {
  static const char *const names[] = {"comma_in_quotes", "empty",         "empty_crlf",
                                      "escaped_quotes",  "json",          "location_coordinates",
                                      "newlines",        "newlines_crlf", "quotes_and_newlines",
                                      "simple",          "simple_crlf",   "utf8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    WH_CLEAN_BUF wh_buf csv, json;
    wh_buf_init(&csv, &test_mem, 0);
    wh_buf_init(&json, &test_mem, 0);
    if (!read_file("csvs", names[i], ".csv", &csv) ||
        !read_file("json", names[i], ".json", &json)) {
      SKIP("../shared/corpora/csv-spectrum is not there");
    }
    // The corpus took the telephone number out of one of its two files.
    char *number = memmem(json.data, json.len, "1234567890", 10);
    if (number) memcpy(number, "2095257564", 10);
    compare(names[i], wh_buf_str(&csv), wh_buf_str(&json));
  }
}
