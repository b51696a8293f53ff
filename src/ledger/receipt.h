// Receipts: the proof of a run. The ledger keeps the numbers (wh_run); these are its two forms.
#pragma once

#include "ledger/ledger.h"

// read = written + unchanged + superseded + filtered + quarantined, without overflow.
bool wh_counts_add_up(const wh_counts *counts);
// As members of an object that has some already: ,"rows_read":3,"rows_written":2,...
void wh_counts_write_json(const wh_counts *counts, wh_buf *out);

// One JSON object on one line, without the line feed. Members that have nothing to say (no object,
// no cursor, no error) are left out; row_hash is 16 hex digits, times are ISO 8601, `seconds` is
// null while the run goes on. False, and out->failed, without memory.
bool wh_receipt_write_json(const wh_run *run, wh_buf *out);
// For people; several lines, no colour.
bool wh_receipt_write_text(const wh_run *run, wh_buf *out);
