#include "net/iam.h"

#include "net/aws_profile.h"
#include "net/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOTE_CHARS_MAX = 1024 };

void wh_iam_init(wh_iam_policy *policy, wh_arena *arena, wh_str account) {
  *policy = (wh_iam_policy){.arena = arena, .account = account};
}

// --- sets ----------------------------------------------------------------------------------------

static bool has(const wh_iam_set *set, wh_str text) {
  for (size_t i = 0; i < set->count; i++)
    if (wh_str_eq(set->items[i], text)) return true;
  return false;
}

// Room for one more at the end of a list in the arena; the old one ends with it.
static bool grow(wh_arena *arena, void **items, size_t count, size_t *cap, size_t size) {
  if (count < *cap) return true;
  size_t more = *cap ? 2 * *cap : 4;
  void *moved = wh_arena_array(arena, more, size);
  if (!moved) return false;
  if (count) memcpy(moved, *items, count * size);
  *items = moved;
  *cap = more;
  return true;
}

static wh_status put(wh_iam_policy *policy, wh_iam_set *set, wh_str text, wh_error *err) {
  if (has(set, text)) return WH_OK;
  wh_str copy = wh_arena_str(policy->arena, text);
  void *items = set->items;
  if (!copy.data || !grow(policy->arena, &items, set->count, &set->cap, sizeof *set->items))
    return wh_fail_memory(err);
  set->items = items;
  set->items[set->count++] = copy;
  return WH_OK;
}

static int compare_texts(const void *a, const void *b) {
  return wh_str_cmp(*(const wh_str *)a, *(const wh_str *)b);
}

static void sort_set(wh_iam_set *set) {
  if (set->count) qsort(set->items, set->count, sizeof *set->items, compare_texts);
}

// --- pieces --------------------------------------------------------------------------------------

// "order-lake" and "ReadObjects" make "OrderLakeReadObjects": a Sid has letters and digits alone.
static wh_str make_sid(wh_arena *arena, wh_str place, const char *what) {
  size_t len = strlen(what), n = 0;
  char *text = wh_arena_alloc(arena, place.len + len + 1);
  if (!text) return (wh_str){0};
  bool begins = true;
  for (size_t i = 0; i < place.len; i++) {
    char c = place.data[i];
    bool lower = c >= 'a' && c <= 'z';
    bool fits = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (fits) text[n++] = begins && lower ? (char)(c - 'a' + 'A') : c;
    begins = !fits;
  }
  memcpy(text + n, what, len + 1);
  return wh_str_n(text, n + len);
}

static bool same_actions(const wh_iam_statement *s, const wh_iam_permit *permit) {
  size_t count = 0;
  for (; permit->actions[count]; count++)
    if (!has(&s->actions, wh_str_of(permit->actions[count]))) return false;
  return count == s->actions.count;
}

