// What an IAM policy must allow: each connector says it of its own places, and the secrets that the
// configuration refers to are added here.
#include "engine/catalogue.h"
#include "engine/reject_parts.h"
#include "ledger/manifest.h"
#include "ledger/site_index.h"

typedef struct asking {
  wh_config *config;
  wh_iam_policy *policy;
} asking;

static wh_status add_use(const asking *a, wh_str connection, const wh_use *use, wh_error *err) {
  const wh_connection *c;
  const wh_connection_info *info = wh_config_find_connection(a->config, connection);
  if (!info || !info->type || !info->type->permits) return WH_OK;
  WH_TRY(wh_config_describe(a->config, connection, &c, err));
  wh_status status = c->type->permits(c, use, a->policy, err);
  if (status != WH_OK) wh_error_prefix(err, "connection %.*s: ", WH_STR_ARG(connection));
  return status;
}

// --- pipelines -----------------------------------------------------------------------------------

// Objects, and the manifests that say what they are.
static wh_status add_objects(const asking *a, wh_str connection, wh_use use, wh_error *err) {
  WH_TRY(add_use(a, connection, &use, err));
  use.thing = wh_manifest_key(use.thing, a->policy->arena);
  use.by_name = true;
  return use.thing.data ? add_use(a, connection, &use, err) : wh_fail_memory(err);
}

// The sink of the catalogue writes as a pipeline of its own.
static wh_status add_catalog(const asking *a, wh_error *err) {
  const wh_address *catalog = &a->config->catalog;
  if (!catalog->node) return WH_OK;
  wh_use use = {.kind = WH_USE_LOAD_ROWS,
                .who = WH_STR(WH_CATALOGUE_PIPELINE),
                .thing = catalog->thing,
                .mode = WH_WRITE_UPSERT};
  return add_use(a, catalog->connection, &use, err);
}

static wh_status add_tables(const asking *a, const wh_pipeline *p, wh_error *err) {
  wh_use use = {.kind = WH_USE_READ_ROWS, .who = p->name, .thing = p->from.thing};
  if (p->table_count == 0) return add_use(a, p->from.connection, &use, err);
  for (size_t i = 0; i < p->table_count; i++) {
    use.thing = p->tables[i].table;
    WH_TRY(add_use(a, p->from.connection, &use, err));
  }
  return WH_OK;
}

static bool holds_objects(const asking *a, wh_str connection) {
  return wh_config_find_connection(a->config, connection)->type->store != NULL;
}

// Rejected rows, where the store that is read keeps them.
static wh_status add_quarantine(const asking *a, const wh_pipeline *p, wh_error *err) {
  wh_str store = a->config->quarantine;
  if (!store.len || !wh_str_eq(p->from.connection, store)) return WH_OK;
  wh_use use = {.kind = WH_USE_KEEP_OBJECTS, .who = p->name};
  use.thing =
      wh_arena_printf(a->policy->arena, WH_REJECT_STORE_PREFIX "%.*s/**", WH_STR_ARG(p->name));
  return use.thing.data ? add_use(a, store, &use, err) : wh_fail_memory(err);
}

static wh_status add_after(const asking *a, const wh_pipeline *p, wh_error *err) {
  if (p->after.kind == WH_AFTER_LEAVE) return WH_OK;
  wh_use use = {.kind = WH_USE_WITHDRAW_OBJECTS, .who = p->name, .thing = p->from.thing};
  WH_TRY(add_use(a, p->from.connection, &use, err));
  use.thing = p->complete.markers;
  if (use.thing.len) WH_TRY(add_use(a, p->from.connection, &use, err));
  if (p->after.kind != WH_AFTER_MOVE) return WH_OK;
  use.kind = WH_USE_MOVE_OBJECTS;
  WH_TRY(wh_template_glob_for(p->after.to, p->name, a->policy->arena, &use.thing, err));
  return add_use(a, p->from.connection, &use, err);
}

// The files of a dataset, if it is one, and not its indexes alone.
static wh_status all_of_dataset(const asking *a, wh_str prefix, wh_str *thing, wh_error *err) {
  if (!prefix.len) return WH_OK;
  *thing = wh_arena_printf(a->policy->arena, "%.*s**", WH_STR_ARG(prefix));
  return thing->data ? WH_OK : wh_fail_memory(err);
}

