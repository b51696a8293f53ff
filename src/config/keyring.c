#include "config/keyring.h"

#include "base/buf.h"
#include "base/crypto.h"

#include <stdio.h>

// The file: MAGIC, then the sealed list, which MAGIC is the authenticated header of. The list: the
// number of secrets, and for each the length of its name, its name, the length of its value, its
// value; lengths as 32 bits, little-endian; sorted by name.
#define MAGIC "wherry-keyring-1\n"

enum {
  KEYRING_BYTES_MAX = 4 << 20, // of the file
  LOCK_PAUSE_NS = 20 * 1000000,
  KEY_FILE_MAX = 4096, // read of a file that should be the key; a longer one is none
};

typedef struct secret {
  wh_str name, value; // in the plain text, or the caller's
} secret;

typedef struct ring {
  secret *list;
  size_t count;
  wh_buf plain; // what the views point into; wiped at the end
} ring;

static void ring_free(ring *r) {
  if (r->plain.data) wh_wipe(r->plain.data, r->plain.cap);
  wh_buf_free(&r->plain);
}

// --- names and places ----------------------------------------------------------------------------

wh_status wh_keyring_key_path(const char *(*get)(void *context, const char *name), void *context,
                              wh_arena *arena, const char **ret, wh_error *err) {
  const char *file = get ? get(context, "WHERRY_KEY_FILE") : NULL;
  const char *xdg = get ? get(context, "XDG_CONFIG_HOME") : NULL;
  const char *home = get ? get(context, "HOME") : NULL;
  wh_str path = {0};
  if (file && file[0])
    path = wh_arena_str(arena, wh_str_of(file));
  else if (xdg && xdg[0] == '/')
    path = wh_arena_printf(arena, "%s/wherry/key", xdg);
  else if (home && home[0])
    path = wh_arena_printf(arena, "%s/.config/wherry/key", home);
  else {
    return wh_fail(err, WH_ERR_USAGE,
                   "nobody says where the keyring's key is. Set WHERRY_KEY_FILE to its path");
  }
  if (!path.data) return wh_fail_memory(err);
  *ret = path.data;
  return WH_OK;
}

static wh_status check_name(wh_str name, wh_error *err) {
  bool fits = name.len > 0 && name.len <= WH_SECRET_NAME_MAX;
  for (size_t i = 0; fits && i < name.len; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    fits = letter || c == '-' || c == '_' || c == '.' || c == '/';
  }
  if (fits) return WH_OK;
  return wh_fail(err, WH_ERR_USAGE,
                 "the name of a secret is 1 to %d letters, digits, '-', '_', '.' and '/'",
                 WH_SECRET_NAME_MAX);
}

static wh_status no_secret(wh_str name, wh_error *err) {
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "the keyring has no secret '%.*s'. Set it with: wherry secret set %.*s",
                 WH_STR_ARG(name), WH_STR_ARG(name));
}

// --- the key -------------------------------------------------------------------------------------

static wh_status read_key(const wh_keyring *k, uint8_t ret[WH_SEAL_KEY_BYTES], wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, k->mem);
  wh_str text;
  wh_status status = wh_os_read_file(k->os, k->key_path, KEY_FILE_MAX, &arena, &text, err);
  if (status == WH_OK && text.len == WH_SEAL_KEY_BYTES) {
    memcpy(ret, text.data, WH_SEAL_KEY_BYTES);
    wh_wipe((char *)text.data, text.len);
    return WH_OK;
  }
  if (status != WH_OK && status != WH_ERR_LIMIT) return status;
  return wh_fail(err, WH_ERR_DENIED, "%s is no key of a keyring: a key is %d bytes", k->key_path,
                 WH_SEAL_KEY_BYTES);
}

static wh_status write_key_file(const wh_keyring *k, const char *path,
                                const uint8_t key[WH_SEAL_KEY_BYTES], wh_error *err) {
  int flags = WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_EXCLUSIVE | WH_OPEN_PRIVATE;
  wh_file *f;
  WH_TRY(wh_os_open(k->os, path, flags, &f, err));
  wh_status status = f->type->write_at(f, 0, key, WH_SEAL_KEY_BYTES, err);
  if (status == WH_OK) status = f->type->sync(f, err);
  wh_file_close(f);
  return status;
}

