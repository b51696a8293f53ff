// SQLite's memory under the accountant.
#pragma once

#include "base/mem.h"

// Makes SQLite allocate from `mem`. The first call must come before any use of SQLite in the
// process, registering a VFS included; false when it is too late. Later calls, for tests, switch to
// another accountant; blocks are given back to the one that is in use then, so switch after
// sqlite3_shutdown. NULL: to none, until the next call. Not while other threads use SQLite.
bool wh_sqlite_use_mem(wh_mem *mem);
