#include "ledger/run_metrics.h"

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

static const struct {
  const char *name, *unit;
} metrics[] = {{"rows_read", "Count"},  {"rows_written", "Count"},  {"rows_quarantined", "Count"},
               {"bytes_read", "Bytes"}, {"bytes_written", "Bytes"}, {"seconds", "Seconds"},
               {"failed", "Count"}};

static void add_text(wh_buf *out, const char *name, wh_str value) {
  if (value.len == 0) return;
  wh_buf_printf(out, ",\"%s\":", name);
  wh_buf_add_json(out, value);
}

static void add_number(wh_buf *out, const char *name, uint64_t value) {
  wh_buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

bool wh_run_write_metrics(const wh_run *run, wh_buf *out) {
  wh_buf_printf(out,
                "{\"_aws\":{\"Timestamp\":%lld,\"CloudWatchMetrics\":[{\"Namespace\":"
                "\"" WH_METRICS_NAMESPACE "\",\"Dimensions\":[[\"Pipeline\"]],\"Metrics\":[",
                (long long)(run->finished_us / US_PER_MS));
  for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
    wh_buf_printf(out, "%s{\"Name\":\"%s\",\"Unit\":\"%s\"}", i ? "," : "", metrics[i].name,
                  metrics[i].unit);
  wh_buf_add_c(out, "]}]},\"Pipeline\":");
  wh_buf_add_json(out, run->pipeline);
  add_text(out, "run", run->id);
  add_text(out, "object", run->object);
  add_text(out, "output", run->output);
  add_text(out, "error", run->error);
  add_number(out, "rows_read", run->counts.read);
  add_number(out, "rows_written", run->counts.written);
  add_number(out, "rows_quarantined", run->counts.quarantined);
  add_number(out, "bytes_read", run->bytes_read);
  add_number(out, "bytes_written", run->bytes_written);
  int64_t us = run->finished_us > run->started_us ? run->finished_us - run->started_us : 0;
  wh_buf_printf(out, ",\"seconds\":%lld.%06lld", (long long)(us / US_PER_S),
                (long long)(us % US_PER_S));
  add_number(out, "failed", run->state == WH_RUN_FAILED);
  return wh_buf_add_char(out, '}');
}
