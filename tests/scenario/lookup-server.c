// The lookup server alone, for tests/scenario/lookup.py and browser.py.
//
//   lookup-server WHERRY.YAML
//
// Prints its address, then answers lines of standard input: "counts" with the counters, "refresh"
// with "refreshed". At the end of standard input it stops, prints "stopped", and exits with 0 when
// it left nothing in memory.
#include "base/log.h"
#include "serve/serve.h"

#include <stdio.h>

static const char *no_environment(void *context, const char *name) {
  (void)context, (void)name;
  return NULL;
}

static int fail(const wh_error *err) {
  printf("error: %s\n", err->text);
  return 2;
}

static void obey(wh_server *server) {
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    if (strcmp(line, "counts\n") == 0) {
      wh_server_counts c = wh_server_count(server);
      printf("{\"asked\":%llu,\"found\":%llu,\"missed\":%llu,\"limited\":%llu,\"failed\":%llu}\n",
             (unsigned long long)c.asked, (unsigned long long)c.found, (unsigned long long)c.missed,
             (unsigned long long)c.limited, (unsigned long long)c.failed);
    } else if (strcmp(line, "refresh\n") == 0) {
      wh_server_refresh(server);
      puts("refreshed");
    }
  }
}

static int run(wh_os *os, wh_mem *mem, const char *path) {
  wh_error err = {0};
  wh_config_source source = {.os = os, .mem = mem, .path = path, .getenv = no_environment};
  wh_config *config;
  if (wh_config_load(&source, &config, &err) != WH_OK) return fail(&err);
  for (size_t i = 0; i < config->error_count; i++)
    printf("error: %s\n", config->problems[i].text);
  int code = config->error_count ? 2 : 0;
  wh_server *server = NULL;
  if (!code && wh_server_start(os, mem, config, &server, &err) != WH_OK) code = fail(&err);
  if (server) {
    wh_str address = wh_server_address(server);
    printf("%.*s\n", WH_STR_ARG(address));
    obey(server);
    wh_server_stop(server);
    puts("stopped");
  }
  wh_config_free(config);
  return code;
}

int main(int argc, char **argv) {
  wh_mem mem;
  wh_os_real os;
  wh_error err = {0};
  setvbuf(stdout, NULL, _IOLBF, 0);
  wh_log_setup(WH_LOG_INFO, false, NULL, NULL);
  wh_mem_init(&mem, 0);
  if (argc != 2 || wh_os_real_init(&os, &mem, &err) != WH_OK) return 2;
  int code = run(&os.base, &mem, argv[1]);
  wh_os_real_free(&os);
  size_t left = atomic_load(&mem.used);
  if (left) printf("%zu bytes are left in memory\n", left);
  return code ? code : left ? 1 : 0;
}
