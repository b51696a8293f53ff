#include "config/private.h"

const wh_option_section wh_option_sections[] = {
    {"wherry.yaml", "the top level", wh_top_options},
    {"connection", "a named place; besides these, its type has words of its own",
     wh_connection_options},
    {"mask", "what private values become before they cross", wh_mask_options},
    {"partial", "a mask that shows a part", wh_partial_options},
    {"pipeline", "what crosses, from where to where", wh_pipeline_options},
    {"when", "what starts a pipeline", wh_when_options},
    {"read", "how a pipeline reads", wh_read_options},
    {"column", "a column that crosses", wh_column_options},
    {"write", "how a pipeline writes", wh_write_options},
    {"notify", "who is told of a pipeline's runs", wh_notify_options},
    {"serve", "the lookup pages", wh_serve_options},
    {"tls", "HTTPS for them", wh_tls_options},
    {"lookup", "a page that answers for one row", wh_lookup_options},
    {"proof", "what the asker must also know", wh_proof_options},
    {"rate", "how often may be asked", wh_rate_options},
    {"ledger", "Wherry's own state; on a server it takes the words of that connection too",
     wh_ledger_options},
    {0},
};
