#include "net/aws_profile.h"

#include "base/crypto.h"

#include <ctype.h>

// One line of a file. `section` is "profile NAME" or "services NAME"; `name` is "s3.endpoint_url"
// for what stands indented under `s3 =`.
struct wh_aws_setting {
  wh_aws_setting *next;
  wh_str section, name, value;
};

// --- files ---------------------------------------------------------------------------------------

typedef struct ini {
  wh_aws_profiles *profiles;
  const char *path;
  bool is_config; // sections are "profile NAME" there, plain names in the other file
  uint32_t line;
  wh_str section, parent; // the section; the name above indented lines
} ini;

static wh_status fail_line(const ini *f, wh_error *err, const char *what) {
  return wh_fail(err, WH_ERR_USAGE, "%s:%u: %s", f->path, f->line, what);
}

static wh_status read_section(ini *f, wh_str line, wh_error *err) {
  size_t end = wh_str_find(line, 0, ']');
  if (end == line.len) return fail_line(f, err, "a section ends with ']'");
  wh_str name = wh_str_trim(wh_str_sub(line, 1, end));
  wh_arena *arena = &f->profiles->arena;
  f->parent = (wh_str){0};
  bool is_whole = f->is_config && !wh_str_is(name, "default");
  f->section = wh_arena_printf(arena, "%s%.*s", is_whole ? "" : "profile ", WH_STR_ARG(name));
  if (!f->section.data) return wh_fail_memory(err);
  wh_aws_setting *s = WH_NEW(arena, wh_aws_setting); // so that one without lines is there too
  if (!s) return wh_fail_memory(err);
  *s = (wh_aws_setting){.next = f->profiles->settings, .section = f->section};
  f->profiles->settings = s;
  return WH_OK;
}

// The AWS tools end a value at " #" and " ;".
static wh_str without_comment(wh_str value) {
  for (size_t i = 0; i + 1 < value.len; i++)
    if (isspace((unsigned char)value.data[i]) && memchr("#;", value.data[i + 1], 2))
      return wh_str_trim(wh_str_sub(value, 0, i));
  return value;
}

static wh_status read_setting(ini *f, wh_str line, bool indented, wh_error *err) {
  size_t equals = wh_str_find(line, 0, '=');
  if (equals == line.len) return fail_line(f, err, "expected NAME = VALUE");
  if (f->section.len == 0) return fail_line(f, err, "this stands before any [section]");
  wh_arena *arena = &f->profiles->arena;
  wh_str name = wh_str_trim(wh_str_sub(line, 0, equals));
  wh_str value = without_comment(wh_str_trim(wh_str_sub(line, equals + 1, line.len)));
  if (indented && f->parent.len) {
    name = wh_arena_printf(arena, "%.*s.%.*s", WH_STR_ARG(f->parent), WH_STR_ARG(name));
    if (!name.data) return wh_fail_memory(err);
  } else {
    f->parent = value.len == 0 ? name : (wh_str){0};
  }
  wh_aws_setting *s = WH_NEW(arena, wh_aws_setting);
  if (!s) return wh_fail_memory(err);
  *s = (wh_aws_setting){f->profiles->settings, f->section, name, value};
  f->profiles->settings = s;
  return WH_OK;
}

static wh_status read_lines(ini *f, wh_str text, wh_error *err) {
  wh_str line;
  while (wh_str_split(&text, '\n', &line)) {
    f->line++;
    bool indented = line.len && isspace((unsigned char)line.data[0]);
    line = wh_str_trim(line);
    if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') continue;
    if (line.data[0] == '[')
      WH_TRY(read_section(f, line, err));
    else
      WH_TRY(read_setting(f, line, indented, err));
  }
  return WH_OK;
}

// Where a file is: as the variable says, else under HOME; NULL for want of that.
static wh_status find_path(const wh_environment *environment, const char *variable,
                           const char *name, wh_arena *arena, const char **ret, wh_error *err) {
  const char *said = wh_environment_get(environment, variable);
  const char *home = wh_environment_get(environment, "HOME");
  wh_str path = {0};
  if (said && (strncmp(said, "~/", 2) != 0 || !home))
    path = wh_arena_str(arena, wh_str_of(said));
  else if (said)
    path = wh_arena_printf(arena, "%s%s", home, said + 1);
  else if (home)
    path = wh_arena_printf(arena, "%s/.aws/%s", home, name);
  if ((said || home) && !path.data) return wh_fail_memory(err);
  *ret = path.data;
  return WH_OK;
}

