// Addresses, blocks of them, and who is behind a proxy. Pure functions.
#pragma once

#include "base/buf.h"
#include "base/str.h"

#include <sys/socket.h>

// An IPv6 address; an IPv4 one is in its mapped form (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2).
typedef struct wh_ip {
  uint8_t bytes[16];
} wh_ip;

typedef struct wh_ip_block {
  wh_ip base;
  unsigned bits; // of 128
} wh_ip_block;

enum {
  WH_IP_TEXT_MAX = 45,
  WH_FORWARDED_HOPS_MAX = 32, // proxies in a row that are looked through
};

bool wh_ip_parse(wh_str text, wh_ip *ret);             // no port, no zone
bool wh_ip_block_parse(wh_str text, wh_ip_block *ret); // 10.0.0.0/8, ::1, 192.0.2.7
bool wh_ip_of_socket(const struct sockaddr *address, wh_ip *ret);
bool wh_ip_is_v4(const wh_ip *ip);
bool wh_ip_in(const wh_ip *ip, const wh_ip_block *blocks, size_t count);
bool wh_ip_eq(const wh_ip *a, const wh_ip *b);
// Keeps the first `bits` of an IPv6 address; IPv4 stays whole.
wh_ip wh_ip_network(const wh_ip *ip, unsigned bits);
// For the log, never a whole address: 192.0.2.0/24, 2001:db8:7::/48.
bool wh_ip_write_network(const wh_ip *ip, wh_buf *out);

// Who asks: `peer`, or, when that is a trusted proxy, the rightmost address of X-Forwarded-For
// that is not. What stands further left was written by whoever asks and is not believed; an entry
// that cannot be read ends the walk at the proxy that wrote it. `forwarded` holds the values of
// all such headers in their order, joined by commas.
wh_ip wh_ip_behind(const wh_ip *peer, wh_str forwarded, const wh_ip_block *trusted, size_t count);
