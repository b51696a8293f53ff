// What others are to be told: delivering it at the end of a command, and showing what waits.
#pragma once

#include "cli/cli.h"

// Delivers what the runs of this command left, for a bounded time, and says what could not be.
// Gives `exit`, or 1 where it was in order and something is for a person to mend.
wh_exit wh_cli_deliver(wh_cli *cli, wh_exit exit);

// A line for each topic, queue or table for which something waits; with --json an object each.
// *ret_dead: something is not tried again by itself.
wh_status wh_status_outbox(wh_cli *cli, int width, int64_t now_us, bool *ret_dead, wh_error *err);