static wh_status read_one(wh_os *os, wh_aws_profiles *p, const char *path, bool is_config,
                          wh_error *err) {
  if (!path) return WH_OK;
  wh_str *text = &p->texts[is_config];
  wh_status status = wh_os_read_file(os, path, WH_AWS_FILE_BYTES_MAX, &p->arena, text, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) return status;
  ini f = {.profiles = p, .path = path, .is_config = is_config};
  return read_lines(&f, *text, err);
}

static wh_status choose(const wh_environment *environment, wh_str profile, wh_aws_profiles *p,
                        wh_error *err) {
  const char *said = wh_environment_get(environment, "AWS_PROFILE");
  p->was_chosen = profile.len || said;
  if (profile.len == 0) profile = said ? wh_str_of(said) : WH_STR("default");
  p->profile = wh_arena_str(&p->arena, profile);
  return p->profile.data ? WH_OK : wh_fail_memory(err);
}

static wh_status read_all(wh_os *os, const wh_environment *environment, wh_str profile,
                          wh_aws_profiles *p, wh_error *err) {
  WH_TRY(choose(environment, profile, p, err));
  WH_TRY(find_path(environment, "AWS_CONFIG_FILE", "config", &p->arena, &p->config_path, err));
  WH_TRY(find_path(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &p->arena,
                   &p->secrets_path, err));
  WH_TRY(read_one(os, p, p->config_path, true, err));
  WH_TRY(read_one(os, p, p->secrets_path, false, err)); // what comes last counts first
  if (!p->was_chosen || wh_aws_profiles_have(p, p->profile)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "no AWS profile '%.*s' in %s or %s", WH_STR_ARG(p->profile),
                 p->config_path ? p->config_path : "~/.aws/config",
                 p->secrets_path ? p->secrets_path : "~/.aws/credentials");
}

wh_status wh_aws_profiles_read(wh_os *os, wh_mem *mem, const wh_environment *environment,
                               wh_str profile, wh_aws_profiles *ret, wh_error *err) {
  wh_aws_profiles p = {0};
  wh_arena_init(&p.arena, mem);
  wh_status status = read_all(os, environment, profile, &p, err);
  if (status == WH_OK)
    *ret = p;
  else
    wh_aws_profiles_free(&p);
  return status;
}

void wh_aws_profiles_free(wh_aws_profiles *p) {
  for (size_t i = 0; i < 2; i++)
    wh_wipe((char *)p->texts[i].data, p->texts[i].len);
  wh_arena_free(&p->arena);
  *p = (wh_aws_profiles){0};
}

// --- looking up ----------------------------------------------------------------------------------

static bool is_section(const wh_aws_setting *s, const char *kind, wh_str name) {
  size_t len = strlen(kind);
  if (!wh_str_starts(s->section, kind) || s->section.len <= len || s->section.data[len] != ' ')
    return false;
  return wh_str_eq(wh_str_trim(wh_str_sub(s->section, len, s->section.len)), name);
}

bool wh_aws_profiles_have(const wh_aws_profiles *profiles, wh_str profile) {
  for (const wh_aws_setting *s = profiles->settings; s; s = s->next)
    if (is_section(s, "profile", profile)) return true;
  return false;
}

static wh_str get(const wh_aws_profiles *profiles, const char *kind, wh_str section,
                  const char *name) {
  for (const wh_aws_setting *s = profiles->settings; s; s = s->next)
    if (s->name.len && s->value.len && wh_str_eq_nocase(s->name, wh_str_of(name)) &&
        is_section(s, kind, section))
      return s->value;
  return (wh_str){0};
}

wh_str wh_aws_profile_get(const wh_aws_profiles *profiles, wh_str profile, const char *name) {
  return get(profiles, "profile", profile, name);
}

// --- region and endpoint -------------------------------------------------------------------------

