#include "connect/dynamodb/stream.h"

#define AT(member) offsetof(wh_dynamodb_stream_options, member)

static const wh_option stream_options[] = {
    {.name = "table",
     .type = WH_OPTION_TEXT,
     .offset = AT(table),
     .required = true,
     .help = "whose changes they are; its stream has to be on"},
    {.name = "columns",
     .type = WH_OPTION_NODE,
     .offset = AT(columns),
     .required = true,
     .shape = "{ name: type } or { name: { type: ..., class: ... } }",
     .help = "attributes of its items that are taken: pipelines read them with from: NAME"},
    {.name = "export",
     .type = WH_OPTION_BOOL,
     .offset = AT(export),
     .def = "true",
     .help = "whether all items come first; else it begins with the oldest change there is"},
    {.name = "segments",
     .type = WH_OPTION_INT,
     .offset = AT(segments),
     .def = "4",
     .min = 1,
     .max = WH_DYNAMODB_SEGMENTS_MAX,
     .help = "parts of the table that the export reads side by side"},
    WH_AWS_PLACE_OPTIONS(wh_dynamodb_stream_options),
    {0},
};

static wh_status make(wh_connection *c, wh_dynamodb_stream *own, wh_error *err) {
  const wh_dynamodb_stream_options *o = c->options;
  WH_TRY(wh_dynamodb_check_name(c, o->table, err));
  WH_TRY(wh_aws_place_open(c, &o->place, NULL, "dynamodb", &own->tables, err));
  wh_aws_options streams = wh_aws_place_options(c, &o->place, "streams.dynamodb");
  streams.signing_name = "dynamodb";
  // Another server answers for both at one address, wherever that is said.
  wh_str endpoint = wh_aws_endpoint_of(own->tables);
  static const char amazon[] = "https://dynamodb.";
  if (!streams.endpoint.len && !wh_str_starts(endpoint, amazon)) streams.endpoint = endpoint;
  wh_status status = wh_aws_new(&streams, &own->streams, err);
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", WH_STR_ARG(c->name));
  return status;
}

static void stream_close(wh_connection *c) {
  wh_dynamodb_stream *own = c->own;
  wh_aws_free(own->tables);
  wh_aws_free(own->streams);
  wh_mem_free(c->mem, own, sizeof *own);
  c->own = NULL;
}

static wh_status stream_open(wh_connection *c, wh_error *err) {
  wh_dynamodb_stream *own = wh_mem_alloc_zero(c->mem, sizeof *own);
  if (!own) return wh_fail_memory(err);
  c->own = own;
  wh_status status = make(c, own, err);
  if (status != WH_OK) stream_close(c);
  return status;
}

static wh_status stream_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  const wh_dynamodb_stream_options *o = c->options;
  WH_CLEAN_ARENA wh_arena arena;
  wh_schema none = {0};
  wh_feed *feed; // says what is missing
  wh_arena_init(&arena, c->mem);
  WH_TRY(wh_dynamodb_feed.open(c, &none, NULL, 0, &feed, err));
  wh_buf_printf(ret_note, "the stream of %.*s, %.*s", WH_STR_ARG(o->table),
                WH_STR_ARG(feed->stream));
  wh_dynamodb_feed.close(feed);
  return wh_buf_check(ret_note, err);
}

// IAM knows a stream by its table and the time that it was switched on.
static wh_status stream_permits(const wh_connection *c, const wh_use *use, wh_iam_policy *policy,
                                wh_error *err) {
  static const char *const table[] = {"dynamodb:DescribeTable", NULL};
  static const char *const scan[] = {"dynamodb:Scan", NULL};
  static const char *const stream[] = {"dynamodb:DescribeStream", "dynamodb:GetRecords",
                                       "dynamodb:GetShardIterator", NULL};
  const wh_dynamodb_stream_options *o = c->options;
  wh_iam_place place;
  if (use->kind != WH_USE_EVENTS) return WH_OK;
  WH_TRY(wh_aws_place_iam(c, &o->place, NULL, "dynamodb", policy, &place, err));
  const struct {
    const char *what, *behind;
    const char *const *actions;
  } all[] = {{"DescribeTable", "", table},
             {"ReadStream", "/stream/*", stream},
             {"Export", "", o->export ? scan : NULL}};
  for (size_t i = 0; i < sizeof all / sizeof *all && all[i].actions; i++) {
    wh_iam_permit permit = {.place = c->name, .what = all[i].what, .actions = all[i].actions};
    wh_str path =
        wh_arena_printf(policy->arena, "table/%.*s%s", WH_STR_ARG(o->table), all[i].behind);
    if (!path.data) return wh_fail_memory(err);
    WH_TRY(wh_iam_arn(policy, &place, (wh_str){0}, path, &permit.resource, err));
    WH_TRY(wh_iam_allow(policy, &permit, err));
  }
  return WH_OK;
}

static wh_status stream_cloud(const wh_connection *c, wh_arena *arena, wh_cloud_place *ret,
                              wh_error *err) {
  (void)arena, (void)err;
  const wh_dynamodb_stream_options *o = c->options;
  *ret = (wh_cloud_place){.kind = WH_CLOUD_STREAM,
                          .endpoint = o->place.endpoint,
                          .region = o->place.region,
                          .name = o->table};
  return WH_OK;
}

const wh_connector wh_connector_dynamodb_stream = {
    .name = "dynamodb-stream",
    .help = "what changes in a table of Amazon DynamoDB, as rows",
    .options = stream_options,
    .options_size = sizeof(wh_dynamodb_stream_options),
    .feed = &wh_dynamodb_feed,
    .open = stream_open,
    .close = stream_close,
    .reach = stream_reach,
    .permits = stream_permits,
    .cloud = stream_cloud,
    .reserve_bytes = WH_DYNAMODB_LIBRARY_BYTES,
};
