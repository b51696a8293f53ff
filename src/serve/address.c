#include "serve/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
enum { V4_BITS_BEFORE = 96 };

static wh_ip map_v4(const uint8_t bytes[4]) {
  wh_ip ip;
  memcpy(ip.bytes, mapped, sizeof mapped);
  memcpy(ip.bytes + sizeof mapped, bytes, 4);
  return ip;
}

bool wh_ip_is_v4(const wh_ip *ip) {
  return memcmp(ip->bytes, mapped, sizeof mapped) == 0;
}

bool wh_ip_eq(const wh_ip *a, const wh_ip *b) {
  return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool wh_ip_parse(wh_str text, wh_ip *ret) {
  char buf[WH_IP_TEXT_MAX + 1];
  if (text.len == 0 || text.len > WH_IP_TEXT_MAX || memchr(text.data, 0, text.len)) return false;
  memcpy(buf, text.data, text.len);
  buf[text.len] = 0;
  uint8_t v4[4];
  if (inet_pton(AF_INET, buf, v4) == 1) {
    *ret = map_v4(v4);
    return true;
  }
  wh_ip ip;
  if (inet_pton(AF_INET6, buf, ip.bytes) != 1) return false;
  *ret = ip;
  return true;
}

bool wh_ip_block_parse(wh_str text, wh_ip_block *ret) {
  size_t slash = wh_str_find(text, 0, '/');
  wh_str host = wh_str_sub(text, 0, slash);
  wh_ip ip;
  if (!wh_ip_parse(host, &ip)) return false;
  bool is_v4 = wh_str_find(host, 0, ':') == host.len;
  uint64_t bits = is_v4 ? 32 : 128;
  if (slash < text.len) {
    uint64_t given;
    if (!wh_str_to_u64(wh_str_sub(text, slash + 1, text.len), &given) || given > bits) return false;
    bits = given;
  }
  *ret = (wh_ip_block){.base = ip, .bits = (unsigned)bits + (is_v4 ? V4_BITS_BEFORE : 0)};
  return true;
}

bool wh_ip_of_socket(const struct sockaddr *address, wh_ip *ret) {
  if (!address) return false;
  if (address->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    uint8_t bytes[4];
    memcpy(bytes, &in.sin_addr, sizeof bytes);
    *ret = map_v4(bytes);
    return true;
  }
  if (address->sa_family != AF_INET6) return false;
  struct sockaddr_in6 in6;
  memcpy(&in6, address, sizeof in6);
  memcpy(ret->bytes, &in6.sin6_addr, sizeof ret->bytes);
  return true;
}

static wh_ip keep_bits(const wh_ip *ip, unsigned bits) {
  wh_ip kept = {0};
  memcpy(kept.bytes, ip->bytes, bits / 8);
  if (bits % 8) kept.bytes[bits / 8] = (uint8_t)(ip->bytes[bits / 8] & (0xFF00u >> (bits % 8)));
  return kept;
}

bool wh_ip_in(const wh_ip *ip, const wh_ip_block *blocks, size_t count) {
  for (size_t i = 0; i < count; i++) {
    wh_ip a = keep_bits(ip, blocks[i].bits), b = keep_bits(&blocks[i].base, blocks[i].bits);
    if (wh_ip_eq(&a, &b)) return true;
  }
  return false;
}

wh_ip wh_ip_network(const wh_ip *ip, unsigned bits) {
  return wh_ip_is_v4(ip) ? *ip : keep_bits(ip, bits);
}

bool wh_ip_write_network(const wh_ip *ip, wh_buf *out) {
  enum { V4_SHOWN = 24, V6_SHOWN = 48 };
  char text[INET6_ADDRSTRLEN];
  if (wh_ip_is_v4(ip)) {
    wh_ip network = keep_bits(ip, V4_BITS_BEFORE + V4_SHOWN);
    inet_ntop(AF_INET, network.bytes + sizeof mapped, text, sizeof text);
    return wh_buf_printf(out, "%s/%d", text, V4_SHOWN);
  }
  wh_ip network = keep_bits(ip, V6_SHOWN);
  inet_ntop(AF_INET6, network.bytes, text, sizeof text);
  return wh_buf_printf(out, "%s/%d", text, V6_SHOWN);
}

// One hop as proxies write it: 192.0.2.7, 192.0.2.7:4711, 2001:db8::7, [2001:db8::7]:4711.
static bool parse_hop(wh_str text, wh_ip *ret) {
  text = wh_str_trim(text);
  if (wh_str_starts(text, "[")) {
    size_t close = wh_str_find(text, 0, ']');
    wh_str rest = wh_str_sub(text, close + 1, text.len);
    if (close == text.len || (rest.len && rest.data[0] != ':')) return false;
    return wh_ip_parse(wh_str_sub(text, 1, close), ret);
  }
  size_t colon = wh_str_find(text, 0, ':');
  bool one_colon = colon < text.len && wh_str_find(text, colon + 1, ':') == text.len;
  return wh_ip_parse(one_colon ? wh_str_sub(text, 0, colon) : text, ret);
}

wh_ip wh_ip_behind(const wh_ip *peer, wh_str forwarded, const wh_ip_block *trusted, size_t count) {
  wh_ip at = *peer;
  for (int hop = 0; hop < WH_FORWARDED_HOPS_MAX && forwarded.len; hop++) {
    if (!wh_ip_in(&at, trusted, count)) return at;
    size_t comma = forwarded.len;
    while (comma > 0 && forwarded.data[comma - 1] != ',')
      comma--;
    wh_ip next;
    if (!parse_hop(wh_str_sub(forwarded, comma, forwarded.len), &next)) return at;
    at = next;
    forwarded.len = comma ? comma - 1 : 0;
  }
  return at;
}
