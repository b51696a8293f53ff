// The order-status crossing in miniature, in one process, over any wh_os: an ERP database, a local
// lake, the website's database, and the engine between them. What the crash tests break.
#pragma once

#include "engine/engine.h"

typedef struct crossing {
  wh_os *os;
  wh_mem *mem;
  wh_config *config;
  wh_ledger *ledger;
  wh_engine engine;
  atomic_bool stop;
} crossing;

// Writes wherry.yaml into "shop/". `mode` is the write mode of the import.
wh_status crossing_write_config(wh_os *os, const char *chunk, wh_error *err);

// Runs SQL on shop/NAME.db, through the os's VFS.
wh_status crossing_sql(wh_os *os, const char *name, const char *sql, wh_error *err);
// Makes the ERP with `rows` orders; updates and adds some; all from the seed.
wh_status crossing_make_erp(wh_os *os, uint64_t rows, uint64_t seed, wh_error *err);
wh_status crossing_change_erp(wh_os *os, uint64_t seed, wh_error *err);

wh_status crossing_open(crossing *c, wh_os *os, wh_mem *mem, wh_error *err);
wh_status crossing_run(crossing *c, wh_run_totals *totals, wh_error *err); // wherry run
void crossing_close(crossing *c);

// The website's table is the ERP's truth: every valid order, nothing else, its values. Writes what
// differs into err.
wh_status crossing_compare(wh_os *os, wh_error *err);
// Every object that can be seen in the lake is whole: a manifest whose size and checksum it has.
wh_status crossing_check_lake(crossing *c, wh_error *err);