static bool same_word(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

// With conditions a second resource would get the values of the first.
static bool goes_with(const wh_iam_statement *s, wh_str sid, const wh_iam_permit *permit) {
  if (!wh_str_eq(s->sid, sid) || !same_actions(s, permit)) return false;
  for (size_t i = 0; i < WH_IAM_TESTS_MAX; i++) {
    const wh_iam_test *test = &permit->tests[i];
    if (!same_word(s->tests[i].how, test->how) || !same_word(s->tests[i].key, test->key))
      return false;
    if (test->how && !wh_str_eq(s->resources.items[0], permit->resource)) return false;
    // Only the first may grow: two that do would allow each value of the one with each of the
    // other.
    if (test->how && i > 0 && !has(&s->tests[i].values, test->value)) return false;
  }
  return true;
}

static wh_status find_statement(wh_iam_policy *policy, const wh_iam_permit *permit,
                                wh_iam_statement **ret, wh_error *err) {
  wh_str sid = make_sid(policy->arena, permit->place, permit->what);
  if (!sid.data) return wh_fail_memory(err);
  for (size_t i = 0; i < policy->count; i++) {
    *ret = &policy->statements[i];
    if (goes_with(*ret, sid, permit)) return WH_OK;
  }
  void *items = policy->statements;
  if (!grow(policy->arena, &items, policy->count, &policy->cap, sizeof *policy->statements))
    return wh_fail_memory(err);
  policy->statements = items;
  *ret = &policy->statements[policy->count++];
  **ret = (wh_iam_statement){.sid = sid};
  return WH_OK;
}

wh_status wh_iam_allow(wh_iam_policy *policy, const wh_iam_permit *permit, wh_error *err) {
  wh_iam_statement *s;
  WH_TRY(find_statement(policy, permit, &s, err));
  for (size_t i = 0; permit->actions[i]; i++)
    WH_TRY(put(policy, &s->actions, wh_str_of(permit->actions[i]), err));
  WH_TRY(put(policy, &s->resources, permit->resource, err));
  for (size_t i = 0; i < WH_IAM_TESTS_MAX && permit->tests[i].how; i++) {
    s->tests[i].how = permit->tests[i].how;
    s->tests[i].key = permit->tests[i].key;
    WH_TRY(put(policy, &s->tests[i].values, permit->tests[i].value, err));
  }
  return WH_OK;
}

wh_status wh_iam_note(wh_iam_policy *policy, wh_error *err, const char *fmt, ...) {
  char text[NOTE_CHARS_MAX];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return put(policy, &policy->notes, wh_str_of(text), err);
}

// --- the whole -----------------------------------------------------------------------------------

static int compare_sets(const wh_iam_set *a, const wh_iam_set *b) {
  for (size_t i = 0; i < a->count && i < b->count; i++) {
    int order = wh_str_cmp(a->items[i], b->items[i]);
    if (order) return order;
  }
  return (a->count > b->count) - (a->count < b->count);
}

static int compare_statements(const void *a, const void *b) {
  const wh_iam_statement *x = a, *y = b;
  int order = wh_str_cmp(x->sid, y->sid);
  if (!order) order = compare_sets(&x->actions, &y->actions);
  if (!order) order = compare_sets(&x->resources, &y->resources);
  for (size_t i = 0; !order && i < WH_IAM_TESTS_MAX; i++)
    order = compare_sets(&x->tests[i].values, &y->tests[i].values);
  return order;
}

static void sort_all(wh_iam_policy *policy) {
  for (size_t i = 0; i < policy->count; i++) {
    wh_iam_statement *s = &policy->statements[i];
    sort_set(&s->actions);
    sort_set(&s->resources);
    for (size_t j = 0; j < WH_IAM_TESTS_MAX; j++)
      sort_set(&s->tests[j].values);
  }
  if (policy->count)
    qsort(policy->statements, policy->count, sizeof *policy->statements, compare_statements);
}

// "order-lake" and "orderLake" would share theirs.
static wh_status number_sids(wh_iam_policy *policy, wh_error *err) {
  for (size_t i = 0; i < policy->count;) {
    wh_str sid = policy->statements[i].sid;
    size_t same = 1;
    for (; i + same < policy->count && wh_str_eq(policy->statements[i + same].sid, sid); same++) {
      wh_str *other = &policy->statements[i + same].sid;
      *other = wh_arena_printf(policy->arena, "%.*sN%zu", WH_STR_ARG(sid), same + 1);
      if (!other->data) return wh_fail_memory(err);
    }
    i += same;
  }
  return WH_OK;
}

static wh_status note_length(wh_iam_policy *policy, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, policy->arena->mem, 0);
  wh_iam_write(policy, false, &text);
  WH_TRY(wh_buf_check(&text, err));
  if (text.len <= WH_IAM_DOCUMENT_CHARS_MAX) return WH_OK;
  return wh_iam_note(policy, err,
                     "the document has %zu characters, and a managed policy takes %d. Make one for "
                     "each pipeline: wherry policy PIPELINE",
                     text.len, (int)WH_IAM_DOCUMENT_CHARS_MAX);
}

wh_status wh_iam_finish(wh_iam_policy *policy, wh_error *err) {
  sort_all(policy);
  WH_TRY(number_sids(policy, err));
  WH_TRY(note_length(policy, err));
  sort_set(&policy->notes);
  return WH_OK;
}

// --- writing -------------------------------------------------------------------------------------

typedef struct writer {
  wh_buf *out;
  bool lines, first; // first: nothing stands in this list or map yet
  int depth;
} writer;

static void new_line(writer *w) {
  if (!w->lines) return;
  wh_buf_add_char(w->out, '\n');
  for (int i = 0; i < w->depth; i++)
    wh_buf_add_c(w->out, "  ");
}

static void next(writer *w) {
  if (!w->first) wh_buf_add_char(w->out, ',');
  new_line(w);
  w->first = false;
}

static void open_with(writer *w, char bracket) {
  wh_buf_add_char(w->out, bracket);
  w->depth++;
  w->first = true;
}

static void close_with(writer *w, char bracket) {
  w->depth--;
  if (!w->first) new_line(w);
  wh_buf_add_char(w->out, bracket);
  w->first = false;
}

static void add_key(writer *w, const char *key) {
  next(w);
  wh_buf_add_json(w->out, wh_str_of(key));
  wh_buf_add_c(w->out, w->lines ? ": " : ":");
}

static void add_set(writer *w, const char *key, const wh_iam_set *set) {
  add_key(w, key);
  open_with(w, '[');
  for (size_t i = 0; i < set->count; i++) {
    next(w);
    wh_buf_add_json(w->out, set->items[i]);
  }
  close_with(w, ']');
}

