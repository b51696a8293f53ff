#include "data/zone.h"
#include "data/zone_rule.h"
#include "test.h"

#include <stdlib.h>
#include <time.h>

typedef struct fixture {
  wh_os_real os;
  wh_arena arena;
} fixture;

static bool setup(fixture *f) {
  wh_arena_init(&f->arena, &test_mem);
  return CHECK_OK(wh_os_real_init(&f->os, &test_mem, &test_err));
}

static void teardown(fixture *f) {
  wh_arena_free(&f->arena);
  wh_os_real_free(&f->os);
}

static const wh_zone *open_zone(fixture *f, const char *name) {
  const wh_zone *zone = NULL;
  CHECK_OK(wh_zone_open(&f->os.base, wh_str_of(name), &f->arena, &zone, &test_err));
  return zone;
}

static int64_t utc(int32_t year, int32_t month, int32_t day, int32_t hour, int32_t minute) {
  return wh_us_from_civil(&(wh_civil){year, month, day, hour, minute, 0, 0}) / 1000000;
}

static bool has_zones(fixture *f) {
  bool exists = false;
  return wh_os_exists(&f->os.base, WH_ZONE_FOLDER "/Europe/London", &exists, NULL) == WH_OK &&
         exists;
}

#define WITH_ZONES(f)                                                                              \
  fixture f;                                                                                       \
  REQUIRE(setup(&f));                                                                              \
  if (!has_zones(&f)) {                                                                            \
    teardown(&f);                                                                                  \
    SKIP("no time zone files (package tzdata)");                                                   \
  }

static const char *const some[] = {
    "Europe/London",     "America/New_York",  "Australia/Lord_Howe", "Asia/Kathmandu",
    "America/Sao_Paulo", "Africa/Casablanca", "Europe/Dublin",       "America/Nuuk",
    "Asia/Gaza",         "Pacific/Apia",      "Pacific/Auckland",    "America/St_Johns",
    "Antarctica/Troll",  "Africa/Monrovia",   "Asia/Tehran",         "America/Anchorage",
    "Europe/Amsterdam",  "Africa/Cairo",      "Pacific/Kwajalein",   "America/Caracas"};
enum { SOME = sizeof some / sizeof *some };

TEST(zone_offsets_are_those_of_the_c_library) {
  WITH_ZONES(f);
  char kept[100];
  const char *before = getenv("TZ");
  snprintf(kept, sizeof kept, "%s", before ? before : "");
  for (size_t i = 0; i < SOME; i++) {
    const wh_zone *zone = open_zone(&f, some[i]);
    if (!zone) break;
    setenv("TZ", some[i], 1);
    tzset();
    for (int j = 0; j < 2000; j++) {
      time_t t = (time_t)((int64_t)test_random_below(20000000000) - 4500000000);
      struct tm tm;
      localtime_r(&t, &tm);
      if (wh_zone_offset_at(zone, t) == (int32_t)tm.tm_gmtoff) continue;
      test_note("%s at %lld: %d, C library %ld", some[i], (long long)t, wh_zone_offset_at(zone, t),
                tm.tm_gmtoff);
      CHECK(false);
      break;
    }
  }
  if (before)
    setenv("TZ", kept, 1);
  else
    unsetenv("TZ");
  tzset();
  teardown(&f);
}

