// Queries of the user's: one SELECT, which we wrap.
#pragma once

#include "connect/sqlite/describe.h"

// Checks the query and names its columns. WH_ERR_USAGE says what is wrong with it.
wh_status wh_sqlite_query_relate(wh_sqlite_db *db, wh_str query, wh_arena *arena,
                                 wh_sqlite_relation *ret, wh_error *err);
