// Songs that never were: everything follows from the seed and a song's number.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
  ID_BYTES = 19, // with the NUL
  MBID_BYTES = 37,
  TEXT_BYTES = 64,
  TERMS_MAX = 40,
  SIMILAR_MAX = 100,
  TAGS_MAX = 6,
  BEATS_PER_BAR_MAX = 7,
  BARS_MAX = 240,
  BEATS_MAX = BARS_MAX * BEATS_PER_BAR_MAX,
  TATUMS_MAX = BEATS_MAX * 3,
  SECTIONS_MAX = 17,
  SEGMENTS_MAX = 1500,
  PITCHES = 12,
};

typedef struct world {
  uint64_t seed;
  size_t songs, artists, terms, tags;
} world;

typedef struct artist {
  char id[ID_BYTES], mbid[MBID_BYTES], name[TEXT_BYTES], location[TEXT_BYTES];
  double latitude, longitude; // NaN: not known
  size_t term_count, similar_count, tag_count;
  size_t terms[TERMS_MAX], similar[SIMILAR_MAX], tags[TAGS_MAX]; // numbers, each once
} artist;

typedef struct marks { // bars, beats, sections or tatums
  size_t count;
  double start[TATUMS_MAX], confidence[TATUMS_MAX];
} marks;

typedef struct song {
  size_t artist;
  char track_id[ID_BYTES], song_id[ID_BYTES], title[TEXT_BYTES], release[TEXT_BYTES];
  char audio_md5[32]; // no NUL
  int track_7digitalid, key, mode, time_signature, year;
  double hotttnesss, duration, loudness, tempo, end_of_fade_in, start_of_fade_out;
  double key_confidence, mode_confidence, time_signature_confidence;
  marks bars, beats, sections, tatums;
  size_t segment_count;
  double segment_start[SEGMENTS_MAX], segment_confidence[SEGMENTS_MAX];
  double loudness_max[SEGMENTS_MAX], loudness_max_time[SEGMENTS_MAX], loudness_start[SEGMENTS_MAX];
  double pitches[SEGMENTS_MAX][PITCHES], timbre[SEGMENTS_MAX][PITCHES];
} song;

void artist_make(const world *w, size_t number, artist *ret);
void song_make(const world *w, size_t number, song *ret);
void term_make(size_t number, char out[TEXT_BYTES]);
void tag_make(size_t number, char out[TEXT_BYTES]);
