// UTF-16 and Latin-1 on the way into the reader.
#include "codec-run.h"
#include "codec/csv/transcode.h"
#include "test.h"

#include <stdlib.h>

// Reads all of `bytes`, whose first `head` were read before, `most` at a time, into pieces of
// `cap`.
static wh_status transcode(wh_csv_encoding from, wh_str bytes, size_t head, size_t most, size_t cap,
                           wh_buf *out) {
  dribble_input in;
  char piece[64];
  dribble_input_init(&in, wh_str_sub(bytes, head, bytes.len), most);
  wh_input *text;
  wh_buf_clear(out);
  WH_TRY(csv_transcode_open(&test_mem, &in.bytes.base, from, wh_str_sub(bytes, 0, head), 2, &text,
                            &test_err));
  CHECK(text->size == WH_SIZE_UNKNOWN && !text->read_at);
  wh_status status;
  size_t len;
  do {
    status = wh_input_read(text, piece, cap, &len, &test_err);
    if (status == WH_OK) wh_buf_add(out, piece, len);
  } while (status == WH_OK && len);
  wh_input_close(text);
  return status;
}

static void encode16(uint32_t c, bool big, wh_buf *out) {
  uint32_t units[2] = {c, 0};
  if (c >= 0x10000) {
    units[0] = 0xD800 + ((c - 0x10000) >> 10);
    units[1] = 0xDC00 + ((c - 0x10000) & 0x3FF);
  }
  for (int i = 0; i < 1 + (c >= 0x10000); i++) {
    wh_buf_add_char(out, (char)(big ? units[i] >> 8 : units[i]));
    wh_buf_add_char(out, (char)(big ? units[i] : units[i] >> 8));
  }
}

static void encode8(uint32_t c, wh_buf *out) {
  if (c < 0x80) {
    wh_buf_add_char(out, (char)c);
    return;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
  wh_buf_add_char(out, (char)(leads[more] | c >> 6 * more));
  while (more--)
    wh_buf_add_char(out, (char)(0x80 | (c >> 6 * more & 0x3F)));
}

static uint32_t random_char(void) {
  switch (test_random_below(8)) {
  case 0:
    return 0x80 + (uint32_t)test_random_below(0x780);
  case 1:
    return 0xE000 + (uint32_t)test_random_below(0x2000);
  case 2:
    return 0x10000 + (uint32_t)test_random_below(0x100000);
  default:
    return (uint32_t)test_random_below(0x80);
  }
}

TEST(every_character_in_pieces_of_every_size) {
  WH_CLEAN_BUF wh_buf text;
  WH_CLEAN_BUF wh_buf want;
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  wh_buf_init(&got, &test_mem, 0);
  for (int round = 0; round < 400 && !test_failed(); round++) {
    int encoding = round % 3;
    wh_buf_clear(&text);
    wh_buf_clear(&want);
    for (uint64_t n = test_random_below(400); n; n--) {
      uint32_t c = encoding == 2 ? (uint32_t)test_random_below(256) : random_char();
      if (encoding == 2) {
        wh_buf_add_char(&text, (char)c);
      } else {
        encode16(c, encoding == 1, &text);
      }
      encode8(c, &want);
    }
    static const wh_csv_encoding encodings[] = {WH_CSV_UTF16LE, WH_CSV_UTF16BE, WH_CSV_LATIN1};
    CHECK_OK(transcode(encodings[encoding], wh_buf_str(&text), test_random_below(text.len + 1),
                       1 + test_random_below(20), 1 + test_random_below(64), &got));
    CHECK_STR(wh_buf_str(&got), wh_buf_str(&want));
  }
}

TEST(every_character_there_is) {
  WH_CLEAN_BUF wh_buf text;
  WH_CLEAN_BUF wh_buf want;
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&text, &test_mem, 0);
  wh_buf_init(&want, &test_mem, 0);
  wh_buf_init(&got, &test_mem, 0);
  for (uint32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 31) {
    if (c >= 0xD800 && c < 0xE000) continue;
    encode16(c, false, &text);
    encode8(c, &want);
  }
  CHECK_OK(transcode(WH_CSV_UTF16LE, wh_buf_str(&text), 70001, 0, 64, &got));
  CHECK(wh_str_eq(wh_buf_str(&got), wh_buf_str(&want)));
  CHECK(wh_utf8_valid(wh_buf_str(&got)));
}

