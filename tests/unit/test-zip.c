// What is in a ZIP archive comes back; what is damaged, cut short, says two things or is meant to
// fill memory does not.
#include "codec/compression.h"
#include "codec/zip.h"
#include "test.h"
#include "zip-make.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char text[3000];

static void make_text(void) {
  for (size_t i = 0; i < sizeof text; i++)
    text[i] = "number,state\n1,Open\n2,Shipped\n"[(i + i / 97) % 29];
}

static const zip_make all[] = {
    {.name = "a.csv", .data = {text, 700}, .deflated = true},
    {.name = "empty.csv", .data = {"", 0}},
    {.name = "empty-deflated.csv", .data = {"", 0}, .deflated = true},
    {.name = "folder/", .data = {"", 0}},
    {.name = "folder/b.csv", .data = {text + 100, 300}},
    {.name = "c.csv", .data = {text, 1500}, .deflated = true, .described = true},
};

// All that is in it: names and bytes.
static wh_status read_all(wh_str bytes, wh_buf *to, wh_error *err) {
  static char piece[1000];
  wh_bytes_input in;
  wh_zip *zip;
  wh_zip_member m;
  wh_status status;
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  WH_TRY(wh_zip_open(&test_mem, &in.base, &zip, err));
  while ((status = wh_zip_next(zip, &m, err)) == WH_OK) {
    wh_input *member;
    wh_buf_printf(to, "[%.*s]", WH_STR_ARG(m.name));
    if (m.is_folder) continue;
    status = wh_zip_open_member(zip, &m, &member, err);
    if (status != WH_OK) break;
    for (size_t n = 1; status == WH_OK && n;) {
      status = wh_input_read(member, piece, 1 + test_random_below(sizeof piece), &n, err);
      if (status == WH_OK) wh_buf_add(to, piece, n);
    }
    wh_input_close(member);
    if (status != WH_OK) break;
  }
  wh_zip_close(zip);
  return status == WH_ERR_END ? wh_buf_check(to, err) : status;
}

static void expect(wh_buf *to, const zip_make *members, size_t count) {
  for (size_t i = 0; i < count; i++)
    wh_buf_printf(to, "[%s]%.*s", members[i].name, WH_STR_ARG(members[i].data));
}

typedef struct buffers {
  wh_buf bytes, back, want;
} buffers;

static void buffers_init(buffers *b) {
  make_text();
  wh_buf_init(&b->bytes, &test_mem, 0);
  wh_buf_init(&b->back, &test_mem, 0);
  wh_buf_init(&b->want, &test_mem, 0);
}

static void buffers_free(buffers *b) {
  wh_buf_free(&b->bytes);
  wh_buf_free(&b->back);
  wh_buf_free(&b->want);
}

static void make(buffers *b, const zip_make *members, size_t count, const char *comment) {
  wh_buf_clear(&b->bytes);
  wh_buf_clear(&b->want);
  zip_make_archive(&b->bytes, members, count, comment);
  expect(&b->want, members, count);
}

static wh_status read_back(buffers *b, wh_str bytes, wh_error *err) {
  wh_buf_clear(&b->back);
  return read_all(bytes, &b->back, err);
}

static void comes_back(buffers *b) {
  CHECK_OK(read_back(b, wh_buf_str(&b->bytes), &test_err));
  CHECK_STR(wh_buf_str(&b->back), wh_buf_str(&b->want));
}

// Of what was made of the members, `status` and the words.
static void check_refused(const zip_make *members, size_t count, wh_status status,
                          const char *words) {
  buffers b;
  buffers_init(&b);
  make(&b, members, count, "");
  CHECK_FAILS(read_back(&b, wh_buf_str(&b.bytes), &test_err), status);
  CHECK_ERROR_HAS(words);
  buffers_free(&b);
}

TEST(what_is_in_it_comes_back) {
  buffers b;
  buffers_init(&b);
  make(&b, all, COUNT(all), "");
  comes_back(&b);
  make(&b, all, COUNT(all), "a comment, with PK\5\6 in it, of whoever made it");
  comes_back(&b);
  make(&b, NULL, 0, "");
  comes_back(&b);
  zip_make wide[COUNT(all)];
  for (size_t i = 0; i < COUNT(all); i++) {
    wide[i] = all[i];
    wide[i].wide = true;
  }
  make(&b, wide, COUNT(wide), "");
  comes_back(&b);
  buffers_free(&b);
}

TEST(a_name_of_no_utf8_is_shown) {
  buffers b;
  buffers_init(&b);
  make(&b,
       (zip_make[]){{.name = "\x9A"
                             "b\xFF\xFE.csv",
                     .data = {"x", 1}}},
       1, "");
  CHECK_OK(read_back(&b, wh_buf_str(&b.bytes), &test_err));
  CHECK_STR(wh_buf_str(&b.back), WH_STR("[_b__.csv]x"));
  buffers_free(&b);
}

TEST(what_is_cut_short_is_not_whole) {
  buffers b;
  buffers_init(&b);
  for (int wide = 0; wide < 2; wide++) {
    zip_make first = all[0];
    first.wide = wide;
    make(&b, &first, 1, "");
    for (size_t len = 0; len < b.bytes.len && !test_failed(); len++)
      CHECK_FAILS(read_back(&b, wh_str_n(b.bytes.data, len), &test_err), WH_ERR_DATA);
    // Nor is one that begins later.
    for (size_t from = 1; from < b.bytes.len && !test_failed(); from++)
      CHECK_FAILS(read_back(&b, wh_str_sub(wh_buf_str(&b.bytes), from, b.bytes.len), &test_err),
                  WH_ERR_DATA);
  }
  buffers_free(&b);
}

