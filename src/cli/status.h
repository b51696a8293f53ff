// The lower part of `wherry status`: what a service in another process tells of itself.
#pragma once

#include "cli/cli.h"

// A line for each lookup and one for the ledger and each service; with --json an object each.
// `width` is that of the pipelines' names.
wh_status wh_status_services(wh_cli *cli, int width, int64_t now_us, wh_error *err);
