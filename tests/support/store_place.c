#include "store_place.h"

#include "aws_server.h"
#include "sim_os.h"

#include <stdio.h>
#include <unistd.h>

enum { GET_MAX = 1 << 20 };

const char store_key[] = "6b0e1f4c93a75d28e4f10c5a7b9362d8415fe09c7a2b6d3e8f1054c9b7a2e6d1";

static void connect_place(store_place *place, wh_os *os, wh_str path, bool versioning) {
  place->local = (wh_local_options){.path = path, .versioning = versioning};
  place->store = wh_connector_local.store;
  place->versioning = versioning;
  place->connection = (wh_connection){
      .name = WH_STR_INIT("lake"),
      .type = &wh_connector_local,
      .options = &place->local,
      .os = os,
      .mem = &test_mem,
  };
}

static bool begin_local(store_place *place, bool versioning) {
  static char path[512];
  *place = (store_place){0};
  if (wh_os_real_init(&place->real, &test_mem, &test_err) != WH_OK) return false;
  snprintf(path, sizeof path, "%s/lake", test_folder());
  connect_place(place, &place->real.base, wh_str_of(path), versioning);
  return true;
}

static bool open_place(store_place *place) {
  if (!CHECK_OK(place->connection.type->open(&place->connection, &test_err))) return false;
  place->store = place->connection.type->store;
  return true;
}

bool store_place_local(store_place *place, bool versioning) {
  return begin_local(place, versioning) && open_place(place);
}

bool store_place_sealed(store_place *place, bool versioning) {
  if (!begin_local(place, versioning)) return false;
  place->local.encryption_key = wh_str_of(store_key);
  return open_place(place);
}

void store_place_on(store_place *place, wh_os *os, bool versioning) {
  *place = (store_place){0};
  connect_place(place, os, WH_STR("/lake"), versioning);
}

bool store_place_simulated(store_place *place, bool versioning) {
  wh_os *os = sim_os_new(&test_mem, test_random());
  store_place_on(place, os, versioning);
  place->simulated = os;
  return true;
}

#ifdef WHERRY_S3
static const char *aws_variable(void *context, const char *name) {
  return aws_server_value(context, name);
}

// A bucket for each test, since tests begin with an empty place.
static bool begin_s3(store_place *place, const char *kind, bool versioning) {
  static unsigned number;
  static char bucket[32];
  char call[64];
  *place = (store_place){0};
  const char *why_not = aws_server_start(kind);
  place->is_remote = true;
  place->is_missing = why_not != NULL;
  if (why_not) {
    test_skip(why_not);
    return false;
  }
  snprintf(bucket, sizeof bucket, "lake-%d-%u", (int)getpid(), ++number);
  snprintf(call, sizeof call, "make_bucket %s%s", bucket, versioning ? " versions" : "");
  aws_server_do(kind, call);
  if (wh_os_real_init(&place->real, &test_mem, &test_err) != WH_OK) return false;
  place->s3 = (wh_s3_options){.bucket = wh_str_of(bucket), .prefix = WH_STR("in a/pre+fix")};
  if (strcmp(kind, "swift") == 0) {
    place->s3.conditional_writes = WH_S3_OFF;
    place->one_writer = true;
  }
  place->odd_versions = versioning && strcmp(kind, "versity") == 0;
  place->store = wh_connector_s3.store;
  place->versioning = versioning;
  place->connection = (wh_connection){
      .name = WH_STR_INIT("lake"),
      .type = &wh_connector_s3,
      .options = &place->s3,
      .os = &place->real.base,
      .mem = &test_mem,
      .environment = {aws_variable, (void *)(uintptr_t)kind},
  };
  return true;
}

bool store_place_s3(store_place *place, const char *kind, bool versioning) {
  return begin_s3(place, kind, versioning) && open_place(place);
}

bool store_place_kms(store_place *place, const char *kind, bool versioning) {
  if (!begin_s3(place, kind, versioning)) return false;
  aws_server_do(kind, "make_key alias/lake");
  place->s3.encryption = WH_S3_ENVELOPE;
  place->s3.encryption_key = WH_STR("alias/lake");
  return open_place(place);
}
#else
bool store_place_kms(store_place *place, const char *kind, bool versioning) {
  return store_place_s3(place, kind, versioning);
}

bool store_place_s3(store_place *place, const char *kind, bool versioning) {
  (void)kind, (void)versioning;
  *place = (store_place){.is_missing = true};
  test_skip("this build has no S3");
  return false;
}
#endif

