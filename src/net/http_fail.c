#include "net/http_private.h"

#include <errno.h>
#include <openssl/x509_vfy.h>

static long info(const exchange *x, CURLINFO which) {
  long value = 0;
  return wh_curl.curl_easy_getinfo(x->easy, which, &value) == CURLE_OK ? value : 0;
}

static wh_status fail_connect(exchange *x) {
  const char *why = NULL;
  switch (info(x, CURLINFO_OS_ERRNO)) {
  case ECONNREFUSED:
    why = "nobody listens there";
    break;
  case ENETUNREACH:
  case EHOSTUNREACH:
    why = "there is no way to it";
    break;
  default:
    why = "it does not answer";
  }
  return wh_fail(&x->base.error, WH_ERR_UNAVAILABLE,
                 "cannot connect to %s: %s. Check endpoint, port and firewall", x->host, why);
}

static wh_status fail_certificate(exchange *x) {
  wh_error *err = &x->base.error;
  bool own = x->http->tls_ca != NULL;
  switch (info(x, CURLINFO_SSL_VERIFYRESULT)) {
  case X509_V_OK: // libcurl compares the name once the signature holds, and notes that first or
                  // last
  case X509_V_ERR_UNSPECIFIED:
  case X509_V_ERR_HOSTNAME_MISMATCH:
  case X509_V_ERR_IP_ADDRESS_MISMATCH:
    return wh_fail(err, WH_ERR_DENIED,
                   "the server's certificate is for another name than %s. Use the name that it is "
                   "for, or have one made for this name",
                   x->host);
  case X509_V_ERR_CERT_HAS_EXPIRED:
    return wh_fail(err, WH_ERR_DENIED, "the certificate of the server at %s has expired", x->host);
  case X509_V_ERR_CERT_NOT_YET_VALID:
    return wh_fail(err, WH_ERR_DENIED,
                   "the certificate of the server at %s is not valid yet. Is the clock right here?",
                   x->host);
  default:
    return wh_fail(err, WH_ERR_DENIED,
                   "the certificate of the server at %s is signed by nobody whom %s trusts. Give "
                   "`tls_ca` the certificate of the authority that signed it",
                   x->host, own ? "`tls_ca`" : "the system");
  }
}

static wh_status fail_cut(exchange *x) {
  const char *when = x->headers_ended   ? "in the middle of the answer"
                     : x->base.was_sent ? "before the answer was complete"
                                        : "before the request was sent";
  return wh_fail(&x->base.error, WH_ERR_UNAVAILABLE, "%s closed the connection %s", x->host, when);
}

static wh_status fail_slow(exchange *x, const char *what, int64_t us) {
  x->base.timed_out = true;
  return wh_fail(&x->base.error, WH_ERR_UNAVAILABLE, "%s %s within %g s", x->host, what,
                 (double)us / 1e6);
}

// A timeout of libcurl's is that of connecting: the others are kept here.
static wh_status fail_code(exchange *x, CURLcode code) {
  wh_error *err = &x->base.error;
  switch (code) {
  case CURLE_OUT_OF_MEMORY:
    return wh_fail_memory(err);
  case CURLE_COULDNT_RESOLVE_HOST:
    return wh_fail(err, WH_ERR_UNAVAILABLE,
                   "no server is known by the name of %s. Check endpoint and region, and whether "
                   "names can be looked up here",
                   x->host);
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY:
    return wh_fail(err, WH_ERR_UNAVAILABLE, "the proxy %s does not let us to %s",
                   x->http->proxy ? x->http->proxy : "", x->host);
  case CURLE_COULDNT_CONNECT:
    return fail_connect(x);
  case CURLE_OPERATION_TIMEDOUT:
    return fail_slow(x, "took no connection", x->connect_us);
  case CURLE_PEER_FAILED_VERIFICATION:
    return fail_certificate(x);
  case CURLE_SSL_CACERT_BADFILE:
    return wh_fail(err, WH_ERR_USAGE, "%s holds no certificates",
                   x->http->tls_ca ? x->http->tls_ca : "the system's file of authorities");
  case CURLE_SSL_CONNECT_ERROR:
    return wh_fail(err, WH_ERR_UNAVAILABLE,
                   "%s does not answer as a server that encrypts. Check the port, or write http: "
                   "where the network is trusted",
                   x->host);
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE:
  case CURLE_RECV_ERROR:
  case CURLE_SEND_ERROR:
    return fail_cut(x);
  case CURLE_UNSUPPORTED_PROTOCOL: // HTTP/0.9 and what is no HTTP
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_BAD_CONTENT_ENCODING:
    return wh_fail(err, WH_ERR_UNAVAILABLE, "what %s answers is no HTTP", x->host);
  case CURLE_URL_MALFORMAT:
    return wh_fail(err, WH_ERR_USAGE, "the address of %s is no URL", x->host);
  default:
    return wh_fail(err, WH_ERR_UNAVAILABLE, "%s: %s", x->host, wh_curl.curl_easy_strerror(code));
  }
}

void wh_http_failed(exchange *x, CURLcode code) {
  curl_off_t sent = 0;
  wh_curl.curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  x->base.was_sent = sent > 0 || info(x, CURLINFO_REQUEST_SIZE) > 0;
  x->base.status = x->failed != WH_OK ? x->failed : fail_code(x, code);
}

void wh_http_timed_out(exchange *x, bool idle) {
  x->base.was_sent = true;
  x->base.status = idle ? fail_slow(x, "sent nothing more", x->idle_us)
                        : fail_slow(x, "did not finish its answer", x->total_us);
}
