#include "serve/openapi_private.h"

#include "serve/pages.h"

enum { KIB = 1024 };
#define RECEIPTS "/receipts/{id}"

// --- building ------------------------------------------------------------------------------------

void wh_openapi_set(wh_openapi *o, json_t *object, const char *name, json_t *value) {
  if (json_object_set_new(object, name, value) != 0) o->failed = true;
}

void wh_openapi_add(wh_openapi *o, json_t *array, json_t *value) {
  if (json_array_append_new(array, value) != 0) o->failed = true;
}

json_t *wh_openapi_text(wh_str text) {
  return json_stringn(text.data ? text.data : "", text.len);
}

json_t *wh_openapi_ref(const char *kind, const char *name) {
  return json_pack("{s:s++}", "$ref", "#/components/", kind, name);
}

wh_str wh_openapi_base(const wh_serve *serve, wh_str listen, wh_arena *arena) {
  if (serve->url.len) return wh_arena_str(arena, serve->url);
  const char *scheme = serve->tls_certificate.len ? "https" : "http";
  size_t colon = listen.len;
  while (colon && listen.data[colon - 1] != ':')
    colon--;
  wh_str host = wh_str_sub(listen, 0, colon ? colon - 1 : 0);
  bool is_any = wh_str_is(host, "0.0.0.0") || wh_str_is(host, "[::]");
  wh_str port = wh_str_sub(listen, colon, listen.len);
  if (is_any) host = WH_STR("localhost");
  return wh_arena_printf(arena, "%s://%.*s:%.*s", scheme, WH_STR_ARG(host), WH_STR_ARG(port));
}

typedef struct answer {
  const char *status, *response;
} answer;

static json_t *responses_of(wh_openapi *o, const answer *answers) {
  json_t *responses = json_object();
  for (; answers->status; answers++)
    wh_openapi_set(o, responses, answers->status, wh_openapi_ref("responses/", answers->response));
  return responses;
}

static json_t *make_operation(wh_openapi *o, const char *method, wh_str path, wh_str id,
                              const char *tag) {
  json_t *paths = json_object_get(o->document, "paths"), *item = json_object(),
         *operation = json_object();
  if (!path.data || !id.data) o->failed = true;
  wh_openapi_set(o, paths, path.data ? path.data : "", item);
  wh_openapi_set(o, item, method, operation);
  wh_openapi_set(o, operation, "operationId", wh_openapi_text(id));
  wh_openapi_set(o, operation, "tags", json_pack("[s]", tag));
  return operation;
}

static json_t *make_samples(wh_openapi *o, json_t *operation) {
  json_t *samples = json_array();
  wh_openapi_set(o, operation, "x-codeSamples", samples);
  return samples;
}

static wh_str text_of(wh_openapi *o, const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  wh_str copy = text ? wh_arena_str(o->arena, wh_str_of(text)) : (wh_str){0};
  free(text);
  if (!copy.data) o->failed = true;
  return copy.data ? copy : WH_STR("");
}

static void add_tag(wh_openapi *o, const char *name, const char *description) {
  wh_openapi_add(o, json_object_get(o->document, "tags"),
                 json_pack("{s:s,s:s}", "name", name, "description", description));
}

// --- events --------------------------------------------------------------------------------------

static const answer ingest_answers[] = {
    {"202", "Taken"},
    {"400", "BadRequest"},
    {"401", "Unauthorized"},
    {"403", "Forbidden"},
    {"411", "LengthRequired"},
    {"413", "TooLarge"},
    {"415", "UnsupportedType"},
    {"422", "Unprocessable"},
    {"429", "TooMany"},
    {"503", "Unavailable"},
    {0},
};

static json_t *idempotency_key(void) {
  return json_pack(
      "{s:s,s:s,s:s,s:{s:s,s:i,s:i}}", "name", "Idempotency-Key", "in", "header", "description",
      "Of the sender's own for each request. The same body under the same key is stored once and "
      "gets the first answer again; another body gets 422.",
      "schema", "type", "string", "minLength", 1, "maxLength", 255);
}

