// What a file on an SFTP server may do while it is read: grow, be replaced, vanish, become shorter.
// Against a real server, whose files the test changes behind its back.
#include "store_place.h"

#ifdef WHERRY_SFTP
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE = 6 << 20, CHUNK = 64 << 10 };

typedef struct reading {
  store_place place;
  wh_arena arena;
  char path[512];
  wh_input *in;
  char *chunk;
} reading;

static bool write_file(const char *path, size_t size, char with, long seconds_ago) {
  FILE *f = fopen(path, "w");
  if (!CHECK(f)) return false;
  for (size_t i = 0; i < size; i++)
    fputc(with, f);
  fclose(f);
  struct timespec now, times[2];
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec -= seconds_ago;
  times[0] = times[1] = now;
  // The server runs as another user where the test is root's.
  return CHECK(chmod(path, 0666) == 0) && CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

// A large file of which some was read.
static bool begin(reading *r, size_t size) {
  *r = (reading){0};
  wh_arena_init(&r->arena, &test_mem);
  if (!store_place_sftp(&r->place)) return false;
  r->chunk = wh_arena_alloc(&r->arena, CHUNK);
  snprintf(r->path, sizeof r->path, "%s/x", r->place.sftp.path.data);
  // The store makes the folder, as the server's user.
  if (!r->chunk || !CHECK_OK(store_put(&r->place, "a-0", "x", "x", false, &test_err))) return false;
  if (!write_file(r->path, size, 'a', 100)) return false;
  size_t got = 0;
  return CHECK_OK(r->place.store->open(&r->place.connection, WH_STR("x"), WH_STR(""), &r->in,
                                       &test_err)) &&
         CHECK_EQ(r->in->size, size) &&
         (size == 0 || (CHECK_OK(wh_input_read(r->in, r->chunk, CHUNK, &got, &test_err)) &&
                        CHECK(got > 0 && r->chunk[0] == 'a')));
}

static void end(reading *r) {
  wh_input_close(r->in);
  wh_arena_free(&r->arena);
  store_place_free(&r->place);
}

// To the end, or to the error; all bytes that came have to be old ones.
static wh_status read_on(reading *r, uint64_t *ret_len) {
  for (;;) {
    size_t got = 0;
    WH_TRY(wh_input_read(r->in, r->chunk, CHUNK, &got, &test_err));
    if (got == 0) return WH_OK;
    *ret_len += got;
    for (size_t i = 0; i < got; i++)
      if (r->chunk[i] != 'a') return CHECK(!"these are other bytes"), WH_ERR_BUG;
  }
}

TEST(a_file_that_grows_while_it_is_read_is_noticed) {
  reading r;
  uint64_t len = 0;
  if (begin(&r, LARGE)) {
    FILE *f = fopen(r.path, "a");
    if (CHECK(f)) {
      fputc('b', f);
      fclose(f);
    }
    CHECK_FAILS(read_on(&r, &len), WH_ERR_CHANGED);
    CHECK_ERROR_HAS("lake: x: changed while it was read");
    CHECK(test_err.retry);
  }
  end(&r);
}

TEST(a_file_that_becomes_shorter_is_noticed) {
  reading r;
  uint64_t len = 0;
  if (begin(&r, LARGE)) {
    CHECK(truncate(r.path, 100000) == 0);
    CHECK_FAILS(read_on(&r, &len), WH_ERR_CHANGED);
  }
  end(&r);
}

TEST(an_empty_file_that_is_filled_is_noticed) {
  reading r;
  uint64_t len = 0;
  if (begin(&r, 0)) {
    CHECK(write_file(r.path, 5, 'b', 0));
    CHECK_FAILS(read_on(&r, &len), WH_ERR_CHANGED);
  }
  end(&r);
}

TEST(bytes_that_are_written_over_are_noticed) {
  reading r;
  uint64_t len = 0;
  if (begin(&r, LARGE)) {
    CHECK(write_file(r.path, LARGE, 'b', 50));
    CHECK_FAILS(read_on(&r, &len), WH_ERR_CHANGED);
  }
  end(&r);
}

// What was opened is still there, though nobody else can see it.
TEST(a_file_that_vanishes_or_is_replaced_is_read_to_its_end) {
  for (int replaced = 0; replaced < 2; replaced++) {
    reading r;
    uint64_t len = CHUNK;
    if (begin(&r, LARGE)) {
      CHECK(unlink(r.path) == 0);
      if (replaced) CHECK(write_file(r.path, LARGE, 'b', 50));
      CHECK_OK(read_on(&r, &len));
      CHECK_EQ(len, LARGE);
    }
    end(&r);
  }
}

TEST(reading_anywhere_notices_it_too) {
  reading r;
  if (begin(&r, LARGE)) {
    CHECK_OK(r.in->read_at(r.in, LARGE - CHUNK, r.chunk, CHUNK, &test_err));
    CHECK(r.chunk[CHUNK - 1] == 'a');
    CHECK_FAILS(r.in->read_at(r.in, LARGE - 1, r.chunk, 2, &test_err), WH_ERR_END);
    CHECK(write_file(r.path, LARGE, 'b', 50));
    CHECK_FAILS(r.in->read_at(r.in, 0, r.chunk, CHUNK, &test_err), WH_ERR_CHANGED);
  }
  end(&r);
}

TEST(another_version_is_not_opened) {
  reading r;
  wh_input *in;
  if (begin(&r, 10)) {
    wh_connection *c = &r.place.connection;
    wh_str version = store_version(&r.place, &r.arena, "x");
    CHECK_OK(r.place.store->open(c, WH_STR("x"), version, &in, &test_err));
    wh_input_close(in);
    CHECK(write_file(r.path, 10, 'b', 50));
    CHECK_FAILS(r.place.store->open(c, WH_STR("x"), version, &in, &test_err), WH_ERR_CHANGED);
    CHECK_ERROR_HAS("lake: x: is no longer the version that was asked for");
  }
  end(&r);
}

// By our clock, from when it was first seen as it is.
TEST(a_file_has_to_be_still_before_it_counts) {
  enum { SETTLE_US = 10000000, TWO_DAYS = 2 * 86400 };
  reading r;
  wh_object first, second, grown, old;
  if (begin(&r, 10)) {
    wh_connection *c = &r.place.connection;
    r.place.sftp.settle_us = SETTLE_US;
    int64_t before_us = wh_now_us(c->os);
    CHECK_OK(r.place.store->stat(c, WH_STR("x"), &r.arena, &first, &test_err));
    CHECK_OK(r.place.store->stat(c, WH_STR("x"), &r.arena, &second, &test_err));
    CHECK(first.settled_us > before_us - 60 * INT64_C(1000000) && first.settled_us > SETTLE_US);
    CHECK_EQ(second.settled_us, first.settled_us);
    usleep(1000);
    CHECK(write_file(r.path, 11, 'a', 100));
    CHECK_OK(r.place.store->stat(c, WH_STR("x"), &r.arena, &grown, &test_err));
    CHECK(grown.settled_us > first.settled_us);
    CHECK(write_file(r.path, 12, 'a', TWO_DAYS));
    CHECK_OK(r.place.store->stat(c, WH_STR("x"), &r.arena, &old, &test_err));
    CHECK_EQ(old.settled_us, 1);
  }
  end(&r);
}

// Many at once, on two connections.
TEST(many_files_may_be_open_at_once) {
  enum { MANY = 40 };
  reading r;
  wh_input *in[MANY] = {0};
  if (begin(&r, 300000)) {
    for (int i = 0; i < MANY; i++)
      CHECK_OK(
          r.place.store->open(&r.place.connection, WH_STR("x"), WH_STR(""), &in[i], &test_err));
    for (int round = 0; round < 4; round++) {
      for (int i = 0; i < MANY; i++) {
        size_t got = 0;
        if (in[i]) CHECK_OK(wh_input_read(in[i], r.chunk, CHUNK, &got, &test_err));
        CHECK(got > 0);
      }
    }
    for (int i = 0; i < MANY; i++)
      wh_input_close(in[i]);
  }
  end(&r);
}

TEST(a_wish_to_stop_is_heard) {
  reading r;
  static atomic_bool cancel;
  atomic_store(&cancel, true);
  if (begin(&r, LARGE)) {
    uint64_t len = 0;
    r.place.connection.cancel = &cancel;
    CHECK_FAILS(read_on(&r, &len), WH_ERR_CANCELLED);
  }
  end(&r);
}
#else
TEST(sftp_is_left_out) {
  SKIP("this build has no SFTP");
}
#endif
