#include "deploy/private.h"

// --- secrets -------------------------------------------------------------------------------------

// CloudFormation makes no SecureString, and a value in a template or a state would be no secret: so
// these are only named, as what has to be there first.
static wh_status take_secret(void *context, wh_reference_kind kind, wh_str name, wh_error *err) {
  wh_deploy *d = context;
  const char *environment = d->request->environment;
  if (kind == WH_REFERENCE_SSM)
    return wh_stack_before(d->stack, err,
                           "The parameter %.*s has its value: wherry secret set 'ssm:%.*s'%s%s",
                           WH_STR_ARG(name), WH_STR_ARG(name), environment ? " --env " : "",
                           environment ? environment : "");
  if (kind == WH_REFERENCE_SECRETS_MANAGER)
    return wh_stack_before(d->stack, err, "The secret %.*s of Secrets Manager has its value.",
                           (int)wh_str_find(name, 0, '#'), name.data);
  return WH_OK;
}

static wh_status name_secrets(wh_deploy *d, wh_error *err) {
  for (size_t i = 0; i < d->config->pipeline_count; i++)
    WH_TRY(wh_config_visit_references(d->config, &d->config->pipelines[i], take_secret, d, err));
  return wh_config_visit_references(d->config, NULL, take_secret, d, err);
}

// --- sizes ---------------------------------------------------------------------------------------

enum { NAME_CHARS_MAX = 64 }; // of a role, a function or a schedule

static wh_status check_name(const wh_stack_resource *r, const char *property, wh_error *err) {
  wh_str name = wh_json_text(r->properties, property);
  if (name.len <= NAME_CHARS_MAX) return WH_OK;
  return wh_fail(err, WH_ERR_LIMIT,
                 "%.*s has more than the %d characters that AWS takes. Give a "
                 "shorter --name",
                 WH_STR_ARG(name), (int)NAME_CHARS_MAX);
}

static wh_status check_names(wh_deploy *d, wh_error *err) {
  for (const wh_stack_resource *r = d->stack->resources; r; r = r->next) {
    WH_TRY(check_name(r, "RoleName", err));
    if (strcmp(r->type, "AWS::Scheduler::Schedule") == 0) WH_TRY(check_name(r, "Name", err));
  }
  return WH_OK;
}

static wh_status tell_where(wh_deploy *d, wh_error *err) {
  d->stack->region = d->region;
  d->stack->account = d->account;
  if (d->account.len)
    WH_TRY(wh_stack_note(d->stack, err,
                         "the configuration names account %.*s: make the stack there",
                         WH_STR_ARG(d->account)));
  if (d->region.len)
    WH_TRY(wh_stack_note(d->stack, err, "the configuration names region %.*s: make the stack there",
                         WH_STR_ARG(d->region)));
  return WH_OK;
}

// --- the whole -----------------------------------------------------------------------------------

wh_status wh_deploy_make(wh_config *config, const wh_deploy_request *request, wh_stack *stack,
                         wh_deploy_seat **ret_seats, wh_error *err) {
  static wh_status (*const steps[])(wh_deploy *, wh_error *) = {
      wh_deploy_find_places, wh_deploy_choose_seats, wh_deploy_add_places, wh_deploy_add_tables,
      wh_deploy_add_events,  wh_deploy_add_function, wh_deploy_add_starts, wh_deploy_add_api,
      wh_deploy_add_roles,   name_secrets,           check_names,          tell_where};
  wh_deploy d = {.config = config, .request = request, .stack = stack, .arena = stack->arena};
  stack->description = wh_arena_printf(
      stack->arena, "What the pipelines of %.*s need at AWS, written by wherry deploy",
      WH_STR_ARG(request->name));
  if (!stack->description.data) return wh_fail_memory(err);
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    WH_TRY(steps[i](&d, err));
  *ret_seats = d.seats;
  return WH_OK;
}