static wh_status add_model(const asking *a, const wh_pipeline *p, wh_error *err) {
  for (size_t i = 0; i < p->model->table_count; i++) {
    const wh_address *table = &p->model->tables[i];
    wh_use use = {.kind = WH_USE_READ_OBJECTS, .who = p->name, .thing = table->thing};
    WH_TRY(all_of_dataset(a, p->model->datasets[i], &use.thing, err));
    WH_TRY(add_objects(a, table->connection, use, err));
  }
  return WH_OK;
}

static wh_status add_from(const asking *a, const wh_pipeline *p, wh_error *err) {
  if (p->model) return add_model(a, p, err);
  if (!holds_objects(a, p->from.connection)) return add_tables(a, p, err);
  wh_use use = {.kind = WH_USE_READ_OBJECTS, .who = p->name, .thing = p->from.thing};
  WH_TRY(all_of_dataset(a, p->read.dataset, &use.thing, err));
  WH_TRY(add_objects(a, p->from.connection, use, err));
  use.thing = p->complete.markers;
  if (use.thing.len) WH_TRY(add_use(a, p->from.connection, &use, err));
  return add_after(a, p, err);
}

// What the steps look rows up in.
static wh_status add_step_tables(const asking *a, const wh_pipeline *p, wh_error *err) {
  for (size_t i = 0; i < p->step_table_count; i++) {
    const wh_address *table = &p->step_tables[i];
    wh_use use = {.who = p->name, .thing = table->thing};
    bool objects = holds_objects(a, table->connection);
    use.kind = objects ? WH_USE_READ_OBJECTS : WH_USE_READ_ROWS;
    use.by_name = objects;
    WH_TRY(objects ? add_objects(a, table->connection, use, err)
                   : add_use(a, table->connection, &use, err));
  }
  return WH_OK;
}

// Indexes are published like any object; files are put, and those of old versions removed.
static wh_status add_dataset(const asking *a, const wh_pipeline *p, wh_error *err) {
  wh_use use = {.kind = WH_USE_WRITE_OBJECTS, .who = p->name};
  WH_TRY(wh_template_glob(p->to.thing, a->policy->arena, &use.thing, err));
  WH_TRY(add_objects(a, p->to.connection, use, err));
  use.kind = WH_USE_KEEP_OBJECTS;
  use.thing = wh_arena_printf(a->policy->arena, "%.*s**", WH_STR_ARG(p->write.dataset));
  if (!use.thing.data) return wh_fail_memory(err);
  WH_TRY(add_objects(a, p->to.connection, use, err));
  return add_catalog(a, err);
}

static wh_status add_loads(const asking *a, const wh_pipeline *p, wh_error *err) {
  size_t count;
  const wh_pipeline *branches = wh_pipeline_branches(p, &count);
  for (size_t i = 0; i < count; i++) {
    wh_use use = {.kind = WH_USE_LOAD_ROWS,
                  .who = p->name,
                  .thing = branches[i].to.thing,
                  .mode = branches[i].write.mode};
    WH_TRY(add_use(a, p->to.connection, &use, err));
  }
  return WH_OK;
}

static wh_status add_to(const asking *a, const wh_pipeline *p, wh_error *err) {
  wh_use use = {.who = p->name};
  if (!holds_objects(a, p->to.connection)) return add_loads(a, p, err);
  if (p->write.dataset.len) return add_dataset(a, p, err);
  use.kind = WH_USE_WRITE_OBJECTS;
  // A member's name is its own.
  wh_str name = p->many ? (wh_str){0} : p->name;
  WH_TRY(wh_template_glob_for(p->to.thing, name, a->policy->arena, &use.thing, err));
  WH_TRY(add_objects(a, p->to.connection, use, err));
  if (p->read.shared) {
    wh_use parts = {
        .kind = WH_USE_KEEP_OBJECTS, .who = p->name, .thing = WH_STR(WH_PARTS_PREFIX "**")};
    WH_TRY(add_use(a, p->to.connection, &parts, err));
  }
  return add_catalog(a, err);
}

