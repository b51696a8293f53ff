#include "aws_test.h"

#include "test.h"

#include <sys/stat.h>

enum { VARIABLES_MAX = 32 };

static struct { char name[64], value[512]; } variables[VARIABLES_MAX];
static size_t variable_count;

void test_env_clear(void) {
  variable_count = 0;
  test_env_set("HOME", test_folder());
}

void test_env_set(const char *name, const char *value) {
  CHECK(variable_count < VARIABLES_MAX);
  snprintf(variables[variable_count].name, sizeof variables[0].name, "%s", name);
  snprintf(variables[variable_count].value, sizeof variables[0].value, "%s", value);
  variable_count++;
}

static const char *get(void *context, const char *name) {
  (void)context;
  for (size_t i = variable_count; i-- > 0;) // the last one counts
    if (strcmp(variables[i].name, name) == 0) return variables[i].value;
  return NULL;
}

wh_environment test_env(void) {
  return (wh_environment){get, NULL};
}

static wh_os_real os;
static wh_os_type type;
static const wh_os_type *real;
static _Atomic int64_t added_ns;

static wh_status no_random(wh_os *base, void *data, size_t len, wh_error *err) {
  (void)base, (void)err;
  memset(data, 0, len);
  return WH_OK;
}

static int64_t shifted_now(wh_os *base) {
  return real->now_ns(base) + added_ns;
}

wh_os *test_aws_os_open(void) {
  CHECK_OK(wh_os_real_init(&os, &test_mem, &test_err));
  real = os.base.type;
  type = *real;
  type.random = no_random;
  type.now_ns = shifted_now;
  os.base.type = &type;
  added_ns = 0;
  return &os.base;
}

void test_aws_os_close(void) {
  os.base.type = real;
  wh_os_real_free(&os);
}

void test_aws_clock_add(int64_t us) {
  added_ns += us * 1000;
}

const char *test_write(const char *name, const char *text) {
  static char path[512];
  snprintf(path, sizeof path, "%s/.aws", test_folder());
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  FILE *f = fopen(path, "w");
  if (CHECK(f != NULL)) {
    fputs(text, f);
    fclose(f);
  }
  return path;
}
