#include "connect/sftp/sftp.h"

static const wh_option sftp_options[] = {
    {.name = "host",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, host),
     .required = true,
     .help = "the server's name or address"},
    {.name = "port",
     .type = WH_OPTION_INT,
     .offset = offsetof(wh_sftp_options, port),
     .def = "22",
     .min = 1,
     .max = 65535,
     .help = "where it listens"},
    {.name = "user",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, user),
     .required = true,
     .help = "who logs in"},
    {.name = "path",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, path),
     .help = "folder on the server; keys are below it. Without it, and for one without a '/' in "
             "front, from where the server puts who logs in"},
    {.name = "private_key_file",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_sftp_options, private_key_file),
     .help = "file of the private key, in OpenSSH's form or PEM"},
    {.name = "private_key",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, private_key),
     .secret = true,
     .help = "the private key itself, as a secret's text"},
    {.name = "passphrase",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, passphrase),
     .secret = true,
     .help = "of the private key"},
    {.name = "password",
     .type = WH_OPTION_TEXT,
     .offset = offsetof(wh_sftp_options, password),
     .secret = true,
     .help = "the user's password, where there is no key, or besides it where the server wants "
             "both. With neither, the keys of ssh-agent are tried"},
    {.name = "host_key",
     .type = WH_OPTION_LIST,
     .offset = offsetof(wh_sftp_options, host_key),
     .help =
         "fingerprints of the server's host keys, as SHA256:...; known_hosts is then not asked"},
    {.name = "known_hosts",
     .type = WH_OPTION_PATH,
     .offset = offsetof(wh_sftp_options, known_hosts),
     .help = "file of host keys; else ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts"},
    {.name = "settle",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_sftp_options, settle_us),
     .def = "5s",
     .min = 0,
     .max = INT64_C(86400000000),
     .help = "for how long a file has to be seen with the same size and time before `when: new` "
             "takes it"},
    {.name = "connections",
     .type = WH_OPTION_INT,
     .offset = offsetof(wh_sftp_options, connections),
     .def = "4",
     .min = 1,
     .max = WH_SFTP_LINES_MAX,
     .help = "to the server at a time, at most; each carries many requests"},
    {.name = "connect_timeout",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_sftp_options, connect_timeout_us),
     .def = "20s",
     .min = 1000000,
     .max = -1,
     .help = "how long connecting and logging in may take"},
    {.name = "answer_timeout",
     .type = WH_OPTION_DURATION,
     .offset = offsetof(wh_sftp_options, answer_timeout_us),
     .def = "60s",
     .min = 1000000,
     .max = -1,
     .help = "how long the server may say nothing before the connection counts as broken"},
    {0},
};

// --- options -------------------------------------------------------------------------------------

static wh_status check_text(wh_str value, const char *name, wh_error *err) {
  if (value.len == 0 || !memchr(value.data, 0, value.len)) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE, "%s has a NUL byte", name);
}

// SHA256: and the 43 characters of base64 without its '='.
static wh_status check_host_key(wh_str print, wh_error *err) {
  static const char prefix[] = "SHA256:";
  enum { PREFIX = sizeof prefix - 1, DIGEST_CHARS = 43 };
  bool ok = wh_str_starts(print, prefix) && print.len == PREFIX + DIGEST_CHARS;
  for (size_t i = PREFIX; ok && i < print.len; i++) {
    char c = print.data[i];
    ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
         c == '/';
  }
  if (ok) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "host_key '%.*s' is no fingerprint: SHA256: and 43 characters, as ssh-keygen -lf "
                 "prints it",
                 WH_STR_ARG(print));
}

static wh_status sftp_check(const void *options, wh_error *err) {
  const wh_sftp_options *o = options;
  if (o->host.len == 0) return wh_fail(err, WH_ERR_USAGE, "host is empty");
  if (o->user.len == 0) return wh_fail(err, WH_ERR_USAGE, "user is empty");
  WH_TRY(check_text(o->host, "host", err));
  WH_TRY(check_text(o->user, "user", err));
  WH_TRY(check_text(o->path, "path", err));
  WH_TRY(check_text(o->private_key, "private_key", err));
  WH_TRY(check_text(o->passphrase, "passphrase", err));
  WH_TRY(check_text(o->password, "password", err));
  if (o->private_key.len && o->private_key_file.len)
    return wh_fail(err, WH_ERR_USAGE, "private_key and private_key_file: one of them is enough");
  if (o->passphrase.len && !o->private_key.len && !o->private_key_file.len)
    return wh_fail(err, WH_ERR_USAGE, "passphrase is of a private key, and there is none");
  if (o->host_key.count && o->known_hosts.len)
    return wh_fail(err, WH_ERR_USAGE, "host_key and known_hosts: one of them is enough");
  for (size_t i = 0; i < o->host_key.count; i++)
    WH_TRY(check_host_key(o->host_key.items[i], err));
  return WH_OK;
}

