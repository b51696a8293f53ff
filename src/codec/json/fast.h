// Rows read in one pass, without the index of their structure: a guess that most rows keep to the
// keys, the order and the spacing of the one before.
//
// What it takes, it takes as decode.h would. Where anything is otherwise (another order, white
// space, a wrong value, a key that no column has), it takes nothing of the row, and the row is read
// by the index: there is one place that knows what is wrong with a row, and this is not it. The
// window ends with zeros, which no value continues with, so there is nothing to count on the way.
#pragma once

#include "codec/json/reader.h"

// Appends rows as long as they are as expected: at most `most`, which is not 0. feed->pos is behind
// the last one taken, and so is the count of lines. Returns how many; WH_ERR_MEMORY is left to the
// slow way.
size_t json_fast_rows(json_reader *reader, wh_batch *batch, size_t most);

json_fast_row *json_fast_row_of(wh_cpu cpu);

extern bool json_fast_off; // for tests: readers opened from now on read by the index alone
