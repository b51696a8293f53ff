// A simulated operating system: files in memory, a clock that tests move, and randomness that
// follows from the seed. Its power can fail at any call, and what was not synced may then be lost
// or torn (sim_disk.h says how); its disk can be full; any call can fail.
//
//   wh_os *os = sim_os_new(&test_mem, seed);
//   sim_os_fail_at(os, n);      // the power fails in the nth change from now on
//   ... the program runs until its calls fail with "the power is gone" ...
//   sim_os_restart(os);         // what was not durable is gone; handles and locks too
//
// The same seed and the same calls give the same outcome. Paths: one tree, whose root is also the
// working directory. There are no symbolic links. Threads: as for any wh_os; the control functions
// below may be called from any thread too.
#pragma once

#include "base/os.h"

wh_os *sim_os_new(wh_mem *mem, uint64_t seed); // `mem` accounts for handles, not for the disk
void sim_os_free(wh_os *os);                   // close the files first

// Changes are the calls that alter or sync something: making, linking, renaming, removing, writing,
// truncating, both kinds of sync. Cutting the power between them would make no difference, so they
// are what is counted for it.
uint64_t sim_os_changes(wh_os *os); // since sim_os_new
uint64_t sim_os_calls(wh_os *os);   // changes, and every read, stat, open, list, lock

// The power fails in the nth change from now (1: the next). That change happens or not, but its
// caller learns nothing: this call and all that follow fail with WH_ERR_IO. 0: never.
void sim_os_fail_at(wh_os *os, uint64_t n);
bool sim_os_power_is_off(wh_os *os);
void sim_os_power_off(wh_os *os); // now

// The power comes back: drops what was not durable as the seed decides. Handles from before fail
// for good and hold no locks. Also works while the power is on (a reset).
void sim_os_restart(wh_os *os);
// The program was killed and started again, the system went on: nothing written is lost, handles
// and locks are. Use it in the place of sim_os_restart.
void sim_os_kill(wh_os *os);
uint64_t sim_os_epoch(wh_os *os); // counts restarts and kills

// From the nth change on (1: the next), `count` of the changes that need room (making names,
// writing, growing) fail with WH_ERR_NO_SPACE; a write may have written a part. count 0: all of
// them, until sim_os_full_at(os, 0, 0) makes room.
void sim_os_full_at(wh_os *os, uint64_t n, uint64_t count);
// `count` calls of any kind, from the nth on (1: the next), fail with WH_ERR_IO. n 0: never.
void sim_os_error_at(wh_os *os, uint64_t n, uint64_t count);

// The clock begins at 2026-11-21 09:00:00 UTC, goes on by SIM_OS_STEP_NS with every call and by
// what is slept. Sleeping takes no time of the real clock.
enum { SIM_OS_STEP_NS = 1000 };
void sim_os_set_now(wh_os *os, int64_t ns); // the wall clock alone
void sim_os_advance(wh_os *os, int64_t ns); // both clocks
void sim_os_wake(wh_os *os);                // ends the next sleep
