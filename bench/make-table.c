// Tables for the benchmarks of codecs, as CSV or NDJSON, from a seed:
//   make-table SHAPE FORMAT BYTES [SEED] > FILE
// Shapes: orders (10 columns of all kinds), numeric (20 numbers), text (long texts with commas,
// quotes and newlines), wide (500 columns). Formats: csv, ndjson. Stops with the row that passes
// BYTES.
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state;

static uint64_t random_u64(void) { // splitmix64
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static uint64_t below(uint64_t n) {
  return random_u64() % n;
}

// --- writing fields ----------------------------------------------------------------------------

static bool json;
static uint64_t written;
static size_t column;

static void put(const char *text, size_t len) {
  fwrite_unlocked(text, 1, len, stdout);
  written += len;
}
static void puts_c(const char *text) {
  put(text, strlen(text));
}

static void begin(const char *name) {
  if (json) {
    puts_c(column ? ",\"" : "{\"");
    puts_c(name);
    puts_c("\":");
  } else if (column) {
    puts_c(",");
  }
  column++;
}
static void end_row(void) {
  puts_c(json ? "}\n" : "\n");
  column = 0;
}

static void number(const char *name, int64_t value) {
  char text[32];
  begin(name);
  put(text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}
static void fixed(const char *name, int64_t value, int places) {
  int64_t unit = 1;
  for (int i = 0; i < places; i++)
    unit *= 10;
  char text[48];
  begin(name);
  put(text, (size_t)snprintf(text, sizeof text, "%s%" PRId64 ".%0*" PRId64, value < 0 ? "-" : "",
                             labs(value) / unit, places, labs(value) % unit));
}
static void word(const char *name, const char *text) {
  begin(name);
  if (json) puts_c("\"");
  puts_c(text);
  if (json) puts_c("\"");
}
static void quoted(const char *name, const char *text) {
  begin(name);
  puts_c("\"");
  for (const char *at = text; *at; at++) {
    if (*at == '"')
      puts_c(json ? "\\\"" : "\"\"");
    else if (*at == '\n' && json)
      puts_c("\\n");
    else
      put(at, 1);
  }
  puts_c("\"");
}
static void nothing(const char *name) {
  begin(name);
  if (json) puts_c("null");
}

static void moment(const char *name, int64_t second, bool date_only) {
  time_t t = (time_t)second;
  struct tm tm;
  gmtime_r(&t, &tm);
  char text[32];
  strftime(text, sizeof text, date_only ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S", &tm);
  word(name, text);
}

// --- shapes ------------------------------------------------------------------------------------

static const char *const words[] = {"amber",   "basin",   "cedar",    "delta",  "ember", "fjord",
                                    "grain",   "harbour", "inlet",    "jetty",  "keel",  "lantern",
                                    "mooring", "north",   "oar",      "pier",   "quay",  "river",
                                    "sail",    "tide",    "upstream", "vessel", "wharf", "yard"};
enum { WORDS = sizeof words / sizeof *words, WIDE_COLUMNS = 500, NUMBERS = 20 };

static void orders(uint64_t row) {
  static const char *const states[] = {"Open", "Shipped", "Cancelled", "Back ordered", "Returned"};
  char text[64];
  int64_t second = 1700000000 + (int64_t)row / 4;
  number("order_id", (int64_t)row + 1);
  number("customer_id", (int64_t)below(200000));
  word("status", states[below(5)]);
  moment("order_date", second, true);
  moment("updated_at", second + (int64_t)below(86400), false);
  snprintf(text, sizeof text, "SKU-%05d", (int)below(20000));
  word("sku", text);
  number("quantity", 1 + (int64_t)below(20));
  fixed("unit_price", (int64_t)below(100000), 2);
  if (below(10))
    fixed("discount", (int64_t)below(40), 2);
  else
    nothing("discount");
  snprintf(text, sizeof text, "%s %s %d", words[below(WORDS)], words[below(WORDS)],
           (int)below(1000));
  word("ship_to", text);
}

static const char *column_name(char kind, size_t i) {
  static char name[32];
  snprintf(name, sizeof name, "%c%zu", kind, i);
  return name;
}

static void numeric(uint64_t row) {
  for (size_t i = 0; i < NUMBERS; i++) {
    switch (i % 4) {
    case 0:
      number(column_name('i', i), (int64_t)(random_u64() >> 20));
      break;
    case 1:
      number(column_name('s', i), (int64_t)below(10000) - 5000);
      break;
    case 2:
      fixed(column_name('f', i), (int64_t)below(2000000000) - 1000000000, 6);
      break;
    default:
      fixed(column_name('p', i), (int64_t)(row + below(1000)), 3);
    }
  }
}

static void sentence(char *out, size_t len) {
  size_t at = 0;
  while (at + 12 < len) {
    const char *w = words[below(WORDS)];
    size_t n = strlen(w);
    memcpy(out + at, w, n);
    at += n;
    uint64_t what = below(40);
    if (what == 0)
      out[at++] = '\n';
    else if (what == 1)
      out[at++] = '"';
    else if (what < 6)
      out[at++] = ',';
    out[at++] = ' ';
  }
  out[at] = 0;
}

static void text(uint64_t row) {
  char body[1024];
  number("id", (int64_t)row);
  sentence(body, 30 + below(40));
  quoted("title", body);
  sentence(body, 200 + below(600));
  quoted("body", body);
  sentence(body, 60 + below(200));
  quoted("comment", body);
}

static void wide(uint64_t row) {
  char value[32];
  for (size_t i = 0; i < WIDE_COLUMNS; i++) {
    switch (i % 5) {
    case 0:
      number(column_name('n', i), (int64_t)below(1000));
      break;
    case 1:
      number(column_name('k', i), (int64_t)(row * 10 + below(10)));
      break;
    case 2:
      fixed(column_name('f', i), (int64_t)below(100000), 2);
      break;
    case 3:
      word(column_name('w', i), words[below(WORDS)]);
      break;
    default:
      snprintf(value, sizeof value, "%s-%d", words[below(WORDS)], (int)below(5000));
      word(column_name('x', i), value);
    }
  }
}

// --- the file ----------------------------------------------------------------------------------

typedef void shape_row(uint64_t row);

static void header(const char *shape) {
  if (!strcmp(shape, "orders"))
    puts_c("order_id,customer_id,status,order_date,updated_at,sku,quantity,unit_price,discount,"
           "ship_to");
  else if (!strcmp(shape, "text"))
    puts_c("id,title,body,comment");
  size_t count = !strcmp(shape, "numeric") ? NUMBERS : !strcmp(shape, "wide") ? WIDE_COLUMNS : 0;
  const char *kinds = count == NUMBERS ? "isfp" : "nkfwx";
  for (size_t i = 0; i < count; i++) {
    if (i) puts_c(",");
    puts_c(column_name(kinds[i % strlen(kinds)], i));
  }
  puts_c("\n");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    shape_row *row;
  } shapes[] = {{"orders", orders}, {"numeric", numeric}, {"text", text}, {"wide", wide}};
  shape_row *row = NULL;
  for (size_t i = 0; argc > 3 && i < sizeof shapes / sizeof *shapes; i++) {
    if (!strcmp(shapes[i].name, argv[1])) row = shapes[i].row;
  }
  if (!row) {
    fprintf(stderr, "usage: make-table orders|numeric|text|wide csv|ndjson BYTES [SEED]\n");
    return 2;
  }
  static char buffer[1 << 20];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  json = !strcmp(argv[2], "ndjson");
  uint64_t bytes = strtoull(argv[3], NULL, 10);
  state = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
  if (!json) header(argv[1]);
  for (uint64_t i = 0; written < bytes; i++) {
    row(i);
    end_row();
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
