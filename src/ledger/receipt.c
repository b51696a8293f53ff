#include "ledger/receipt.h"

#include "data/temporal.h"

#include <inttypes.h>

bool wh_counts_add_up(const wh_counts *c) {
  uint64_t sum = c->written;
  const uint64_t others[] = {c->unchanged, c->superseded, c->filtered, c->quarantined};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    if (__builtin_add_overflow(sum, others[i], &sum)) return false;
  }
  return sum == c->read;
}

static bool removes(const wh_run *run) {
  return wh_str_starts(run->object, WH_ERASE_PREFIX) || wh_str_is(run->pipeline, WH_RETAIN_LEASE);
}

// --- JSON
// ------------------------------------------------------------------------------------------

static void json_text(wh_buf *out, const char *name, wh_str value) {
  if (!value.len) return;
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, value);
}

static void json_count(wh_buf *out, const char *name, uint64_t value) {
  wh_buf_printf(out, ",\"%s\":%" PRIu64, name, value);
}

static void json_time(wh_buf *out, const char *name, int64_t us) {
  if (!us) return;
  wh_buf_printf(out, ",\"%s\":\"", name);
  (void)wh_iso_write_timestamp(us, WH_UNIT_US, true, out);
  wh_buf_add_char(out, '"');
}

// Seconds with the digits that microseconds have.
static void add_seconds(wh_buf *out, int64_t us) {
  uint64_t magnitude = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
  wh_buf_printf(out, "%s%" PRIu64 ".%06" PRIu64, us < 0 ? "-" : "", magnitude / 1000000,
                magnitude % 1000000);
}

void wh_counts_write_json(const wh_counts *c, wh_buf *out) {
  json_count(out, "rows_read", c->read);
  json_count(out, "rows_written", c->written);
  json_count(out, "rows_unchanged", c->unchanged);
  json_count(out, "rows_superseded", c->superseded);
  json_count(out, "rows_filtered", c->filtered);
  json_count(out, "rows_quarantined", c->quarantined);
  json_count(out, "rows_deleted", c->deleted);
}

bool wh_receipt_write_json(const wh_run *run, wh_buf *out) {
  const wh_counts *c = &run->counts;
  wh_buf_add_c(out, "{\"run\":");
  wh_buf_add_json(out, run->id);
  json_text(out, "pipeline", run->pipeline);
  json_text(out, "object", run->object);
  json_text(out, "status", wh_str_of(wh_run_state_name(run->state)));
  json_time(out, "started", run->started_us);
  json_time(out, "finished", run->finished_us);
  wh_buf_add_c(out, ",\"seconds\":");
  if (run->finished_us)
    add_seconds(out, run->finished_us - run->started_us);
  else
    wh_buf_add_c(out, "null");
  wh_buf_printf(out, ",\"order\":%" PRId64, run->order);
  json_count(out, "epoch", run->epoch);
  wh_counts_write_json(c, out);
  wh_buf_printf(out, ",\"adds_up\":%s", wh_counts_add_up(c) ? "true" : "false");
  json_count(out, "bytes_read", run->bytes_read);
  json_count(out, "bytes_written", run->bytes_written);
  wh_buf_printf(out, ",\"row_hash\":\"%016" PRIx64 "\"", run->row_hash);
  json_text(out, "output", run->output);
  json_text(out, "output_version", run->output_version);
  json_text(out, "sha256", run->sha256);
  json_text(out, "rejects", run->rejects);
  json_text(out, "cursor_from", run->cursor_from);
  json_text(out, "cursor_to", run->cursor_to);
  json_text(out, removes(run) ? "removed" : "reading", run->reading);
  wh_buf_printf(out, ",\"partial\":%s", run->partial ? "true" : "false");
  json_text(out, "error", run->error);
  wh_buf_add_char(out, '}');
  return !out->failed;
}

// --- text
// ------------------------------------------------------------------------------------------

// 100,000
static void add_count(wh_buf *out, uint64_t n) {
  char digits[24];
  int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
  for (int i = 0; i < len; i++) {
    if (i && (len - i) % 3 == 0) wh_buf_add_char(out, ',');
    wh_buf_add_char(out, digits[i]);
  }
}

