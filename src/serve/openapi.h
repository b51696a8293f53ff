// The OpenAPI document (3.1.0) of what `serve` answers, made from the configuration: lookups,
// endpoints for events, receipts, who may use them, what is sent and answered, and examples that
// work when pasted into a shell (the extension x-codeSamples). What is the same for every
// configuration stands in page/openapi.json.
#pragma once

#include "base/json_doc.h"
#include "config/config.h"

// `base`: where clients reach the server, for the examples. `server`: what `servers` says; "/": as
// whoever reads the document reached it. No secret is resolved. The caller frees *ret with
// json_decref.
wh_status wh_openapi_make(wh_config *config, wh_str base, wh_str server, wh_mem *mem, json_t **ret,
                          wh_error *err);
// The same as text, indented.
bool wh_openapi_write(const json_t *document, wh_buf *out);
// Where clients reach a server that listens at `listen` ("0.0.0.0:8080": all addresses, one of
// which is this machine's own) unless the configuration says where. In the arena; .data NULL
// without memory.
wh_str wh_openapi_base(const wh_serve *serve, wh_str listen, wh_arena *arena);
