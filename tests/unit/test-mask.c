#include "test.h"

#include "step/chars.h"
#include "step/mask.h"

// The result lives until the next call.
static wh_str normalize(wh_normalize form, const char *text) {
  static char space[4096];
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, sizeof space);
  CHECK(wh_normalize_text(form, wh_str_of(text), &out));
  if (out.len) memcpy(space, out.data, out.len);
  return wh_str_n(space, out.len);
}

static wh_str mask_text(const wh_mask *mask, const char *text, bool *ret_null) {
  static char space[4096];
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, sizeof space);
  wh_buf_add_c(&out, "before:"); // what is there stays
  CHECK_OK(wh_mask_apply(mask, wh_str_of(text), &out, ret_null, &test_err));
  CHECK(wh_str_starts(wh_buf_str(&out), "before:"));
  memcpy(space, out.data, out.len + 1);
  return wh_str_sub(wh_str_n(space, out.len), 7, out.len);
}

TEST(normal_forms) {
  const char *text = "  \xC2\xA0"
                     "ab1-2\xC3\xA9 \xC3\x9F\xE2\x80\x83";
  CHECK_STR(normalize(WH_NORMALIZE_NONE, text), wh_str_of(text));
  CHECK_STR(normalize(WH_NORMALIZE_TRIM, text), WH_STR("ab1-2\xC3\xA9 \xC3\x9F"));
  CHECK_STR(normalize(WH_NORMALIZE_UPPER, text), WH_STR("AB1-2\xC3\x89 \xC3\x9F"));
  CHECK_STR(normalize(WH_NORMALIZE_LOWER, "\xC3\x89\xD0\x96 X"), WH_STR("\xC3\xA9\xD0\xB6 x"));
  CHECK_STR(normalize(WH_NORMALIZE_ALPHANUMERIC_UPPER, text), WH_STR("AB12\xC3\x89\xC3\x9F"));
  CHECK_STR(normalize(WH_NORMALIZE_ALPHANUMERIC_LOWER, "AB-12 \xCE\xA3"), WH_STR("ab12\xCF\x83"));
  CHECK_STR(normalize(WH_NORMALIZE_DIGITS, "+44 (0)20 7946 0958"), WH_STR("4402079460958"));
  CHECK_STR(normalize(WH_NORMALIZE_DIGITS, "none"), WH_STR(""));
  CHECK_STR(normalize(WH_NORMALIZE_TRIM, ""), WH_STR(""));
  CHECK_STR(normalize(WH_NORMALIZE_TRIM, " \t\n\xEF\xBB\xBF"), WH_STR(""));
}

TEST(normal_forms_agree_whatever_the_spelling) {
  static const char *const same[] = {"ab1 2cd", "AB12CD", " Ab1-2cD\t", "a b 1 2 c d",
                                     "AB1\302\2402CD"};
  for (size_t i = 0; i < sizeof same / sizeof *same; i++)
    CHECK_STR(normalize(WH_NORMALIZE_ALPHANUMERIC_UPPER, same[i]), WH_STR("AB12CD"));
}

// A form of a form is the form; letters of many alphabets keep their case pairs.
TEST(normal_forms_are_stable) {
  static const wh_normalize forms[] = {WH_NORMALIZE_TRIM,   WH_NORMALIZE_LOWER,
                                       WH_NORMALIZE_UPPER,  WH_NORMALIZE_ALPHANUMERIC_UPPER,
                                       WH_NORMALIZE_DIGITS, WH_NORMALIZE_ALPHANUMERIC_LOWER};
  for (int round = 0; round < 300; round++) {
    WH_CLEAN_BUF wh_buf text;
    wh_buf_init(&text, &test_mem, 0);
    for (uint64_t n = test_random_below(12); n > 0; n--) {
      uint32_t c = 1 + (uint32_t)test_random_below(test_random_below(2) ? 0x500 : 0x10FFFF);
      if (c >= 0xD800 && c <= 0xDFFF) c = ' ';
      char bytes[4];
      wh_buf_add(&text, bytes, wh_char_encode(c, bytes));
    }
    if (!text.data) wh_buf_add_c(&text, "");
    CHECK(wh_utf8_valid(wh_buf_str(&text)));
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
      WH_CLEAN_BUF wh_buf once;
      WH_CLEAN_BUF wh_buf twice;
      wh_buf_init(&once, &test_mem, 0);
      wh_buf_init(&twice, &test_mem, 0);
      CHECK(wh_normalize_text(forms[f], wh_buf_str(&text), &once));
      CHECK(wh_normalize_text(forms[f], wh_buf_str(&once), &twice));
      CHECK(wh_utf8_valid(wh_buf_str(&once)));
      CHECK_STR(wh_buf_str(&twice), wh_buf_str(&once));
    }
  }
}

