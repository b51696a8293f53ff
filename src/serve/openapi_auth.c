#include "serve/openapi_private.h"

wh_status wh_openapi_sender_of(wh_openapi *o, const wh_ingest *ingest, wh_openapi_sender *ret,
                               wh_error *err) {
  *ret = (wh_openapi_sender){.name = ingest->endpoint->name, .is_open = !ingest->auth};
  if (ret->is_open) return WH_OK;
  return wh_config_auth_shown(o->config, ingest->auth, "serve: ingest: auth", o->arena, &ret->words,
                              err);
}

// The schemes of one kind of sender: the alternatives or, where `all`, what it must show together.
typedef struct scheme {
  const char *ending; // of its name, behind the endpoint's
  const char *type, *scheme, *header;
  wh_str description;
} scheme;

typedef struct schemes {
  scheme items[2];
  size_t count;
  bool all;
} schemes;

static wh_str describe_hmac(wh_openapi *o, const wh_auth_hmac *h) {
  const char *over = h->timestamp.len ? "the timestamp, a dot and the body" : "the body";
  const char *form = h->encoding == WH_AUTH_HEX ? "in hexadecimal digits" : "in base64";
  return wh_arena_printf(o->arena, "HMAC-SHA-256 over %s, %s%s%.*s%s.", over, form,
                         h->prefix.len ? " behind `" : "", WH_STR_ARG(h->prefix),
                         h->prefix.len ? "`" : "");
}

static schemes schemes_of(wh_openapi *o, const wh_auth_words *w) {
  const wh_auth_bearer *b = &w->bearer;
  switch (w->kind) {
  case WH_AUTH_KEY:
    return (schemes){
        .items = {{"-bearer", "http", "bearer", NULL, WH_STR("A key that you were given.")},
                  {"-key", "apiKey", NULL, "X-Api-Key", WH_STR("The same key, in this header.")}},
        .count = 2};
  case WH_AUTH_HMAC:
    return (schemes){
        .items = {{"-signature", "apiKey", NULL, w->hmac.header.data, describe_hmac(o, &w->hmac)},
                  {"-timestamp", "apiKey", NULL, w->hmac.timestamp.data,
                   WH_STR("Seconds since 1970, as they were signed.")}},
        .count = w->hmac.timestamp.len ? 2 : 1,
        .all = true};
  case WH_AUTH_BEARER:
    return (schemes){.items = {{"-token", "http", "bearer", NULL,
                                wh_arena_printf(o->arena, "A JWT of %.*s for the audience %.*s.",
                                                WH_STR_ARG(b->issuer), WH_STR_ARG(b->audience))}},
                     .count = 1};
  case WH_AUTH_ADDRESS:
    break;
  }
  return (schemes){0};
}

static const char *name_of(wh_openapi *o, const wh_openapi_sender *s, const scheme *of) {
  wh_str name = wh_arena_printf(o->arena, "%.*s%s", WH_STR_ARG(s->name), of->ending);
  if (!name.data) o->failed = true;
  return name.data ? name.data : "";
}

void wh_openapi_add_schemes(wh_openapi *o, const wh_openapi_sender *sender) {
  if (sender->is_open) return;
  json_t *components = json_object_get(o->document, "components");
  json_t *all = json_object_get(components, "securitySchemes");
  schemes of = schemes_of(o, &sender->words);
  for (size_t i = 0; i < of.count; i++) {
    const scheme *s = &of.items[i];
    json_t *made = json_object();
    wh_openapi_set(o, made, "type", json_string(s->type));
    if (s->scheme) wh_openapi_set(o, made, "scheme", json_string(s->scheme));
    if (sender->words.kind == WH_AUTH_BEARER)
      wh_openapi_set(o, made, "bearerFormat", json_string("JWT"));
    if (s->header) {
      wh_openapi_set(o, made, "in", json_string("header"));
      wh_openapi_set(o, made, "name", json_string(s->header));
    }
    wh_openapi_set(o, made, "description", wh_openapi_text(s->description));
    wh_openapi_set(o, all, name_of(o, sender, s), made);
  }
}

static json_t *scopes_of(wh_openapi *o, const wh_auth_words *words) {
  json_t *scopes = json_array();
  for (size_t i = 0; words->kind == WH_AUTH_BEARER && i < words->bearer.scope.count; i++)
    wh_openapi_add(o, scopes, wh_openapi_text(words->bearer.scope.items[i]));
  return scopes;
}

void wh_openapi_add_security(wh_openapi *o, const wh_openapi_sender *sender, json_t *security) {
  schemes of = sender->is_open ? (schemes){0} : schemes_of(o, &sender->words);
  json_t *way = NULL;
  for (size_t i = 0; i < of.count; i++) {
    if (!way || !of.all) {
      way = json_object();
      wh_openapi_add(o, security, way);
    }
    wh_openapi_set(o, way, name_of(o, sender, &of.items[i]), scopes_of(o, &sender->words));
  }
  if (!of.count) wh_openapi_add(o, security, json_object());
}
