// Numbers for sample data: the same seed gives the same ones, on every machine.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct wh_sample_random {
  uint64_t state;
} wh_sample_random;

// splitmix64 (Steele, Lea and Flood, 2014).
static inline uint64_t wh_sample_next(wh_sample_random *r) {
  uint64_t z = r->state += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// 0 .. n - 1; n > 0. Even enough for samples.
static inline uint64_t wh_sample_below(wh_sample_random *r, uint64_t n) {
  return (uint64_t)((unsigned __int128)wh_sample_next(r) * n >> 64);
}

// True in `n` of 10,000 cases.
static inline bool wh_sample_chance(wh_sample_random *r, uint64_t n) {
  return wh_sample_below(r, 10000) < n;
}
