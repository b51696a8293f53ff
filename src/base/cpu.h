// Which vector instructions a loop may use, found out once, at run time.
//
// Threads: wh_cpu_level may be called from any; wh_cpu_limit is for tests, before threads start.
#pragma once

typedef enum wh_cpu {
  WH_CPU_PLAIN,  // C alone: any machine
  WH_CPU_AVX2,   // with BMI1, BMI2, LZCNT and POPCNT
  WH_CPU_AVX512, // F, BW, DQ, VL and VBMI besides
} wh_cpu;

wh_cpu wh_cpu_level(void);
// Codecs opened from now on use at most this, so that every path can be tested on one machine.
void wh_cpu_limit(wh_cpu most);