static void add_tests(writer *w, const wh_iam_statement *s) {
  if (!s->tests[0].how) return;
  add_key(w, "Condition");
  open_with(w, '{');
  for (size_t i = 0; i < WH_IAM_TESTS_MAX && s->tests[i].how; i++) {
    bool goes_on = i > 0 && same_word(s->tests[i - 1].how, s->tests[i].how);
    bool more = i + 1 < WH_IAM_TESTS_MAX && same_word(s->tests[i].how, s->tests[i + 1].how);
    if (!goes_on) {
      add_key(w, s->tests[i].how);
      open_with(w, '{');
    }
    add_set(w, s->tests[i].key, &s->tests[i].values);
    if (!more) close_with(w, '}');
  }
  close_with(w, '}');
}

static void add_statement(writer *w, const wh_iam_statement *s) {
  next(w);
  open_with(w, '{');
  add_key(w, "Sid");
  wh_buf_add_json(w->out, s->sid);
  add_key(w, "Effect");
  wh_buf_add_c(w->out, "\"Allow\"");
  add_set(w, "Action", &s->actions);
  add_set(w, "Resource", &s->resources);
  add_tests(w, s);
  close_with(w, '}');
}

void wh_iam_write(const wh_iam_policy *policy, bool lines, wh_buf *out) {
  writer w = {.out = out, .lines = lines};
  open_with(&w, '{');
  add_key(&w, "Version");
  wh_buf_add_c(out, "\"2012-10-17\"");
  add_key(&w, "Statement");
  open_with(&w, '[');
  for (size_t i = 0; i < policy->count; i++)
    add_statement(&w, &policy->statements[i]);
  close_with(&w, ']');
  close_with(&w, '}');
}

void wh_iam_add_literal(wh_buf *out, wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == '*' || c == '?' || c == '$')
      wh_buf_printf(out, "${%c}", c);
    else
      wh_buf_add_char(out, c);
  }
}

// --- names of things -----------------------------------------------------------------------------

static const char *partition_of(wh_str region) {
  if (wh_str_starts(region, "cn-")) return "aws-cn";
  return wh_str_starts(region, "us-gov-") ? "aws-us-gov" : "aws";
}

static wh_status find(const wh_iam_asked *asked, const wh_aws_profiles *profiles, wh_arena *arena,
                      wh_iam_place *place) {
  wh_str region = {0}, endpoint;
  wh_status status =
      wh_aws_region(&asked->environment, profiles, asked->region, arena, &region, NULL);
  if (status == WH_ERR_MEMORY) return status;
  place->partition = partition_of(region);
  place->region = region.len ? region : WH_STR("*");
  status = wh_aws_endpoint(&asked->environment, profiles, asked->endpoint, asked->service,
                           region.len ? region : WH_STR("us-east-1"), arena, &endpoint, NULL);
  if (status == WH_OK) place->is_amazon = wh_aws_is_amazon(wh_http_host(endpoint));
  return status == WH_ERR_MEMORY ? status : WH_OK;
}

wh_status wh_iam_find_place(const wh_iam_policy *policy, const wh_iam_asked *asked,
                            wh_iam_place *ret, wh_error *err) {
  wh_aws_profiles profiles = {0};
  *ret = (wh_iam_place){.service = asked->service, .is_amazon = true};
  // A profile that is missing here may be there where the pipeline runs.
  wh_status status = wh_aws_profiles_read(asked->os, policy->arena->mem, &asked->environment,
                                          asked->profile, &profiles, NULL);
  if (status != WH_ERR_MEMORY) status = find(asked, &profiles, policy->arena, ret);
  wh_aws_profiles_free(&profiles);
  return status == WH_OK ? WH_OK : wh_fail_memory(err);
}

wh_status wh_iam_arn(wh_iam_policy *policy, const wh_iam_place *place, wh_str account,
                     wh_str resource, wh_str *ret, wh_error *err) {
  if (!account.len) account = policy->account;
  if (!account.len) {
    account = WH_STR("*");
    WH_TRY(wh_iam_note(policy, err,
                       "no account is given, so '*' stands for any. Say --account 123456789012"));
  }
  if (wh_str_is(place->region, "*"))
    WH_TRY(wh_iam_note(policy, err,
                       "no region is given for %s, so '*' stands for any. Set `region`, or "
                       "AWS_REGION",
                       place->service));
  *ret =
      wh_arena_printf(policy->arena, "arn:%s:%s:%.*s:%.*s:%.*s", place->partition, place->service,
                      WH_STR_ARG(place->region), WH_STR_ARG(account), WH_STR_ARG(resource));
  return ret->data ? WH_OK : wh_fail_memory(err);
}
