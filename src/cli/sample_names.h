// Customers of sample orders: names in many alphabets, put together at random, and postcodes as
// the name's country writes them; both as people type them into an ERP.
#pragma once

#include "base/buf.h"
#include "cli/sample_random.h"

// Append to `out`. A name and its postcode are of the same region.
uint32_t wh_sample_region(wh_sample_random *r);
bool wh_sample_name(wh_sample_random *r, uint32_t region, wh_buf *out);
bool wh_sample_postcode(wh_sample_random *r, uint32_t region, wh_buf *out);
