#include "serve/auth_private.h"

// --- at a request --------------------------------------------------------------------------------

void wh_auth_refuse(wh_auth_check *check, const char *error, const char *reason) {
  bool is_signed = check->auth->words.kind == WH_AUTH_HMAC;
  check->status = 401;
  check->reason = reason;
  snprintf(check->challenge, sizeof check->challenge, "%s realm=\"wherry\"%s%s%s",
           is_signed ? "HMAC-SHA256" : "Bearer", error ? ", error=\"" : "", error ? error : "",
           error ? "\"" : "");
}

bool wh_auth_header(const wh_auth_request *request, const char *name, wh_auth_check *check,
                    wh_str *ret) {
  *ret = WH_STR("");
  size_t count = request->header(request->header_context, name, ret);
  if (count == 0) *ret = WH_STR("");
  if (count <= 1 && ret->len <= WH_AUTH_HEADER_MAX) return true;
  wh_auth_refuse(check, "invalid_request", "a header is there twice, or too long");
  return false;
}

bool wh_auth_bearer_token(const wh_auth_request *request, wh_auth_check *check, wh_str *ret) {
  static const char scheme[] = "Bearer ";
  enum { SCHEME_LEN = sizeof scheme - 1 };
  if (!wh_auth_header(request, "Authorization", check, ret)) return false;
  bool is_bearer = wh_str_eq_nocase(wh_str_sub(*ret, 0, SCHEME_LEN), WH_STR("Bearer "));
  *ret = is_bearer ? wh_str_trim(wh_str_sub(*ret, SCHEME_LEN, ret->len)) : WH_STR("");
  return true;
}

void wh_auth_head(const wh_auth *auth, const wh_auth_request *request, wh_auth_check *ret) {
  *ret = (wh_auth_check){.auth = auth};
  if (auth->allowed_count && !wh_ip_in(request->address, auth->allowed, auth->allowed_count)) {
    ret->status = 403;
    ret->reason = "the address is not one of those allowed";
    return;
  }
  switch (auth->words.kind) {
  case WH_AUTH_ADDRESS:
    ret->let_in = true;
    return;
  case WH_AUTH_KEY:
    wh_auth_head_key(auth, request, ret);
    return;
  case WH_AUTH_HMAC:
    wh_auth_head_hmac(auth, request, ret);
    return;
  case WH_AUTH_BEARER:
    wh_auth_head_bearer(auth, request, ret);
    return;
  }
}

void wh_auth_body(wh_auth_check *check, const void *data, size_t len) {
  if (!check->wants_body || check->status) return;
  for (size_t i = 0; i < check->auth->secret_count; i++)
    wh_hmac_add(&check->streams[i], data, len);
}

void wh_auth_end(wh_auth_check *check) {
  if (!check->wants_body || check->status) return;
  check->wants_body = false;
  wh_auth_end_hmac(check);
}

void wh_auth_done(wh_auth_check *check) {
  wh_wipe(check->streams, sizeof check->streams);
  wh_wipe(check->given, sizeof check->given);
}

// --- opening -------------------------------------------------------------------------------------

static bool own_list(wh_arena *arena, wh_str_list *list) {
  wh_str *items = WH_NEW_ARRAY(arena, list->count, wh_str);
  for (size_t i = 0; items && i < list->count; i++) {
    items[i] = list->items[i];
    if (!wh_arena_own(arena, &items[i])) return false;
  }
  list->items = items;
  return items;
}

// All but the secrets and `allow`, in an arena of their own.
static wh_status keep_words(wh_auth *a, const wh_auth_words *words, wh_error *err) {
  a->words = (wh_auth_words){.kind = words->kind,
                             .key_count = words->key_count,
                             .hmac = words->hmac,
                             .bearer = words->bearer};
  wh_auth_hmac *hmac = &a->words.hmac;
  wh_auth_bearer *bearer = &a->words.bearer;
  hmac->secrets = (wh_str_list){0};
  wh_str *const texts[] = {&hmac->header,   &hmac->timestamp,  &hmac->prefix,  &bearer->jwks,
                           &bearer->issuer, &bearer->audience, &bearer->tls_ca};
  bool ok = own_list(&a->arena, &bearer->scope) && own_list(&a->arena, &bearer->algorithms);
  for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++)
    ok = wh_arena_own(&a->arena, texts[i]);
  return ok ? WH_OK : wh_fail_memory(err);
}

static wh_status check_secret(const wh_node *node, const char *owner, wh_str secret,
                              wh_error *err) {
  if (secret.len >= WH_AUTH_SECRET_BYTES) return WH_OK;
  return wh_node_fail(node, err,
                      "%s: a secret of %zu bytes is too short: %d are the least. Make one "
                      "with: openssl rand -hex 32",
                      owner, secret.len, WH_AUTH_SECRET_BYTES);
}

