// A run as CloudWatch's embedded metric format: a line of a log that becomes metrics
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
#pragma once

#include "ledger/ledger.h"

#define WH_METRICS_NAMESPACE "Wherry"

// One line, without the line feed, of a run that is done or failed: rows_read, rows_written,
// rows_quarantined, bytes_read, bytes_written, seconds and failed (0 or 1), by Pipeline; besides
// them what a log wants to know: run, object, output, error. For CloudWatch Logs, or for standard
// output in Lambda. False, and out->failed, without memory.
bool wh_run_write_metrics(const wh_run *run, wh_buf *out);
