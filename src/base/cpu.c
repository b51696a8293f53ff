#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>

static _Atomic int limit = WH_CPU_AVX512;

static wh_cpu found(void) {
#ifdef __x86_64__
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (!avx2) return WH_CPU_PLAIN;
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512vbmi");
  return avx512 ? WH_CPU_AVX512 : WH_CPU_AVX2;
#else
  return WH_CPU_PLAIN;
#endif
}

wh_cpu wh_cpu_level(void) {
  wh_cpu level = found();
  wh_cpu most = (wh_cpu)atomic_load_explicit(&limit, memory_order_relaxed);
  return level < most ? level : most;
}

void wh_cpu_limit(wh_cpu most) {
  atomic_store_explicit(&limit, (int)most, memory_order_relaxed);
}
