// unique: no other row of the run that went on has the value. Values are compared exactly, in
// bounded memory (data/seen.h).
#include "data/seen.h"

#include "step/rowbytes.h"
#include "step/rule.h"

typedef struct unique_state {
  wh_seen *seen;
  wh_buf key; // of values that are no text
} unique_state;

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  (void)options;
  unique_state *state = WH_NEW(arena, unique_state);
  if (!state) return wh_fail_memory(err);
  wh_buf_init(&state->key, context->mem, WH_SEEN_KEY_MAX);
  rule->state = state;
  return WH_OK;
}

wh_status wh_unique_open(wh_rule *rule, const wh_step_context *context, size_t limit_bytes,
                         wh_error *err) {
  unique_state *state = rule->state;
  return wh_seen_open(context->os, context->mem, context->scratch, limit_bytes, &state->seen, err);
}

static void close_state(wh_rule *rule) {
  unique_state *state = rule->state;
  if (!state) return;
  wh_seen_close(state->seen);
  wh_buf_free(&state->key);
}

static wh_status make_key(unique_state *state, const wh_column *column, size_t row, wh_str *ret,
                          wh_error *err) {
  if (wh_kind_is_text(column->type.kind)) {
    *ret = wh_column_text(column, row);
    return WH_OK;
  }
  wh_buf_clear(&state->key);
  wh_row_bytes_add(column, row, true, &state->key);
  WH_TRY(wh_buf_check(&state->key, err));
  *ret = wh_buf_str(&state->key);
  return WH_OK;
}

wh_status wh_unique_find(wh_rule *rule, const wh_column *column, size_t row, bool *ret_found,
                         wh_error *err) {
  unique_state *state = rule->state;
  *ret_found = false;
  if (wh_column_is_null(column, row)) return WH_OK;
  wh_str key;
  uint64_t first = 0;
  WH_TRY(make_key(state, column, row, &key, err));
  return wh_seen_find(state->seen, key, ret_found, &first, err);
}

wh_status wh_unique_add(wh_rule *rule, const wh_column *column, size_t row, uint64_t number,
                        bool *ret_new, wh_error *err) {
  unique_state *state = rule->state;
  *ret_new = true;
  if (wh_column_is_null(column, row)) return WH_OK;
  wh_str key;
  uint64_t first = 0;
  WH_TRY(make_key(state, column, row, &key, err));
  return wh_seen_add(state->seen, key, number, ret_new, &first, err);
}

static wh_status reason(wh_rule *rule, const wh_column *column, size_t row, wh_buf *out,
                        wh_error *err) {
  unique_state *state = rule->state;
  wh_str key;
  bool found = false;
  uint64_t first = 0;
  WH_TRY(make_key(state, column, row, &key, err));
  WH_TRY(wh_seen_find(state->seen, key, &found, &first, err));
  wh_step_show_value(out, rule->field, column, row);
  wh_buf_add_c(out, " is there twice");
  if (first) {
    wh_buf_add_c(out, "; row ");
    wh_buf_add_u64(out, first);
    wh_buf_add_c(out, " has it too");
  }
  return wh_buf_check(out, err);
}

const wh_rule_type wh_rule_unique = {
    .name = "unique", .bind = bind, .reason = reason, .close = close_state};
