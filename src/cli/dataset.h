// What commands say of datasets: addresses that end in '/'.
#pragma once

#include "cli/cli.h"

// `wherry versions ADDRESS`, newest first.
wh_exit wh_dataset_list(wh_cli *cli, wh_str address);