static wh_status add_told(const asking *a, const wh_pipeline *p, wh_error *err) {
  wh_use tell = {.kind = WH_USE_TELL, .who = p->name};
  for (size_t i = 0; i < p->notify_count; i++)
    WH_TRY(add_use(a, p->notify[i].connection, &tell, err));
  return WH_OK;
}

static wh_status add_ledger(const asking *a, wh_error *err) {
  const wh_connection *c;
  wh_use use = {.kind = WH_USE_LEDGER};
  WH_TRY(wh_config_describe_ledger(a->config, &c, err));
  return c && c->type->permits ? c->type->permits(c, &use, a->policy, err) : WH_OK;
}

// --- secrets -------------------------------------------------------------------------------------

typedef struct keeper {
  const char *service, *action, *what; // what: of the secret's statement
  const char *decrypts, *context;      // of the statement about its key; the key's context
} keeper;
static const keeper keepers[] = {
    [WH_KEEPER_SSM] = {"ssm", "ssm:GetParameter", "ReadParameters", "DecryptParameters",
                       "kms:EncryptionContext:PARAMETER_ARN"},
    [WH_KEEPER_SECRETS_MANAGER] = {"secretsmanager", "secretsmanager:GetSecretValue", "ReadSecrets",
                                   "DecryptSecrets", "kms:EncryptionContext:SecretARN"},
};

// "parameter/erp/password", or "secret:erp" with the six characters that AWS puts behind it.
static wh_str resource_of(wh_arena *arena, wh_cloud_keeper which, wh_str name) {
  if (which == WH_KEEPER_SECRETS_MANAGER)
    return wh_arena_printf(arena, "secret:%.*s-??????", (int)wh_str_find(name, 0, '#'), name.data);
  size_t version = wh_str_find(name, 0, ':'); // or a label
  return wh_arena_printf(arena, "parameter%s%.*s", wh_str_starts(name, "/") ? "" : "/",
                         (int)version, name.data);
}

// Whoever may use the service may use the account's own key for it; any other has to allow this.
static wh_status allow_key(const asking *a, const keeper *k, wh_iam_place place, wh_str secret,
                           wh_error *err) {
  static const char *const decrypt[] = {"kms:Decrypt", NULL};
  wh_arena *arena = a->policy->arena;
  wh_str through =
      wh_arena_printf(arena, "%s.%.*s.amazonaws.com", k->service, WH_STR_ARG(place.region));
  if (!through.data) return wh_fail_memory(err);
  wh_iam_permit permit = {
      .what = k->decrypts,
      .actions = decrypt,
      .tests = {{"StringLike", k->context, secret}, {"StringLike", "kms:ViaService", through}}};
  place.service = "kms";
  WH_TRY(wh_iam_arn(a->policy, &place, (wh_str){0}, WH_STR("key/*"), &permit.resource, err));
  return wh_iam_allow(a->policy, &permit, err);
}

static wh_status add_secret(void *context, wh_cloud_keeper which, wh_str name, wh_error *err) {
  const asking *a = context;
  const keeper *k = &keepers[which];
  wh_cloud_secrets where = wh_config_cloud_secrets(a->config);
  wh_iam_asked asked = {.os = where.os, .environment = where.environment, .service = k->service};
  wh_iam_place place;
  WH_TRY(wh_iam_find_place(a->policy, &asked, &place, err));
  const char *const actions[] = {k->action, NULL};
  wh_iam_permit permit = {.what = k->what, .actions = actions};
  if (wh_str_starts(name, "arn:")) {
    permit.resource = wh_str_sub(name, 0, wh_str_find(name, 0, '#'));
  } else {
    wh_str resource = resource_of(a->policy->arena, which, name);
    if (!resource.data) return wh_fail_memory(err);
    WH_TRY(wh_iam_arn(a->policy, &place, (wh_str){0}, resource, &permit.resource, err));
  }
  WH_TRY(wh_iam_allow(a->policy, &permit, err));
  return allow_key(a, k, place, permit.resource, err);
}

