// Shared by the files openapi*.c.
#pragma once

#include "config/auth.h"
#include "serve/openapi.h"

// A document in the making. What fails is remembered, and asked for once at the end.
typedef struct wh_openapi {
  wh_config *config;
  wh_arena *arena;
  wh_str base;
  json_t *document;
  bool failed;
} wh_openapi;

// Member `name` of an object becomes `value`, which may be NULL: then it has failed.
void wh_openapi_set(wh_openapi *o, json_t *object, const char *name, json_t *value);
void wh_openapi_add(wh_openapi *o, json_t *array, json_t *value);
json_t *wh_openapi_text(wh_str text);
// {"$ref":"#/components/KIND/NAME"}
json_t *wh_openapi_ref(const char *kind, const char *name);

// --- openapi_schema.c ---

json_t *wh_openapi_event(wh_openapi *o, const wh_schema *columns);   // the schema of an event
json_t *wh_openapi_example(wh_openapi *o, const wh_schema *columns); // and one

// --- openapi_auth.c: who may ---

// As an operation needs it: what `security` of it is, NULL where everybody may, and how a request
// says who it is.
typedef struct wh_openapi_sender {
  wh_str name; // of the endpoint
  bool is_open;
  wh_auth_words words;
} wh_openapi_sender;
wh_status wh_openapi_sender_of(wh_openapi *o, const wh_ingest *ingest, wh_openapi_sender *ret,
                               wh_error *err);
// Adds its schemes to the components.
void wh_openapi_add_schemes(wh_openapi *o, const wh_openapi_sender *sender);
// Appends the alternatives that let it in.
void wh_openapi_add_security(wh_openapi *o, const wh_openapi_sender *sender, json_t *security);

// --- openapi_sample.c: what to paste ---

typedef struct wh_openapi_call {
  const char *label; // what it shows
  wh_str path;       // may name a variable of the shell
  const char *type;  // Content-Type; NULL: a GET
  const wh_str *lines;
  size_t line_count;               // of the body; several go through standard input
  const wh_openapi_sender *sender; // NULL: nobody asks who it is
} wh_openapi_call;
// A member of x-codeSamples.
json_t *wh_openapi_sample(wh_openapi *o, const wh_openapi_call *call);
