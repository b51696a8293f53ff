// One invocation: runs what its event asks for, and says what became of it.
//
// Event loads need no ledger: the targets' marks say what is loaded, and whoever sent the event
// counts its failures. What has to remember more (a cursor, deletions, objects that it publishes)
// needs a ledger that outlives the function.
#pragma once

#include "base/buf.h"
#include "lambda/event.h"

// `event`: any but a request. `engine`: over the configuration and the ledger that the function
// has. `end_us`: when the time for it is over, and the engine's `stop` is set; 0: nobody knows.
// Until half of it is over a pipeline that runs elsewhere is waited for (WH_ERR_BUSY after that).
// *ret_json is what Lambda is answered: for messages of SQS which of them failed, else the totals
// of the runs. Everything that did not succeed is there, or it is an error:
//   any             of what failed first, when all of it failed, or when the sender does not ask
//                   what did
wh_status wh_lambda_handle(wh_engine *engine, const wh_lambda_event *event, int64_t end_us,
                           wh_buf *ret_json, wh_error *err);

// Whether the pipeline has to remember what a target's marks do not.
bool wh_lambda_needs_ledger(const wh_config *config, const wh_pipeline *pipeline);