// Times, attributes and versions say nothing of what is inside.
TEST(every_bit_that_counts_is_looked_at) {
  buffers b;
  buffers_init(&b);
  for (int wide = 0; wide < 2; wide++) {
    zip_make three[] = {all[0], all[4], all[5]};
    for (size_t i = 0; i < COUNT(three); i++) {
      three[i].wide = wide;
      three[i].data.len /= 4;
    }
    make(&b, three, COUNT(three), "");
    size_t same = 0;
    for (size_t bit = 0; bit < 8 * b.bytes.len && !test_failed(); bit++) {
      b.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
      wh_error err = {0};
      wh_status status = read_back(&b, wh_buf_str(&b.bytes), &err);
      if (status == WH_OK)
        CHECK_STR(wh_buf_str(&b.back), wh_buf_str(&b.want));
      else
        CHECK(err.text[0] && (status == WH_ERR_DATA || status == WH_ERR_LIMIT));
      same += status == WH_OK;
      b.bytes.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    // Of the two headers of each.
    CHECK(same > 8 * 16 * COUNT(three) && same < 8 * 32 * COUNT(three));
  }
  buffers_free(&b);
}

TEST(a_directory_that_lies_is_refused) {
  zip_make m = {.name = "a.csv", .data = {text, 700}, .deflated = true};
  m.says_size = 699;
  check_refused(&m, 1, WH_ERR_DATA, "says something else");
  m.described = true;
  check_refused(&m, 1, WH_ERR_DATA, "there is more than its directory says");
  m.says_size = 701;
  check_refused(&m, 1, WH_ERR_DATA, "there is less than its directory says");
  m = (zip_make){.name = "a.csv", .data = {text, 700}, .says_offset = 7};
  check_refused(&m, 1, WH_ERR_DATA, "is not where its directory says");
  m = (zip_make){.name = "a.csv", .data = {text, 700}, .says_size = 800};
  check_refused(&m, 1, WH_ERR_DATA, "has two sizes");
}

TEST(what_cannot_be_read_says_so) {
  zip_make m = {.name = "a.csv", .data = {text, 700}, .says_flags = 1 | 1 << 11};
  check_refused(&m, 1, WH_ERR_DATA, "is encrypted");
  m.says_flags = 1 << 6 | 1 << 11;
  check_refused(&m, 1, WH_ERR_DATA, "is encrypted");
  m = (zip_make){.name = "a.csv", .data = {text, 700}, .says_method = 14};
  check_refused(&m, 1, WH_ERR_DATA, "compressed by method 14");
}

TEST(no_byte_and_no_name_is_of_two) {
  zip_make twice[] = {all[0], all[4], all[0]};
  check_refused(twice, COUNT(twice), WH_ERR_DATA, "have one name");
  // The second one's header is in the first one's bytes: an archive in an archive.
  buffers b;
  buffers_init(&b);
  make(&b, &all[4], 1, "");
  wh_str inner = wh_buf_str(&b.bytes);
  zip_make around[] = {{.name = "outer", .data = inner}, all[4]};
  around[1].says_offset = 30 + 5;
  wh_buf made;
  wh_buf_init(&made, &test_mem, 0);
  zip_make_archive(&made, around, COUNT(around), "");
  CHECK_FAILS(read_back(&b, wh_buf_str(&made), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("share bytes");
  wh_buf_free(&made);
  buffers_free(&b);
}

// What stands between a local name and the bytes is known only there.
TEST(a_member_ends_before_the_next) {
  buffers b;
  buffers_init(&b);
  make(&b, (zip_make[]){all[4], all[0]}, 2, "");
  b.bytes.data[28] = 1; // so many bytes of extra fields
  CHECK_FAILS(read_back(&b, wh_buf_str(&b.bytes), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("runs into the next one");
  buffers_free(&b);
}

// Nothing of it is opened: its directory says what it would become.
TEST(a_bomb_is_refused) {
  zip_make m = {.name = "a.csv",
                .data = {text, 700},
                .deflated = true,
                .described = true,
                .says_size = WH_EXPANSION_FREE_BYTES + 1u};
  check_refused(&m, 1, WH_ERR_LIMIT, "more than 500 times as large");
}

TEST(too_many_members_are_refused) {
  buffers b;
  buffers_init(&b);
  size_t count = WH_ZIP_MEMBERS_MAX + 1;
  zip_put_end(&b.bytes, count, 0, true, "");
  CHECK_FAILS(read_back(&b, wh_buf_str(&b.bytes), &test_err), WH_ERR_LIMIT);
  CHECK_ERROR_HAS("at most 65535 are read");
  wh_buf_clear(&b.bytes);
  zip_put_end(&b.bytes, 3, 0, false, "");
  CHECK_FAILS(read_back(&b, wh_buf_str(&b.bytes), &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("fewer members than it says");
  buffers_free(&b);
}

TEST(every_allocation_may_fail) {
  buffers b;
  buffers_init(&b);
  make(&b, all, COUNT(all), "");
  for (size_t n = 1; n < 100 && !test_failed(); n++) {
    wh_error err = {0};
    test_mem.fail_at = test_mem.count + n;
    wh_status status = read_back(&b, wh_buf_str(&b.bytes), &err);
    test_mem.fail_at = 0;
    b.back.failed = false;
    if (status == WH_OK) break;
    CHECK_EQ(status, WH_ERR_MEMORY);
  }
  buffers_free(&b);
}
