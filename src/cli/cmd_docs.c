// For `make docs`, not for users: writes the reference pages into a folder.
#include "cli/commands.h"
#include "cli/reference.h"

static wh_exit docs(wh_cli *cli, const wh_args *args) {
  wh_error err = {0};
  char *folder = wh_arena_cstr(&cli->arena, args->words[0]);
  if (!folder) return wh_cli_usage(cli, "out of memory");
  if (wh_os_make_path(&cli->os.base, folder, &err) != WH_OK) return wh_cli_fail(cli, &err);
  for (const wh_reference_page *page = wh_reference_pages; page->file; page++) {
    WH_CLEAN_BUF wh_buf out;
    wh_buf_init(&out, &cli->mem, 0);
    page->write(&out);
    char *path = wh_path_join(&cli->arena, folder, page->file);
    wh_status status = path ? wh_buf_check(&out, &err) : wh_fail_memory(&err);
    if (status == WH_OK) {
      status = wh_os_write_file(&cli->os.base, path, wh_buf_str(&out), false, &err);
    }
    if (status != WH_OK) return wh_cli_fail(cli, &err);
  }
  return WH_EXIT_DONE;
}

const wh_command wh_cmd_docs = {
    .name = "docs",
    .usage = "DIR",
    .words_min = 1,
    .words_max = 1,
    .run = docs,
};
