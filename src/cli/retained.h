// What `retain` lets go, or would: for `wherry plan` and `wherry retain`.
#pragma once

#include "cli/cli.h"

// One line a zone, or one JSON document. `dry`: nothing goes.
wh_exit wh_cli_retain(wh_cli *cli, bool dry);
