// SQL models: `from: models/car_owners.sql`, a file with a SELECT over objects. What it reads can
// be told from its text: connection('pattern'), so that the order of models is known before any
// runs.
#pragma once

#include "config/config.h"

enum {
  WH_MODEL_BYTES_MAX = 1 << 20,
  WH_MODEL_TABLES_MAX = 256, // different ones of a model
};

// Whether an address is the path of a model: it ends in .sql, and names no connection.
bool wh_model_is(wh_str address);
