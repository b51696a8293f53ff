#include "serve/docs.h"

#include "serve/page.h"
#include "serve/pages.h"
#include "serve/template.h"

// A page in the making.
typedef struct page {
  const json_t *document;
  wh_mem *mem;
  wh_buf *out;
  wh_str id; // of the operation in hand
  size_t parts;
} page;

static bool fill(wh_str text, const wh_template_slot *slots, size_t count, wh_buf *out) {
  return wh_template_fill(text, slots, count, out);
}
#define FILL(text, slots, out) fill((text), (slots), sizeof(slots) / sizeof *(slots), out)

// What "#/components/..." points to; else the value itself.
static const json_t *at_ref(const page *p, const json_t *value) {
  wh_str ref = wh_json_text(value, "$ref");
  if (!wh_str_starts(ref, "#/")) return value;
  const json_t *found = p->document;
  wh_str rest = wh_str_sub(ref, 2, ref.len), step;
  while (found && wh_str_split(&rest, '/', &step))
    found = json_object_getn(found, step.data, step.len);
  return found;
}

static wh_str upper(wh_str word, char *out, size_t cap) {
  size_t len = word.len < cap ? word.len : cap;
  for (size_t i = 0; i < len; i++)
    out[i] = (char)(word.data[i] >= 'a' && word.data[i] <= 'z' ? word.data[i] - 32 : word.data[i]);
  return wh_str_n(out, len);
}

// --- tables --------------------------------------------------------------------------------------

typedef struct table {
  const char *caption, *first, *second, *third;
} table;

static bool add_row(wh_str name, wh_str type, wh_str text, wh_buf *rows) {
  const wh_template_slot slots[] = {
      {"name", name, false}, {"type", type, false}, {"text", text, false}};
  return FILL(wh_page_docs_row, slots, rows);
}

// The part's own id, for what labels it.
static wh_str part_id(page *p, wh_buf *id) {
  wh_buf_printf(id, "%.*s-%zu", WH_STR_ARG(p->id), ++p->parts);
  return wh_buf_str(id);
}

static bool add_table(page *p, const table *t, const wh_buf *rows, wh_buf *out) {
  if (!rows->len) return !rows->failed;
  WH_CLEAN_BUF wh_buf id;
  wh_buf_init(&id, p->mem, 0);
  const wh_template_slot slots[] = {
      {"id", part_id(p, &id), false},        {"caption", wh_str_of(t->caption), false},
      {"first", wh_str_of(t->first), false}, {"second", wh_str_of(t->second), false},
      {"third", wh_str_of(t->third), false}, {"rows", wh_buf_str(rows), true},
  };
  return !id.failed && !rows->failed && FILL(wh_page_docs_table, slots, out);
}

// "number, string or null"
static bool write_types(const json_t *schema, wh_buf *out) {
  const json_t *type = json_object_get(schema, "type");
  if (!json_is_array(type)) return wh_buf_add_str(out, wh_json_text(schema, "type"));
  size_t count = json_array_size(type);
  for (size_t i = 0; i < count; i++) {
    if (i) wh_buf_add_c(out, i + 1 == count ? " or " : ", ");
    wh_buf_add_c(out, json_string_value(json_array_get(type, i)));
  }
  return !out->failed;
}

static bool requires(const json_t *schema, const char *name) {
  const json_t *required = json_object_get(schema, "required");
  for (size_t i = 0; i < json_array_size(required); i++)
    if (strcmp(json_string_value(json_array_get(required, i)), name) == 0) return true;
  return false;
}

static bool add_field_rows(const json_t *schema, wh_mem *mem, wh_buf *rows) {
  const char *name;
  const json_t *field;
  json_object_foreach((json_t *)json_object_get(schema, "properties"), name, field) {
    WH_CLEAN_BUF wh_buf types, text;
    wh_buf_init(&types, mem, 0);
    wh_buf_init(&text, mem, 0);
    write_types(field, &types);
    wh_buf_add_str(&text, wh_json_text(field, "description"));
    if (requires(schema, name)) wh_buf_add_c(&text, text.len ? "; required" : "required");
    if (types.failed || text.failed) return false;
    add_row(wh_str_of(name), wh_buf_str(&types), wh_buf_str(&text), rows);
  }
  return !rows->failed;
}

// The schema of one thing that is sent: of an event where there may be several.
static const json_t *body_schema(const page *p, const json_t *operation) {
  const json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
  const json_t *schema = json_object_get(json_object_get(content, "application/json"), "schema");
  const json_t *several = json_object_get(schema, "oneOf");
  return at_ref(p, several ? json_array_get(several, 0) : schema);
}

static bool add_body(page *p, const json_t *operation, wh_buf *out) {
  static const table t = {"What is sent", "Field", "In JSON", "What it is"};
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, p->mem, 0);
  add_field_rows(body_schema(p, operation), p->mem, &rows);
  return add_table(p, &t, &rows, out);
}

