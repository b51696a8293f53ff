// Environment variables, as main hands them in: library code never asks the system for them.
#pragma once

typedef struct wh_environment {
  const char *(*get)(void *context, const char *name); // NULL: none are visible
  void *context;
} wh_environment;

// NULL when it is not set, or empty: the AWS tools take both for the same.
static inline const char *wh_environment_get(const wh_environment *environment, const char *name) {
  const char *value = environment->get ? environment->get(environment->context, name) : 0;
  return value && value[0] ? value : 0;
}
