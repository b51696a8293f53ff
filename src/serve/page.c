#include "serve/page.h"

#include "base/crypto.h"
#include "serve/pages.h"
#include "serve/template.h"

#define FILL(text, slots, out)                                                                     \
  wh_template_fill((text), (slots), sizeof(slots) / sizeof *(slots), out)

enum { FIELD_CHARS_MAX = 200, NUMBER_TEXT_MAX = 16 };

bool wh_page_style_source(wh_buf *out) {
  uint8_t digest[WH_SHA256_BYTES];
  wh_sha256_of(wh_page_style, digest);
  wh_buf_add_c(out, "'sha256-");
  wh_base64_encode(WH_BASE64_STANDARD, wh_str_n((char *)digest, sizeof digest), out);
  return wh_buf_add_char(out, '\'');
}

// --- fields --------------------------------------------------------------------------------------

static bool says(wh_str text, const char *word) {
  size_t len = strlen(word);
  for (size_t i = 0; i + len <= text.len; i++)
    if (wh_str_eq_nocase(wh_str_sub(text, i, i + len), wh_str_n(word, len))) return true;
  return false;
}

wh_field_hints wh_field_hints_of(wh_str label, wh_str column, const wh_mask *mask) {
  static const struct {
    const char *word;
    wh_field_hints hints;
  } known[] = {
      {"postcode", {"text", "text", "postal-code", "characters"}},
      {"postal", {"text", "text", "postal-code", "characters"}},
      {"zip", {"text", "text", "postal-code", "characters"}},
      {"email", {"email", "email", "email", "none"}},
      {"e-mail", {"email", "email", "email", "none"}},
      {"phone", {"tel", "tel", "tel", "none"}},
      {"surname", {"text", "text", "family-name", "words"}},
      {"last name", {"text", "text", "family-name", "words"}},
  };
  wh_field_hints hints = {"text", "text", "off", "none"};
  for (size_t i = 0; mask && i < sizeof known / sizeof known[0]; i++) {
    if (!says(label, known[i].word) && !says(column, known[i].word)) continue;
    hints = known[i].hints;
    break;
  }
  if (mask && mask->normalize == WH_NORMALIZE_DIGITS) hints.inputmode = "numeric";
  return hints;
}

static bool add_field(size_t number, wh_str label, wh_str column, const wh_mask *mask,
                      wh_buf *out) {
  wh_field_hints hints = wh_field_hints_of(label, column, mask);
  char id[NUMBER_TEXT_MAX], maxlength[NUMBER_TEXT_MAX];
  snprintf(id, sizeof id, "f%zu", number);
  snprintf(maxlength, sizeof maxlength, "%d", FIELD_CHARS_MAX);
  const wh_template_slot slots[] = {
      {"id", wh_str_of(id), false},
      {"label", label, false},
      {"name", column, false},
      {"type", wh_str_of(hints.type), false},
      {"inputmode", wh_str_of(hints.inputmode), false},
      {"autocomplete", wh_str_of(hints.autocomplete), false},
      {"autocapitalize", wh_str_of(hints.autocapitalize), false},
      {"maxlength", wh_str_of(maxlength), false},
  };
  return FILL(wh_page_field, slots, out);
}

static bool add_fields(const wh_lookup *l, wh_buf *out) {
  bool ok = add_field(0, l->by_label, l->by, NULL, out);
  for (size_t i = 0; ok && i < l->proof_count; i++) {
    const wh_lookup_proof *p = &l->proofs[i];
    ok = add_field(i + 1, p->label, p->column, p->mask, out);
  }
  return ok;
}

// --- pages ---------------------------------------------------------------------------------------

bool wh_page_whole_of(wh_str title, wh_str body, wh_buf *out) {
  const wh_template_slot slots[] = {
      {"title", title, false},
      {"icon", WH_STR("/icon.svg"), false},
      {"style", wh_page_style, true},
      {"body", body, true},
  };
  return FILL(wh_page_whole, slots, out);
}

static bool add_note(const wh_page_note *note, wh_buf *out) {
  if (!note->heading) return true;
  const wh_template_slot slots[] = {
      {"kind", WH_STR("sorry"), false},
      {"heading", wh_str_of(note->heading), false},
      {"text", wh_str_of(note->text), false},
      {"items", note->answer, true},
  };
  return FILL(note->answer.len ? wh_page_answer : wh_page_note_body, slots, out);
}

static bool add_lookup_body(const wh_lookup *l, const wh_page_note *note, wh_str fields,
                            wh_str logo, wh_mem *mem, wh_buf *out) {
  WH_CLEAN_BUF wh_buf text;
  wh_buf_init(&text, mem, 0);
  if (!add_note(note, &text)) return false;
  const wh_template_slot slots[] = {
      {"logo", logo, true},
      {"title", l->title, false},
      {"note", wh_buf_str(&text), true},
      {"name", l->name, false},
      {"form_heading", note->answer.len ? WH_STR("<h2>Look up another</h2>") : WH_STR(""), true},
      {"fields", fields, true},
  };
  return FILL(wh_page_lookup_body, slots, out);
}

bool wh_page_lookup(const wh_lookup *l, const wh_page_note *note, wh_mem *mem, wh_buf *out) {
  WH_CLEAN_BUF wh_buf title, fields, logo, body;
  wh_buf_init(&title, mem, 0);
  wh_buf_init(&fields, mem, 0);
  wh_buf_init(&logo, mem, 0);
  wh_buf_init(&body, mem, 0);
  if (note->heading) wh_buf_printf(&title, "%s \xE2\x80\x93 ", note->heading);
  wh_buf_add_str(&title, l->title);
  if (l->logo.len) {
    wh_buf_printf(&logo, "<img class=\"logo\" src=\"/%.*s/logo\" alt=\"\">", WH_STR_ARG(l->name));
  }
  return !title.failed && !logo.failed && add_fields(l, &fields) &&
         add_lookup_body(l, note, wh_buf_str(&fields), wh_buf_str(&logo), mem, &body) &&
         wh_page_whole_of(wh_buf_str(&title), wh_buf_str(&body), out);
}

static bool add_plain(const char *heading, const char *text, wh_str links, wh_mem *mem,
                      wh_buf *out) {
  WH_CLEAN_BUF wh_buf body;
  wh_buf_init(&body, mem, 0);
  const wh_template_slot slots[] = {
      {"heading", wh_str_of(heading), false},
      {"text", wh_str_of(text), false},
      {"links", links, true},
  };
  return FILL(wh_page_plain_body, slots, &body) &&
         wh_page_whole_of(wh_str_of(heading), wh_buf_str(&body), out);
}

bool wh_page_plain(const char *heading, const char *text, wh_mem *mem, wh_buf *out) {
  return add_plain(heading, text, WH_STR(""), mem, out);
}

bool wh_page_list(const wh_serve *serve, wh_mem *mem, wh_buf *out) {
  WH_CLEAN_BUF wh_buf links;
  wh_buf_init(&links, mem, 0);
  wh_buf_add_c(&links, "<ul>\n");
  for (size_t i = 0; i < serve->lookup_count; i++) {
    const wh_template_slot slots[] = {
        {"name", serve->lookups[i].name, false},
        {"title", serve->lookups[i].title, false},
    };
    FILL(wh_page_link, slots, &links);
  }
  return wh_buf_add_c(&links, "</ul>") &&
         add_plain("Look up", "What would you like to look up?", wh_buf_str(&links), mem, out);
}