static json_t *event_body(wh_openapi *o, const char *name, const json_t *example, wh_str line) {
  json_t *ref = wh_openapi_ref("schemas/", name), *both = json_array(), *content = json_object();
  wh_openapi_add(o, both, ref);
  wh_openapi_add(o, both, json_pack("{s:s,s:O,s:i}", "type", "array", "items", ref, "minItems", 1));
  json_t *examples =
      json_pack("{s:{s:s,s:O},s:{s:s,s:[O,O]}}", "one", "summary", "One event", "value", example,
                "several", "summary", "Several events", "value", example, example);
  wh_openapi_set(o, content, "application/json",
                 json_pack("{s:{s:o},s:o}", "schema", "oneOf", both, "examples", examples));
  wh_str lines = wh_arena_printf(o->arena, "%.*s\n%.*s\n", WH_STR_ARG(line), WH_STR_ARG(line));
  wh_openapi_set(o, content, "application/x-ndjson",
                 json_pack("{s:{s:s,s:s},s:o}", "schema", "type", "string", "description",
                           "An event a line.", "example", wh_openapi_text(lines)));
  return json_pack("{s:b,s:o}", "required", true, "content", content);
}

static void add_event_samples(wh_openapi *o, json_t *operation, wh_str path, wh_str line,
                              const wh_openapi_sender *sender) {
  const wh_str lines[] = {line, line};
  json_t *samples = make_samples(o, operation);
  wh_openapi_call call = {.label = "One event",
                          .path = path,
                          .type = "application/json",
                          .lines = lines,
                          .line_count = 1,
                          .sender = sender};
  wh_openapi_add(o, samples, wh_openapi_sample(o, &call));
  if (!sender->is_open && sender->words.kind == WH_AUTH_HMAC) return; // signed alike
  call.label = "An event a line";
  call.type = "application/x-ndjson";
  call.line_count = 2;
  wh_openapi_add(o, samples, wh_openapi_sample(o, &call));
}

static wh_str describe_endpoint(wh_openapi *o, const wh_ingest *ingest) {
  const char *misfits = ingest->quarantines
                            ? "Events that do not fit their columns are taken, too, and kept aside "
                              "until they are mended."
                            : "All of a request is taken or nothing.";
  bool is_even = ingest->max_body % KIB == 0;
  char rate[64] = "";
  if (ingest->rate)
    snprintf(rate, sizeof rate, " At most %lld requests a second.", (long long)ingest->rate);
  return wh_arena_printf(o->arena,
                         "Takes events: one JSON object, an array of them, or an object a line, in "
                         "at most %lld %s. Fields that are not listed are not stored. %s%s",
                         (long long)(is_even ? ingest->max_body / KIB : ingest->max_body),
                         is_even ? "KiB" : "bytes", misfits, rate);
}

static void add_endpoint(wh_openapi *o, const wh_ingest *ingest, const wh_openapi_sender *sender) {
  wh_str name = ingest->endpoint->name;
  wh_schema columns = wh_ingest_declared(ingest->endpoint);
  wh_str path = wh_arena_printf(o->arena, "/ingest/%.*s", WH_STR_ARG(name));
  wh_str id = wh_arena_printf(o->arena, "ingest-%.*s", WH_STR_ARG(name));
  wh_str schema = wh_arena_printf(o->arena, "%.*s-event", WH_STR_ARG(name));
  if (!schema.data) schema = WH_STR("");
  json_t *operation = make_operation(o, "post", path, id, "Events");
  json_t *schemas = json_object_get(json_object_get(o->document, "components"), "schemas");
  WH_CLEAN_JSON json_t *example = wh_openapi_example(o, &columns);
  wh_str line = text_of(o, example);
  json_t *security = json_array(), *parameters = json_array();
  wh_openapi_set(o, schemas, schema.data, wh_openapi_event(o, &columns));
  wh_str title = wh_name_in_words(name, o->arena);
  wh_openapi_set(o, operation, "summary", wh_openapi_text(title));
  wh_openapi_set(o, operation, "description", wh_openapi_text(describe_endpoint(o, ingest)));
  wh_openapi_set(o, operation, "security", security);
  wh_openapi_add_security(o, sender, security);
  wh_openapi_set(o, operation, "parameters", parameters);
  wh_openapi_add(o, parameters, idempotency_key());
  wh_openapi_set(o, operation, "requestBody", event_body(o, schema.data, example, line));
  wh_openapi_set(o, operation, "responses", responses_of(o, ingest_answers));
  add_event_samples(o, operation, path, line, sender);
}

