// What tests of AWS clients share: an environment of their own, and an operating system whose
// randomness is zero, so that retries wait for nothing, and whose clock can be set.
#pragma once

#include "base/environment.h"
#include "base/os.h"

void test_env_clear(void); // HOME is then the test's folder
void test_env_set(const char *name, const char *value);
wh_environment test_env(void);

wh_os *test_aws_os_open(void);
void test_aws_os_close(void);
void test_aws_clock_add(int64_t us); // the wall clock alone

// Writes a file under the test's folder; returns its path, until the next call.
const char *test_write(const char *name, const char *text);
