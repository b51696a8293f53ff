// What IAM has to allow for what is done with tables.
#include "connect/dynamodb/marks.h"

typedef struct permits {
  wh_str name; // of the connection
  const wh_dynamodb_options *o;
  wh_iam_policy *policy;
  wh_iam_place place;
} permits;

// `key`, which may be NULL: the partition that alone may be touched.
static wh_status allow(const permits *p, const char *what, const char *const *actions, wh_str table,
                       const wh_str *key, wh_error *err) {
  wh_iam_permit permit = {.place = p->name, .what = what, .actions = actions};
  wh_str path = wh_arena_printf(p->policy->arena, "table/%.*s", WH_STR_ARG(table));
  if (!path.data) return wh_fail_memory(err);
  WH_TRY(wh_iam_arn(p->policy, &p->place, (wh_str){0}, path, &permit.resource, err));
  if (key)
    permit.tests[0] = (wh_iam_test){"ForAllValues:StringEquals", "dynamodb:LeadingKeys", *key};
  return wh_iam_allow(p->policy, &permit, err);
}

// How the columns of a table that Wherry wrote are known.
static wh_status read_columns(const permits *p, wh_error *err) {
  static const char *const get[] = {"dynamodb:GetItem", NULL};
  const wh_str key = WH_STR(WH_DYNAMODB_COLUMNS_KEY);
  return allow(p, "ReadColumns", get, p->o->marks, &key, err);
}

static wh_status read_rows(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const read[] = {"dynamodb:DescribeTable", "dynamodb:Scan", NULL};
  static const char *const list[] = {"dynamodb:ListTables", NULL};
  WH_TRY(allow(p, "ReadTables", read, use->thing, NULL, err));
  if (wh_str_find(use->thing, 0, '*') < use->thing.len) {
    // IAM knows this action for everything or nothing.
    wh_iam_permit permit = {
        .place = p->name, .what = "ListTables", .actions = list, .resource = WH_STR("*")};
    WH_TRY(wh_iam_allow(p->policy, &permit, err));
  }
  return read_columns(p, err);
}

static wh_status find_rows(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const find[] = {"dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query",
                                     "dynamodb:Scan", NULL};
  WH_TRY(allow(p, "FindRows", find, use->thing, NULL, err));
  return read_columns(p, err);
}

static wh_status load_marks(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const make[] = {"dynamodb:CreateTable", "dynamodb:DescribeTable", NULL};
  static const char *const columns[] = {"dynamodb:GetItem", "dynamodb:PutItem", NULL};
  static const char *const marks[] = {"dynamodb:UpdateItem", NULL};
  const wh_str key = WH_STR(WH_DYNAMODB_COLUMNS_KEY);
  WH_TRY(allow(p, "MakeMarks", make, p->o->marks, NULL, err));
  WH_TRY(allow(p, "WriteColumns", columns, p->o->marks, &key, err));
  return allow(p, "WriteMarks", marks, p->o->marks, &use->who, err);
}

// Scan: a table that is there shows by a sample what its attributes are.
static wh_status load_rows(const permits *p, const wh_use *use, wh_error *err) {
  static const char *const prepare[] = {"dynamodb:CreateTable", "dynamodb:DescribeTable",
                                        "dynamodb:Scan", NULL};
  static const char *const expire[] = {"dynamodb:UpdateTimeToLive", NULL};
  static const char *const append[] = {"dynamodb:BatchWriteItem", "dynamodb:PutItem", NULL};
  static const char *const upsert[] = {"dynamodb:GetItem", "dynamodb:UpdateItem", NULL};
  bool appends = use->mode == WH_WRITE_APPEND;
  WH_TRY(allow(p, "PrepareTables", prepare, use->thing, NULL, err));
  if (p->o->ttl.len) WH_TRY(allow(p, "Expire", expire, use->thing, NULL, err));
  WH_TRY(allow(p, appends ? "Append" : "Upsert", appends ? append : upsert, use->thing, NULL, err));
  return load_marks(p, use, err);
}

wh_status wh_dynamodb_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                              wh_error *err) {
  permits p = {.name = c->name, .o = c->options, .policy = policy};
  WH_TRY(wh_aws_place_iam(c, &p.o->place, NULL, "dynamodb", policy, &p.place, err));
  switch (use->kind) {
  case WH_USE_READ_ROWS:
    return read_rows(&p, use, err);
  case WH_USE_FIND_ROWS:
    return find_rows(&p, use, err);
  case WH_USE_LOAD_ROWS:
    return load_rows(&p, use, err);
  default:
    return WH_OK;
  }
}
