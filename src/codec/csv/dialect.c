#include "codec/csv/dialect.h"

const wh_csv_read_options wh_csv_read_defaults = {.preamble = -1};

static const char *const header_choices[] = {"auto", "yes", "no", NULL};
static const char *const encoding_choices[] = {"auto",     "utf-8",   "utf-16le",
                                               "utf-16be", "latin-1", NULL};

#define AT(field) .offset = offsetof(wh_csv_read_options, field)

const wh_option wh_csv_read_table[] = {
    {.name = "delimiter",
     .type = WH_OPTION_TEXT,
     AT(delimiter),
     .help =
         "what stands between fields, up to 8 bytes; \"tab\" for a tab; found out if not given"},
    {.name = "quote",
     .type = WH_OPTION_TEXT,
     AT(quote),
     .help = "the character around quoted fields, or none; found out if not given"},
    {.name = "escape",
     .type = WH_OPTION_TEXT,
     AT(escape),
     .help = "the character that takes the meaning from the next one inside quotes, or none"},
    {.name = "comment",
     .type = WH_OPTION_TEXT,
     AT(comment),
     .help = "lines that begin with this are passed over"},
    {.name = "header",
     .type = WH_OPTION_ENUM,
     AT(header),
     .def = "auto",
     .choices = header_choices,
     .help = "whether the first row holds the names of the columns"},
    {.name = "preamble",
     .type = WH_OPTION_INT,
     AT(preamble),
     .def = "-1",
     .min = -1,
     .max = 1000000,
     .help = "lines before the header to pass over; -1: found out"},
    {.name = "footer",
     .type = WH_OPTION_INT,
     AT(footer),
     .def = "0",
     .min = 0,
     .max = WH_CSV_FOOTER_MAX,
     .help = "rows at the end of the file to leave out"},
    {.name = "null",
     .type = WH_OPTION_LIST,
     AT(nulls),
     .help = "spellings of NULL besides the empty field: [NA, \"\\\\N\"]"},
    {.name = "thousands",
     .type = WH_OPTION_TEXT,
     AT(thousands),
     .help = "the character between groups of three digits: 1,234,567"},
    {.name = "decimal",
     .type = WH_OPTION_TEXT,
     AT(decimal),
     .help = "the character before the decimal places; found out if not given"},
    {.name = "encoding",
     .type = WH_OPTION_ENUM,
     AT(encoding),
     .def = "auto",
     .choices = encoding_choices,
     .help = "the character encoding"},
    {.name = "trim",
     .type = WH_OPTION_BOOL,
     AT(trim),
     .def = "false",
     .help = "leave out blanks around unquoted fields"},
    {.name = "text",
     .type = WH_OPTION_BOOL,
     AT(text),
     .def = "false",
     .help = "make every column text instead of finding out its type"},
    {0},
};

static wh_status wrong(wh_error *err, const char *name, wh_str value, const char *what) {
  return wh_fail(err, WH_ERR_USAGE, "%s: '%.*s' is not %s", name, WH_STR_ARG(value), what);
}

static bool is_tab(wh_str s) {
  return wh_str_is(s, "tab") || wh_str_is(s, "\\t");
}

// One ASCII character that can have a meaning of its own.
static bool one_char(wh_str s, char *ret) {
  if (s.len != 1 || s.data[0] <= 0 || s.data[0] == '\n' || s.data[0] == '\r') return false;
  *ret = s.data[0];
  return true;
}

static wh_status take_delimiter(wh_str s, csv_dialect *d, wh_error *err) {
  if (!s.len) return WH_OK;
  if (is_tab(s)) s = WH_STR("\t");
  bool odd = memchr(s.data, '\n', s.len) || memchr(s.data, '\r', s.len) ||
             memchr(s.data, 0, s.len) || (d->quote && memchr(s.data, d->quote, s.len));
  if (s.len > sizeof d->delimiter || odd || !wh_utf8_valid(s)) {
    return wrong(err, "delimiter", s, "up to 8 bytes without the quote or a line end");
  }
  memcpy(d->delimiter, s.data, s.len);
  d->delimiter_len = (uint8_t)s.len;
  return WH_OK;
}

static wh_status take_quotes(const wh_csv_read_options *o, csv_dialect *d, wh_error *err) {
  if (wh_str_is(o->quote, "none")) {
    d->quote = 0;
  } else if (o->quote.len && !one_char(o->quote, &d->quote)) {
    return wrong(err, "quote", o->quote, "one ASCII character or none");
  }
  if (o->escape.len && !wh_str_is(o->escape, "none")) {
    if (!one_char(o->escape, &d->escape)) {
      return wrong(err, "escape", o->escape, "one ASCII character or none");
    }
  }
  if (d->escape == d->quote) d->escape = 0;
  d->doubled = true;
  return WH_OK;
}

static bool sign_char(char c) {
  return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == 'e' || c == 'E';
}

static wh_status take_numbers(const wh_csv_read_options *o, csv_dialect *d, wh_error *err) {
  if (o->decimal.len && (!one_char(o->decimal, &d->decimal) || sign_char(d->decimal))) {
    return wrong(err, "decimal", o->decimal, "one character such as . or ,");
  }
  if (o->thousands.len && (!one_char(o->thousands, &d->thousands) || sign_char(d->thousands))) {
    return wrong(err, "thousands", o->thousands, "one character such as , or .");
  }
  if (d->thousands == d->decimal) {
    return wrong(err, "thousands", o->thousands, "another character than decimal");
  }
  return WH_OK;
}

static wh_status take_nulls(const wh_csv_read_options *o, csv_dialect *d, wh_error *err) {
  if (o->nulls.count > WH_CSV_NULLS_MAX) {
    return wh_fail(err, WH_ERR_USAGE, "null: more than %d spellings", WH_CSV_NULLS_MAX);
  }
  for (size_t i = 0; i < o->nulls.count; i++) {
    if (o->nulls.items[i].len) d->nulls[d->null_count++] = o->nulls.items[i];
  }
  return WH_OK;
}

wh_status csv_dialect_of_options(const wh_csv_read_options *options, csv_dialect *ret,
                                 wh_error *err) {
  csv_dialect d = {.delimiter = ",",
                   .delimiter_len = 1,
                   .quote = '"',
                   .header = options->header != WH_CSV_HEADER_NO,
                   .trim = options->trim,
                   .decimal = '.',
                   .preamble = options->preamble > 0 ? (uint64_t)options->preamble : 0,
                   .footer = (uint64_t)options->footer,
                   .encoding = WH_CSV_UTF8};
  WH_TRY(take_quotes(options, &d, err));
  WH_TRY(take_delimiter(options->delimiter, &d, err));
  WH_TRY(take_numbers(options, &d, err));
  WH_TRY(take_nulls(options, &d, err));
  if (options->comment.len > sizeof d.comment ||
      memchr(options->comment.data ? options->comment.data : "", '\n', options->comment.len)) {
    return wrong(err, "comment", options->comment, "up to 8 bytes of one line");
  }
  if (options->comment.len) memcpy(d.comment, options->comment.data, options->comment.len);
  d.comment_len = (uint8_t)options->comment.len;
  if (options->encoding) d.encoding = (wh_csv_encoding)options->encoding;
  *ret = d;
  return WH_OK;
}
