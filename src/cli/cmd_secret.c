#include "base/crypto.h"
#include "cli/cli.h"
#include "cli/format.h"

#include <termios.h>
#include <unistd.h>

// One byte more than a secret may have, and a line end, so that a longer one is noticed.
enum { INPUT_MAX = WH_SECRET_BYTES_MAX + 3 };

static size_t read_all(char *data, size_t cap) {
  size_t len = 0;
  while (len < cap) {
    ssize_t n = read(STDIN_FILENO, data + len, cap - len);
    if (n <= 0) break;
    len += (size_t)n;
    if (isatty(STDIN_FILENO) && data[len - 1] == '\n') break;
  }
  return len;
}

// On a terminal the value is asked for and not shown.
static size_t read_value(wh_cli *cli, wh_str name, char *data, size_t cap) {
  struct termios shown;
  bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &shown) == 0;
  if (!terminal) return read_all(data, cap);
  struct termios hidden = shown;
  hidden.c_lflag &= ~(tcflag_t)ECHO;
  fprintf(stderr, "Value of %.*s (not shown): ", WH_STR_ARG(name));
  fflush(stderr);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  size_t len = read_all(data, cap);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  fputc('\n', stderr);
  if (atomic_load(&cli->stop)) return 0;
  return len;
}

static wh_exit print_done(wh_cli *cli, wh_str name, const char *done) {
  if (!cli->json) return WH_EXIT_DONE;
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, &cli->mem, 0);
  wh_buf_add_c(&line, "{\"secret\":");
  wh_buf_add_json(&line, name);
  if (done) wh_buf_printf(&line, ",\"%s\":true", done);
  wh_buf_add_char(&line, '}');
  if (!line.failed) wh_print_json(&line);
  return WH_EXIT_DONE;
}

// A parameter of Systems Manager, "ssm:/erp/password", and not a secret of the keyring.
static bool is_parameter(wh_str *name) {
  if (!wh_str_starts(*name, "ssm:")) return false;
  *name = wh_str_sub(*name, 4, name->len);
  return true;
}

static wh_status keep(wh_cli *cli, const wh_keyring *ring, wh_str name, wh_str value,
                      wh_error *err) {
  if (!is_parameter(&name)) return wh_keyring_set(ring, name, value, err);
  wh_cloud_secrets cloud = wh_config_cloud_secrets(cli->config);
  return wh_parameter_set(&cloud, name, value, err);
}

static wh_exit tell_set(wh_cli *cli, wh_str name) {
  const char *provider = wh_str_starts(name, "ssm:") ? "" : "secret:";
  wh_say(cli, "Set %.*s. Use it as ${%s%.*s}.", WH_STR_ARG(name), provider, WH_STR_ARG(name));
  return print_done(cli, name, "set");
}

// --- a random one --------------------------------------------------------------------------------

enum { RANDOM_BYTES = 32 }; // what an encryption_key takes

// A value that was made here is nowhere else: writing over it would lose what it encrypted.
static wh_status check_absent(wh_cli *cli, const wh_keyring *ring, wh_str name, wh_error *err) {
  wh_str at = name, value;
  wh_error inner = {0};
  wh_cloud_secrets cloud = wh_config_cloud_secrets(cli->config);
  wh_status status = is_parameter(&at) ? wh_cloud_secret_get(&cloud, WH_KEEPER_SSM, at, &cli->arena,
                                                             &value, &inner)
                                       : wh_keyring_get(ring, at, &cli->arena, &value, &inner);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) {
    *err = inner;
    return status;
  }
  wh_wipe((char *)(uintptr_t)value.data, value.len);
  return wh_fail(err, WH_ERR_EXISTS,
                 "there is a secret %.*s, and what it encrypted could not be read without it. "
                 "Nothing was changed. Choose another name, or remove it first",
                 WH_STR_ARG(name));
}

static wh_status make_random(wh_cli *cli, const wh_keyring *ring, wh_str name,
                             char digits[2 * RANDOM_BYTES + 1], wh_error *err) {
  uint8_t bytes[RANDOM_BYTES];
  WH_TRY(check_absent(cli, ring, name, err));
  WH_TRY(cli->os.base.type->random(&cli->os.base, bytes, sizeof bytes, err));
  wh_hex_encode(bytes, sizeof bytes, digits);
  wh_wipe(bytes, sizeof bytes);
  return WH_OK;
}

static wh_exit set_random(wh_cli *cli, const wh_keyring *ring, wh_str name) {
  char digits[2 * RANDOM_BYTES + 1];
  wh_error err = {0};
  wh_status status = make_random(cli, ring, name, digits, &err);
  if (status == WH_OK) status = keep(cli, ring, name, wh_str_of(digits), &err);
  wh_wipe(digits, sizeof digits);
  return status == WH_OK ? tell_set(cli, name) : wh_cli_fail(cli, &err);
}

