#include "step/run_rules.h"

#include "data/value.h"
#include "step/frame.h"

#include <inttypes.h>

const wh_run_rule_type wh_run_rule_types[WH_RUN_RULES] = {
    [WH_AT_MOST_REJECTED] = {.word = "at_most_rejected",
                             .of = "the rows read",
                             .help = "more rejected rows than that stop the run"},
    [WH_AT_LEAST_ROWS] = {.word = "at_least_rows",
                          .of = "the rows of the last run",
                          .help = "fewer rows than that, without those rejected or filtered, stop "
                                  "the run; `mode: replace` has 50% of itself"},
    [WH_AT_MOST_ROWS] = {.word = "at_most_rows",
                         .of = "the rows of the last run",
                         .help = "more rows than that stop the run"},
};

// --- Reading -------------------------------------------------------------------------------------

static wh_run_rule rule_of(const wh_node *key) {
  int rule = 0;
  while (rule < WH_RUN_RULES && !(key->plain && wh_str_is(key->text, wh_run_rule_types[rule].word)))
    rule++;
  return (wh_run_rule)rule;
}

bool wh_run_rules_has(const wh_node *key) {
  return rule_of(key) < WH_RUN_RULES;
}

static wh_status read_number(const wh_node *node, wh_run_rule rule, wh_run_limit *ret,
                             wh_error *err) {
  const char *word = wh_run_rule_types[rule].word;
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, word, "a number of rows or a percentage", err));
  wh_str text = node->text;
  bool percent = wh_str_ends(text, "%");
  double most = rule == WH_AT_MOST_REJECTED ? 100 : 1e6;
  if (percent) text = wh_str_trim(wh_str_sub(text, 0, text.len - 1));
  bool ok = percent
                ? wh_str_to_f64(text, &ret->percent) && ret->percent >= 0 && ret->percent <= most
                : wh_str_to_u64(text, &ret->rows) && ret->rows <= (uint64_t)1 << 53;
  if (!ok)
    return wh_node_fail(node, err,
                        "%s: '%.*s' is neither a number of rows (100) nor a percentage (1%%)", word,
                        WH_STR_ARG(node->text));
  if (percent ? ret->has_percent : ret->has_rows)
    return wh_node_fail(node, err, "%s: at most one number of rows and one percentage", word);
  if (percent)
    ret->has_percent = true;
  else
    ret->has_rows = true;
  return WH_OK;
}

wh_status wh_run_rules_parse(const wh_node *expect, wh_run_rules *ret, wh_error *err) {
  *ret = (wh_run_rules){0};
  for (size_t i = 0; expect && expect->kind == WH_NODE_MAP && i < expect->count; i++) {
    wh_run_rule rule = rule_of(expect->entries[i].key);
    const wh_node *value = expect->entries[i].value;
    if (rule == WH_RUN_RULES) continue;
    if (wh_node_count(value) == 0)
      return wh_node_fail(value, err, "%s: says nothing", wh_run_rule_types[rule].word);
    for (size_t k = 0; k < wh_node_count(value); k++)
      WH_TRY(read_number(wh_node_item(value, k), rule, &ret->limits[rule], err));
  }
  return WH_OK;
}

wh_run_rule_text wh_run_rules_text(const wh_run_rules *rules, wh_run_rule rule) {
  const wh_run_limit *limit = &rules->limits[rule];
  const char *word = wh_run_rule_types[rule].word;
  wh_run_rule_text text = {0};
  if (limit->has_rows && limit->has_percent)
    snprintf(text.s, sizeof text.s, "%s: [%" PRIu64 ", %g%%]", word, limit->rows, limit->percent);
  else if (limit->has_rows)
    snprintf(text.s, sizeof text.s, "%s: %" PRIu64, word, limit->rows);
  else if (limit->has_percent)
    snprintf(text.s, sizeof text.s, "%s: %g%%", word, limit->percent);
  return text;
}