TEST(characters) {
  for (uint32_t c = 1; c < 0x110000; c++) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    char bytes[4];
    wh_str s = wh_str_n(bytes, wh_char_encode(c, bytes));
    size_t at = 0;
    if (wh_char_next(s, &at) != c || at != s.len) CHECK(false);
    // Case comes back to itself, and nothing changes twice.
    uint32_t up = wh_char_upper(c), low = wh_char_lower(c);
    if (wh_char_upper(up) != up || wh_char_lower(low) != low) {
      test_note("U+%04X", c);
      CHECK(false);
    }
  }
  CHECK_EQ(wh_char_upper(0x451), 0x401);
  CHECK_EQ(wh_char_upper(0x17F), 'S');
  CHECK_EQ(wh_char_lower(0x130), 0x130); // what becomes two characters stays
  CHECK_EQ(wh_char_lower(0xFF21), 0xFF41);
  CHECK(wh_char_is_alphanumeric(0x4E2D) && wh_char_is_alphanumeric(0x663));
  CHECK(!wh_char_is_alphanumeric(0x2014) && !wh_char_is_alphanumeric(WH_CHAR_INVALID));
  CHECK(!wh_char_is_alphanumeric(0x1F600) && !wh_char_is_alphanumeric('_'));
  CHECK(wh_char_is_space(0x3000) && wh_char_is_space(0x200A) && !wh_char_is_space(0x200D));
}

TEST(bytes_that_are_no_characters) {
  wh_str bad = WH_STR("a\xFF\xC3");
  size_t at = 1;
  CHECK_EQ(wh_char_next(bad, &at), WH_CHAR_INVALID);
  CHECK_EQ(at, 2);
  CHECK_EQ(wh_chars_count(bad), 3);
  CHECK_STR(wh_chars_trim(WH_STR(" \x80\x80 ")), WH_STR("\x80\x80"));
  CHECK_STR(wh_chars_trim(WH_STR("\x20\xA0")), WH_STR("\xA0"));
  CHECK_STR(normalize(WH_NORMALIZE_UPPER, "a\xFF"), WH_STR("A\xFF"));
  CHECK_STR(normalize(WH_NORMALIZE_ALPHANUMERIC_UPPER, "a\xFF"), WH_STR("A"));
}

