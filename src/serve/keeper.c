// The thread that keeps house: connections past their deadline, finders that have grown old, a
// certificate that was renewed.
//
// A new certificate gets a new daemon on the same listening socket; the old one takes no more
// connections and ends when those it has are done. So no connection is refused or cut, and a
// handshake never sees half of a change. (libmicrohttpd could also ask us for the certificate at
// every handshake, but only in GnuTLS' own types, and with their lifetimes in our hands.)
#include "serve/server.h"

#include "base/log.h"
#include "base/thread.h"

#include <unistd.h>

enum { TICK_SECONDS = 1, US_PER_S = 1000000 };
#define RETIRED_MAX_NS (2LL * WH_SERVE_REQUEST_SECONDS * 1000000000)

static void end_retired(wh_server *s, bool at_once) {
  if (!s->retired) return;
  int64_t age_ns = s->os->type->monotonic_ns(s->os) - s->retired_ns;
  if (!at_once && age_ns < RETIRED_MAX_NS && wh_daemon_connections(s->retired) > 0) return;
  MHD_stop_daemon(s->retired);
  s->retired = NULL;
}

static wh_status replace_daemon(wh_server *s, const wh_tls_files *files, wh_error *err) {
  struct MHD_Daemon *daemon;
  WH_TRY(wh_tls_check(files, s->config->serve.tls_certificate, s->config->serve.tls_key, err));
  end_retired(s, true);
  WH_TRY(wh_daemon_start(s, files, &daemon, err));
  wh_daemon_quiesce(s->daemon);
  s->retired = s->daemon;
  s->retired_ns = s->os->type->monotonic_ns(s->os);
  s->daemon = daemon;
  memcpy(s->certificate, files->digest, sizeof s->certificate);
  return WH_OK;
}

// Files that cannot be used are told once; the certificate in use stays. While they are being
// replaced, one after the other, they do not belong together for a moment.
static void refuse_files(wh_server *s, const wh_tls_files *files, const wh_error *err) {
  if (memcmp(s->refused, files->digest, sizeof s->refused) == 0) return;
  memcpy(s->refused, files->digest, sizeof s->refused);
  wh_log(WH_LOG_WARN, "serve", "%s. The certificate before it stays in use", err->text);
}

static void look_at_certificate(wh_server *s) {
  wh_error err = {0};
  wh_tls_files files;
  const wh_serve *serve = &s->config->serve;
  if (wh_tls_read(s->os, s->mem, serve->tls_certificate, serve->tls_key, &files, &err) != WH_OK)
    return; // being replaced, or gone: what is in memory still serves
  if (memcmp(s->certificate, files.digest, sizeof s->certificate) != 0) {
    if (replace_daemon(s, &files, &err) == WH_OK)
      wh_log(WH_LOG_INFO, "serve", "the certificate has changed; new connections get the new one");
    else
      refuse_files(s, &files, &err);
  }
  wh_tls_free(&files);
}

// Waits a tick; false when the server stops. *ret_refresh: somebody asked to look now.
static bool wait_tick(wh_server *s, bool *ret_refresh) {
  struct timespec until = wh_cond_until(TICK_SECONDS * US_PER_S);
  pthread_mutex_lock(&s->mutex);
  int error = 0;
  while (!s->stopping && !s->refresh && !error)
    error = pthread_cond_timedwait(&s->wake, &s->mutex, &until);
  *ret_refresh = s->refresh;
  s->refresh = false;
  bool goes_on = !s->stopping;
  pthread_mutex_unlock(&s->mutex);
  return goes_on;
}

static void *keep(void *context) {
  wh_server *s = context;
  bool refresh;
  for (unsigned tick = 0; wait_tick(s, &refresh); tick++) {
    atomic_store(&s->kept_ns, s->os->type->monotonic_ns(s->os));
    wh_connections_expire(&s->connections);
    for (size_t i = 0; i < s->desk_count; i++)
      wh_finders_expire(&s->desks[i].ask.finders);
    end_retired(s, false);
    if (s->has_tls && (refresh || tick % (WH_SERVE_CERTIFICATE_SECONDS / TICK_SECONDS) == 0))
      look_at_certificate(s);
  }
  return NULL;
}

wh_status wh_keeper_start(wh_server *s, wh_error *err) {
  atomic_store(&s->kept_ns, s->os->type->monotonic_ns(s->os));
  wh_status status = wh_thread_start(&s->keeper, keep, s, err);
  s->has_keeper = status == WH_OK;
  if (!s->has_keeper) wh_error_prefix(err, "serve: ");
  return status;
}

void wh_keeper_stop(wh_server *s) {
  if (!s->has_keeper) return;
  pthread_mutex_lock(&s->mutex);
  s->stopping = true;
  pthread_cond_signal(&s->wake);
  pthread_mutex_unlock(&s->mutex);
  pthread_join(s->keeper, NULL);
  s->has_keeper = false;
}