#ifdef WHERRY_SFTP
bool store_place_sftp(store_place *place) {
  static unsigned number;
  static char path[512];
  static wh_str host_key;
  *place = (store_place){.is_remote = true};
  const char *why_not = aws_server_start("sshd");
  place->is_missing = why_not != NULL;
  if (why_not) {
    test_skip(why_not);
    return false;
  }
  snprintf(path, sizeof path, "%s/lake %u", aws_server_value("sshd", "FILES"), ++number);
  host_key = wh_str_of(aws_server_value("sshd", "HOST_KEY"));
  if (wh_os_real_init(&place->real, &test_mem, &test_err) != WH_OK) return false;
  place->sftp = (wh_sftp_options){
      .host = WH_STR("127.0.0.1"),
      .port = aws_server_port("sshd"),
      .user = wh_str_of(aws_server_value("sshd", "USER")),
      .path = wh_str_of(path),
      .private_key_file = wh_str_of(aws_server_value("sshd", "KEY")),
      .host_key = {&host_key, 1},
      .connections = 2,
      .connect_timeout_us = 60000000,
      .answer_timeout_us = 60000000,
  };
  place->store = wh_connector_sftp.store;
  place->connection = (wh_connection){
      .name = WH_STR_INIT("lake"),
      .type = &wh_connector_sftp,
      .options = &place->sftp,
      .os = &place->real.base,
      .mem = &test_mem,
  };
  return open_place(place);
}
#else
bool store_place_sftp(store_place *place) {
  *place = (store_place){.is_missing = true};
  test_skip("this build has no SFTP");
  return false;
}
#endif

void store_place_free(store_place *place) {
  const wh_connector *type = place->connection.type;
  if (type && type->close) type->close(&place->connection);
  sim_os_free(place->simulated);
  if (place->connection.os == &place->real.base) wh_os_real_free(&place->real);
}

const char *store_path(const char *key) {
  static char path[2][1024];
  static int turn;
  turn ^= 1;
  snprintf(path[turn], sizeof path[turn], "%s/lake/%s", test_folder(), key);
  return path[turn];
}

wh_status store_seal(store_place *place, const char *attempt, const void *data, size_t len,
                     wh_error *err) {
  wh_upload *upload = NULL;
  WH_TRY(place->store->create(&place->connection, wh_str_of(attempt), &upload, err));
  wh_status status = WH_OK;
  // In two pieces, so that the second one goes behind the first.
  size_t half = len / 2;
  if (half) status = wh_output_write(&upload->output, data, half, err);
  if (status == WH_OK) {
    status = wh_output_write(&upload->output, (const char *)data + half, len - half, err);
  }
  if (status == WH_OK) status = upload->seal(upload, err);
  upload->close(upload);
  return status;
}

wh_status store_put(store_place *place, const char *attempt, const char *key, const char *text,
                    bool replace, wh_error *err) {
  WH_TRY(store_seal(place, attempt, text, strlen(text), err));
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_object object;
  return place->store->publish(&place->connection, wh_str_of(attempt), wh_str_of(key), replace,
                               &arena, &object, err);
}

static wh_status read_all(wh_input *in, wh_arena *arena, wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, GET_MAX);
  char chunk[4096];
  for (;;) {
    size_t got = 0;
    WH_TRY(wh_input_read(in, chunk, sizeof chunk, &got, err));
    if (got == 0) break;
    wh_buf_add(&buf, chunk, got);
  }
  WH_TRY(wh_buf_check(&buf, err));
  wh_str copy = wh_arena_str(arena, wh_buf_str(&buf));
  if (!copy.data) return wh_fail_memory(err);
  *ret = copy;
  return WH_OK;
}

wh_status store_get(store_place *place, wh_arena *arena, const char *key, wh_str version,
                    wh_str *ret, wh_error *err) {
  wh_input *in = NULL;
  WH_TRY(place->store->open(&place->connection, wh_str_of(key), version, &in, err));
  wh_status status = read_all(in, arena, ret, err);
  wh_input_close(in);
  return status;
}

static wh_status add_key(void *context, const wh_object *object, wh_error *err) {
  wh_buf *buf = context;
  wh_buf_add_str(buf, object->key);
  wh_buf_add_char(buf, ';');
  return wh_buf_check(buf, err);
}

static wh_status finish(wh_status status, wh_buf *buf, wh_arena *arena, wh_str *ret,
                        wh_error *err) {
  if (status != WH_OK) return status;
  wh_str copy = wh_arena_str(arena, wh_buf_str(buf));
  if (!copy.data) return wh_fail_memory(err);
  *ret = copy;
  return WH_OK;
}

wh_status store_list(store_place *place, wh_arena *arena, const char *prefix, wh_str *ret,
                     wh_error *err) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_status status = place->store->list(&place->connection, wh_str_of(prefix), add_key, &buf, err);
  return finish(status, &buf, arena, ret, err);
}

wh_status store_attempts(store_place *place, wh_arena *arena, wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf buf;
  wh_buf_init(&buf, &test_mem, 0);
  wh_status status = place->store->attempts(&place->connection, add_key, &buf, err);
  return finish(status, &buf, arena, ret, err);
}

wh_str store_version(store_place *place, wh_arena *arena, const char *key) {
  wh_object object;
  wh_status status = place->store->stat(&place->connection, wh_str_of(key), arena, &object, NULL);
  return status == WH_OK ? object.version : WH_STR("");
}
