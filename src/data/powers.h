// Powers of ten as 128-bit significands, for reading and writing floats. Computed at build time by
// powers.py.
#pragma once

#include <stdint.h>

enum { WH_POWER_LEAST = -342, WH_POWER_MOST = 324 };

// 10^q = (high * 2^64 + low) * 2^e with the highest bit set. Exact for q in 0..55; below, rounded
// up; above, cut off.
typedef struct wh_power {
  uint64_t high, low;
} wh_power;

extern const wh_power wh_powers[WH_POWER_MOST - WH_POWER_LEAST + 1];

static inline wh_power wh_power_of_ten(int q) {
  return wh_powers[q - WH_POWER_LEAST];
}
