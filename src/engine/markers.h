// Markers (`complete: { marker: ... }`): objects that are put beside others when these are whole.
// One that is older than its object speaks of an earlier content, and does not count. Markers are
// listed before what they speak of, so that what is taken was there after its marker.
#pragma once

#include "engine/engine.h"

typedef struct wh_marker {
  wh_str key;
  int64_t modified_us;
} wh_marker;

// All markers of a pipeline, in byte order of their keys; they stay in memory while it looks.
typedef struct wh_markers {
  wh_arena keys;
  wh_marker *items;
  size_t count, cap;
} wh_markers;

wh_status wh_markers_list(wh_connection *c, const wh_pipeline *p, wh_mem *mem, wh_markers *ret,
                          wh_error *err);
void wh_markers_free(wh_markers *markers); // zeroed is fine
// Whether the object has a marker among them. The arena is for the marker's key.
wh_status wh_markers_tell(const wh_markers *markers, const wh_pipeline *p, const wh_object *object,
                          wh_arena *arena, bool *ret, wh_error *err);
// The same by asking the store.
wh_status wh_marker_tells(wh_connection *c, const wh_pipeline *p, const wh_object *object,
                          wh_arena *arena, bool *ret, wh_error *err);
// Removes the marker of this version of an object, which is to be put away next. Another version
// has a marker of its own, or waits for one: then nothing is done.
wh_status wh_marker_withdraw(wh_connection *c, const wh_pipeline *p, wh_str key, wh_str version,
                             wh_arena *arena, wh_error *err);
