// What is read or written is what its checksum says.
#include "codec-run.h"
#include "engine/checksum.h"
#include "test.h"

// SHA-256 of "abc" (FIPS 180-4, example B.1).
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void read_all(wh_sha256_input *in, wh_str text) {
  static wh_bytes_input bytes;
  wh_bytes_input_init(&bytes, text.data, text.len);
  CHECK_OK(wh_sha256_input_init(in, &bytes.base, &test_err));
  CHECK_EQ(in->base.size, text.len);
  char data[2];
  size_t n = 1;
  while (n && CHECK_OK(wh_input_read(&in->base, data, sizeof data, &n, &test_err)))
    continue;
}

TEST(what_was_read_is_compared) {
  wh_sha256_input in;
  read_all(&in, WH_STR("abc"));
  CHECK_OK(wh_sha256_input_check(&in, WH_STR(ABC), &test_err));
  wh_input_close(&in.base);
  read_all(&in, WH_STR("abd"));
  CHECK_FAILS(wh_sha256_input_check(&in, WH_STR(ABC), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("its checksum is a52d159f");
  wh_input_close(&in.base);
  read_all(&in, WH_STR("ab"));
  CHECK_FAILS(wh_sha256_input_check(&in, WH_STR(ABC), &test_err), WH_ERR_DATA);
  wh_input_close(&in.base);
}

// Looking ahead is not reading.
TEST(what_is_looked_at_does_not_count) {
  wh_sha256_input in;
  wh_bytes_input bytes;
  char data[2];
  size_t n;
  wh_bytes_input_init(&bytes, "abc", 3);
  CHECK_OK(wh_sha256_input_init(&in, &bytes.base, &test_err));
  CHECK_OK(in.base.read_at(&in.base, 1, data, 2, &test_err));
  CHECK_EQ(memcmp(data, "bc", 2), 0);
  do
    CHECK_OK(wh_input_read(&in.base, data, 2, &n, &test_err));
  while (n);
  CHECK_OK(wh_sha256_input_check(&in, WH_STR(ABC), &test_err));
  wh_input_close(&in.base);
}

TEST(what_is_written_is_passed_on) {
  WH_CLEAN_BUF wh_buf text = {.mem = &test_mem};
  buf_output to;
  wh_sha256_output out;
  char hex[WH_SHA256_HEX + 1];
  buf_output_init(&to, &text);
  CHECK_OK(wh_sha256_output_init(&out, &to.base, &test_err));
  CHECK_OK(wh_output_write(&out.base, "a", 1, &test_err));
  CHECK_OK(wh_output_write(&out.base, "bc", 2, &test_err));
  CHECK_EQ(out.base.written, 3);
  CHECK_STR(wh_buf_str(&text), WH_STR("abc"));
  CHECK_OK(wh_sha256_finish_hex(&out.sha, hex, &test_err));
  CHECK_STR(wh_str_of(hex), WH_STR(ABC));
  wh_sha256_output_free(&out);
}
