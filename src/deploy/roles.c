// Who may do what: the function, what runs elsewhere, and teams. What they need is what `wherry
// policy` says (engine/policy.c), with the stack's account and region in it.
#include "deploy/private.h"

json_t *wh_deploy_trust(const char *service) {
  return json_pack("{s:s,s:[{s:s,s:{s:s},s:s}]}", "Version", "2012-10-17", "Statement", "Effect",
                   "Allow", "Principal", "Service", service, "Action", "sts:AssumeRole");
}

// --- what the stack makes already ----------------------------------------------------------------

static bool is_made(const wh_deploy *d, wh_str arn) {
  size_t slash = wh_str_find(arn, 0, '/');
  wh_str rest = arn, group = {0}, part;
  for (int i = 0; i < 7 && wh_str_split(&rest, ':', &part); i++)
    group = part;
  return wh_stack_find(d->stack, "AWS::DynamoDB::Table", "TableName",
                       wh_str_sub(arn, slash + 1, arn.len)) ||
         wh_stack_find(d->stack, "AWS::Logs::LogGroup", "LogGroupName", group);
}

static bool is_making(wh_str action) {
  static const char *const making[] = {"dynamodb:CreateTable", "dynamodb:UpdateTimeToLive",
                                       "logs:CreateLogGroup"};
  for (size_t i = 0; i < sizeof making / sizeof *making; i++)
    if (wh_str_is(action, making[i])) return true;
  return false;
}

typedef bool (*filter)(const wh_deploy *d, wh_str item);
static bool makes(const wh_deploy *d, wh_str action) {
  (void)d;
  return is_making(action);
}
static bool makes_not(const wh_deploy *d, wh_str action) {
  (void)d;
  return !is_making(action);
}
static bool has_to_be_made(const wh_deploy *d, wh_str arn) {
  return !is_made(d, arn);
}
static bool is_no_delay(const wh_deploy *d, wh_str action) {
  (void)d;
  return !wh_str_is(action, "sqs:ChangeMessageVisibility");
}

static wh_status keep(const wh_deploy *d, wh_iam_set *set, filter keeps, wh_error *err) {
  wh_iam_set kept = {.items = WH_NEW_ARRAY(d->arena, set->count, wh_str), .cap = set->count};
  if (!kept.items) return wh_fail_memory(err);
  for (size_t i = 0; i < set->count; i++)
    if (keeps(d, set->items[i])) kept.items[kept.count++] = set->items[i];
  *set = kept;
  return WH_OK;
}

// Nobody needs to make what the stack makes: the right to make stays for what else there is, in a
// statement of its own.
static wh_status part(const wh_deploy *d, const wh_iam_statement *s, wh_iam_statement *rest,
                      wh_iam_statement *making, wh_error *err) {
  *rest = *making = *s;
  making->sid = wh_arena_printf(d->arena, "%.*sMake", WH_STR_ARG(s->sid));
  if (!making->sid.data) return wh_fail_memory(err);
  WH_TRY(keep(d, &rest->actions, makes_not, err));
  WH_TRY(keep(d, &making->actions, makes, err));
  return keep(d, &making->resources, has_to_be_made, err);
}

// How long a message is hidden from a function is Lambda's to say.
static wh_status leave_out(const wh_deploy *d, bool is_function, wh_iam_policy *policy,
                           wh_error *err) {
  wh_iam_statement *all = WH_NEW_ARRAY(d->arena, 2 * policy->count, wh_iam_statement);
  size_t n = 0;
  if (!all) return wh_fail_memory(err);
  for (size_t i = 0; i < policy->count; i++) {
    wh_iam_statement rest, making;
    WH_TRY(part(d, &policy->statements[i], &rest, &making, err));
    if (is_function) WH_TRY(keep(d, &rest.actions, is_no_delay, err));
    if (rest.actions.count) all[n++] = rest;
    if (making.actions.count && making.resources.count) all[n++] = making;
  }
  policy->statements = all;
  policy->count = n;
  return WH_OK;
}

