// The ERP of the worked example order-status: an SQLite database with the orders of two years, made
// from a seed, with the dirt that real ones have:
//
//   sales_order(id INTEGER PRIMARY KEY, order_number TEXT, customer_name TEXT, postcode TEXT,
//     status_code INTEGER, order_date TEXT, ship_date TEXT, quantity INTEGER, total DECIMAL(12,2),
//     currency TEXT, credit_limit DECIMAL(12,2), margin REAL, updated_at TIMESTAMP)
//
//  - status_code: 1 open, 2 back ordered, 3 shipped, 4 cancelled; in a few rows 9, which is none.
//  - order_number "SO0004711", one in about 300 with spaces behind it; in a few rows missing.
//  - names in many alphabets, some all in capitals or small letters, with spaces at either end or
//    two in the middle; postcodes likewise, or without their space, or missing.
//  - dates kept as text, as old systems do; missing ones are NULL, '' or '0000-00-00'.
//  - updated_at 'YYYY-MM-DD HH:MM:SSZ' (UTC) over the last two years up to an hour before now; some
//    rows share theirs, as a nightly job leaves them.
//  - credit_limit and margin: what must never leave.
#pragma once

#include "base/os.h"

enum {
  WH_SAMPLE_INVALID_STATUS = 7, // rows with status_code 9, in samples of 1,000 rows or more
  WH_SAMPLE_MISSING_NUMBER = 5, // other rows without an order_number, likewise
  WH_SAMPLE_ROWS_MAX = 9999999, // that an order_number has digits for
};

// Makes the database whole or not at all. The same seed, rows and now give the same rows.
// WH_ERR_EXISTS when there is such a file.
wh_status wh_sample_orders(wh_os *os, const char *path, uint64_t seed, uint64_t rows,
                           int64_t now_us, wh_error *err);
// What an hour of business does: `n` rows (all, if there are fewer) go on in status or are just
// touched, and say that they were updated now.
wh_status wh_sample_orders_touch(wh_os *os, const char *path, uint64_t seed, uint64_t n,
                                 int64_t now_us, wh_error *err);