// Around every change of 130 years: what the clocks skip, show twice, and show once.
static void check_changes(const wh_zone *zone, const char *name) {
  int64_t change = utc(1970, 1, 1, 0, 0), first, second;
  while (wh_zone_next_change(zone, change, &change) && change < utc(2100, 1, 1, 0, 0)) {
    int32_t before = wh_zone_offset_at(zone, change - 1), after = wh_zone_offset_at(zone, change);
    bool ok = before != after;
    int64_t low = change + (before < after ? before : after);
    int64_t high = change + (before < after ? after : before);
    const int64_t inside[] = {low, low + (high - low) / 2, high - 1};
    for (int i = 0; i < 3; i++) {
      wh_local_kind kind = wh_zone_to_utc(zone, inside[i], &first, &second);
      if (before < after)
        ok = ok && kind == WH_LOCAL_NEVER && first == change && second == change;
      else
        ok = ok && kind == WH_LOCAL_TWICE && first == inside[i] - before &&
             second == inside[i] - after;
    }
    ok = ok && wh_zone_to_utc(zone, low - 1, &first, &second) == WH_LOCAL_ONCE &&
         first == low - 1 - before && second == first;
    ok =
        ok && wh_zone_to_utc(zone, high, &first, &second) == WH_LOCAL_ONCE && first == high - after;
    if (ok) continue;
    test_note("%s around %lld", name, (long long)change);
    CHECK(false);
    return;
  }
}

TEST(zone_local_times_lead_back) {
  WITH_ZONES(f);
  for (size_t i = 0; i < SOME; i++) {
    const wh_zone *zone = open_zone(&f, some[i]);
    if (!zone) break;
    check_changes(zone, some[i]);
    for (int j = 0; j < 500; j++) {
      int64_t t = (int64_t)test_random_below(30000000000) - 5000000000, first, second;
      wh_local_kind kind = wh_zone_to_utc(zone, t + wh_zone_offset_at(zone, t), &first, &second);
      if (kind == WH_LOCAL_NEVER || (first != t && second != t)) CHECK(false);
    }
  }
  teardown(&f);
}

TEST(zone_known_changes) {
  WITH_ZONES(f);
  const wh_zone *london = open_zone(&f, "Europe/London"), *york = open_zone(&f, "America/New_York");
  const wh_zone *howe = open_zone(&f, "Australia/Lord_Howe"),
                *nepal = open_zone(&f, "Asia/Kathmandu");
  int64_t first, second, change;
  CHECK_STR(wh_zone_name(london), WH_STR("Europe/London"));
  CHECK_EQ(wh_zone_offset_at(london, utc(2026, 11, 21, 0, 0)), 0);
  CHECK_EQ(wh_zone_offset_at(london, utc(2026, 7, 1, 0, 0)), 3600);
  CHECK_EQ(wh_zone_offset_at(london, utc(2126, 7, 1, 0, 0)), 3600);
  CHECK_EQ(wh_zone_offset_at(london, utc(1970, 1, 1, 0, 0)), 3600); // British Standard Time
  CHECK_EQ(wh_zone_offset_at(london, utc(1800, 1, 1, 0, 0)), -75);
  CHECK_EQ(wh_zone_to_utc(london, utc(2026, 10, 25, 1, 30), &first, &second), WH_LOCAL_TWICE);
  CHECK_EQ(first, utc(2026, 10, 25, 0, 30));
  CHECK_EQ(second, utc(2026, 10, 25, 1, 30));
  CHECK_EQ(wh_zone_to_utc(london, utc(2026, 3, 29, 1, 0), &first, &second), WH_LOCAL_NEVER);
  CHECK_EQ(first, utc(2026, 3, 29, 1, 0));
  CHECK_EQ(wh_zone_offset_at(york, utc(2090, 1, 1, 0, 0)), -5 * 3600);
  CHECK_EQ(wh_zone_to_utc(york, utc(2090, 3, 12, 2, 30), &first, &second), WH_LOCAL_NEVER);
  CHECK_EQ(first, utc(2090, 3, 12, 7, 0));
  CHECK(wh_zone_next_change(york, utc(2090, 3, 12, 7, 0), &change));
  CHECK_EQ(change, utc(2090, 11, 5, 6, 0));
  // Half an hour of summer time, in the south.
  CHECK_EQ(wh_zone_offset_at(howe, utc(2060, 1, 1, 0, 0)), 11 * 3600);
  CHECK_EQ(wh_zone_offset_at(howe, utc(2060, 7, 1, 0, 0)), 10 * 3600 + 1800);
  CHECK_EQ(wh_zone_to_utc(howe, utc(2060, 10, 3, 2, 15), &first, &second), WH_LOCAL_NEVER);
  CHECK_EQ(wh_zone_to_utc(howe, utc(2060, 4, 4, 1, 45), &first, &second), WH_LOCAL_TWICE);
  CHECK_EQ(second - first, 1800);
  CHECK_EQ(wh_zone_offset_at(nepal, utc(2300, 1, 1, 0, 0)), 5 * 3600 + 45 * 60);
  CHECK(!wh_zone_next_change(nepal, utc(2300, 1, 1, 0, 0), &change));
  CHECK_EQ(wh_zone_offset_at(london, INT64_MAX), wh_zone_offset_at(london, 1000000000000000));
  CHECK_EQ(wh_zone_to_utc(london, INT64_MIN / 2, &first, &second), WH_LOCAL_ONCE);
  teardown(&f);
}

