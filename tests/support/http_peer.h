// An HTTP server in the test's own process that answers byte by byte as the test wants, so that it
// can break off, stall and lie. One thread a connection.
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct http_peer http_peer;
typedef struct http_peer_line http_peer_line; // a connection

typedef struct http_peer_request {
  wh_str method, target;
  wh_str head; // everything before the body
  wh_str body;
  int number;     // of the request, from 1, over all connections
  int connection; // of the connection, from 1
} http_peer_request;

// Answers one request; false: the connection is closed behind it. Called from the connection's
// thread, one at a time.
typedef bool (*http_peer_answer)(void *context, const http_peer_request *request,
                                 http_peer_line *line);

// On 127.0.0.1, at a free port. `certificate`: a file with a certificate and its key, for TLS;
// NULL: plain.
http_peer *http_peer_start(http_peer_answer answer, void *context, const char *certificate);
void http_peer_stop(http_peer *peer); // NULL is fine
int http_peer_port(const http_peer *peer);
int http_peer_requests(const http_peer *peer);
int http_peer_connections(const http_peer *peer);

void http_peer_write(http_peer_line *line, const char *data, size_t len);
__attribute__((format(printf, 2, 3))) void http_peer_printf(http_peer_line *line, const char *fmt,
                                                            ...);
// A whole answer: "HTTP/1.1 CODE", Content-Length, `fields` ("Name: value\r\n..."), the body.
void http_peer_reply(http_peer_line *line, int code, const char *fields, const char *body);
void http_peer_stall(http_peer_line *line); // until the other side or the test gives up
// The value of a field of the request, without data when it is not there.
wh_str http_peer_field(const http_peer_request *request, const char *name);

// Makes a certificate with its key for the name or address; false: there is no openssl.
bool http_peer_certificate(const char *path, const char *host);
