// The JSON Schema (draft 2020-12) that `wherry schema` prints, for editors. It comes from the
// option tables; what a table cannot say (a value that is a map of maps, say) stands in `shapes`.
#include "config/private.h"

#include "codec/codec.h"
#include "step/step.h"

typedef struct shape {
  const wh_option *table;
  const char *name;
  const char *schema;
} shape;

#define NAMED(def)                                                                                 \
  "{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"                \
  "\"additionalProperties\":{\"$ref\":\"#/$defs/" def "\"}}"
#define REF(def) "{\"$ref\":\"#/$defs/" def "\"}"
#define TEXT     "{\"type\":[\"string\",\"number\",\"boolean\"]}"
#define STEPS    "{\"type\":\"array\",\"items\":" REF("step") "}"
#define COLUMNS                                                                                    \
  "{\"anyOf\":[{\"const\":\"all\"},{\"type\":\"object\",\"additionalProperties\":"                 \
  "{\"anyOf\":[" TEXT "," REF("column") "]}}]}"

static const shape shapes[] = {
    {wh_top_options, "connections", NAMED("connection")},
    {wh_top_options, "masks", NAMED("mask")},
    {wh_top_options, "pipelines", NAMED("pipeline")},
    {wh_top_options, "teams", NAMED("team")},
    {wh_top_options, "sites", NAMED("site")},
    {wh_top_options, "retain",
     "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}"},
    {wh_top_options, "log",
     "{\"anyOf\":[{\"enum\":[\"text\",\"json\",\"cloudwatch\"]}," REF("log") "]}"},
    {wh_top_options, "serve", REF("serve")},
    {wh_top_options, "ledger",
     "{\"anyOf\":[{\"type\":\"string\",\"pattern\":\"^(postgres(ql)?://|dynamodb:)\"}," REF(
         "ledger") "," REF("ledger-postgres") "," REF("ledger-dynamodb") "]}"},
    {wh_mask_options, "partial", REF("partial")},
    {wh_pipeline_options, "when", "{\"anyOf\":[{\"const\":\"new\"}," REF("when") "]}"},
    {wh_pipeline_options, "read", REF("read")},
    {wh_pipeline_options, "write", REF("write")},
    {wh_pipeline_options, "steps", STEPS},
    {wh_pipeline_options, "columns", COLUMNS},
    {wh_pipeline_options, "notify",
     "{\"anyOf\":[" TEXT "," REF("notify") ",{\"type\":\"array\",\"items\":{\"anyOf\":[" TEXT
                                           "," REF("notify") "]}}]}"},
    {wh_pipeline_options, "complete", REF("complete")},
    {wh_pipeline_options, "after",
     "{\"anyOf\":[{\"enum\":[\"leave\",\"delete\"]}," REF("after") "]}"},
    {wh_pipeline_options, "subject",
     "{\"type\":\"object\",\"maxProperties\":8,\"additionalProperties\":" TEXT "}"},
    {wh_pipeline_options, "expect", "{\"type\":\"object\"}"},
    {wh_pipeline_options, "tables", NAMED("table")},
    {wh_branch_options, "write", REF("write")},
    {wh_branch_options, "steps", STEPS},
    {wh_branch_options, "columns", COLUMNS},
    {wh_branch_options, "expect", "{\"type\":\"object\"}"},
    {wh_serve_options, "tls", REF("tls")},
    {wh_serve_options, "metrics", "{\"anyOf\":[{\"type\":\"string\"}," REF("metrics") "]}"},
    {wh_serve_options, "lookups", NAMED("lookup")},
    {wh_metrics_options, "auth", REF("auth")},
    {wh_auth_options, "api_keys",
     "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":" TEXT "}"},
    {wh_auth_options, "hmac", REF("hmac")},
    {wh_auth_options, "bearer", REF("bearer")},
    {wh_serve_options, "ingest", NAMED("ingest")},
    {wh_ingest_words, "columns",
     "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":"
     "{\"anyOf\":[" TEXT "," REF("event-column") "]}}"},
    {wh_ingest_words, "auth", "{\"anyOf\":[{\"const\":\"none\"}," REF("auth") "]}"},
    {wh_when_options, "gathered", REF("gathered")},
    {wh_lookup_options, "proof",
     "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":"
     "{\"anyOf\":[" TEXT "," REF("proof") "]}}"},
    {wh_lookup_options, "rate", REF("rate")},
    {0},
};