static void check_bad(wh_str bytes, const char *part, uint64_t byte, const char *before, int line) {
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  for (size_t most = 1; most < 8; most++) {
    for (size_t head = 0; head <= bytes.len; head++) {
      bool ok = CHECK_FAILS(transcode(WH_CSV_UTF16LE, bytes, head, most, 64, &got), WH_ERR_DATA) &&
                CHECK_ERROR_HAS(part) && CHECK_EQ(test_err.place.byte, byte) &&
                CHECK_STR(wh_buf_str(&got), wh_str_of(before));
      if (!ok) test_note("in line %d", line);
    }
  }
}
#define CHECK_BAD(bytes, part, byte, before) check_bad(WH_STR(bytes), part, byte, before, __LINE__)

// The text begins at byte 2, behind its mark.
TEST(what_is_no_utf16) {
  CHECK_BAD("a\0\x00\xDC"
            "b\0",
            "byte 4: a second surrogate has no first one", 4, "a");
  CHECK_BAD("a\0\x00\xD8"
            "b\0",
            "byte 4: a first surrogate has no second one", 4, "a");
  CHECK_BAD("a\0\x00\xD8\x00\xD8", "a first surrogate has no second one", 4, "a");
  CHECK_BAD("a\0b\0c", "byte 6: half a character stands at the end", 6, "ab");
  CHECK_BAD("a\0\x00\xD8", "byte 4: half a character stands at the end", 4, "a");
  CHECK_BAD("a\0\x00\xD8\x00", "byte 4: half a character stands at the end", 4, "a");
}

TEST(an_empty_text) {
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  CHECK_OK(transcode(WH_CSV_UTF16BE, WH_STR(""), 0, 0, 64, &got));
  CHECK_EQ(got.len, 0);
}

static wh_status failing_read(wh_input *in, void *data, size_t cap, size_t *ret_len,
                              wh_error *err) {
  (void)in, (void)data, (void)cap, (void)ret_len;
  return wh_fail(err, WH_ERR_CHANGED, "it is another object now");
}

TEST(errors_of_the_input_are_passed_on) {
  wh_input in = {.read = failing_read};
  wh_input *text;
  char out[8];
  size_t len;
  CHECK_OK(csv_transcode_open(&test_mem, &in, WH_CSV_UTF16LE, WH_STR("a\0"), 0, &text, &test_err));
  CHECK_OK(wh_input_read(text, out, sizeof out, &len, &test_err));
  CHECK_EQ(len, 1);
  CHECK_FAILS(wh_input_read(text, out, sizeof out, &len, &test_err), WH_ERR_CHANGED);
  wh_input_close(text);
}

TEST(no_memory_is_an_error) {
  enum { HEAD = 200000 };
  char *bytes = calloc(1, HEAD);
  REQUIRE(bytes);
  WH_CLEAN_BUF wh_buf got;
  wh_buf_init(&got, &test_mem, 0);
  CHECK(wh_buf_reserve(&got, HEAD));
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 10; n++) {
    atomic_store(&test_mem.count, 0);
    atomic_store(&test_mem.fail_at, n);
    status = transcode(WH_CSV_UTF16LE, wh_str_n(bytes, HEAD), HEAD - 2, 0, 64, &got);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
    atomic_store(&test_mem.fail_at, 0);
  }
  CHECK_EQ(status, WH_OK);
  free(bytes);
}
