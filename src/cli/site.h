// What commands say of sites, whose addresses are those that `sites` publishes to.
#pragma once

#include "cli/cli.h"

// The site whose place it is; NULL: none. After wh_cli_config.
const wh_site *wh_site_typed(const wh_cli *cli, wh_str word);
// `wherry versions ADDRESS`, newest first.
wh_exit wh_site_list_versions(wh_cli *cli, const wh_site *site);
// `wherry rollback ADDRESS [VERSION]`.
wh_exit wh_site_bring_back(wh_cli *cli, const wh_site *site, const wh_args *args);