static void add_choices(wh_buf *out, const char *const *choices) {
  wh_buf_add_c(out, "\"enum\":[");
  for (size_t i = 0; choices[i]; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, wh_str_of(choices[i]));
  }
  wh_buf_add_char(out, ']');
}

static void add_list(wh_buf *out, const wh_option *option) {
  wh_buf_add_c(out, "\"type\":[\"array\",\"string\",\"number\",\"boolean\"],\"items\":");
  if (!option->choices) {
    wh_buf_add_c(out, TEXT);
    return;
  }
  wh_buf_add_char(out, '{');
  add_choices(out, option->choices);
  wh_buf_add_char(out, '}');
}

static void add_shape(wh_buf *out, const wh_option *table, const wh_option *option) {
  for (const shape *s = shapes; s->table; s++) {
    if (s->table != table || strcmp(s->name, option->name) != 0) continue;
    wh_buf_add_c(out, "\"allOf\":[");
    wh_buf_add_c(out, s->schema);
    wh_buf_add_char(out, ']');
    return;
  }
  wh_buf_add_c(out, "\"$comment\":\"any shape\"");
}

// What may stand there. Where references are taken, a string may stand for anything.
static void add_type(wh_buf *out, const wh_option *table, const wh_option *option) {
  switch (option->type) {
  case WH_OPTION_TEXT:
  case WH_OPTION_PATH:
    wh_buf_add_c(out, "\"type\":[\"string\",\"number\",\"boolean\"]");
    return;
  case WH_OPTION_BOOL:
    wh_buf_add_c(out, "\"type\":[\"boolean\",\"string\"]");
    return;
  case WH_OPTION_INT:
    wh_buf_add_c(out, "\"type\":[\"integer\",\"string\"]");
    if (option->min != 0 || option->max != 0) {
      wh_buf_printf(out, ",\"minimum\":%lld", (long long)option->min);
      if (option->max >= option->min)
        wh_buf_printf(out, ",\"maximum\":%lld", (long long)option->max);
    }
    return;
  case WH_OPTION_SIZE:
  case WH_OPTION_DURATION:
    wh_buf_add_c(out, "\"type\":[\"string\",\"integer\"]");
    return;
  case WH_OPTION_ENUM:
    add_choices(out, option->choices);
    return;
  case WH_OPTION_LIST:
    add_list(out, option);
    return;
  case WH_OPTION_NODE:
    add_shape(out, table, option);
    return;
  }
}

static void add_properties(wh_buf *out, const wh_option *table, bool *comma) {
  for (const wh_option *option = table; option->name; option++) {
    if (*comma) wh_buf_add_char(out, ',');
    *comma = true;
    wh_buf_add_json(out, wh_str_of(option->name));
    wh_buf_add_c(out, ":{");
    add_type(out, table, option);
    if (option->help) {
      wh_buf_add_c(out, ",\"description\":");
      wh_buf_add_json(out, wh_str_of(option->help));
    }
    if (option->def) {
      wh_buf_add_c(out, ",\"default\":");
      wh_buf_add_json(out, wh_str_of(option->def));
    }
    wh_buf_add_char(out, '}');
  }
}

static void add_required(wh_buf *out, const wh_option *table, bool *comma) {
  for (const wh_option *option = table; option->name; option++) {
    if (!option->required) continue;
    if (*comma) wh_buf_add_char(out, ',');
    *comma = true;
    wh_buf_add_json(out, wh_str_of(option->name));
  }
}

