// Operations a second of a ledger's queue in PostgreSQL: entries are put in blocks, then each is
// received and done. For bench/workers.py.
//
//   ledger-queue HOST PORT DATABASE USER PIPELINE COUNT      the password is in $PGPASSWORD
//
// Prints the seconds that putting took, and those of receiving and finishing.
#include "connect/postgres/postgres.h"
#include "ledger/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 500 };
static const int64_t HOUR_US = 3600ll * 1000000;

static wh_status put_all(wh_ledger *l, wh_str pipeline, int count, wh_error *err) {
  static char keys[BLOCK][32];
  wh_put puts[BLOCK];
  uint64_t fresh;
  for (int at = 0; at < count; at += BLOCK) {
    int n = count - at < BLOCK ? count - at : BLOCK;
    for (int i = 0; i < n; i++) {
      snprintf(keys[i], sizeof keys[i], "object-%d", at + i);
      puts[i] = (wh_put){wh_str_of(keys[i]), WH_STR("1"), at + i};
    }
    WH_TRY(l->type->put_many(l, pipeline, puts, (size_t)n, false, &fresh, err));
  }
  return WH_OK;
}

static wh_status take_all(wh_ledger *l, wh_str pipeline, wh_mem *mem, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_lease lease;
  WH_TRY(l->type->acquire(l, pipeline, &lease, err));
  for (;;) {
    wh_work work;
    wh_status status = l->type->receive(l, &lease, HOUR_US, &arena, &work, err);
    if (status == WH_ERR_END) break;
    WH_TRY(status);
    WH_TRY(l->type->done(l, &lease, work.id, err));
    wh_arena_reset(&arena);
  }
  l->type->release(l, &lease);
  return WH_OK;
}

static double seconds(wh_os *os) {
  return (double)os->type->monotonic_ns(os) / 1e9;
}

static wh_status run(wh_connection *c, wh_str pipeline, int count, wh_error *err) {
  wh_ledger *l;
  WH_TRY(wh_ledger_open_postgres(c, HOUR_US, &l, err));
  double start = seconds(c->os);
  wh_status status = put_all(l, pipeline, count, err);
  double put = seconds(c->os);
  if (status == WH_OK) status = take_all(l, pipeline, c->mem, err);
  if (status == WH_OK) printf("%.4f %.4f\n", put - start, seconds(c->os) - put);
  wh_ledger_close(l);
  return status;
}

int main(int argc, char **argv) {
  int64_t port, count;
  const char *password = getenv("PGPASSWORD");
  if (argc != 7 || !wh_str_to_i64(wh_str_of(argv[2]), &port) ||
      !wh_str_to_i64(wh_str_of(argv[6]), &count)) {
    fprintf(stderr, "usage: ledger-queue HOST PORT DATABASE USER PIPELINE COUNT\n");
    return 2;
  }
  static wh_mem mem;
  static wh_os_real os;
  wh_error err = {0};
  wh_mem_init(&mem, 0);
  if (wh_os_real_init(&os, &mem, &err) != WH_OK) return 1;
  wh_pg_options options = {.server = {.host = wh_str_of(argv[1]),
                                      .port = port,
                                      .database = wh_str_of(argv[3]),
                                      .user = wh_str_of(argv[4]),
                                      .password = wh_str_of(password ? password : ""),
                                      .tls = WH_TLS_OFF,
                                      .connect_timeout_us = 10 * 1000000}};
  wh_connection c = {.name = WH_STR("ledger"),
                     .type = &wh_connector_postgres,
                     .options = &options,
                     .os = &os.base,
                     .mem = &mem};
  wh_status status = run(&c, wh_str_of(argv[5]), (int)count, &err);
  if (status != WH_OK) fprintf(stderr, "%s\n", err.text);
  return status == WH_OK ? 0 : 1;
}
