#include "serve/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static wh_status read_file(wh_os *os, wh_str path, wh_arena *arena, wh_str *ret, wh_error *err) {
  const char *cpath = wh_arena_cstr(arena, path);
  if (!cpath) return wh_fail_memory(err);
  return wh_os_read_file(os, cpath, WH_TLS_FILE_MAX, arena, ret, err);
}

static wh_status digest_both(wh_tls_files *files, wh_error *err) {
  wh_sha256 sha = {0};
  uint64_t len = files->certificate.len;
  wh_status status = wh_sha256_init(&sha, err);
  if (status == WH_OK) status = wh_sha256_add(&sha, &len, sizeof len, err);
  if (status == WH_OK)
    status = wh_sha256_add(&sha, files->certificate.data, files->certificate.len, err);
  if (status == WH_OK) status = wh_sha256_add(&sha, files->key.data, files->key.len, err);
  if (status == WH_OK) status = wh_sha256_finish(&sha, files->digest, err);
  wh_sha256_free(&sha);
  return status;
}

wh_status wh_tls_read(wh_os *os, wh_mem *mem, wh_str certificate_path, wh_str key_path,
                      wh_tls_files *ret, wh_error *err) {
  wh_tls_files files = {0};
  wh_arena_init(&files.arena, mem);
  wh_status status = read_file(os, certificate_path, &files.arena, &files.certificate, err);
  if (status == WH_OK) status = read_file(os, key_path, &files.arena, &files.key, err);
  if (status == WH_OK) status = digest_both(&files, err);
  if (status != WH_OK) {
    wh_tls_free(&files);
    wh_error_prefix(err, "serve: tls: ");
    return status;
  }
  *ret = files;
  return WH_OK;
}

// Never asks a person for the password of an encrypted key.
static int no_password(char *buf, int size, int writing, void *context) {
  (void)buf, (void)size, (void)writing, (void)context;
  return -1;
}

static wh_status check_pair(X509 *certificate, EVP_PKEY *key, wh_str certificate_path,
                            wh_str key_path, wh_error *err) {
  if (!certificate) {
    return wh_fail(err, WH_ERR_USAGE, "serve: tls: %.*s holds no certificate in PEM form",
                   WH_STR_ARG(certificate_path));
  }
  if (!key) {
    return wh_fail(err, WH_ERR_USAGE,
                   "serve: tls: %.*s holds no private key in PEM form, or one with a password",
                   WH_STR_ARG(key_path));
  }
  if (X509_check_private_key(certificate, key) != 1) {
    return wh_fail(err, WH_ERR_USAGE, "serve: tls: the key in %.*s is not that of %.*s",
                   WH_STR_ARG(key_path), WH_STR_ARG(certificate_path));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return wh_fail(err, WH_ERR_USAGE, "serve: tls: the certificate in %.*s has run out",
                   WH_STR_ARG(certificate_path));
  }
  return WH_OK;
}

wh_status wh_tls_check(const wh_tls_files *files, wh_str certificate_path, wh_str key_path,
                       wh_error *err) {
  BIO *in = BIO_new_mem_buf(files->certificate.data, (int)files->certificate.len);
  X509 *certificate = in ? PEM_read_bio_X509(in, NULL, no_password, NULL) : NULL;
  BIO_free(in);
  in = BIO_new_mem_buf(files->key.data, (int)files->key.len);
  EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
  BIO_free(in);
  wh_status status = check_pair(certificate, key, certificate_path, key_path, err);
  X509_free(certificate);
  EVP_PKEY_free(key);
  ERR_clear_error();
  return status;
}

void wh_tls_free(wh_tls_files *files) {
  if (!files) return;
  if (files->key.data) wh_wipe((char *)files->key.data, files->key.len);
  wh_arena_free(&files->arena);
  *files = (wh_tls_files){0};
}
