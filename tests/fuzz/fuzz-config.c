// The configuration's parser and checks on any two files. The input is wherry.yaml; behind a line
// "%%" stands wherry.prod.yaml. The system has these two files and nothing else, and nothing is
// resolved.
#include "config/config.h"
#include "fake_registry.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct two_files {
  wh_os base;
  wh_str main, overlay;
} two_files;

typedef struct text_file {
  wh_file base;
  wh_str text;
} text_file;

static wh_status text_read(wh_file *f, uint64_t offset, void *data, size_t cap, size_t *ret,
                           wh_error *err) {
  (void)err;
  wh_str text = ((text_file *)f)->text;
  size_t left = offset < text.len ? text.len - (size_t)offset : 0;
  *ret = left < cap ? left : cap;
  if (*ret) memcpy(data, text.data + offset, *ret);
  return WH_OK;
}

static wh_status text_stat(wh_file *f, wh_file_info *ret, wh_error *err) {
  (void)err;
  *ret = (wh_file_info){.kind = WH_FILE_REGULAR, .size = ((text_file *)f)->text.len};
  return WH_OK;
}

static void text_close(wh_file *f) {
  free(f);
}

static const wh_file_type text_type = {
    .read_some = text_read, .stat = text_stat, .close = text_close};

static wh_status open_one(wh_os *os, const char *path, int flags, wh_file **ret, wh_error *err) {
  two_files *files = (two_files *)os;
  bool main = strcmp(path, "wherry.yaml") == 0, overlay = strcmp(path, "wherry.prod.yaml") == 0;
  if (flags != WH_OPEN_READ || (!main && !overlay)) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "%s: no such file or folder", path);
  }
  text_file *f = malloc(sizeof *f);
  if (!f) abort();
  *f = (text_file){{&text_type}, main ? files->main : files->overlay};
  *ret = &f->base;
  return WH_OK;
}

static const wh_os_type two_files_type = {.name = "two files", .open = open_one};

// What the checks let through must hold what they promise.
static void check(const wh_config *config) {
  for (size_t i = 0; i < config->problem_count; i++)
    if (strncmp(config->problems[i].text, "wherry.", 7) != 0) abort();
  if (config->error_count > 0) return;
  for (size_t i = 0; i < config->pipeline_count; i++) {
    const wh_pipeline *p = &config->pipelines[i];
    if (!wh_config_find_connection(config, p->from.connection)) abort();
    if (!wh_config_find_connection(config, p->to.connection)) abort();
    if (p->name.len == 0 || p->attempts < 1 || p->batch_rows < 0) abort();
    if (!p->raw && !p->many && !p->gate.all && p->gate.count == 0) abort();
    if (p->when.kind == WH_WHEN_CRON) (void)wh_cron_next(&p->when.cron, NULL, 0);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  wh_mem mem;
  wh_mem_init(&mem, 256 << 20);
  static const char separator[] = "\n%%\n";
  const char *text = (const char *)data;
  const char *split = size ? memmem(text, size, separator, sizeof separator - 1) : NULL;
  two_files files = {.base = {.type = &two_files_type, .mem = &mem}, .main = wh_str_n(text, size)};
  if (split) {
    files.main.len = (size_t)(split - text) + 1;
    size_t from = files.main.len + sizeof separator - 2;
    files.overlay = wh_str_n(text + from, size - from);
  }
  wh_config_source source = {.os = &files.base, .mem = &mem, .environment = split ? "prod" : NULL};
  wh_config *config = NULL;
  wh_error err = {0};
  wh_status status = wh_config_load(&source, &config, &err);
  if (status == WH_OK)
    check(config);
  else if (err.text[0] == 0)
    abort();
  wh_config_free(config);
  if (atomic_load(&mem.used) != 0) abort();
  return 0;
}
