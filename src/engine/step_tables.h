// The tables that the steps of a pipeline look rows up in, as its flow opens them.
#pragma once

#include "engine/engine.h"
#include "step/keyed_table.h"

typedef struct wh_step_tables {
  wh_keyed_tables base; // for wh_step_context; freed by wh_keyed_tables_free
  wh_engine *engine;
  const wh_pipeline *pipeline;
} wh_step_tables;

void wh_step_tables_init(wh_step_tables *tables, wh_engine *engine, const wh_pipeline *pipeline);