wh_status wh_aws_region(const wh_environment *environment, const wh_aws_profiles *profiles,
                        wh_str given, wh_arena *arena, wh_str *ret, wh_error *err) {
  const char *said = wh_environment_get(environment, "AWS_REGION");
  if (!said) said = wh_environment_get(environment, "AWS_DEFAULT_REGION");
  wh_str region = given.len ? given : wh_str_of(said);
  if (region.len == 0) region = wh_aws_profile_get(profiles, profiles->profile, "region");
  if (region.len == 0) {
    return wh_fail(err, WH_ERR_USAGE,
                   "no AWS region is known. Write `region: eu-west-1`, or set AWS_REGION, or give "
                   "the profile '%.*s' a region",
                   WH_STR_ARG(profiles->profile));
  }
  for (size_t i = 0; i < region.len; i++) // it becomes part of a host's name
    if (!isalnum((unsigned char)region.data[i]) && region.data[i] != '-')
      return wh_fail(err, WH_ERR_USAGE, "'%.*s' is no AWS region", WH_STR_ARG(region));
  *ret = wh_arena_str(arena, region);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

// A service as settings name it, where that differs from its endpoint.
static const char *setting_name(const char *service) {
  static const char *const names[][2] = {{"secretsmanager", "secrets_manager"},
                                         {"logs", "cloudwatch_logs"},
                                         {"monitoring", "cloudwatch"},
                                         {"events", "eventbridge"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(service, names[i][0]) == 0) return names[i][1];
  return service;
}

static const char *domain_of(wh_str region) {
  static const char *const domains[][2] = {{"cn-", "amazonaws.com.cn"},
                                           {"us-iso-", "c2s.ic.gov"},
                                           {"us-isob-", "sc2s.sgov.gov"},
                                           {"eusc-", "amazonaws.eu"}};
  for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++)
    if (wh_str_starts(region, domains[i][0])) return domains[i][1];
  return "amazonaws.com";
}

// What the environment or the shared files say; empty: nothing.
static wh_str configured(const wh_environment *environment, const wh_aws_profiles *profiles,
                         const char *service) {
  char variable[64], setting[64];
  wh_str profile = profiles->profile;
  const char *ignore = wh_environment_get(environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  wh_str ignored = ignore
                       ? wh_str_of(ignore)
                       : wh_aws_profile_get(profiles, profile, "ignore_configured_endpoint_urls");
  if (wh_str_eq_nocase(ignored, WH_STR("true"))) return (wh_str){0};
  const char *name = setting_name(service);
  snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", name);
  for (char *c = variable; *c; c++)
    *c = (char)toupper((unsigned char)*c);
  const char *said = wh_environment_get(environment, variable);
  if (!said) said = wh_environment_get(environment, "AWS_ENDPOINT_URL");
  if (said) return wh_str_of(said);
  wh_str services = wh_aws_profile_get(profiles, profile, "services");
  snprintf(setting, sizeof setting, "%s.endpoint_url", name);
  wh_str url = services.len ? get(profiles, "services", services, setting) : (wh_str){0};
  return url.len ? url : wh_aws_profile_get(profiles, profile, "endpoint_url");
}

wh_status wh_aws_endpoint(const wh_environment *environment, const wh_aws_profiles *profiles,
                          wh_str given, const char *service, wh_str region, wh_arena *arena,
                          wh_str *ret, wh_error *err) {
  wh_str url = given.len ? given : configured(environment, profiles, service);
  if (url.len == 0) {
    *ret = wh_arena_printf(arena, "https://%s.%.*s.%s", service, WH_STR_ARG(region),
                           domain_of(region));
    return ret->data ? WH_OK : wh_fail_memory(err);
  }
  if (!wh_str_starts(url, "http://") && !wh_str_starts(url, "https://")) {
    return wh_fail(err, WH_ERR_USAGE,
                   "the endpoint '%.*s' begins neither with https:// nor http://", WH_STR_ARG(url));
  }
  while (wh_str_ends(url, "/"))
    url.len--;
  *ret = wh_arena_str(arena, url);
  return ret->data ? WH_OK : wh_fail_memory(err);
}

bool wh_aws_is_amazon(wh_str host) {
  return wh_str_ends(host, ".amazonaws.com") || wh_str_ends(host, ".amazonaws.com.cn");
}