// --- the log -------------------------------------------------------------------------------------

static wh_status add_log(const asking *a, wh_error *err) {
  static const char *const make_group[] = {"logs:CreateLogGroup", NULL};
  static const char *const make_stream[] = {"logs:CreateLogStream", NULL};
  static const char *const put[] = {"logs:PutLogEvents", NULL};
  const wh_log_place *log = &a->config->log;
  if (log->to != WH_LOG_CLOUDWATCH) return WH_OK;
  wh_cloud_secrets where = wh_config_cloud_secrets(a->config);
  wh_iam_asked asked = {.os = where.os,
                        .environment = where.environment,
                        .service = "logs",
                        .profile = log->profile,
                        .region = log->region,
                        .endpoint = log->endpoint};
  wh_arena *arena = a->policy->arena;
  wh_iam_place place;
  WH_TRY(wh_iam_find_place(a->policy, &asked, &place, err));
  wh_iam_permit group = {.what = "LogGroup", .actions = make_group};
  wh_iam_permit stream = {.what = "LogStream", .actions = make_stream};
  wh_str name = wh_arena_printf(arena, "log-group:%.*s", WH_STR_ARG(log->group));
  wh_str path = wh_arena_printf(arena, "log-group:%.*s:log-stream:%.*s", WH_STR_ARG(log->group),
                                WH_STR_ARG(log->stream.len ? log->stream : WH_STR("*")));
  if (!name.data || !path.data) return wh_fail_memory(err);
  WH_TRY(wh_iam_arn(a->policy, &place, (wh_str){0}, name, &group.resource, err));
  WH_TRY(wh_iam_arn(a->policy, &place, (wh_str){0}, path, &stream.resource, err));
  WH_TRY(wh_iam_allow(a->policy, &group, err));
  WH_TRY(wh_iam_allow(a->policy, &stream, err));
  stream.what = "Log";
  stream.actions = put;
  WH_TRY(wh_iam_allow(a->policy, &stream, err));
  stream.what = "LogStream"; // which IAM judges by the group
  stream.actions = make_stream;
  stream.resource = group.resource;
  return wh_iam_allow(a->policy, &stream, err);
}

// --- the whole -----------------------------------------------------------------------------------

static wh_status add_pipeline(asking *a, const wh_pipeline *p, wh_error *err) {
  WH_TRY(add_from(a, p, err));
  WH_TRY(add_quarantine(a, p, err));
  WH_TRY(add_step_tables(a, p, err));
  WH_TRY(add_to(a, p, err));
  WH_TRY(add_told(a, p, err));
  wh_use events = {.kind = WH_USE_EVENTS, .who = p->name};
  if (p->when.queue.len) WH_TRY(add_use(a, p->when.queue, &events, err));
  const wh_ingest_endpoint *inbox = wh_config_inbox(a->config, p);
  if (inbox) WH_TRY(add_use(a, inbox->queue, &events, err));
  return wh_config_visit_cloud_secrets(a->config, p, add_secret, a, err);
}

// Objects of zones that are let go, and their manifests.
static wh_status add_retains(const asking *a, wh_error *err) {
  for (size_t i = 0; i < a->config->retain_count; i++) {
    const wh_retain *r = &a->config->retains[i];
    static const char *const before[] = {"", WH_OWN_PREFIX "manifests/"};
    for (size_t k = 0; r->connection.len && k < sizeof before / sizeof *before; k++) {
      wh_use use = {.kind = WH_USE_LET_GO_OBJECTS, .who = r->zone};
      use.thing = wh_arena_printf(a->policy->arena, "%s%.*s**", before[k], WH_STR_ARG(r->prefix));
      if (!use.thing.data) return wh_fail_memory(err);
      WH_TRY(add_use(a, r->connection, &use, err));
    }
  }
  return WH_OK;
}

// An endpoint's queue, and its secrets.
static wh_status add_endpoint(asking *a, const wh_ingest *ingest, wh_error *err) {
  wh_use post = {.kind = WH_USE_POST, .who = ingest->endpoint->name};
  if (ingest->to.len) WH_TRY(add_use(a, ingest->to, &post, err));
  return wh_config_visit_ingest_secrets(a->config, ingest, add_secret, a, err);
}

