#include "data/zone.h"

#include "data/zone_rule.h"

struct wh_zone {
  wh_str name;
  size_t count; // of listed changes
  int64_t *at;
  int32_t *offset_s;
  int32_t first_s; // before all of them
  bool has_rule;   // after the last of them
  wh_zone_rule rule;
};

enum {
  DAY_S = 86400,
  OFFSET_MAX_S = 26 * 3600, // RFC 8536 section 3.2: more cannot be meant
  FIXED_HOURS_MAX = 18,
  HEADER_BYTES = 44,
};

// Beyond that, in either direction, an offset is that of the limit: 30 million years.
static const int64_t far_s = 1000000000000000;

static int64_t near(int64_t s) {
  return s > far_s ? far_s : s < -far_s ? -far_s : s;
}

wh_str wh_zone_name(const wh_zone *zone) {
  return zone->name;
}

// Number of listed changes at or before t.
static size_t changes_until(const wh_zone *zone, int64_t t) {
  size_t low = 0, high = zone->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (zone->at[middle] <= t)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int32_t rule_offset_at(const wh_zone_rule *rule, int64_t t) {
  if (!rule->has_summer) return rule->standard_s;
  wh_zone_change changes[WH_ZONE_CHANGES_AROUND];
  wh_zone_rule_changes(rule, t, changes);
  int32_t offset = changes[1].offset_s;
  for (size_t i = 0; i < WH_ZONE_CHANGES_AROUND && changes[i].utc_s <= t; i++)
    offset = changes[i].offset_s;
  return offset;
}

int32_t wh_zone_offset_at(const wh_zone *zone, int64_t utc_s) {
  int64_t t = near(utc_s);
  size_t n = changes_until(zone, t);
  if (n == zone->count && zone->has_rule) return rule_offset_at(&zone->rule, t);
  return n ? zone->offset_s[n - 1] : zone->first_s;
}

bool wh_zone_next_change(const wh_zone *zone, int64_t utc_s, int64_t *ret_utc_s) {
  if (utc_s >= far_s) return false;
  int64_t t = near(utc_s);
  int32_t offset = wh_zone_offset_at(zone, t);
  for (size_t i = changes_until(zone, t); i < zone->count; i++) {
    if (zone->offset_s[i] == offset) continue; // only the name changed
    *ret_utc_s = zone->at[i];
    return true;
  }
  if (!zone->has_rule || !zone->rule.has_summer) return false;
  int64_t last = zone->count ? zone->at[zone->count - 1] : -far_s;
  if (t < last) t = last;
  wh_zone_change changes[WH_ZONE_CHANGES_AROUND];
  wh_zone_rule_changes(&zone->rule, t, changes);
  for (size_t i = 0; i < WH_ZONE_CHANGES_AROUND; i++) {
    // A change that the next one takes back at once is none (summer time all year).
    bool undone = i + 1 < WH_ZONE_CHANGES_AROUND && changes[i + 1].utc_s == changes[i].utc_s;
    if (changes[i].utc_s <= t || undone || changes[i].offset_s == offset) continue;
    *ret_utc_s = changes[i].utc_s;
    return true;
  }
  return false;
}

wh_local_kind wh_zone_to_utc(const wh_zone *zone, int64_t local_s, int64_t *ret_first,
                             int64_t *ret_second) {
  if (near(local_s) != local_s) {
    *ret_first = *ret_second = local_s - wh_zone_offset_at(zone, local_s);
    return WH_LOCAL_ONCE;
  }
  // Every offset in force within two days is a candidate; it holds if it is in force at the instant
  // that it leads to.
  int64_t change = local_s - 2 * DAY_S, found[2] = {0}, jump = 0;
  int32_t offset = wh_zone_offset_at(zone, change);
  size_t count = 0;
  for (;;) {
    int64_t t = local_s - offset;
    bool known = count && found[0] == t;
    if (!known && count < 2 && wh_zone_offset_at(zone, t) == offset) found[count++] = t;
    if (!wh_zone_next_change(zone, change, &change) || change > local_s + 2 * DAY_S) break;
    int32_t after = wh_zone_offset_at(zone, change);
    if (change + offset <= local_s && local_s < change + after) jump = change;
    offset = after;
  }
  if (count == 0) {
    *ret_first = *ret_second = jump;
    return WH_LOCAL_NEVER;
  }
  if (count == 1) found[1] = found[0];
  bool ordered = found[0] <= found[1];
  *ret_first = ordered ? found[0] : found[1];
  *ret_second = ordered ? found[1] : found[0];
  return count == 1 ? WH_LOCAL_ONCE : WH_LOCAL_TWICE;
}

// --- zone files, RFC 8536 section 3 ------------------------------------------------------------

typedef struct header {
  size_t utc_count, standard_count, leap_count, time_count, type_count, char_count;
} header;

static uint64_t big_endian(const char *bytes, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n; i++)
    value = value << 8 | (unsigned char)bytes[i];
  return value;
}

