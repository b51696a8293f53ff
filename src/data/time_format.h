// Date and time text in patterns other than ISO 8601.
//
// %Y four digits; %m %d %H %M %S one or two; %f one to nine digits of a fraction; %z Z, +hh:mm or
// +hhmm; %% a percent sign. Everything else stands for itself.
#pragma once

#include "data/temporal.h"

// WH_ERR_USAGE when the pattern has unknown letters, or a part without those it needs: a date is
// %Y, %m and %d, a time at least %H and %M.
wh_status wh_time_format_check(wh_str format, wh_error *err);
// Whether the whole text follows the (checked) pattern and exists in the calendar.
bool wh_time_format_parse(wh_str format, wh_str text, wh_iso *ret);