// RFC 4231, test cases 1, 2 and 3.
TEST(hmac_gives_the_published_values) {
  wh_mask mask = {.name = WH_STR("m"), .kind = WH_MASK_HMAC};
  bool null = true;
  mask.key =
      WH_STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b");
  CHECK_STR(mask_text(&mask, "Hi There", &null),
            WH_STR("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
  CHECK(!null);
  mask.key = WH_STR("Jefe");
  CHECK_STR(mask_text(&mask, "what do ya want for nothing?", &null),
            WH_STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST(hmac_of_a_normal_form) {
  wh_mask mask = {.kind = WH_MASK_HMAC,
                  .normalize = WH_NORMALIZE_ALPHANUMERIC_UPPER,
                  .key = WH_STR("a key of some length")};
  bool null = true;
  char first[65] = {0};
  memcpy(first, mask_text(&mask, "ab1 2cd", &null).data, 64);
  CHECK_STR(mask_text(&mask, " AB12CD ", &null), wh_str_of(first));
  CHECK(!wh_str_eq(mask_text(&mask, "AB12CE", &null), wh_str_of(first)));
  CHECK(!null);
  CHECK_EQ(mask_text(&mask, " - ", &null).len, 0); // nothing to prove
  CHECK(null);
}

TEST(partial_hides_the_middle) {
  wh_mask mask = {.kind = WH_MASK_PARTIAL, .keep_first = 2, .keep_last = 1};
  bool null = true;
  CHECK_STR(mask_text(&mask, "abcdef", &null), WH_STR("ab***f"));
  CHECK(!null);
  CHECK_STR(mask_text(&mask, "abcd", &null), WH_STR("ab*d"));
  CHECK_STR(mask_text(&mask, "abc", &null), WH_STR("***")); // no more than what would be shown
  CHECK_STR(mask_text(&mask, "a", &null), WH_STR("*"));
  CHECK_STR(mask_text(&mask, "\xC3\xA9\xC3\xA8xyz\xE4\xB8\xAD", &null),
            WH_STR("\xC3\xA9\xC3\xA8***\xE4\xB8\xAD"));
  mask.fill = WH_STR("\xE2\x80\xA2");
  CHECK_STR(mask_text(&mask, "abcde", &null), WH_STR("ab\xE2\x80\xA2\xE2\x80\xA2"
                                                     "e"));
  mask.keep_first = mask.keep_last = SIZE_MAX;
  CHECK_STR(mask_text(&mask, "ab", &null), WH_STR("\xE2\x80\xA2\xE2\x80\xA2"));
  mask = (wh_mask){.kind = WH_MASK_PARTIAL, .normalize = WH_NORMALIZE_DIGITS, .keep_last = 4};
  CHECK_STR(mask_text(&mask, "4111 1111 1111 1234", &null), WH_STR("************1234"));
  mask.keep_last = 0;
  CHECK_STR(mask_text(&mask, "12", &null), WH_STR("**"));
  CHECK_EQ(mask_text(&mask, "", &null).len, 0);
  CHECK(null);
}

TEST(null_masks_everything) {
  wh_mask mask = {.kind = WH_MASK_NULL};
  bool null = false;
  CHECK_EQ(mask_text(&mask, "anything", &null).len, 0);
  CHECK(null);
}

TEST(masks_that_cannot_work_are_refused) {
  wh_mask mask = {.name = WH_STR("proof"), .kind = WH_MASK_HMAC, .key = WH_STR("short")};
  CHECK_FAILS(wh_mask_check(&mask, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("mask proof: its key has 5 bytes, a keyed hash needs at least 16");
  CHECK(!strstr(test_err.text, "short"));
  mask.key = WH_STR("0123456789abcdef");
  CHECK_OK(wh_mask_check(&mask, &test_err));
  mask = (wh_mask){.name = WH_STR("ends"), .kind = WH_MASK_PARTIAL, .fill = WH_STR("**")};
  CHECK_FAILS(wh_mask_check(&mask, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("mask ends: fill must be one character");
  mask.fill = WH_STR("\n");
  CHECK_FAILS(wh_mask_check(&mask, &test_err), WH_ERR_USAGE);
  mask.fill = WH_STR("\xE2\x80\xA2");
  CHECK_OK(wh_mask_check(&mask, &test_err));
  mask.fill = (wh_str){0};
  CHECK_OK(wh_mask_check(&mask, &test_err));
}

#define TOKEN_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static wh_str reveal(const wh_mask *mask, wh_str token) {
  static char space[1024];
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, sizeof space);
  CHECK_OK(wh_mask_reveal(mask, token, &out, &test_err));
  memcpy(space, out.data ? out.data : "", out.len);
  return wh_str_n(space, out.len);
}

// The token is that of Python's cryptography with the keys that HMAC-SHA-256 derives.
TEST(tokens_lead_back) {
  wh_mask mask = {.kind = WH_MASK_TOKEN, .key = WH_STR(TOKEN_KEY)};
  bool null = true;
  CHECK_OK(wh_mask_check(&mask, &test_err));
  CHECK_STR(mask_text(&mask, "4711", &null), WH_STR("fitlzpgFi6pcVPxBBY4226IJDZE"));
  CHECK(!null);
  CHECK_STR(mask_text(&mask, "4711", &null), WH_STR("fitlzpgFi6pcVPxBBY4226IJDZE"));
  CHECK_STR(reveal(&mask, WH_STR("fitlzpgFi6pcVPxBBY4226IJDZE")), WH_STR("4711"));
  CHECK_EQ(mask_text(&mask, "", &null).len, 0);
  CHECK(null);
  mask.normalize = WH_NORMALIZE_DIGITS;
  CHECK_STR(mask_text(&mask, " 47-11 ", &null), WH_STR("fitlzpgFi6pcVPxBBY4226IJDZE"));
  mask.normalize = WH_NORMALIZE_NONE;
  for (size_t len = 1; len < 300; len++) {
    char text[300];
    for (size_t i = 0; i < len; i++)
      text[i] = (char)(1 + test_random_below(255));
    text[len] = 0;
    char token[600];
    wh_str made = mask_text(&mask, text, &null);
    memcpy(token, made.data, made.len);
    CHECK_STR(reveal(&mask, wh_str_n(token, made.len)), wh_str_of(text));
  }
}

TEST(tokens_of_other_keys_are_refused) {
  wh_str old[] = {WH_STR_INIT(TOKEN_KEY)};
  wh_mask mask = {.name = WH_STR("customer"),
                  .kind = WH_MASK_TOKEN,
                  .key =
                      WH_STR("ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")};
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&out, &test_mem, 0);
  const char *const wrong[] = {
      "fitlzpgFi6pcVPxBBY4226IJDZE", "", "4711", "not base64 ==", "AAAAAAAAAAAAAAAAAAAAAA",
      "AAAAAAAAAAAAAAAAAAAAAAAA"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    CHECK_FAILS(wh_mask_reveal(&mask, wh_str_of(wrong[i]), &out, &test_err), WH_ERR_DENIED);
    CHECK_ERROR_HAS("no token of mask customer");
    CHECK_EQ(out.len, 0);
  }
  mask.keys_old = (wh_str_list){.items = old, .count = 1};
  CHECK_OK(wh_mask_check(&mask, &test_err));
  CHECK_STR(reveal(&mask, wh_str_of(wrong[0])), WH_STR("4711"));
  mask.key = WH_STR("a passphrase");
  CHECK_FAILS(wh_mask_check(&mask, &test_err), WH_ERR_USAGE);
  CHECK_ERROR_HAS("mask customer: the key of a token is 32 bytes");
  CHECK(!strstr(test_err.text, "passphrase"));
}

TEST(masks_without_memory) {
  static const wh_mask masks[] = {
      {.kind = WH_MASK_HMAC,
       .normalize = WH_NORMALIZE_UPPER,
       .key = WH_STR_INIT("0123456789abcdef")},
      {.kind = WH_MASK_PARTIAL, .keep_first = 90, .keep_last = 1},
      {.kind = WH_MASK_TOKEN, .key = WH_STR_INIT(TOKEN_KEY)},
  };
  char text[301];
  memset(text, 'x', 300);
  text[300] = 0;
  for (size_t m = 0; m < 3; m++) {
    for (size_t n = 1;; n++) {
      wh_buf out;
      wh_buf_init(&out, &test_mem, 0);
      test_mem.fail_at = atomic_load(&test_mem.count) + n;
      bool null = false;
      wh_status status = wh_mask_apply(&masks[m], wh_str_of(text), &out, &null, &test_err);
      test_mem.fail_at = 0;
      if (status != WH_OK) {
        CHECK_EQ(status, WH_ERR_MEMORY);
        CHECK_EQ(out.len, 0);
      }
      wh_buf_free(&out);
      if (status == WH_OK) break;
      REQUIRE(n < 100);
    }
  }
}
