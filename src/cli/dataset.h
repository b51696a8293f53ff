// What commands say of datasets: addresses that end in '/'.
#pragma once

#include "cli/cli.h"

// `wherry versions ADDRESS`, newest first.
wh_exit wh_dataset_list(wh_cli *cli, wh_str address);
// The VERSION of `wherry rollback ADDRESS [VERSION]`; 0: none was given.
wh_status wh_version_typed(const wh_args *args, uint64_t *ret, wh_error *err);
