#include "serve/headers.h"

enum { FORWARDED_BYTES_MAX = 4096 };

wh_str wh_header_of(struct MHD_Connection *connection, const char *name) {
  const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
  return value ? wh_str_of(value) : WH_STR("");
}

// --- who asks -----------------------------------------------------------------------------------

static enum MHD_Result join_forwarded(void *context, enum MHD_ValueKind kind, const char *key,
                                      const char *value) {
  (void)kind;
  if (!value || !wh_str_eq_nocase(wh_str_of(key), WH_STR("X-Forwarded-For"))) return MHD_YES;
  wh_buf *out = context;
  if (out->len) wh_buf_add_char(out, ',');
  wh_buf_add_c(out, value);
  return MHD_YES;
}

wh_ip wh_asker_of(const wh_server *s, struct MHD_Connection *connection) {
  wh_ip peer = {0};
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (!info || !wh_ip_of_socket(info->client_addr, &peer)) return peer;
  if (!wh_ip_in(&peer, s->trusted, s->trusted_count)) return peer;
  WH_CLEAN_BUF wh_buf forwarded;
  wh_buf_init(&forwarded, s->mem, FORWARDED_BYTES_MAX);
  MHD_get_connection_values(connection, MHD_HEADER_KIND, join_forwarded, &forwarded);
  if (forwarded.failed) return peer;
  return wh_ip_behind(&peer, wh_buf_str(&forwarded), s->trusted, s->trusted_count);
}

// --- framing -------------------------------------------------------------------------------------

static bool is_token(const char *name, size_t len) {
  for (size_t i = 0; i < len; i++) {
    char c = name[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
  }
  return len > 0;
}

static enum MHD_Result look_at_header(void *context, enum MHD_ValueKind kind, const char *key,
                                      size_t key_len, const char *value, size_t value_len) {
  (void)kind;
  wh_framing *f = context;
  wh_str name = wh_str_n(key, key_len);
  if (!is_token(key, key_len)) f->is_odd = true;
  for (size_t i = 0; i < value_len; i++)
    if ((unsigned char)value[i] < 0x20 && value[i] != '\t') f->is_odd = true;
  if (wh_str_eq_nocase(name, WH_STR("Host"))) f->hosts++;
  if (wh_str_eq_nocase(name, WH_STR("Transfer-Encoding"))) f->encodings++;
  if (!wh_str_eq_nocase(name, WH_STR("Content-Length"))) return MHD_YES;
  f->lengths++;
  if (!value_len || !wh_str_to_u64(wh_str_n(value, value_len), &f->length)) f->is_odd = true;
  return MHD_YES;
}

wh_framing wh_framing_of(struct MHD_Connection *connection) {
  wh_framing f = {0};
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at_header, &f);
  return f;
}

bool wh_framing_is_doubtful(const wh_framing *f) {
  return f->is_odd || f->lengths > 1 || f->hosts > 1 || (f->lengths && f->encodings);
}
