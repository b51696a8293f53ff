// An SQLite VFS that runs on a simulated system, so that databases lose power like everything
// else. It does what SQLite's own VFS for Unix does, where that matters: a new journal's or WAL's
// name is synced with the file's first sync, a database's is not.
//
// Locks and the WAL's shared memory are kept in the process, for the connections to the same path
// since the last restart. Connections from before a restart get I/O errors; close them as usual.
#pragma once

#include "base/os.h"

#define SIM_VFS_NAME "wherry-sim" // what wh_os_type.sqlite_vfs says

// Registers the VFS over `os` (from sim_os_new); databases that are opened from now on live there.
// NULL: unregisters it. Not while other threads open databases.
void sim_vfs_use(wh_os *os);