static bool read_header(wh_str file, size_t at, header *ret) {
  if (file.len < HEADER_BYTES || at > file.len - HEADER_BYTES) return false;
  const char *p = file.data + at;
  if (memcmp(p, "TZif", 4) != 0 || p[4] < '2') return false;
  size_t counts[6];
  for (size_t i = 0; i < 6; i++) {
    counts[i] = (size_t)big_endian(p + 20 + 4 * i, 4);
    if (counts[i] > file.len) return false;
  }
  *ret = (header){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
  return true;
}

static size_t block_size(const header *h, size_t time_size) {
  return h->time_count * (time_size + 1) + h->type_count * 6 + h->char_count +
         h->leap_count * (time_size + 4) + h->standard_count + h->utc_count;
}

static bool type_offset(const char *types, size_t index, int32_t *ret) {
  *ret = (int32_t)(uint32_t)big_endian(types + index * 6, 4);
  return *ret > -OFFSET_MAX_S && *ret < OFFSET_MAX_S;
}

static bool read_changes(const char *block, const header *h, wh_zone *zone) {
  const char *indices = block + h->time_count * 8;
  const char *types = indices + h->time_count;
  if (h->type_count == 0 || !type_offset(types, 0, &zone->first_s)) return false;
  for (size_t i = 0; i < h->time_count; i++) {
    size_t index = (unsigned char)indices[i];
    zone->at[i] = (int64_t)big_endian(block + i * 8, 8);
    if (index >= h->type_count || !type_offset(types, index, &zone->offset_s[i])) return false;
    if (i && zone->at[i] <= zone->at[i - 1]) return false;
  }
  zone->count = h->time_count;
  return true;
}

static bool read_footer(wh_str footer, wh_zone *zone) {
  if (footer.len < 2 || footer.data[0] != '\n' || footer.data[footer.len - 1] != '\n') return false;
  wh_str rule = wh_str_sub(footer, 1, footer.len - 1);
  zone->has_rule = rule.len > 0;
  return rule.len == 0 || wh_zone_rule_parse(rule, &zone->rule);
}

wh_status wh_zone_parse(wh_str name, wh_str file, wh_arena *arena, const wh_zone **ret,
                        wh_error *err) {
  // The first block is for readers of 32-bit times.
  header skipped, h;
  size_t at = HEADER_BYTES;
  bool ok = read_header(file, 0, &skipped);
  if (ok) at += block_size(&skipped, 4);
  ok = ok && read_header(file, at, &h);
  if (ok) at += HEADER_BYTES;
  ok = ok && block_size(&h, 8) <= file.len - at;
  if (!ok) return wh_fail(err, WH_ERR_DATA, "%.*s is not a time zone file", WH_STR_ARG(name));
  if (h.leap_count) {
    return wh_fail(err, WH_ERR_NOT_FOUND,
                   "time zone '%.*s' counts leap seconds; use one that does not", WH_STR_ARG(name));
  }
  wh_zone *zone = WH_NEW(arena, wh_zone);
  if (!zone) return wh_fail_memory(err);
  zone->name = wh_arena_str(arena, name);
  zone->at = WH_NEW_ARRAY(arena, h.time_count, int64_t);
  zone->offset_s = WH_NEW_ARRAY(arena, h.time_count, int32_t);
  if (!zone->name.data || !zone->at || !zone->offset_s) return wh_fail_memory(err);
  if (!read_changes(file.data + at, &h, zone) ||
      !read_footer(wh_str_sub(file, at + block_size(&h, 8), file.len), zone))
    return wh_fail(err, WH_ERR_DATA, "time zone file %.*s is damaged", WH_STR_ARG(name));
  *ret = zone;
  return WH_OK;
}

// --- by name -------------------------------------------------------------------------------------

// "+01:00", "-0530"
static bool parse_fixed(wh_str name, int32_t *ret) {
  if (name.len != 6 && name.len != 5) return false;
  if (name.data[0] != '+' && name.data[0] != '-') return false;
  if (name.len == 6 && name.data[3] != ':') return false;
  uint64_t hours, minutes;
  if (!wh_str_to_u64(wh_str_sub(name, 1, 3), &hours) ||
      !wh_str_to_u64(wh_str_sub(name, name.len - 2, name.len), &minutes))
    return false;
  if (hours > FIXED_HOURS_MAX || minutes > 59) return false;
  *ret = (int32_t)(hours * 3600 + minutes * 60) * (name.data[0] == '-' ? -1 : 1);
  return true;
}

static wh_status make_fixed(wh_str name, int32_t offset_s, wh_arena *arena, const wh_zone **ret,
                            wh_error *err) {
  wh_zone *zone = WH_NEW(arena, wh_zone);
  if (!zone) return wh_fail_memory(err);
  zone->name = wh_arena_str(arena, name);
  if (!zone->name.data) return wh_fail_memory(err);
  zone->first_s = offset_s;
  *ret = zone;
  return WH_OK;
}

static bool is_zone_name(wh_str name) {
  if (name.len == 0 || name.len > WH_ZONE_NAME_MAX || name.data[0] == '/') return false;
  for (size_t i = 0; i < name.len; i++) {
    char c = name.data[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '+' && c != '-' && c != '/') return false; // no dot either
  }
  return true;
}

// The nearest of the names that the system's table lists; empty when there is none near.
static wh_str nearest_name(wh_os *os, wh_str name, wh_arena *arena) {
  wh_str table, line, nearest = {0};
  if (wh_os_read_file(os, WH_ZONE_FOLDER "/zone1970.tab", WH_ZONE_FILE_MAX, arena, &table, NULL))
    return nearest;
  size_t best = 3; // a larger distance is no help
  while (wh_str_split(&table, '\n', &line)) {
    wh_str field;
    if (line.len == 0 || line.data[0] == '#') continue;
    // country codes, coordinates, name, comments
    if (!wh_str_split(&line, '\t', &field) || !wh_str_split(&line, '\t', &field) ||
        !wh_str_split(&line, '\t', &field))
      continue;
    size_t distance = wh_str_distance(name, field, best);
    if (distance > best) continue;
    nearest = field;
    if (distance == 0) break;
    best = distance - 1;
  }
  return nearest;
}

static wh_status unknown(wh_os *os, wh_str name, wh_error *err) {
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, os->mem);
  wh_str shown = wh_str_sub(name, 0, wh_utf8_cut(name, WH_ZONE_NAME_MAX));
  wh_str nearest = nearest_name(os, name, &scratch);
  if (nearest.len) {
    return wh_fail(err, WH_ERR_NOT_FOUND, "there is no time zone '%.*s'. Did you mean '%.*s'?",
                   WH_STR_ARG(shown), WH_STR_ARG(nearest));
  }
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "there is no time zone '%.*s' in " WH_ZONE_FOLDER
                 ". Names look like Europe/London, UTC or +01:00",
                 WH_STR_ARG(shown));
}