TEST(zone_fixed_offsets_need_no_files) {
  fixture f;
  REQUIRE(setup(&f));
  CHECK_EQ(wh_zone_offset_at(open_zone(&f, "UTC"), 0), 0);
  CHECK_EQ(wh_zone_offset_at(open_zone(&f, "+01:00"), 0), 3600);
  CHECK_EQ(wh_zone_offset_at(open_zone(&f, "-0530"), INT64_MIN), -19800);
  int64_t first, second;
  CHECK_EQ(wh_zone_to_utc(open_zone(&f, "+05:45"), 0, &first, &second), WH_LOCAL_ONCE);
  CHECK_EQ(first, -20700);
  teardown(&f);
}

TEST(zone_unknown_names_are_refused) {
  WITH_ZONES(f);
  static const char *const bad[] = {"",       "/etc/passwd", "../passwd", "Europe/../London",
                                    "Europe", "zone.tab",    "zone1970",  "Mars/Base",
                                    "+25:00", "+1",          "EUROPE\n",  "+01:60"};
  const wh_zone *zone;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    CHECK_FAILS(wh_zone_open(&f.os.base, wh_str_of(bad[i]), &f.arena, &zone, &test_err),
                WH_ERR_NOT_FOUND);
  }
  CHECK_FAILS(wh_zone_open(&f.os.base, WH_STR("Mars/Base"), &f.arena, &zone, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("there is no time zone 'Mars/Base' in /usr/share/zoneinfo. Names look like "
                   "Europe/London, UTC or +01:00"));
  CHECK_FAILS(wh_zone_open(&f.os.base, WH_STR("Europe/Lodnon"), &f.arena, &zone, &test_err),
              WH_ERR_NOT_FOUND);
  CHECK_STR(wh_str_of(test_err.text),
            WH_STR("there is no time zone 'Europe/Lodnon'. Did you mean 'Europe/London'?"));
  teardown(&f);
}

TEST(zone_files_that_are_cut_or_bent_are_refused) {
  WITH_ZONES(f);
  wh_str file;
  REQUIRE_OK(wh_os_read_file(&f.os.base, WH_ZONE_FOLDER "/Europe/London", WH_ZONE_FILE_MAX,
                             &f.arena, &file, &test_err));
  const wh_zone *zone;
  CHECK_OK(wh_zone_parse(WH_STR("x"), file, &f.arena, &zone, &test_err));
  for (size_t len = 0; len < file.len; len++) {
    wh_arena scratch;
    wh_arena_init(&scratch, &test_mem);
    char *exact = malloc(len ? len : 1); // so that a sanitizer sees reads behind the end
    memcpy(exact, file.data, len);
    wh_status status = wh_zone_parse(WH_STR("x"), wh_str_n(exact, len), &scratch, &zone, &test_err);
    if (status != WH_ERR_DATA) CHECK_EQ(status, WH_ERR_DATA);
    free(exact);
    wh_arena_free(&scratch);
  }
  char *bent = wh_arena_cstr(&f.arena, file);
  for (int i = 0; i < 20000; i++) { // whatever the bytes say: no crash
    size_t at = test_random_below(file.len);
    char kept = bent[at];
    bent[at] = (char)test_random();
    wh_arena scratch;
    wh_arena_init(&scratch, &test_mem);
    if (wh_zone_parse(WH_STR("x"), wh_str_n(bent, file.len), &scratch, &zone, NULL) == WH_OK) {
      int64_t first, second;
      wh_zone_to_utc(zone, (int64_t)test_random_below(10000000000), &first, &second);
    }
    wh_arena_free(&scratch);
    bent[at] = kept;
  }
  teardown(&f);
}

