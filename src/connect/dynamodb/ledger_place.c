#include "connect/dynamodb/ledger_place.h"

#include "connect/dynamodb/table.h"

#define AT(member) offsetof(wh_dynamodb_ledger_options, member)
static const wh_option options[] = {
    WH_AWS_PLACE_OPTIONS(wh_dynamodb_ledger_options),
    {.name = "table",
     .type = WH_OPTION_TEXT,
     .offset = AT(table),
     .required = true,
     .help = "the table, of ledgers alone; created when it is missing"},
    {.name = "ledger",
     .type = WH_OPTION_TEXT,
     .offset = AT(ledger),
     .def = "wherry",
     .help = "the ledger's name, where several are in one table"},
    {0},
};

static wh_status check(const void *given, wh_error *err) {
  const wh_dynamodb_ledger_options *o = given;
  if (o->ledger.len && o->ledger.len <= WH_DYNAMODB_HASH_BYTES_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "ledger: a name of 1 to %d bytes", WH_DYNAMODB_HASH_BYTES_MAX);
}

static wh_status reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_dynamodb_ledger_options *o = c->options;
  WH_CLEAN_CLIENT wh_aws_client *client = NULL;
  WH_CLEAN_ARENA wh_arena arena;
  wh_dynamodb_table table;
  bool exists;
  wh_arena_init(&arena, c->mem);
  WH_TRY(wh_dynamodb_take(c, &client, err));
  WH_TRY(wh_dynamodb_describe(c, client, o->table, &arena, &exists, &table, err));
  if (exists && (!wh_str_is(table.hash.name, "ledger") || !wh_str_is(table.range.name, "part")))
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: table %.*s is not a ledger's: its key is not ledger (S) and part (N)",
                   WH_STR_ARG(c->name), WH_STR_ARG(o->table));
  wh_buf_printf(ret_note, "table %.*s in %.*s at %.*s%s", WH_STR_ARG(o->table),
                WH_STR_ARG(wh_aws_region_of(c->own)), WH_STR_ARG(wh_aws_endpoint_of(c->own)),
                exists ? "" : "; it will be created");
  return wh_buf_check(ret_note, err);
}

static wh_status permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                         wh_error *err) {
  static const char *const keep[] = {"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem",
                                     "dynamodb:Query", NULL};
  static const char *const make[] = {"dynamodb:CreateTable", "dynamodb:DescribeTable", NULL};
  const wh_dynamodb_ledger_options *o = c->options;
  if (use->kind != WH_USE_LEDGER) return WH_OK;
  wh_iam_permit permit = {.place = c->name, .what = "Keep", .actions = keep};
  wh_iam_place place;
  wh_str path = wh_arena_printf(policy->arena, "table/%.*s", WH_STR_ARG(o->table));
  if (!path.data) return wh_fail_memory(err);
  WH_TRY(wh_aws_place_iam(c, &o->place, NULL, "dynamodb", policy, &place, err));
  WH_TRY(wh_iam_arn(policy, &place, (wh_str){0}, path, &permit.resource, err));
  permit.tests[0] = (wh_iam_test){"ForAllValues:StringEquals", "dynamodb:LeadingKeys", o->ledger};
  WH_TRY(wh_iam_allow(policy, &permit, err));
  permit.what = "Make";
  permit.actions = make;
  permit.tests[0] = (wh_iam_test){0};
  return wh_iam_allow(policy, &permit, err);
}

static wh_status cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                       wh_error *err) {
  (void)arena, (void)err;
  const wh_dynamodb_ledger_options *o = c->options;
  *ret = (wh_cloud_place){.kind = WH_CLOUD_TABLES,
                          .endpoint = o->place.endpoint,
                          .region = o->place.region,
                          .name = o->table};
  return WH_OK;
}

const wh_connector wh_dynamodb_ledger_place = {
    .name = "dynamodb",
    .help = "a ledger in a table of Amazon DynamoDB",
    .options = options,
    .options_size = sizeof(wh_dynamodb_ledger_options),
    .check = check,
    .open = wh_dynamodb_open,
    .close = wh_dynamodb_close,
    .reach = reach,
    .permits = permits,
    .cloud = cloud,
    .reserve_bytes = WH_DYNAMODB_LIBRARY_BYTES,
};
