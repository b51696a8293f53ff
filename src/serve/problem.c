#include "serve/problem.h"

// RFC 9110 section 15, RFC 6585.
static const char *title_of(unsigned status) {
  switch (status) {
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 411:
    return "Length Required";
  case 413:
    return "Content Too Large";
  case 415:
    return "Unsupported Media Type";
  case 422:
    return "Unprocessable Content";
  case 429:
    return "Too Many Requests";
  default:
    return "Service Unavailable";
  }
}

void wh_http_problem_write(const wh_http_problem *p, wh_buf *out) {
  wh_buf_printf(out, "{\"title\":\"%s\",\"status\":%u,\"detail\":", title_of(p->status), p->status);
  wh_buf_add_json(out, wh_str_of(p->detail));
  if (p->errors.len) {
    wh_buf_add_c(out, ",\"errors\":[");
    wh_buf_add_str(out, p->errors);
    wh_buf_add_char(out, ']');
  }
  wh_buf_add_c(out, "}\n");
}