// The lookup pages.
static wh_status add_served(asking *a, wh_error *err) {
  const wh_config *config = a->config;
  for (size_t i = 0; i < config->serve.lookup_count; i++) {
    const wh_lookup *l = &config->serve.lookups[i];
    wh_use use = {.kind = WH_USE_FIND_ROWS, .who = l->name, .thing = l->from.thing};
    WH_TRY(add_use(a, l->from.connection, &use, err));
  }
  return wh_config_visit_cloud_secrets(config, NULL, add_secret, a, err);
}

static wh_status add_everything(asking *a, wh_error *err) {
  WH_TRY(add_retains(a, err));
  for (size_t i = 0; i < a->config->pipeline_count; i++)
    WH_TRY(add_pipeline(a, &a->config->pipelines[i], err));
  for (size_t i = 0; i < a->config->serve.ingest_count; i++)
    WH_TRY(add_endpoint(a, &a->config->serve.ingests[i], err));
  return add_served(a, err);
}

static wh_status add_team(const asking *a, const wh_team *team, wh_error *err) {
  for (size_t i = 0; i < team->read_count + team->write_count; i++) {
    bool reads = i < team->read_count;
    const wh_address *address = reads ? &team->reads[i] : &team->writes[i - team->read_count];
    wh_use use = {.kind = reads ? WH_USE_TEAM_READS : WH_USE_TEAM_WRITES,
                  .who = team->name,
                  .thing = address->thing};
    const wh_connector *type = wh_config_find_connection(a->config, address->connection)->type;
    if (!type->permits)
      WH_TRY(wh_iam_note(a->policy, err, "IAM knows nothing of %.*s, which is of type %s",
                         WH_STR_ARG(address->connection), type->name));
    WH_TRY(add_use(a, address->connection, &use, err));
  }
  return WH_OK;
}

// Its versions and doors, and the indexes, which are published like any object.
static wh_status add_site(const asking *a, const wh_site *site, wh_error *err) {
  static const wh_use_kind kinds[] = {WH_USE_KEEP_OBJECTS, WH_USE_COPY_OBJECTS};
  wh_arena *arena = a->policy->arena;
  wh_use use = {.who = site->name};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    use.kind = kinds[i];
    use.thing = wh_arena_printf(arena, "%.*s**", WH_STR_ARG(site->to.thing));
    if (!use.thing.data) return wh_fail_memory(err);
    WH_TRY(add_use(a, site->to.connection, &use, err));
  }
  use.thing = wh_arena_printf(arena, WH_SITE_INDEXES "%.*s*.json", WH_STR_ARG(site->to.thing));
  if (!use.thing.data) return wh_fail_memory(err);
  use.kind = WH_USE_KEEP_OBJECTS;
  WH_TRY(add_use(a, site->to.connection, &use, err));
  use.kind = WH_USE_WRITE_OBJECTS;
  WH_TRY(add_use(a, site->to.connection, &use, err));
  WH_TRY(add_log(a, err));
  return wh_iam_finish(a->policy, err);
}

wh_status wh_engine_policy(wh_config *config, const wh_policy_request *request,
                           wh_iam_policy *policy, wh_error *err) {
  asking a = {.config = config, .policy = policy};
  if (request->site) return add_site(&a, request->site, err);
  if (request->team)
    WH_TRY(add_team(&a, request->team, err));
  else if (request->served)
    WH_TRY(add_served(&a, err));
  else if (request->count == 0 && request->endpoint_count == 0)
    WH_TRY(add_everything(&a, err));
  for (size_t i = 0; !request->team && i < request->count; i++)
    WH_TRY(add_pipeline(&a, request->pipelines[i], err));
  for (size_t i = 0; !request->team && i < request->endpoint_count; i++)
    WH_TRY(add_endpoint(&a, request->endpoints[i], err));
  if (!request->team) WH_TRY(add_ledger(&a, err));
  if (!request->team) WH_TRY(add_log(&a, err));
  return wh_iam_finish(policy, err);
}
