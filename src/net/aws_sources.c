// Credentials that are written down: in the environment and in the shared files.
#include "net/aws_credentials_private.h"

#include "base/crypto.h"

static wh_status set_static(wh_str id, wh_str secret, wh_str token, const char *source,
                            wh_aws_found *ret, wh_error *err) {
  WH_TRY(wh_aws_found_set(ret->access_key_id, sizeof ret->access_key_id, id,
                          "the AWS access key's id", err));
  WH_TRY(wh_aws_found_set(ret->secret_access_key, sizeof ret->secret_access_key, secret,
                          "the AWS secret access key", err));
  WH_TRY(wh_aws_found_set(ret->session_token, sizeof ret->session_token, token,
                          "the AWS session token", err));
  ret->expires_us = INT64_MAX;
  ret->source = source;
  return WH_OK;
}

wh_status wh_aws_from_environment(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  const wh_environment *e = &search->options->environment;
  const char *id = wh_environment_get(e, "AWS_ACCESS_KEY_ID");
  const char *secret = wh_environment_get(e, "AWS_SECRET_ACCESS_KEY");
  if (!id && !secret) return wh_aws_tried(search, err, "AWS_ACCESS_KEY_ID (not set)");
  if (!id || !secret) {
    return wh_fail(err, WH_ERR_USAGE, "%s is set, but %s is not. Set both, or neither",
                   id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                   id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
  }
  return set_static(wh_str_of(id), wh_str_of(secret),
                    wh_str_of(wh_environment_get(e, "AWS_SESSION_TOKEN")), "the environment", ret,
                    err);
}

wh_status wh_aws_from_web_identity(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  const wh_environment *e = &search->options->environment;
  const char *file = wh_environment_get(e, "AWS_WEB_IDENTITY_TOKEN_FILE");
  const char *arn = wh_environment_get(e, "AWS_ROLE_ARN");
  if (!file) return wh_aws_tried(search, err, "AWS_WEB_IDENTITY_TOKEN_FILE (not set)");
  if (!arn)
    return wh_fail(err, WH_ERR_USAGE,
                   "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
  wh_aws_role role = {.arn = wh_str_of(arn),
                      .session_name = wh_str_of(wh_environment_get(e, "AWS_ROLE_SESSION_NAME"))};
  return wh_aws_assume_by_web_identity(search, &role, file, ret, err);
}

// --- profiles ------------------------------------------------------------------------------------

static wh_status from_profile(wh_aws_search *search, wh_str profile, int depth, wh_aws_found *ret,
                              wh_error *err);

static wh_str get(const wh_aws_search *search, wh_str profile, const char *name) {
  return wh_aws_profile_get(&search->profiles, profile, name);
}

static wh_status refuse(wh_str profile, wh_error *err, const char *what) {
  return wh_fail(err, WH_ERR_USAGE, "the AWS profile '%.*s' %s", WH_STR_ARG(profile), what);
}

static wh_status from_written(wh_aws_search *search, wh_str profile, wh_aws_found *ret,
                              wh_error *err) {
  wh_str id = get(search, profile, "aws_access_key_id");
  wh_str secret = get(search, profile, "aws_secret_access_key");
  if (!id.len || !secret.len)
    return refuse(profile, err, "needs both aws_access_key_id and aws_secret_access_key");
  return set_static(id, secret, get(search, profile, "aws_session_token"), "the profile", ret, err);
}

static wh_status from_named_source(wh_aws_search *search, wh_str profile, wh_str name,
                                   wh_aws_found *ret, wh_error *err) {
  if (wh_str_is(name, "Environment")) return wh_aws_from_environment(search, ret, err);
  if (wh_str_is(name, "EcsContainer")) return wh_aws_from_container(search, ret, err);
  if (wh_str_is(name, "Ec2InstanceMetadata")) return wh_aws_from_instance(search, ret, err);
  return refuse(profile, err,
                "has a credential_source that is none of Environment, EcsContainer and "
                "Ec2InstanceMetadata");
}

// Who asks for the role.
static wh_status from_source(wh_aws_search *search, wh_str profile, int depth, wh_aws_found *ret,
                             wh_error *err) {
  wh_str source = get(search, profile, "source_profile");
  wh_str named = get(search, profile, "credential_source");
  wh_status status;
  if (source.len && wh_str_eq(source, profile))
    status = from_written(search, profile, ret, err);
  else if (source.len)
    status = from_profile(search, source, depth + 1, ret, err);
  else if (named.len)
    status = from_named_source(search, profile, named, ret, err);
  else
    return refuse(profile, err, "has a role_arn, but neither source_profile nor credential_source");
  if (status != WH_ERR_NOT_FOUND) return status;
  // What the profile wants and does not get ends the search.
  wh_str from = source.len ? source : named;
  return wh_fail(err, WH_ERR_DENIED,
                 "the AWS profile '%.*s' takes its credentials from %.*s, which has none",
                 WH_STR_ARG(profile), WH_STR_ARG(from));
}

static wh_status from_role(wh_aws_search *search, wh_str profile, int depth, wh_aws_found *ret,
                           wh_error *err) {
  wh_aws_role role = {.arn = get(search, profile, "role_arn"),
                      .session_name = get(search, profile, "role_session_name"),
                      .external_id = get(search, profile, "external_id"),
                      .duration = get(search, profile, "duration_seconds")};
  wh_str token_file = get(search, profile, "web_identity_token_file");
  if (token_file.len) {
    char *path = wh_arena_cstr(&search->profiles.arena, token_file);
    return path ? wh_aws_assume_by_web_identity(search, &role, path, ret, err)
                : wh_fail_memory(err);
  }
  if (get(search, profile, "mfa_serial").len)
    return refuse(profile, err,
                  "asks for a code of a device (mfa_serial), which a service has not");
  wh_aws_found from;
  from.session_token[0] = 0;
  wh_status status = from_source(search, profile, depth, &from, err);
  if (status == WH_OK) status = wh_aws_assume(search, &role, &from, ret, err);
  wh_wipe(&from, sizeof from);
  return status;
}

static wh_status from_profile(wh_aws_search *search, wh_str profile, int depth, wh_aws_found *ret,
                              wh_error *err) {
  if (depth > WH_AWS_SOURCE_DEPTH_MAX)
    return refuse(profile, err, "is reached by source_profile in a circle");
  if (get(search, profile, "role_arn").len) return from_role(search, profile, depth, ret, err);
  if (get(search, profile, "aws_access_key_id").len) return from_written(search, profile, ret, err);
  if (get(search, profile, "credential_process").len)
    return refuse(profile, err,
                  "runs a program for its credentials (credential_process), which is not done "
                  "here. Set AWS_ACCESS_KEY_ID and its like from that program's answer");
  if (get(search, profile, "sso_session").len || get(search, profile, "sso_start_url").len)
    return refuse(profile, err,
                  "signs in through a browser (sso), which is not done here. Put what `aws "
                  "configure export-credentials --format env` says into the environment");
  bool is_there = wh_aws_profiles_have(&search->profiles, profile);
  return wh_aws_tried(search, err, "the profile '%.*s' (%s)", WH_STR_ARG(profile),
                      is_there ? "without credentials" : "not there");
}

wh_status wh_aws_from_profile(wh_aws_search *search, wh_aws_found *ret, wh_error *err) {
  return from_profile(search, search->profiles.profile, 0, ret, err);
}