// Two projects may make the key at the same moment, each under its own keyring's lock. Linking
// never replaces, so whoever is second takes the first one's key.
static wh_status make_key(const wh_keyring *k, uint8_t ret[WH_SEAL_KEY_BYTES], wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, k->mem);
  uint8_t key[WH_SEAL_KEY_BYTES];
  uint64_t number;
  WH_TRY(k->os->type->random(k->os, &number, sizeof number, err));
  WH_TRY(k->os->type->random(k->os, key, sizeof key, err));
  char *folder = wh_path_folder(&arena, k->key_path);
  wh_str name = wh_arena_printf(&arena, WH_TEMPORARY_PREFIX "%016llx", (unsigned long long)number);
  char *temporary = folder && name.data ? wh_path_join(&arena, folder, name.data) : NULL;
  if (!temporary) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(k->os, folder, err));
  wh_status status = write_key_file(k, temporary, key, err);
  if (status == WH_OK) status = k->os->type->link(k->os, temporary, k->key_path, err);
  WH_IGNORE(k->os->type->remove(k->os, temporary, NULL));
  if (status == WH_OK) status = k->os->type->sync_dir(k->os, folder, err);
  wh_wipe(key, sizeof key);
  if (status != WH_OK && status != WH_ERR_EXISTS) return status;
  return read_key(k, ret, err);
}

// --- the list ------------------------------------------------------------------------------------

static bool take_u32(wh_str *rest, uint32_t *ret) {
  if (rest->len < 4) return false;
  const unsigned char *p = (const unsigned char *)rest->data;
  *ret = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  *rest = wh_str_sub(*rest, 4, rest->len);
  return true;
}

static bool take_text(wh_str *rest, wh_str *ret) {
  uint32_t len;
  if (!take_u32(rest, &len) || len > rest->len) return false;
  *ret = wh_str_sub(*rest, 0, len);
  *rest = wh_str_sub(*rest, len, rest->len);
  return true;
}