// --- in the stack's texts ------------------------------------------------------------------------

// "arn:aws:sqs:eu-west-1:123456789012:x": where these are the stack's own, its variables.
static json_t *encode_arn(const wh_deploy *d, wh_str text) {
  wh_str rest = text, part[5];
  for (size_t i = 0; i < 5; i++)
    if (!wh_str_split(&rest, ':', &part[i])) return json_stringn(text.data, text.len);
  bool here = wh_str_eq(part[3], d->region) || wh_str_is(part[3], "*");
  bool ours = wh_str_eq(part[4], d->account);
  wh_str region = part[3].len && here ? WH_STR(WH_STACK_REGION) : part[3];
  wh_str account = part[4].len && ours ? WH_STR(WH_STACK_ACCOUNT) : part[4];
  wh_str made = wh_arena_printf(d->arena, WH_STACK_ARN("%.*s:%.*s:%.*s:%.*s"), WH_STR_ARG(part[2]),
                                WH_STR_ARG(region), WH_STR_ARG(account), WH_STR_ARG(rest));
  return made.data ? json_stringn(made.data, made.len) : NULL;
}

// "s3.eu-west-1.amazonaws.com", of kms:ViaService.
static json_t *encode_service(const wh_deploy *d, wh_str text) {
  wh_str rest = text, service, region;
  bool fits = wh_str_ends(text, ".amazonaws.com") && wh_str_split(&rest, '.', &service) &&
              wh_str_split(&rest, '.', &region) && wh_str_is(rest, "amazonaws.com") &&
              (wh_str_eq(region, d->region) || wh_str_is(region, "*"));
  if (!fits) return json_stringn(text.data, text.len);
  return json_sprintf("%.*s." WH_STACK_REGION ".amazonaws.com", WH_STR_ARG(service));
}

static json_t *encode_tree(const wh_deploy *d, const json_t *tree) {
  const char *name;
  json_t *value;
  size_t i;
  if (json_is_string(tree)) {
    wh_str text = wh_str_n(json_string_value(tree), json_string_length(tree));
    return wh_str_starts(text, "arn:") ? encode_arn(d, text) : encode_service(d, text);
  }
  json_t *made = json_is_object(tree) ? json_object() : json_array();
  bool ok = made != NULL;
  json_object_foreach((json_t *)tree, name, value) ok =
      ok && json_object_set_new(made, name, encode_tree(d, value)) == 0;
  json_array_foreach(tree, i, value) ok =
      ok && json_array_append_new(made, encode_tree(d, value)) == 0;
  if (ok) return made;
  json_decref(made);
  return NULL;
}

static wh_status write(wh_deploy *d, const wh_iam_policy *policy, json_t **ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf text;
  WH_CLEAN_JSON json_t *tree = NULL;
  wh_buf_init(&text, d->arena->mem, 0);
  wh_iam_write(policy, false, &text);
  WH_TRY(wh_buf_check(&text, err));
  WH_TRY(wh_json_load(wh_buf_str(&text), text.len, "the policy", &tree, err));
  *ret = encode_tree(d, tree);
  return *ret ? WH_OK : wh_fail_memory(err);
}

// How exact each pattern is, `wherry policy` says; here of what people may do.
static wh_status pass_notes(wh_deploy *d, const wh_policy_request *request,
                            const wh_iam_policy *policy, wh_error *err) {
  for (size_t i = 0; i < policy->notes.count; i++) {
    wh_str note = policy->notes.items[i];
    if (request->team || wh_str_starts(note, "the document has"))
      WH_TRY(wh_stack_note(d->stack, err, "%.*s", WH_STR_ARG(note)));
  }
  return WH_OK;
}

