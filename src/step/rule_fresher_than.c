// How old the newest value of a column may be. It breaks no row: it is the run that has to be fresh
// (step/run_rules.h).
#include "base/option.h"
#include "data/temporal.h"
#include "step/rule.h"

#define DAY_US ((int64_t)86400 * 1000000)

// The run's start by the clock that the column is written by: local times have the pipeline's zone;
// where it has none, and of dates, they are UTC's.
static int64_t start_of(const wh_step_context *context, const wh_type *type) {
  int64_t start = context->start_us;
  bool local = type->kind == WH_DATE || !type->zoned;
  if (!local || !context->zone) return start;
  int64_t second = start / 1000000;
  return start + (int64_t)wh_zone_offset_at(context->zone, second) * 1000000;
}

static wh_status bind(wh_rule *rule, const wh_step_context *context, wh_arena *arena,
                      const wh_node *options, wh_error *err) {
  const wh_field *field = rule->field;
  const wh_type *type = &field->type;
  wh_fresh *fresh = WH_NEW(arena, wh_fresh);
  if (!fresh) return wh_fail_memory(err);
  WH_TRY(wh_node_expect(options, WH_NODE_SCALAR, "expect: fresher_than", "a duration", err));
  int64_t age_us;
  if (!wh_parse_duration(options->text, &age_us) || age_us <= 0)
    return wh_node_fail(options, err,
                        "expect: fresher_than: '%.*s' is no duration, such as 24h or 30m",
                        WH_STR_ARG(options->text));
  *fresh = (wh_fresh){.at = rule->at, .field = field};
  fresh->age = wh_arena_str(arena, options->text);
  if (!fresh->age.data) return wh_fail_memory(err);
  rule->state = fresh;
  if (type->kind == WH_NULL) return WH_OK; // it holds nothing, or is not known yet
  int64_t start = start_of(context, type), oldest;
  // Rounded down, so that a date counts by its end.
  bool fits = !__builtin_sub_overflow(start, age_us, &oldest) &&
              wh_instant_in(type, start + DAY_US, &fresh->latest) &&
              wh_instant_in(type, oldest, &fresh->oldest);
  if (fits) return WH_OK;
  wh_str name = wh_type_friendly(type, arena);
  return wh_node_fail(options, err,
                      "expect: column '%.*s' is %.*s; fresher_than is for dates and times with a "
                      "date",
                      WH_STR_ARG(field->name), WH_STR_ARG(name));
}

const wh_rule_type wh_rule_fresher_than = {
    .name = "fresher_than", .shape = "fresher_than: 24h", .bind = bind};