static void add_u32(wh_buf *out, size_t value) {
  unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                            (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
  wh_buf_add(out, bytes, sizeof bytes);
}

static void add_text(wh_buf *out, wh_str text) {
  add_u32(out, text.len);
  wh_buf_add_str(out, text);
}

static wh_status parse_list(const wh_keyring *k, ring *r, wh_arena *arena, wh_error *err) {
  wh_str rest = wh_buf_str(&r->plain);
  uint32_t count = 0;
  bool whole = take_u32(&rest, &count) && count <= WH_SECRETS_MAX;
  r->list = WH_NEW_ARRAY(arena, WH_SECRETS_MAX + 1, secret); // room for the one that is set
  if (!r->list) return wh_fail_memory(err);
  for (; whole && r->count < count; r->count++) {
    secret *s = &r->list[r->count];
    whole = take_text(&rest, &s->name) && take_text(&rest, &s->value);
  }
  if (whole && rest.len == 0) return WH_OK;
  return wh_fail(err, WH_ERR_DATA, "%s holds something that this Wherry does not know", k->path);
}

static wh_status unseal(const wh_keyring *k, wh_str file, ring *r, wh_error *err) {
  uint8_t key[WH_SEAL_KEY_BYTES];
  wh_status status = read_key(k, key, err);
  if (status == WH_ERR_NOT_FOUND) {
    return wh_fail(
        err, WH_ERR_DENIED,
        "%s cannot be opened: its key, %s, is not there. Bring it from where the keyring "
        "was written, or set WHERRY_KEY_FILE",
        k->path, k->key_path);
  }
  if (status != WH_OK) return status;
  wh_str sealed = wh_str_sub(file, sizeof MAGIC - 1, file.len);
  // One piece from the start: a buffer that grows leaves copies behind.
  if (!wh_buf_reserve(&r->plain, sealed.len))
    status = wh_fail_memory(err);
  else
    status = wh_unseal(key, WH_STR(MAGIC), sealed, &r->plain, err);
  wh_wipe(key, sizeof key);
  if (status != WH_ERR_DENIED) return status;
  return wh_fail(err, WH_ERR_DENIED,
                 "%s cannot be opened with the key %s: it was written with another key, or was "
                 "changed since",
                 k->path, k->key_path);
}

// An absent keyring is an empty one; *ret_there tells them apart.
static wh_status load(const wh_keyring *k, wh_arena *arena, ring *r, bool *ret_there,
                      wh_error *err) {
  wh_buf_init(&r->plain, k->mem, 0);
  *ret_there = false;
  wh_str file;
  wh_status status = wh_os_read_file(k->os, k->path, KEYRING_BYTES_MAX, arena, &file, err);
  if (status == WH_ERR_NOT_FOUND) {
    r->list = WH_NEW_ARRAY(arena, 1, secret);
    return r->list ? WH_OK : wh_fail_memory(err);
  }
  if (status != WH_OK) return status;
  if (!wh_str_starts(file, MAGIC)) {
    return wh_fail(err, WH_ERR_DATA, "%s is no keyring", k->path);
  }
  WH_TRY(unseal(k, file, r, err));
  *ret_there = true;
  return parse_list(k, r, arena, err);
}

static wh_status seal_list(const wh_keyring *k, const uint8_t key[WH_SEAL_KEY_BYTES], wh_buf *plain,
                           const ring *r, wh_buf *out, wh_error *err) {
  size_t size = 4;
  for (size_t i = 0; i < r->count; i++)
    size += 8 + r->list[i].name.len + r->list[i].value.len;
  if (size > KEYRING_BYTES_MAX - sizeof MAGIC - WH_SEAL_OVERHEAD) {
    return wh_fail(err, WH_ERR_LIMIT,
                   "the secrets are larger together than the %d MiB of a keyring",
                   KEYRING_BYTES_MAX >> 20);
  }
  if (!wh_buf_reserve(plain, size)) return wh_fail_memory(err);
  add_u32(plain, r->count);
  for (size_t i = 0; i < r->count; i++) {
    add_text(plain, r->list[i].name);
    add_text(plain, r->list[i].value);
  }
  wh_buf_add_c(out, MAGIC);
  WH_TRY(wh_seal(k->os, key, WH_STR(MAGIC), wh_buf_str(plain), out, err));
  return wh_buf_check(out, err);
}

static wh_status save(const wh_keyring *k, const uint8_t key[WH_SEAL_KEY_BYTES], const ring *r,
                      wh_error *err) {
  wh_buf plain;
  WH_CLEAN_BUF wh_buf out;
  wh_buf_init(&plain, k->mem, 0);
  wh_buf_init(&out, k->mem, 0);
  wh_status status = seal_list(k, key, &plain, r, &out, err);
  if (plain.data) wh_wipe(plain.data, plain.cap);
  wh_buf_free(&plain);
  if (status != WH_OK) return status;
  return wh_os_write_file(k->os, k->path, wh_buf_str(&out), true, err);
}

// Where `name` is, or belongs.
static size_t position(const ring *r, wh_str name, bool *ret_found) {
  size_t at = 0;
  while (at < r->count && wh_str_cmp(r->list[at].name, name) < 0)
    at++;
  *ret_found = at < r->count && wh_str_eq(r->list[at].name, name);
  return at;
}

// --- the lock ------------------------------------------------------------------------------------

// The keyring itself is replaced by every write, so a file beside it is what writers lock.
static wh_status lock(const wh_keyring *k, wh_arena *arena, wh_file **ret, wh_error *err) {
  char *folder = wh_path_folder(arena, k->path);
  wh_str path = wh_arena_printf(arena, "%s" WH_KEYRING_LOCK_SUFFIX, k->path);
  if (!folder || !path.data) return wh_fail_memory(err);
  WH_TRY(wh_os_make_path(k->os, folder, err));
  wh_file *f;
  WH_TRY(wh_os_open(k->os, path.data, WH_OPEN_WRITE | WH_OPEN_CREATE | WH_OPEN_PRIVATE, &f, err));
  int64_t until = k->os->type->monotonic_ns(k->os) + WH_KEYRING_WAIT_NS;
  wh_status status;
  while ((status = f->type->lock(f, err)) == WH_ERR_BUSY) {
    if (k->os->type->monotonic_ns(k->os) >= until) {
      status = wh_fail(err, WH_ERR_BUSY, "%s is being written by another process", k->path);
      break;
    }
    (void)k->os->type->sleep_ns(k->os, LOCK_PAUSE_NS);
  }
  if (status == WH_OK)
    *ret = f;
  else
    wh_file_close(f);
  return status;
}

// --- verbs ---------------------------------------------------------------------------------------

wh_status wh_keyring_get(const wh_keyring *k, wh_str name, wh_arena *arena, wh_str *ret,
                         wh_error *err) {
  WH_TRY(check_name(name, err));
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, k->mem);
  ring r = {0};
  bool there, found = false;
  wh_status status = load(k, &scratch, &r, &there, err);
  if (status == WH_OK) {
    size_t at = position(&r, name, &found);
    wh_str value = found ? wh_arena_str(arena, r.list[at].value) : (wh_str){0};
    if (!found)
      status = no_secret(name, err);
    else if (!value.data)
      status = wh_fail_memory(err);
    else
      *ret = value;
  }
  ring_free(&r);
  return status;
}