wh_status wh_deploy_policy(wh_deploy *d, const wh_policy_request *request, bool is_function,
                           json_t **ret, wh_error *err) {
  wh_iam_policy policy;
  *ret = NULL;
  wh_iam_init(&policy, d->arena, d->account.len ? d->account : WH_STR(WH_STACK_ACCOUNT));
  WH_TRY(wh_engine_policy(d->config, request, &policy, err));
  WH_TRY(leave_out(d, is_function, &policy, err));
  WH_TRY(pass_notes(d, request, &policy, err));
  return policy.count ? write(d, &policy, ret, err) : WH_OK;
}

// --- what runs elsewhere -------------------------------------------------------------------------

// `what` ends the policy's name.
static wh_status add_policy(wh_deploy *d, const wh_policy_request *request, wh_str what,
                            const char *help, wh_error *err) {
  json_t *document;
  WH_TRY(wh_deploy_policy(d, request, false, &document, err));
  if (!document) return WH_OK;
  json_t *policy =
      json_pack("{s:o,s:s,s:o}", "ManagedPolicyName",
                json_sprintf("%.*s-%.*s", WH_STR_ARG(d->stack->name), WH_STR_ARG(what)),
                "Description", help, "PolicyDocument", document);
  return wh_stack_add(d->stack, "AWS::IAM::ManagedPolicy", what, "Policy", policy, NULL, err);
}

static wh_status add_elsewhere(wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count; i++) {
    const wh_pipeline *p = d->seats[i].pipeline;
    wh_policy_request request = {.pipelines = &p, .count = 1};
    if (d->seats[i].is_function) continue;
    WH_TRY(add_policy(d, &request, p->name, "What the pipeline needs, wherever it runs", err));
  }
  for (size_t i = 0; i < d->config->site_count; i++) {
    const wh_site *site = &d->config->sites[i];
    wh_policy_request request = {.site = site};
    wh_str what = wh_arena_printf(d->arena, "site-%.*s", WH_STR_ARG(site->name));
    if (!what.data) return wh_fail_memory(err);
    WH_TRY(add_policy(d, &request, what, "What publishing the site takes", err));
  }
  wh_policy_request served = {.served = true};
  WH_TRY(wh_deploy_endpoints(d, false, &served, err));
  if (!d->config->serve.lookup_count && !served.endpoint_count) return WH_OK;
  return add_policy(d, &served, WH_STR("serve"), "What lookup pages and endpoints need", err);
}

// --- teams ---------------------------------------------------------------------------------------

// The account says who may be the team: by a policy that allows sts:AssumeRole on the role.
static json_t *account_trust(void) {
  return json_pack("{s:s,s:[{s:s,s:{s:s},s:s}]}", "Version", "2012-10-17", "Statement", "Effect",
                   "Allow", "Principal", "AWS", WH_STACK_ARN("iam::" WH_STACK_ACCOUNT ":root"),
                   "Action", "sts:AssumeRole");
}

static wh_status add_team(wh_deploy *d, const wh_team *team, wh_error *err) {
  wh_policy_request request = {.team = team};
  json_t *document;
  WH_TRY(wh_deploy_policy(d, &request, false, &document, err));
  if (!document) return WH_OK;
  json_t *role = json_pack(
      "{s:o,s:o,s:o,s:[{s:s,s:o}]}", "RoleName",
      json_sprintf("%.*s-team-%.*s", WH_STR_ARG(d->stack->name), WH_STR_ARG(team->name)),
      "Description", json_sprintf("What team %.*s may read and write", WH_STR_ARG(team->name)),
      "AssumeRolePolicyDocument", account_trust(), "Policies", "PolicyName", "team",
      "PolicyDocument", document);
  return wh_stack_add(d->stack, "AWS::IAM::Role", team->name, "TeamRole", role, NULL, err);
}

wh_status wh_deploy_add_roles(wh_deploy *d, wh_error *err) {
  WH_TRY(add_elsewhere(d, err));
  for (size_t i = 0; i < d->config->team_count; i++)
    WH_TRY(add_team(d, &d->config->teams[i], err));
  return WH_OK;
}
