// `read: { deletes: compare }`: a reader around the source's, whose rows have one more column, that
// says whether the row is gone (data/deleted.h). Behind the last row it reads the source's keys,
// compares them with those that were sent (engine/sent_keys.h), and gives a row for each that is
// gone. The run's steps and gate then see these like any other.
#pragma once

#include "engine/input.h"

typedef struct wh_deletes_reader wh_deletes_reader;

// Puts itself in place of in->reader, which reads the source of in->pipeline, and in in->deletes.
wh_status wh_deletes_open(wh_run_input *in, wh_error *err);
// The same for rows of the quarantine that are sent again: their keys are added to those that were
// sent, and nothing is compared. Does nothing where the pipeline keeps no keys.
wh_status wh_deletes_open_replay(wh_run_input *in, wh_error *err);
// From now on rows are sent, and not only looked at. `run` outlives the reader.
void wh_deletes_begin(wh_deletes_reader *deletes, const wh_run *run, const wh_run_options *options);
// Rows of `out` go on, which were read as rows of `read`.
wh_status wh_deletes_note(wh_deletes_reader *deletes, const wh_batch *read, const wh_batch *out,
                          wh_error *err);
// Fills in compares, compared_by, keys_known and keys_sent.
wh_status wh_deletes_plan(const wh_deletes_reader *deletes, wh_plan *plan, wh_error *err);
// What is to be said about the comparison, at the end; NULL: nothing.
const char *wh_deletes_notice(const wh_deletes_reader *deletes);