static void text_line(wh_buf *out, const char *name, wh_str value) {
  if (value.len) wh_buf_printf(out, "  %-13s %.*s\n", name, WH_STR_ARG(value));
}

static void count_line(wh_buf *out, const char *name, uint64_t n, const char *note) {
  wh_buf_printf(out, "  %-13s ", name);
  size_t before = out->len;
  add_count(out, n);
  size_t width = out->len - before;
  // Numbers stand below each other: pad in front.
  enum { NUMBER_WIDTH = 13 };
  if (width < NUMBER_WIDTH && wh_buf_reserve(out, NUMBER_WIDTH - width)) {
    size_t pad = NUMBER_WIDTH - width;
    memmove(out->data + before + pad, out->data + before, width);
    memset(out->data + before, ' ', pad);
    out->len += pad;
    out->data[out->len] = 0;
  }
  wh_buf_printf(out, " %s%s\n", n == 1 ? "row" : "rows", note);
}

static void counts_text(const wh_counts *c, wh_buf *out) {
  count_line(out, "read", c->read, "");
  count_line(out, "written", c->written, "");
  if (c->deleted) count_line(out, "  of these", c->deleted, " as deleted at the source");
  if (c->unchanged) count_line(out, "unchanged", c->unchanged, ", there already");
  if (c->superseded) count_line(out, "superseded", c->superseded, ", older than what is there");
  if (c->filtered) count_line(out, "filtered", c->filtered, ", dropped by a step");
  if (c->quarantined) count_line(out, "quarantined", c->quarantined, ", kept with their reasons");
  wh_buf_add_c(out, "  adds up       ");
  if (wh_counts_add_up(c))
    wh_buf_add_c(out, "yes: what was read is all accounted for\n");
  else
    wh_buf_add_c(out, "NO: the rows read are not those accounted for\n");
}

static void bytes_text(const wh_run *run, wh_buf *out) {
  wh_buf_add_c(out, "  bytes         ");
  add_count(out, run->bytes_read);
  wh_buf_add_c(out, " read, ");
  add_count(out, run->bytes_written);
  wh_buf_add_c(out, " written\n");
}

static void time_text(const wh_run *run, wh_buf *out) {
  wh_buf_add_c(out, "  started       ");
  (void)wh_iso_write_timestamp(run->started_us, WH_UNIT_US, true, out);
  if (run->finished_us) {
    wh_buf_add_c(out, ", took ");
    add_seconds(out, run->finished_us - run->started_us);
    wh_buf_add_c(out, " s");
  }
  wh_buf_add_char(out, '\n');
}

static void cursor_text(const wh_run *run, wh_buf *out) {
  if (!run->cursor_from.len && !run->cursor_to.len) return;
  wh_buf_printf(out, "  %-13s ", "cursor");
  if (run->cursor_from.len) wh_buf_printf(out, "from %.*s ", WH_STR_ARG(run->cursor_from));
  if (run->cursor_to.len) wh_buf_printf(out, "to %.*s", WH_STR_ARG(run->cursor_to));
  wh_buf_add_char(out, '\n');
}

bool wh_receipt_write_text(const wh_run *run, wh_buf *out) {
  wh_buf_printf(out, "%.*s   run %.*s   %s\n", WH_STR_ARG(run->pipeline), WH_STR_ARG(run->id),
                wh_run_state_name(run->state));
  text_line(out, "error", run->error);
  time_text(run, out);
  text_line(out, "object", run->object);
  text_line(out, "output", run->output);
  text_line(out, "version", run->output_version);
  counts_text(&run->counts, out);
  bytes_text(run, out);
  wh_buf_printf(out, "  %-13s %016" PRIx64 "\n", "row hash", run->row_hash);
  text_line(out, "sha256", run->sha256);
  cursor_text(run, out);
  text_line(out, removes(run) ? "removed" : "reading", run->reading);
  if (run->partial && !removes(run))
    text_line(out, "partial", WH_STR("a part was read, or rows of the quarantine"));
  wh_buf_printf(out, "  %-13s %" PRId64 "\n", "order", run->order);
  text_line(out, "quarantine", run->rejects);
  return !out->failed;
}
