#include "step/form.h"

#include "step/chars.h"
#include "step/frame.h"

#include <dlfcn.h>
#include <pthread.h>
#include <utf8proc.h>

// --- white space and case ------------------------------------------------------------------------

static bool write_whitespace(wh_str text, wh_buf *out) {
  text = wh_chars_trim(text);
  bool in_space = false;
  for (size_t at = 0, from = 0; at < text.len; from = at) {
    bool is_space = wh_char_is_space(wh_char_next(text, &at));
    if (is_space && !in_space) wh_buf_add_char(out, ' ');
    if (!is_space) wh_buf_add(out, text.data + from, at - from);
    in_space = is_space;
  }
  return !out->failed;
}

static bool write_case(wh_str text, uint32_t (*change)(uint32_t), wh_buf *out) {
  for (size_t at = 0; at < text.len;) {
    char bytes[4];
    size_t n = wh_char_encode(change(wh_char_next(text, &at)), bytes);
    wh_buf_add(out, bytes, n);
  }
  return !out->failed;
}

// --- NFC -----------------------------------------------------------------------------------------

enum { FIRST_COMBINING = 0x300 }; // below it every text is in NFC

static struct {
  __typeof__(&utf8proc_decompose) decompose;
  __typeof__(&utf8proc_reencode) reencode;
} utf8proc;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = dlopen("libutf8proc.so.2", RTLD_NOW);
  if (!library) return;
  *(void **)&utf8proc.decompose = dlsym(library, "utf8proc_decompose");
  *(void **)&utf8proc.reencode = dlsym(library, "utf8proc_reencode");
}

static wh_status need_utf8proc(const wh_node *node, const char *owner, wh_error *err) {
  pthread_once(&once, load);
  if (utf8proc.decompose && utf8proc.reencode) return WH_OK;
  return wh_node_fail(node, err,
                      "%s: nfc needs libutf8proc (libutf8proc.so.2), which is not installed. "
                      "Debian has it as libutf8proc2",
                      owner);
}

static bool is_composed(wh_str text) {
  for (size_t at = 0; at < text.len;)
    if (wh_char_next(text, &at) >= FIRST_COMBINING) return false;
  return true;
}

// In place: code points first, which become bytes again.
static wh_status write_nfc(wh_str text, wh_buf *out, wh_error *err) {
  enum { ROUNDS = 2 };
  if (is_composed(text)) {
    wh_buf_add_str(out, text);
    return wh_buf_check(out, err);
  }
  utf8proc_ssize_t room = (utf8proc_ssize_t)text.len;
  utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
  for (int round = 0; round < ROUNDS; round++) {
    // And the NUL that it writes behind them.
    if (!wh_buf_reserve(out, ((size_t)room + 1) * sizeof(utf8proc_int32_t)))
      return wh_buf_check(out, err);
    utf8proc_int32_t *points = (utf8proc_int32_t *)(void *)out->data;
    utf8proc_ssize_t count = utf8proc.decompose((const utf8proc_uint8_t *)text.data,
                                                (utf8proc_ssize_t)text.len, points, room, options);
    if (count < 0) return wh_fail(err, WH_ERR_BUG, "utf8proc takes text for none (%zd)", count);
    if (count > room) { // it says how much it needs
      room = count;
      continue;
    }
    utf8proc_ssize_t bytes = utf8proc.reencode(points, count, options);
    if (bytes < 0) return wh_fail(err, WH_ERR_BUG, "utf8proc cannot compose a text (%zd)", bytes);
    out->len = (size_t)bytes;
    return WH_OK;
  }
  return wh_fail(err, WH_ERR_BUG, "utf8proc wants more than it said");
}

// --- email addresses -----------------------------------------------------------------------------

static bool is_local(wh_str local) {
  if (local.len == 0 || local.len > WH_EMAIL_LOCAL_MAX) return false;
  for (size_t at = 0, from = 0; at < local.len; from = at) {
    uint32_t c = wh_char_next(local, &at);
    if (c <= ' ' || c == 0x7F || wh_char_is_space(c)) return false;
    // What RFC 5322 allows within quotes only.
    if (c < 0x80 && strchr("\"(),:;<>@[\\]", (int)c)) return false;
    bool at_end = from == 0 || at == local.len;
    if (c == '.' && (at_end || local.data[at] == '.')) return false;
  }
  return true;
}

// A label of a name of the DNS, or of an international one.
static bool is_label(wh_str label) {
  enum { LABEL_MAX = 63 }; // RFC 1035, 2.3.4
  if (label.len == 0 || label.len > LABEL_MAX) return false;
  if (label.data[0] == '-' || label.data[label.len - 1] == '-') return false;
  for (size_t at = 0; at < label.len;) {
    uint32_t c = wh_char_next(label, &at);
    if (c != '-' && !wh_char_is_alphanumeric(c)) return false;
  }
  return true;
}

static bool is_domain(wh_str domain) {
  size_t labels = 0;
  for (wh_str label; wh_str_split(&domain, '.', &label); labels++)
    if (!is_label(label)) return false;
  return labels > 1;
}

static const char *write_email(wh_str text, wh_buf *out) {
  text = wh_chars_trim(text);
  size_t at = wh_str_find(text, 0, '@');
  wh_str local = wh_str_sub(text, 0, at), domain = wh_str_sub(text, at + 1, text.len);
  if (text.len > WH_EMAIL_MAX || !is_local(local) || !is_domain(domain))
    return "is no email address";
  wh_buf_add(out, text.data, at + 1);
  write_case(domain, wh_char_lower, out);
  return NULL;
}

// --- telephone numbers ---------------------------------------------------------------------------

