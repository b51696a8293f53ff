// cast(x as type): what the step `cast` does, and what a text literal beside a date is read by.
#include "step/expr_private.h"

typedef struct cast_rows {
  wh_x_run *run;
  const wh_x_node *node;
} cast_rows;

static wh_status cast_failed(void *context, size_t row, const char *reason, wh_error *err) {
  const cast_rows *c = context;
  wh_x_run *run = c->run;
  if (run->active && !wh_bit_get(run->active, row)) return WH_OK;
  return run->failed(run->context, row,
                     c->node->privacy >= WH_PERSONAL ? "the value does not fit the type" : reason,
                     err);
}

typedef struct cast_data {
  wh_cast_options options;
} cast_data;

static wh_status eval_cast(wh_x_run *run, wh_x_node *node, wh_column *out, wh_error *err) {
  wh_x_value v;
  WH_TRY(wh_x_get(run, node->args[0], &v, err));
  cast_rows c = {run, node};
  const cast_data *data = node->data;
  return wh_cast_column(v.column, out, &data->options, cast_failed, &c, err);
}

static wh_status bind_cast(wh_x_bind *bind, wh_x_node *node, wh_error *err) {
  const wh_type *to = node->data;
  const wh_x_node *from = node->args[0];
  if (!wh_cast_possible(&from->type, to)) {
    wh_arena *arena = bind->expr->arena;
    wh_str a = wh_type_friendly(&from->type, arena), b = wh_type_friendly(to, arena);
    return wh_x_fail_at(bind, from->at, err, "cast: %.*s cannot become %.*s", WH_STR_ARG(a),
                        WH_STR_ARG(b));
  }
  cast_data *data = WH_NEW(bind->expr->arena, cast_data);
  if (!data) return wh_fail_memory(err);
  data->options.zone = bind->context->zone;
  node->data = data;
  if (wh_x_unknown(from)) {
    node->type = *to;
    node->nullable = true;
    node->eval = bind->context->dry ? eval_cast : NULL;
    return WH_OK;
  }
  return wh_x_strict(node, *to, eval_cast);
}

const wh_x_function wh_x_cast = {
    .help = {"cast", "cast(value as type)",
             "the value as another type, exactly; what does not fit is an error of the row",
             "cast('4711' as int64)", "4711"},
    .least = 1,
    .most = 1,
    .bind = bind_cast,
};