wh_status wh_keyring_list(const wh_keyring *k, wh_arena *arena, wh_str_list *ret, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, k->mem);
  ring r = {0};
  bool there;
  wh_status status = load(k, &scratch, &r, &there, err);
  wh_str *items = status == WH_OK ? WH_NEW_ARRAY(arena, r.count, wh_str) : NULL;
  if (status == WH_OK && !items) status = wh_fail_memory(err);
  for (size_t i = 0; status == WH_OK && i < r.count; i++) {
    items[i] = wh_arena_str(arena, r.list[i].name);
    if (!items[i].data) status = wh_fail_memory(err);
  }
  if (status == WH_OK) *ret = (wh_str_list){items, r.count};
  ring_free(&r);
  return status;
}

static wh_status set_in(const wh_keyring *k, ring *r, const secret *new_one, wh_arena *scratch,
                        wh_error *err) {
  bool there, found;
  uint8_t key[WH_SEAL_KEY_BYTES];
  WH_TRY(load(k, scratch, r, &there, err));
  size_t at = position(r, new_one->name, &found);
  if (!found && r->count == WH_SECRETS_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the keyring is full: it holds %d secrets", WH_SECRETS_MAX);
  }
  if (!found) memmove(&r->list[at + 1], &r->list[at], (r->count++ - at) * sizeof *r->list);
  r->list[at] = *new_one;
  wh_status status = read_key(k, key, err);
  if (status == WH_ERR_NOT_FOUND && !there) status = make_key(k, key, err);
  if (status == WH_OK) status = save(k, key, r, err);
  wh_wipe(key, sizeof key);
  return status;
}

wh_status wh_keyring_set(const wh_keyring *k, wh_str name, wh_str value, wh_error *err) {
  WH_TRY(check_name(name, err));
  if (value.len == 0) return wh_fail(err, WH_ERR_USAGE, "the value of a secret cannot be empty");
  if (value.len > WH_SECRET_BYTES_MAX) {
    return wh_fail(err, WH_ERR_LIMIT, "the value is longer than the %d bytes of a secret",
                   WH_SECRET_BYTES_MAX);
  }
  if (memchr(value.data, 0, value.len)) {
    return wh_fail(err, WH_ERR_USAGE, "the value holds a zero byte, which no option takes");
  }
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, k->mem);
  wh_file *held;
  WH_TRY(lock(k, &scratch, &held, err));
  ring r = {0};
  wh_status status = set_in(k, &r, &(secret){name, value}, &scratch, err);
  ring_free(&r);
  wh_file_close(held);
  return status;
}

static wh_status remove_from(const wh_keyring *k, ring *r, wh_str name, wh_arena *scratch,
                             wh_error *err) {
  bool there, found;
  uint8_t key[WH_SEAL_KEY_BYTES];
  WH_TRY(load(k, scratch, r, &there, err));
  size_t at = position(r, name, &found);
  if (!found) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "the keyring has no secret '%.*s'", WH_STR_ARG(name));
  }
  memmove(&r->list[at], &r->list[at + 1], (--r->count - at) * sizeof *r->list);
  WH_TRY(read_key(k, key, err));
  wh_status status = save(k, key, r, err);
  wh_wipe(key, sizeof key);
  return status;
}

wh_status wh_keyring_remove(const wh_keyring *k, wh_str name, wh_error *err) {
  WH_TRY(check_name(name, err));
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, k->mem);
  wh_file *held;
  WH_TRY(lock(k, &scratch, &held, err));
  ring r = {0};
  wh_status status = remove_from(k, &r, name, &scratch, err);
  ring_free(&r);
  wh_file_close(held);
  return status;
}