static wh_exit set(wh_cli *cli, const wh_keyring *ring, wh_str name) {
  char *data = wh_arena_alloc(&cli->arena, INPUT_MAX);
  if (!data) return wh_cli_usage(cli, "out of memory");
  wh_str value = wh_str_n(data, read_value(cli, name, data, INPUT_MAX));
  if (value.len && value.data[value.len - 1] == '\n') value.len--;
  if (value.len && value.data[value.len - 1] == '\r') value.len--;
  if (value.len == 0) {
    return wh_cli_usage(cli, "secret set takes the value from standard input, and there was none. "
                             "Nothing was changed");
  }
  wh_error err = {0};
  wh_status status = keep(cli, ring, name, value, &err);
  wh_wipe(data, INPUT_MAX);
  return status == WH_OK ? tell_set(cli, name) : wh_cli_fail(cli, &err);
}

static wh_exit list(wh_cli *cli, const wh_keyring *ring) {
  wh_error err = {0};
  wh_str_list names;
  if (wh_keyring_list(ring, &cli->arena, &names, &err) != WH_OK) return wh_cli_fail(cli, &err);
  for (size_t i = 0; i < names.count; i++) {
    if (cli->json)
      print_done(cli, names.items[i], NULL);
    else
      printf("%.*s\n", WH_STR_ARG(names.items[i]));
  }
  if (names.count == 0) wh_say(cli, "The keyring is empty.");
  return WH_EXIT_DONE;
}

static wh_exit remove_one(wh_cli *cli, const wh_keyring *ring, wh_str name) {
  wh_error err = {0};
  wh_str parameter = name;
  wh_cloud_secrets cloud = wh_config_cloud_secrets(cli->config);
  wh_status status = is_parameter(&parameter) ? wh_parameter_remove(&cloud, parameter, &err)
                                              : wh_keyring_remove(ring, name, &err);
  if (status != WH_OK) return wh_cli_fail(cli, &err);
  wh_say(cli, "Removed %.*s.", WH_STR_ARG(name));
  return print_done(cli, name, "removed");
}

// The keyring belongs to the project, whose configuration need not be right to fill it.
static wh_exit secret(wh_cli *cli, const wh_args *args) {
  wh_str verb = args->words[0], name = args->count > 1 ? args->words[1] : (wh_str){0};
  bool needs_name = wh_str_is(verb, "set") || wh_str_is(verb, "remove");
  if (!needs_name && !wh_str_is(verb, "list")) {
    return wh_cli_usage(cli, "secret takes set, list or remove, not '%.*s'", WH_STR_ARG(verb));
  }
  if (needs_name && !name.len) {
    return wh_cli_usage(cli, "say which: wherry secret %.*s NAME", WH_STR_ARG(verb));
  }
  bool random = wh_args_has(args, "--random");
  if (random && !wh_str_is(verb, "set"))
    return wh_cli_usage(cli, "--random is for secret set: it makes the value");
  wh_error err = {0};
  wh_keyring ring;
  if (wh_cli_read_config(cli, &err) != WH_OK) return wh_cli_usage(cli, "%s", err.text);
  if (wh_config_keyring(cli->config, &cli->arena, &ring, &err) != WH_OK) {
    return wh_cli_fail(cli, &err);
  }
  if (wh_str_is(verb, "list")) return list(cli, &ring);
  if (random) return set_random(cli, &ring, name);
  return wh_str_is(verb, "set") ? set(cli, &ring, name) : remove_one(cli, &ring, name);
}

static const wh_flag flags[] = {
    {"--random", NULL,
     "set: make the value, 32 random bytes for an encryption_key; never over another"},
    {0},
};

const wh_command wh_cmd_secret = {
    .name = "secret",
    .usage = "set|list|remove [NAME]",
    .help = "keep passwords and keys in the encrypted keyring, or in AWS",
    .more = "set reads the value from standard input, or asks for it on a terminal without showing "
            "it. The keyring is .wherry/keyring beside the configuration; its key is "
            "~/.config/wherry/key, or the file that WHERRY_KEY_FILE names. A value is never shown "
            "again. A NAME that begins with ssm:, such as ssm:/erp/password, is a parameter of AWS "
            "Systems Manager, of type SecureString.",
    .example = "wherry secret set erp-password < password.txt",
    .flags = flags,
    .words_min = 1,
    .words_max = 2,
    .completes = "set|list|remove secret",
    .run = secret,
};