static void add_receipts(wh_openapi *o, const wh_openapi_sender *senders, size_t count) {
  static const answer answers[] = {{"200", "Receipt"},     {"401", "Unauthorized"},
                                   {"403", "Forbidden"},   {"404", "NoReceipt"},
                                   {"503", "Unavailable"}, {0}};
  json_t *operation = make_operation(o, "get", WH_STR(RECEIPTS), WH_STR("receipt"), "Events");
  json_t *security = json_array(), *parameters = json_array();
  wh_openapi_set(o, operation, "summary", json_string("What became of a request"));
  wh_openapi_set(o, operation, "description",
                 json_string("For whoever may send to the endpoint that gave the receipt."));
  wh_openapi_set(o, operation, "security", security);
  wh_openapi_set(o, operation, "parameters", parameters);
  wh_openapi_add(o, parameters,
                 json_pack("{s:s,s:s,s:b,s:s,s:{s:s,s:i,s:i}}", "name", "id", "in", "path",
                           "required", true, "description", "The receipt of the answer 202.",
                           "schema", "type", "string", "minLength", 26, "maxLength", 26));
  wh_openapi_set(o, operation, "responses", responses_of(o, answers));
  json_t *samples = make_samples(o, operation);
  for (size_t i = 0; i < count; i++) {
    wh_openapi_add_security(o, &senders[i], security);
    bool is_alike = false; // to one before
    for (size_t j = 0; j < i; j++)
      is_alike |= senders[i].is_open == senders[j].is_open &&
                  senders[i].words.kind == senders[j].words.kind;
    if (is_alike) continue;
    char *label = wh_arena_cstr(o->arena, senders[i].name);
    wh_openapi_call call = {
        .label = label ? label : "", .path = WH_STR("/receipts/$RECEIPT"), .sender = &senders[i]};
    wh_openapi_add(o, samples, wh_openapi_sample(o, &call));
  }
}

static wh_status add_ingest(wh_openapi *o, wh_error *err) {
  const wh_serve *serve = &o->config->serve;
  if (!serve->ingest_count) return WH_OK;
  wh_openapi_sender *senders = WH_NEW_ARRAY(o->arena, serve->ingest_count, wh_openapi_sender);
  if (!senders) return wh_fail_memory(err);
  add_tag(o, "Events", "What is sent is answered when it is safe, with a receipt.");
  for (size_t i = 0; i < serve->ingest_count; i++) {
    WH_TRY(wh_openapi_sender_of(o, &serve->ingests[i], &senders[i], err));
    wh_openapi_add_schemes(o, &senders[i]);
    add_endpoint(o, &serve->ingests[i], &senders[i]);
  }
  add_receipts(o, senders, serve->ingest_count);
  return WH_OK;
}

// --- lookups -------------------------------------------------------------------------------------

static const answer lookup_answers[] = {
    {"400", "LookupRefused"},     {"404", "LookupMissed"},
    {"411", "LookupRefused"},     {"413", "LookupRefused"},
    {"415", "LookupUnknownType"}, {"429", "LookupLimited"},
    {"503", "LookupUnavailable"}, {0},
};

static void add_question(wh_openapi *o, json_t *schema, wh_str column, wh_str label) {
  char *name = wh_arena_cstr(o->arena, column);
  if (!name) o->failed = true;
  if (!name) return;
  wh_openapi_set(o, json_object_get(schema, "properties"), name,
                 json_pack("{s:[s,s],s:o}", "type", "string", "integer", "description",
                           wh_openapi_text(label)));
  wh_openapi_add(o, json_object_get(schema, "required"), wh_openapi_text(column));
}

static json_t *question_schema(wh_openapi *o, const wh_lookup *l) {
  json_t *schema = json_pack("{s:s,s:{},s:[]}", "type", "object", "properties", "required");
  add_question(o, schema, l->by, l->by_label);
  for (size_t i = 0; i < l->proof_count; i++)
    add_question(o, schema, l->proofs[i].column, l->proofs[i].label);
  return schema;
}

// What a column holds is the table's affair, which may not be there yet.
static json_t *found_answer(wh_openapi *o, const wh_lookup *l) {
  json_t *properties = json_pack("{s:{s:b}}", "found", "const", true);
  json_t *required = json_pack("[s]", "found");
  for (size_t i = 0; i < l->show.count; i++) {
    char *name = wh_arena_cstr(o->arena, l->show.items[i]);
    wh_str words = wh_name_in_words(l->show.items[i], o->arena);
    if (!name) o->failed = true;
    if (!name) continue;
    wh_openapi_set(o, properties, name, json_pack("{s:o}", "description", wh_openapi_text(words)));
    wh_openapi_add(o, required, wh_openapi_text(l->show.items[i]));
  }
  return json_pack("{s:s,s:{s:{s:{s:s,s:o,s:o}}}}", "description", "The row.", "content",
                   "application/json", "schema", "type", "object", "properties", properties,
                   "required", required);
}

