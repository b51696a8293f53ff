#include "cli/cli.h"

#include <unistd.h>

enum { READ_BYTES = 64 * 1024, LINE_MAX_BYTES = 1 << 20 };

typedef struct revealing {
  wh_cli *cli;
  const wh_mask *mask;
  uint64_t line;
  wh_buf value, out;
} revealing;

static wh_status print_value(revealing *r, wh_error *err) {
  wh_buf *out = &r->out;
  wh_buf_clear(out);
  if (r->cli->json) {
    wh_buf_add_c(out, "{\"value\":");
    wh_buf_add_json(out, wh_buf_str(&r->value));
    wh_buf_add_char(out, '}');
  } else {
    wh_buf_add_str(out, wh_buf_str(&r->value));
  }
  wh_buf_add_char(out, '\n');
  WH_TRY(wh_buf_check(out, err));
  fwrite(out->data, 1, out->len, stdout);
  return WH_OK;
}

// An empty line stands for a value that was NULL, and stays one, so that lines go with lines.
static wh_status reveal_line(revealing *r, wh_str token, wh_error *err) {
  r->line++;
  if (wh_str_ends(token, "\r")) token.len--;
  wh_buf_clear(&r->value);
  if (token.len == 0) return print_value(r, err);
  wh_status status = wh_mask_reveal(r->mask, token, &r->value, err);
  if (status == WH_OK) return print_value(r, err);
  wh_error_prefix(err, "line %llu: ", (unsigned long long)r->line);
  return status;
}

static wh_status reveal_lines(revealing *r, wh_buf *in, bool at_end, wh_error *err) {
  size_t from = 0, end;
  while ((end = wh_str_find(wh_buf_str(in), from, '\n')) < in->len) {
    WH_TRY(reveal_line(r, wh_str_n(in->data + from, end - from), err));
    from = end + 1;
  }
  if (at_end && from < in->len) {
    WH_TRY(reveal_line(r, wh_str_n(in->data + from, in->len - from), err));
    from = in->len;
  }
  if (in->len - from > LINE_MAX_BYTES)
    return wh_fail(err, WH_ERR_LIMIT, "line %llu: more than %d bytes are no token",
                   (unsigned long long)r->line + 1, LINE_MAX_BYTES);
  if (from) memmove(in->data, in->data + from, in->len - from);
  in->len -= from;
  return WH_OK;
}

static wh_status reveal_all(revealing *r, wh_error *err) {
  WH_CLEAN_BUF wh_buf in;
  wh_buf_init(&in, &r->cli->mem, 0);
  for (;;) {
    if (!wh_buf_reserve(&in, READ_BYTES)) return wh_buf_check(&in, err);
    ssize_t n = read(STDIN_FILENO, in.data + in.len, READ_BYTES);
    if (n < 0) return wh_fail(err, WH_ERR_IO, "standard input cannot be read");
    in.len += (size_t)n;
    WH_TRY(reveal_lines(r, &in, n == 0, err));
    if (n == 0) return WH_OK;
  }
}

static wh_exit reveal(wh_cli *cli, const wh_args *args) {
  if (!wh_cli_config(cli)) return WH_EXIT_USAGE;
  wh_error err = {0};
  revealing r = {.cli = cli};
  wh_buf_init(&r.value, &cli->mem, 0);
  wh_buf_init(&r.out, &cli->mem, 0);
  wh_status status = wh_config_mask(cli->config, args->words[0], &r.mask, &err);
  if (status == WH_OK && r.mask->kind != WH_MASK_TOKEN)
    status = wh_fail(&err, WH_ERR_USAGE, "mask %.*s makes no tokens: nothing leads back from it",
                     WH_STR_ARG(r.mask->name));
  if (status == WH_OK) status = reveal_all(&r, &err);
  fflush(stdout);
  wh_buf_free(&r.value);
  wh_buf_free(&r.out);
  return status == WH_OK ? WH_EXIT_DONE : wh_cli_fail(cli, &err);
}

const wh_command wh_cmd_reveal = {
    .name = "reveal",
    .usage = "MASK",
    .help = "the values that tokens of a mask stand for",
    .more = "Tokens come by standard input, one a line, and values go to standard output in the "
            "same order. It takes the mask's key. A line that is no token ends it.",
    .example = "cut -d, -f1 export.csv | tail -n +2 | wherry reveal customer-token",
    .words_min = 1,
    .words_max = 1,
    .run = reveal,
};
