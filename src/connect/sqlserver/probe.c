// [MS-TDS] 2.2.6.5: a PRELOGIN says that the line is to be encrypted; the handshake then travels in
// packets of the same kind.
#include "connect/sqlserver/probe.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
  PRELOGIN = 0x12,
  HEAD = 8,
  PACKET_MAX = 4096,
  LAST = 1,
  ENCRYPTION = 1, // among the options of a PRELOGIN
  END = 0xFF,
  ENCRYPT_NOT_SUPPORTED = 2,
  OPTION_BYTES = 5,
  ROUNDS_MAX = 32, // of packets, until the handshake is given up
};

// --- Packets -------------------------------------------------------------------------------------

static int connect_to(const wh_server *server) {
  char port[8];
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  int64_t us = server->connect_timeout_us;
  struct timeval limit = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
  snprintf(port, sizeof port, "%d", (int)server->port);
  if (getaddrinfo(server->host.data, port, &hints, &found) != 0) return -1;
  int fd = -1;
  for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
    fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) continue;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) break;
    close(fd);
    fd = -1;
  }
  freeaddrinfo(found);
  return fd;
}

static bool send_packet(int fd, const uint8_t *data, size_t len) {
  uint8_t packet[PACKET_MAX] = {PRELOGIN, LAST};
  if (len > sizeof packet - HEAD) return false;
  packet[2] = (uint8_t)((len + HEAD) >> 8);
  packet[3] = (uint8_t)(len + HEAD);
  memcpy(packet + HEAD, data, len);
  return send(fd, packet, len + HEAD, MSG_NOSIGNAL) == (ssize_t)(len + HEAD);
}

static bool receive(int fd, uint8_t *data, size_t len) {
  while (len) {
    ssize_t n = recv(fd, data, len, 0);
    if (n <= 0) return false;
    data += n;
    len -= (size_t)n;
  }
  return true;
}

// The bytes of one packet; 0: there is none.
static size_t receive_packet(int fd, uint8_t data[UINT16_MAX]) {
  uint8_t head[HEAD];
  if (!receive(fd, head, sizeof head)) return 0;
  size_t len = (size_t)head[2] << 8 | head[3];
  return len > HEAD && receive(fd, data, len - HEAD) ? len - HEAD : 0;
}

// Whether the server will encrypt, in *ret.
static bool ask_encryption(int fd, uint8_t *room, bool *ret) {
  static const uint8_t ask[] = {0, 0, 11, 0, 6, ENCRYPTION, 0, 17, 0, 1, END, 16, 0, 0, 0, 0, 0, 1};
  size_t len = send_packet(fd, ask, sizeof ask) ? receive_packet(fd, room) : 0;
  for (size_t at = 0; at + OPTION_BYTES <= len && room[at] != END; at += OPTION_BYTES) {
    size_t where = (size_t)room[at + 1] << 8 | room[at + 2];
    if (room[at] != ENCRYPTION || where >= len) continue;
    *ret = room[where] != ENCRYPT_NOT_SUPPORTED;
    return true;
  }
  return false;
}

// --- The handshake -------------------------------------------------------------------------------

static bool flush(int fd, BIO *out) {
  uint8_t part[PACKET_MAX - HEAD];
  for (int n; (n = BIO_read(out, part, sizeof part)) > 0;)
    if (!send_packet(fd, part, (size_t)n)) return false;
  return true;
}

static wh_mssql_line meaning_of(long verified) {
  switch (verified) {
  case X509_V_OK:
    return WH_MSSQL_LINE_UNKNOWN;
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return WH_MSSQL_LINE_OTHER_NAME;
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return WH_MSSQL_LINE_EXPIRED;
  default:
    return WH_MSSQL_LINE_UNSIGNED;
  }
}

static wh_mssql_line shake_hands(int fd, SSL *ssl, uint8_t *room) {
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  if (!in || !out) {
    BIO_free(in);
    BIO_free(out);
    return WH_MSSQL_LINE_UNKNOWN;
  }
  SSL_set_bio(ssl, in, out); // they are its own now
  SSL_set_connect_state(ssl);
  for (int round = 0; round < ROUNDS_MAX; round++) {
    int rc = SSL_do_handshake(ssl);
    bool is_over = rc == 1 || SSL_get_error(ssl, rc) != SSL_ERROR_WANT_READ;
    if (is_over) return meaning_of(SSL_get_verify_result(ssl));
    if (!flush(fd, out)) break;
    size_t len = receive_packet(fd, room);
    if (!len || BIO_write(in, room, (int)len) != (int)len) break;
  }
  return WH_MSSQL_LINE_UNKNOWN;
}

static bool set_name(SSL *ssl, const char *host) {
  unsigned char address[sizeof(struct in6_addr)];
  if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  return SSL_set1_host(ssl, host) == 1;
}

static wh_mssql_line verify(const wh_server *server, int fd, uint8_t *room) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) return WH_MSSQL_LINE_UNKNOWN;
  wh_mssql_line line = WH_MSSQL_LINE_UNKNOWN;
  bool has_trusted = server->tls_ca.len
                         ? SSL_CTX_load_verify_locations(context, server->tls_ca.data, NULL) == 1
                         : SSL_CTX_set_default_verify_paths(context) == 1;
  SSL *ssl = has_trusted ? SSL_new(context) : NULL;
  if (!has_trusted && server->tls_ca.len) line = WH_MSSQL_LINE_NO_TRUSTED;
  if (ssl) SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
  if (ssl && set_name(ssl, server->host.data)) line = shake_hands(fd, ssl, room);
  SSL_free(ssl);
  SSL_CTX_free(context);
  return line;
}

wh_mssql_line wh_mssql_probe(const wh_server *server) {
  static _Thread_local uint8_t room[UINT16_MAX];
  bool encrypts;
  wh_mssql_line line = WH_MSSQL_LINE_UNKNOWN;
  int fd = connect_to(server);
  if (fd < 0) return line;
  if (ask_encryption(fd, room, &encrypts))
    line = encrypts ? verify(server, fd, room) : WH_MSSQL_LINE_PLAIN;
  close(fd);
  return line;
}