// --- reach ---------------------------------------------------------------------------------------

typedef struct reaching {
  wh_connection *c;
  wh_str path;
  bool is_missing, has_posix_rename;
} reaching;

static wh_status check_folder(reaching *w, const wh_sftp_request *r, wh_error *err) {
  wh_status status = wh_sftp_judge(r, WH_SFTP_ATTRS, w->path, err);
  w->is_missing = status == WH_ERR_NOT_FOUND;
  if (status != WH_OK) return w->is_missing ? WH_OK : status;
  wh_sftp_reader in = wh_sftp_reader_of(wh_buf_str(&r->answer));
  wh_sftp_attrs attrs;
  wh_sftp_take_attrs(&in, &attrs);
  if (in.bad) {
    return wh_fail(err, WH_ERR_DATA, "%.*s: the server's attributes are none of SFTP",
                   WH_STR_ARG(w->path));
  }
  wh_sftp_kind kind = wh_sftp_kind_of(&attrs);
  if (kind == WH_SFTP_KIND_FOLDER || kind == WH_SFTP_KIND_UNKNOWN) return WH_OK;
  return wh_fail(err, WH_ERR_REFUSED, "%.*s: is not a folder", WH_STR_ARG(w->path));
}

static wh_status do_reach(wh_sftp_line *line, void *context, wh_error *err) {
  reaching *w = context;
  wh_sftp_message m = {.type = WH_SFTP_STAT, .text_count = 1, .texts = {w->path}};
  wh_sftp_request r;
  wh_sftp_request_init(&r, w->c->mem);
  wh_status status = wh_sftp_ask(line, &m, &r, err);
  if (status == WH_OK) status = check_folder(w, &r, err);
  w->has_posix_rename = wh_sftp_server_of(line)->has_posix_rename;
  wh_sftp_request_free(line, &r);
  return status;
}

static wh_status reach(wh_connection *c, wh_buf *note, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  const wh_sftp_options *o = wh_sftp_options_of(c);
  reaching w = {.c = c};
  WH_TRY(wh_sftp_folder_path(c, &arena, (wh_str){0}, &w.path, err));
  WH_TRY(wh_sftp_do(c, do_reach, &w, err));
  wh_buf_printf(note, "%.*s is who it should be and takes %.*s; ", WH_STR_ARG(o->host),
                WH_STR_ARG(o->user));
  if (w.is_missing)
    wh_buf_printf(note, "%.*s does not exist yet; the first write creates it", WH_STR_ARG(w.path));
  else if (o->path.len)
    wh_buf_printf(note, "%.*s exists", WH_STR_ARG(o->path));
  else
    wh_buf_add_c(note, "its folder there exists");
  if (!w.has_posix_rename)
    wh_buf_add_c(note, "; the server cannot replace a file in one step, so none is replaced");
  return wh_buf_check(note, err);
}

static wh_status sftp_reach(wh_connection *c, wh_buf *ret_note, wh_error *err) {
  return wh_store_say(c, reach(c, ret_note, err), err);
}

// --- the connector -------------------------------------------------------------------------------

static wh_status sftp_open(wh_connection *c, wh_error *err) {
  return wh_store_say(c, wh_sftp_open_pool(c, err), err);
}

const wh_store_type wh_sftp_store = {
    .list = wh_sftp_list,
    .stat = wh_sftp_stat,
    .open = wh_sftp_open,
    .create = wh_sftp_create,
    .publish = wh_sftp_publish,
    .put = wh_sftp_put,
    .attributes = wh_sftp_attributes,
    .discard = wh_sftp_discard,
    .attempts = wh_sftp_attempts,
    .remove = wh_sftp_remove,
    .withdraw = wh_sftp_withdraw,
    .versions = wh_sftp_versions,
    .restore = wh_sftp_restore,
    .purge = wh_sftp_purge,
};

const wh_connector wh_connector_sftp = {
    .name = "sftp",
    .help = "a folder on an SFTP server as a store of objects",
    .options = sftp_options,
    .options_size = sizeof(wh_sftp_options),
    .store = &wh_sftp_store,
    .check = sftp_check,
    .open = sftp_open,
    .close = wh_sftp_close_pool,
    .reach = sftp_reach,
    .reserve_bytes = WH_SFTP_RESERVE_BYTES,
};
