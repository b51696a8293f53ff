#include "serve/respond.h"

typedef struct header {
  const char *name, *value;
} header;

// No script, no frame, no other origin; nothing is stored, nothing is told to others.
static const header always[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "accelerometer=(), camera=(), geolocation=(), gyroscope=(), "
                           "magnetometer=(), microphone=(), payment=(), usb=()"},
};

enum { ALWAYS_FOR_PROGRAMS = 1 }; // the first

#define POLICY_OF_NO_PAGE "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"
#define STRICT_TRANSPORT  "max-age=31536000"

static bool add(struct MHD_Response *r, const char *name, const char *value) {
  return MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool add_headers(const wh_server *server, struct MHD_Response *r,
                        const wh_response *response) {
  bool is_page = strcmp(response->type, WH_TYPE_HTML) == 0;
  bool ok = add(r, "Content-Type", response->type) &&
            add(r, "Cache-Control", response->is_cacheable ? "public, max-age=300" : "no-store");
  size_t count = response->for_programs ? ALWAYS_FOR_PROGRAMS : sizeof always / sizeof always[0];
  for (size_t i = 0; ok && i < count; i++)
    ok = add(r, always[i].name, always[i].value);
  if (ok && !response->for_programs)
    ok = add(r, "Content-Security-Policy", is_page ? server->page_policy : POLICY_OF_NO_PAGE);
  if (ok && response->authenticate) ok = add(r, "WWW-Authenticate", response->authenticate);
  if (ok && server->has_tls) ok = add(r, "Strict-Transport-Security", STRICT_TRANSPORT);
  if (ok && response->allow) ok = add(r, "Allow", response->allow);
  if (ok && response->location) ok = add(r, "Location", response->location);
  if (ok && response->closes) ok = add(r, "Connection", "close");
  if (ok && response->retry_after_s) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)response->retry_after_s);
    ok = add(r, "Retry-After", seconds);
  }
  return ok;
}

enum MHD_Result wh_respond(wh_server *server, struct MHD_Connection *connection,
                           const wh_response *response) {
  enum MHD_ResponseMemoryMode mode =
      response->is_static ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY;
  struct MHD_Response *r =
      MHD_create_response_from_buffer(response->body.len, (void *)response->body.data, mode);
  if (!r) return MHD_NO;
  enum MHD_Result result = MHD_NO;
  if (add_headers(server, r, response)) {
    result = MHD_queue_response(connection, response->status, r);
  }
  MHD_destroy_response(r);
  return result;
}