wh_status wh_zone_open(wh_os *os, wh_str name, wh_arena *arena, const wh_zone **ret,
                       wh_error *err) {
  int32_t offset_s = 0;
  if (wh_str_is(name, "UTC") || parse_fixed(name, &offset_s))
    return make_fixed(name, offset_s, arena, ret, err);
  if (!is_zone_name(name)) return unknown(os, name, err);
  WH_CLEAN_ARENA wh_arena scratch;
  wh_arena_init(&scratch, os->mem);
  wh_str path = wh_arena_printf(&scratch, WH_ZONE_FOLDER "/%.*s", WH_STR_ARG(name));
  wh_str file = {0};
  if (!path.data) return wh_fail_memory(err);
  wh_status status = wh_os_read_file(os, path.data, WH_ZONE_FILE_MAX, &scratch, &file, err);
  if (status == WH_ERR_MEMORY) return status;
  if (status == WH_OK) status = wh_zone_parse(name, file, arena, ret, err);
  if (status == WH_OK || status == WH_ERR_MEMORY) return status;
  // A folder, or a table that stands beside the zones, is no zone either.
  bool damaged = status == WH_ERR_DATA && file.len >= 4 && memcmp(file.data, "TZif", 4) == 0;
  bool leap = status == WH_ERR_NOT_FOUND && file.len > 0;
  return damaged || leap ? status : unknown(os, name, err);
}