// The words of one or two tables (the second may be NULL) as the inside of a schema.
static void add_object(wh_buf *out, const wh_option *table, const wh_option *more) {
  bool comma = false;
  wh_buf_add_c(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
  add_properties(out, table, &comma);
  if (more) add_properties(out, more, &comma);
  wh_buf_add_c(out, "},\"required\":[");
  comma = false;
  add_required(out, table, &comma);
  if (more) add_required(out, more, &comma);
  wh_buf_add_char(out, ']');
}

static void add_connections(wh_buf *out) {
  wh_buf_add_c(out, "\"connection\":{\"type\":\"object\",\"required\":[\"type\"],"
                    "\"properties\":{\"type\":{\"enum\":[");
  for (size_t i = 0; wh_connectors[i]; i++) {
    if (i) wh_buf_add_char(out, ',');
    wh_buf_add_json(out, wh_str_of(wh_connectors[i]->name));
  }
  wh_buf_add_c(out, "]}},\"allOf\":[");
  for (size_t i = 0; wh_connectors[i]; i++) {
    wh_buf_printf(out,
                  "%s{\"if\":{\"properties\":{\"type\":{\"const\":\"%s\"}}},"
                  "\"then\":{\"$ref\":\"#/$defs/connection-%s\"}}",
                  i ? "," : "", wh_connectors[i]->name, wh_connectors[i]->name);
  }
  wh_buf_add_c(out, "]}");
  for (size_t i = 0; wh_connectors[i]; i++) {
    wh_buf_printf(out, ",\"connection-%s\":{\"description\":", wh_connectors[i]->name);
    wh_buf_add_json(out, wh_str_of(wh_connectors[i]->help ? wh_connectors[i]->help : ""));
    wh_buf_add_char(out, ',');
    add_object(out, wh_connection_options, wh_connectors[i]->options);
    wh_buf_add_char(out, '}');
  }
}

// In a build without the connector: what no map is.
static void add_server_ledger(wh_buf *out, const char *type) {
  const wh_connector *connector = wh_ledger_connector(wh_str_of(type));
  wh_buf_printf(out, ",\"ledger-%s\":{", type);
  if (connector)
    add_object(out, wh_ledger_options, connector->options);
  else
    wh_buf_add_c(out, "\"not\":{}");
  wh_buf_add_char(out, '}');
}

static void add_steps(wh_buf *out) {
  wh_buf_add_c(out, ",\"step\":{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,"
                    "\"additionalProperties\":false,\"properties\":{");
  for (size_t i = 0; wh_step_types[i]; i++) {
    const wh_step_type *step = wh_step_types[i];
    wh_buf_printf(out, "%s\"%s\":{\"description\":", i ? "," : "", step->name);
    wh_buf_add_json(out, wh_str_of(step->help ? step->help : ""));
    wh_buf_add_char(out, '}');
  }
  wh_buf_add_c(out, "}}");
}

// What besides the section's own words may stand there. Of the codecs, one has tables.
static const wh_option *more_words(const wh_option *table) {
  for (size_t i = 0; table == wh_branch_options && wh_codecs[i]; i++)
    if (wh_codecs[i]->table_options) return wh_codecs[i]->table_options;
  return NULL;
}

bool wh_config_schema_json(wh_buf *out) {
  wh_buf_add_c(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                    "\"title\":\"wherry.yaml\",");
  add_object(out, wh_top_options, NULL);
  wh_buf_add_c(out, ",\"$defs\":{");
  add_connections(out);
  add_server_ledger(out, "postgres");
  add_server_ledger(out, "dynamodb");
  add_steps(out);
  for (const wh_option_section *s = wh_option_sections; s->name; s++) {
    if (s->table == wh_top_options || s->table == wh_connection_options) continue;
    wh_buf_printf(out, ",\"%s\":{\"description\":", s->name);
    wh_buf_add_json(out, wh_str_of(s->help));
    wh_buf_add_char(out, ',');
    add_object(out, s->table, more_words(s->table));
    wh_buf_add_char(out, '}');
  }
  return wh_buf_add_c(out, "}}\n");
}