static bool add_parameters(page *p, const json_t *operation, wh_buf *out) {
  static const table t = {"Besides", "Name", "Where", "What it is"};
  const json_t *list = json_object_get(operation, "parameters");
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, p->mem, 0);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *parameter = json_array_get(list, i);
    add_row(wh_json_text(parameter, "name"), wh_json_text(parameter, "in"),
            wh_json_text(parameter, "description"), &rows);
  }
  return add_table(p, &t, &rows, out);
}

// How each of the ways shows who sends.
static bool add_senders(page *p, const json_t *operation, wh_buf *out) {
  static const table t = {"Who may", "Header", "Way", "What it is"};
  const json_t *security = json_object_get(operation, "security");
  const json_t *schemes =
      json_object_get(json_object_get(p->document, "components"), "securitySchemes");
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, p->mem, 0);
  for (size_t i = 0; i < json_array_size(security); i++) {
    const char *name;
    const json_t *scopes;
    json_object_foreach(json_array_get(security, i), name, scopes) {
      const json_t *scheme = json_object_get(schemes, name);
      bool is_bearer = wh_str_is(wh_json_text(scheme, "scheme"), "bearer");
      add_row(is_bearer ? WH_STR("Authorization: Bearer") : wh_json_text(scheme, "name"),
              wh_str_of(name), wh_json_text(scheme, "description"), &rows);
    }
  }
  return add_table(p, &t, &rows, out);
}

static bool add_answers(page *p, const json_t *operation, wh_buf *out) {
  static const table t = {"What is answered", "Status", "As", "When"};
  WH_CLEAN_BUF wh_buf rows;
  wh_buf_init(&rows, p->mem, 0);
  const char *status;
  const json_t *value;
  json_object_foreach(json_object_get(operation, "responses"), status, value) {
    const json_t *response = at_ref(p, value);
    void *first = json_object_iter((json_t *)json_object_get(response, "content"));
    add_row(wh_str_of(status), wh_str_of(first ? json_object_iter_key(first) : ""),
            wh_json_text(response, "description"), &rows);
  }
  return add_table(p, &t, &rows, out);
}

// --- examples ------------------------------------------------------------------------------------

static bool add_samples(page *p, const json_t *operation, wh_buf *out) {
  const json_t *samples = json_object_get(operation, "x-codeSamples");
  bool ok = true;
  for (size_t i = 0; ok && i < json_array_size(samples); i++) {
    const json_t *sample = json_array_get(samples, i);
    WH_CLEAN_BUF wh_buf id;
    wh_buf_init(&id, p->mem, 0);
    const wh_template_slot slots[] = {
        {"id", part_id(p, &id), false},
        {"label", wh_json_text(sample, "label"), false},
        {"source", wh_json_text(sample, "source"), false},
    };
    ok = !id.failed && FILL(wh_page_docs_sample, slots, out);
  }
  return ok;
}

// --- the whole -----------------------------------------------------------------------------------

static bool add_operation(page *p, wh_str path, wh_str method, const json_t *operation,
                          wh_buf *links, wh_buf *out) {
  WH_CLEAN_BUF wh_buf parts;
  wh_buf_init(&parts, p->mem, 0);
  char word[16];
  p->id = wh_json_text(operation, "operationId");
  p->parts = 0;
  bool ok = add_senders(p, operation, &parts) && add_body(p, operation, &parts) &&
            add_parameters(p, operation, &parts) && add_samples(p, operation, &parts) &&
            add_answers(p, operation, &parts);
  const wh_template_slot slots[] = {
      {"id", p->id, false},
      {"method", upper(method, word, sizeof word), false},
      {"path", path, false},
      {"summary", wh_json_text(operation, "summary"), false},
      {"description", wh_json_text(operation, "description"), false},
      {"parts", wh_buf_str(&parts), true},
  };
  return ok && FILL(wh_page_docs_link, slots, links) && FILL(wh_page_docs_operation, slots, out);
}

bool wh_docs_write(const json_t *document, wh_mem *mem, wh_buf *out) {
  WH_CLEAN_BUF wh_buf links, operations, body;
  wh_buf_init(&links, mem, 0);
  wh_buf_init(&operations, mem, 0);
  wh_buf_init(&body, mem, 0);
  page p = {.document = document, .mem = mem, .out = out};
  const char *path, *method;
  json_t *item, *operation;
  bool ok = true;
  json_object_foreach(json_object_get(document, "paths"), path, item) {
    json_object_foreach(item, method, operation) {
      ok = ok &&
           add_operation(&p, wh_str_of(path), wh_str_of(method), operation, &links, &operations);
    }
  }
  wh_str title = wh_json_text(json_object_get(document, "info"), "title");
  const wh_template_slot slots[] = {
      {"title", title, false},
      {"links", wh_buf_str(&links), true},
      {"operations", wh_buf_str(&operations), true},
  };
  return ok && FILL(wh_page_docs, slots, &body) && wh_page_whole_of(title, wh_buf_str(&body), out);
}