static json_t *question_example(wh_openapi *o, const wh_lookup *l) {
  json_t *example = json_object();
  for (size_t i = 0; i <= l->proof_count; i++) {
    wh_str column = i ? l->proofs[i - 1].column : l->by;
    char *name = wh_arena_cstr(o->arena, column);
    if (!name) o->failed = true;
    if (name) wh_openapi_set(o, example, name, wh_openapi_text(column));
  }
  return example;
}

static void add_lookup(wh_openapi *o, const wh_lookup *l) {
  wh_str path = wh_arena_printf(o->arena, "/%.*s", WH_STR_ARG(l->name));
  wh_str id = wh_arena_printf(o->arena, "lookup-%.*s", WH_STR_ARG(l->name));
  json_t *operation = make_operation(o, "post", path, id, "Lookups");
  WH_CLEAN_JSON json_t *schema = question_schema(o, l);
  WH_CLEAN_JSON json_t *example = question_example(o, l);
  wh_str line = text_of(o, example);
  wh_openapi_set(o, operation, "summary", wh_openapi_text(l->title));
  wh_openapi_set(o, operation, "description",
                 json_string("Answers for the one row that matches all that is sent. GET on the "
                             "same path is a form for people."));
  wh_openapi_set(o, operation, "requestBody",
                 json_pack("{s:b,s:{s:{s:O,s:O},s:{s:O}}}", "required", true, "content",
                           "application/json", "schema", schema, "example", example,
                           "application/x-www-form-urlencoded", "schema", schema));
  json_t *responses = responses_of(o, lookup_answers);
  wh_openapi_set(o, operation, "responses", responses);
  wh_openapi_set(o, responses, "200", found_answer(o, l));
  wh_openapi_call call = {.label = "A question",
                          .path = path,
                          .type = "application/json",
                          .lines = &line,
                          .line_count = 1};
  wh_openapi_add(o, make_samples(o, operation), wh_openapi_sample(o, &call));
}

static void add_lookups(wh_openapi *o) {
  const wh_serve *serve = &o->config->serve;
  if (!serve->lookup_count) return;
  add_tag(o, "Lookups", "One question, one row, for whoever knows what proves the right to it.");
  for (size_t i = 0; i < serve->lookup_count; i++)
    add_lookup(o, &serve->lookups[i]);
}

// --- the whole -----------------------------------------------------------------------------------

static const char *title_of(const wh_serve *serve) {
  if (!serve->lookup_count) return "Events";
  return serve->ingest_count ? "Events and lookups" : "Lookups";
}

static wh_status make(wh_openapi *o, wh_str server, wh_error *err) {
  wh_openapi_set(o, json_object_get(o->document, "info"), "title",
                 json_string(title_of(&o->config->serve)));
  wh_openapi_add(o, json_object_get(o->document, "servers"),
                 json_pack("{s:o}", "url", wh_openapi_text(server)));
  WH_TRY(add_ingest(o, err));
  add_lookups(o);
  return o->failed ? wh_fail_memory(err) : WH_OK;
}

wh_status wh_openapi_make(wh_config *config, wh_str base, wh_str server, wh_mem *mem, json_t **ret,
                          wh_error *err) {
  enum { BASE_BYTES_MAX = 64 << 10 };
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, mem);
  wh_openapi o = {.config = config, .arena = &arena, .base = base};
  WH_TRY(wh_json_load(wh_page_openapi, BASE_BYTES_MAX, "the document", &o.document, err));
  wh_status status = make(&o, server, err);
  if (status == WH_OK)
    *ret = o.document;
  else
    json_decref(o.document);
  return status;
}

static int add_piece(const char *data, size_t len, void *out) {
  return wh_buf_add(out, data, len) ? 0 : -1;
}

bool wh_openapi_write(const json_t *document, wh_buf *out) {
  return json_dump_callback(document, add_piece, out, JSON_INDENT(2)) == 0 &&
         wh_buf_add_char(out, '\n');
}