TEST(zone_rules_are_read) {
  wh_zone_rule rule;
  wh_zone_change changes[WH_ZONE_CHANGES_AROUND];
  REQUIRE(wh_zone_rule_parse(WH_STR("<+0545>-5:45"), &rule));
  CHECK(!rule.has_summer);
  CHECK_EQ(rule.standard_s, 20700);
  REQUIRE(wh_zone_rule_parse(WH_STR("AAA3BBB,J60/1:30:15,J365"), &rule));
  CHECK_EQ(rule.summer_s, -2 * 3600);
  wh_zone_rule_changes(&rule, utc(2024, 6, 1, 0, 0), changes);
  CHECK_EQ(changes[2].utc_s, utc(2024, 3, 1, 4, 30) + 15);
  CHECK_EQ(changes[3].utc_s, utc(2024, 12, 31, 4, 0));
  REQUIRE(wh_zone_rule_parse(WH_STR("AAA3BBB2:30,59/-1,365/0"), &rule));
  wh_zone_rule_changes(&rule, utc(2024, 6, 1, 0, 0), changes);
  CHECK_EQ(changes[2].utc_s, utc(2024, 2, 29, 2, 0));
  CHECK_EQ(changes[3].utc_s, utc(2024, 12, 31, 2, 30));
  // Summer time all year (RFC 8536 section 3.3.1).
  REQUIRE(wh_zone_rule_parse(WH_STR("EST5EDT,0/0,J365/25"), &rule));
  wh_zone_rule_changes(&rule, utc(2024, 6, 1, 0, 0), changes);
  CHECK_EQ(changes[3].utc_s, changes[4].utc_s);
  static const char *const bad[] = {"",
                                    "A1",
                                    "AAA",
                                    "<+01>",
                                    "<a>1",
                                    "AAA25",
                                    "AAA1:60",
                                    "AAA1BBB",
                                    "AAA1BBB,",
                                    "AAA1BBB,M3.5.0",
                                    "AAA1BBB,M13.5.0,M10.5.0",
                                    "AAA1BBB,M3.6.0,M10.5.0",
                                    "AAA1BBB,M3.5.7,M10.5.0",
                                    "AAA1BBB,J0,J365",
                                    "AAA1BBB,366,1",
                                    "AAA1BBB,M3.5.0/168,M10.5.0",
                                    "AAA1BBB,M3.5.0,M10.5.0 "};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    test_check(!wh_zone_rule_parse(wh_str_of(bad[i]), &rule), __FILE__, __LINE__, bad[i]);
}

TEST(zone_open_survives_without_memory) {
  WITH_ZONES(f);
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status != WH_OK && n < 100; n++) {
    wh_arena arena;
    wh_arena_init(&arena, &test_mem);
    const wh_zone *zone;
    test_mem.fail_at = atomic_load(&test_mem.count) + n;
    status = wh_zone_open(&f.os.base, WH_STR("Europe/London"), &arena, &zone, &test_err);
    test_mem.fail_at = 0;
    if (status != WH_OK) CHECK_EQ(status, WH_ERR_MEMORY);
    wh_arena_free(&arena);
  }
  CHECK_EQ(status, WH_OK);
  teardown(&f);
}