// What is dialled before a number within a country (ITU-T Operational Bulletin 994, annex: national
// prefixes), where that is not 0.
static const struct {
  const char *country, *prefix;
} national_prefixes[] = {{"1", "1"}, {"7", "8"}, {"36", "06"}, {"39", ""}, {"378", ""}};

static wh_str national_prefix_of(const char *country) {
  for (size_t i = 0; i < sizeof national_prefixes / sizeof national_prefixes[0]; i++)
    if (strcmp(country, national_prefixes[i].country) == 0)
      return wh_str_of(national_prefixes[i].prefix);
  return WH_STR("0");
}

typedef struct phone_digits {
  char data[WH_PHONE_DIGITS_MAX + 4]; // with what does not belong to it yet
  size_t count;
  bool international; // it began with +
} phone_digits;

static bool is_separator(uint32_t c) {
  bool is_hyphen = c >= 0x2010 && c <= 0x2015;
  return wh_char_is_space(c) || is_hyphen || (c < 0x80 && strchr("-./()", (int)c));
}

// "(0)", which stands behind a country's code for whoever is within.
static bool skip_zero(wh_str text, size_t *at) {
  if (!wh_str_starts(wh_str_sub(text, *at, text.len), "(0)")) return false;
  *at += 3;
  return true;
}

static bool read_digits(wh_str text, phone_digits *ret) {
  *ret = (phone_digits){0};
  size_t at = 0;
  if (wh_str_starts(text, "+")) ret->international = ++at;
  while (at < text.len) {
    if (ret->international && ret->count && skip_zero(text, &at)) continue;
    uint32_t c = wh_char_next(text, &at);
    if (is_separator(c)) continue;
    if (c < '0' || c > '9' || ret->count == sizeof ret->data) return false;
    ret->data[ret->count++] = (char)c;
  }
  return true;
}

static const char *write_phone(const char *country, wh_str text, wh_buf *out) {
  phone_digits digits;
  if (!read_digits(wh_chars_trim(text), &digits)) return "is no telephone number";
  wh_str number = wh_str_n(digits.data, digits.count);
  bool within = !digits.international;
  if (within && wh_str_starts(number, "00")) { // the international prefix of most countries
    number = wh_str_sub(number, 2, number.len);
    within = false;
  }
  if (within && !country[0]) return "names no country, and normalize does not either";
  wh_str prefix = within ? national_prefix_of(country) : (wh_str){0};
  if (prefix.len && number.len > prefix.len && memcmp(number.data, prefix.data, prefix.len) == 0)
    number = wh_str_sub(number, prefix.len, number.len);
  size_t count = number.len + (within ? strlen(country) : 0);
  bool has_code = within || (number.len && number.data[0] != '0'); // no country's begins with 0
  if (!has_code || count < WH_PHONE_DIGITS_MIN || count > WH_PHONE_DIGITS_MAX)
    return "is no telephone number";
  wh_buf_add_char(out, '+');
  if (within) wh_buf_add_c(out, country);
  wh_buf_add_str(out, number);
  return NULL;
}

// --- all of them ---------------------------------------------------------------------------------

static const char *const names[] = {[WH_FORM_WHITESPACE] = "whitespace",
                                    [WH_FORM_LOWER] = "lower",
                                    [WH_FORM_UPPER] = "upper",
                                    [WH_FORM_NFC] = "nfc",
                                    [WH_FORM_EMAIL] = "email",
                                    [WH_FORM_PHONE] = "phone",
                                    NULL};

static wh_status read_country(const wh_node *node, wh_str text, const char *owner, wh_form *ret,
                              wh_error *err) {
  bool good = ret->kind == WH_FORM_PHONE && text.len > 1 && text.len <= sizeof ret->country &&
              text.data[0] == '+' && text.data[1] != '0';
  for (size_t i = 1; good && i < text.len; i++)
    good = text.data[i] >= '0' && text.data[i] <= '9';
  if (!good)
    return wh_node_fail(node, err,
                        "%s: '%.*s' is no form. A telephone number's may name the country of "
                        "numbers that do not: phone +44",
                        owner, WH_STR_ARG(node->text));
  memcpy(ret->country, text.data + 1, text.len - 1);
  return WH_OK;
}

wh_status wh_form_read(const wh_node *node, const char *owner, wh_form *ret, wh_error *err) {
  WH_TRY(wh_node_expect(node, WH_NODE_SCALAR, owner, "a form, such as lower", err));
  wh_str rest = node->text, name = {0};
  (void)wh_str_split(&rest, ' ', &name);
  *ret = (wh_form){0};
  size_t i = 0;
  while (names[i] && !wh_str_is(name, names[i]))
    i++;
  if (!names[i]) return wh_fail_word(node, owner, names, err);
  ret->kind = (wh_form_kind)i;
  if (ret->kind == WH_FORM_NFC) WH_TRY(need_utf8proc(node, owner, err));
  return rest.data ? read_country(node, rest, owner, ret, err) : WH_OK;
}

wh_status wh_form_write(const wh_form *form, wh_str text, wh_buf *out, const char **ret_why,
                        wh_error *err) {
  wh_buf_clear(out);
  *ret_why = NULL;
  switch (form->kind) {
  case WH_FORM_WHITESPACE:
    write_whitespace(text, out);
    break;
  case WH_FORM_LOWER:
    write_case(text, wh_char_lower, out);
    break;
  case WH_FORM_UPPER:
    write_case(text, wh_char_upper, out);
    break;
  case WH_FORM_NFC:
    return write_nfc(text, out, err);
  case WH_FORM_EMAIL:
    *ret_why = write_email(text, out);
    break;
  case WH_FORM_PHONE:
    *ret_why = write_phone(form->country, text, out);
    break;
  }
  return wh_buf_check(out, err);
}