// --- Judging -------------------------------------------------------------------------------------

// What the limit comes to, of `whole` rows. Of two, the stricter one.
static double limit_of(const wh_run_limit *limit, bool has_whole, uint64_t whole, bool most) {
  double rows = most ? (double)UINT64_MAX : 0;
  if (limit->has_rows) rows = (double)limit->rows;
  if (!limit->has_percent || !has_whole) return rows;
  double share = (double)whole * limit->percent / 100;
  return (most ? share < rows : share > rows) ? share : rows;
}

static wh_status fail_rows(const wh_run_rules *rules, wh_run_rule rule, const wh_run_tally *t,
                           wh_error *err) {
  char before[64] = "";
  if (t->has_earlier) snprintf(before, sizeof before, ", the last had %" PRIu64, t->earlier);
  return wh_fail(err, WH_ERR_REFUSED, "this run has %" PRIu64 " %s%s: %s than %s allows%s", t->kept,
                 t->kept == 1 ? "row" : "rows", before, rule == WH_AT_LEAST_ROWS ? "fewer" : "more",
                 wh_run_rules_text(rules, rule).s,
                 rules->limits[rule].implied ? ", which mode: replace has of itself" : "");
}

wh_status wh_run_rules_check(const wh_run_rules *rules, wh_run_rule rule, const wh_run_tally *t,
                             wh_error *err) {
  const wh_run_limit *limit = &rules->limits[rule];
  if (!wh_run_limit_given(limit)) return WH_OK;
  bool rejects = rule == WH_AT_MOST_REJECTED, most = rule != WH_AT_LEAST_ROWS;
  double bound = limit_of(limit, rejects || t->has_earlier, rejects ? t->read : t->earlier, most);
  double count = (double)(rejects ? t->rejected : t->kept);
  if (most ? count <= bound : count >= bound) return WH_OK;
  if (!rejects) return fail_rows(rules, rule, t, err);
  return wh_fail(err, WH_ERR_REFUSED,
                 "%" PRIu64 " of %" PRIu64 " rows were rejected, more than %s allows", t->rejected,
                 t->read, wh_run_rules_text(rules, rule).s);
}

// --- fresher_than --------------------------------------------------------------------------------

void wh_fresh_look(const wh_fresh *fresh, size_t count, const wh_batch *batch, int64_t *newest) {
  for (size_t i = 0; i < count; i++) {
    const wh_column *column = &batch->columns[fresh[i].at];
    if (column->type.kind == WH_NULL) continue;
    for (size_t row = 0; row < batch->rows; row++) {
      if (wh_column_is_null(column, row)) continue;
      int64_t value = wh_column_i64(column, row);
      if (value > newest[i] && value <= fresh[i].latest) newest[i] = value;
    }
  }
}

wh_status wh_fresh_check(const wh_fresh *fresh, int64_t newest, wh_mem *mem, wh_error *err) {
  if (newest >= fresh->oldest) return WH_OK;
  const wh_field *field = fresh->field;
  if (newest == WH_NEWEST_NONE)
    return wh_fail(err, WH_ERR_REFUSED, "%.*s: no row has a value that could be fresher_than: %.*s",
                   WH_STR_ARG(field->name), WH_STR_ARG(fresh->age));
  WH_CLEAN_BUF wh_buf value;
  wh_buf_init(&value, mem, WH_SHOWN_MAX);
  if (field->privacy < WH_PERSONAL)
    (void)wh_value_write(&(wh_value){.type = field->type, .as.i = newest}, &value);
  return wh_fail(err, WH_ERR_REFUSED,
                 "%.*s: the newest value%s%.*s is older than fresher_than: %.*s allows at the "
                 "run's start",
                 WH_STR_ARG(field->name), value.len ? ", " : "", WH_STR_ARG(wh_buf_str(&value)),
                 WH_STR_ARG(fresh->age));
}