static wh_status open_keys(wh_auth *a, const wh_node *node, const char *owner,
                           const wh_auth_words *words, wh_error *err) {
  a->keys = WH_NEW_ARRAY(&a->arena, words->key_count, wh_auth_digest);
  if (!a->keys) return wh_fail_memory(err);
  for (size_t i = 0; i < words->key_count; i++) {
    WH_TRY(check_secret(node, owner, words->keys[i].secret, err));
    a->keys[i].name = wh_arena_str(&a->arena, words->keys[i].name);
    if (!a->keys[i].name.data) return wh_fail_memory(err);
    wh_sha256_of(words->keys[i].secret, a->keys[i].digest);
  }
  return WH_OK;
}

static wh_status open_secrets(wh_auth *a, const wh_node *node, const char *owner,
                              const wh_auth_words *words, wh_error *err) {
  const wh_str_list *secrets = &words->hmac.secrets;
  if (!secrets->count || secrets->count > WH_AUTH_SECRETS_MAX)
    return wh_node_fail(node, err, "%s: hmac takes 1 to %d secrets", owner, WH_AUTH_SECRETS_MAX);
  for (size_t i = 0; i < secrets->count; i++) {
    WH_TRY(check_secret(node, owner, secrets->items[i], err));
    wh_hmac_key_init(&a->secrets[a->secret_count++], secrets->items[i]);
  }
  return WH_OK;
}

static bool lists(const wh_str_list *list, const char *word) {
  for (size_t i = 0; i < list->count; i++)
    if (wh_str_is(list->items[i], word)) return true;
  return false;
}

static wh_status open_bearer(wh_auth *a, const wh_node *node, const char *owner, wh_error *err) {
  const wh_auth_bearer *words = &a->words.bearer;
  a->rules = (wh_jwt_rules){.rs256 = lists(&words->algorithms, "RS256"),
                            .es256 = lists(&words->algorithms, "ES256"),
                            .issuer = words->issuer,
                            .audience = words->audience,
                            .scope = words->scope,
                            .leeway_us = words->leeway_us};
  wh_status status = wh_key_source_open(a->os, a->mem, words, &a->source, err);
  if (status == WH_OK || status == WH_ERR_MEMORY) return status;
  wh_error_prefix(err, "%s:%u:%u: %s: jwks: ", node->file, node->line, node->column, owner);
  return WH_ERR_USAGE;
}

static wh_status open_allowed(wh_auth *a, const wh_node *node, const char *owner,
                              const wh_auth_words *words, wh_error *err) {
  const wh_str_list *list = &words->allow;
  a->allowed = WH_NEW_ARRAY(&a->arena, list->count, wh_ip_block);
  if (!a->allowed) return wh_fail_memory(err);
  for (size_t i = 0; i < list->count; i++) {
    if (!wh_ip_block_parse(list->items[i], &a->allowed[i]))
      return wh_node_fail(node, err, "%s: allow: what is behind ${...} is no address or block",
                          owner);
  }
  a->allowed_count = list->count;
  return WH_OK;
}

static wh_status open_kind(wh_auth *a, const wh_node *node, const char *owner,
                           const wh_auth_words *words, wh_error *err) {
  WH_TRY(open_allowed(a, node, owner, words, err));
  switch (a->words.kind) {
  case WH_AUTH_ADDRESS:
    return WH_OK;
  case WH_AUTH_KEY:
    return open_keys(a, node, owner, words, err);
  case WH_AUTH_HMAC:
    return open_secrets(a, node, owner, words, err);
  case WH_AUTH_BEARER:
    return open_bearer(a, node, owner, err);
  }
  return WH_OK;
}

wh_status wh_auth_open(wh_os *os, wh_mem *mem, wh_config *config, const wh_node *node,
                       const char *owner, wh_auth **ret, wh_error *err) {
  wh_auth *a = wh_mem_alloc_zero(mem, sizeof *a);
  if (!a) return wh_fail_memory(err);
  a->os = os;
  a->mem = mem;
  wh_arena_init(&a->arena, mem);
  wh_arena arena; // has the secrets, for as long as it takes to digest them
  wh_arena_init(&arena, mem);
  wh_auth_words words = {0};
  wh_status status = wh_config_auth(config, node, owner, &arena, &words, err);
  if (status == WH_OK) status = keep_words(a, &words, err);
  if (status == WH_OK) status = open_kind(a, node, owner, &words, err);
  wh_arena_wipe(&arena);
  wh_arena_free(&arena);
  if (status != WH_OK) {
    wh_auth_free(a);
    return status;
  }
  *ret = a;
  return WH_OK;
}

void wh_auth_free(wh_auth *a) {
  if (!a) return;
  wh_key_source_free(a->source);
  for (size_t i = 0; i < a->secret_count; i++)
    wh_hmac_key_clear(&a->secrets[i]);
  wh_arena_free(&a->arena);
  wh_mem_free(a->mem, a, sizeof *a);
}
