// The files: groups metadata, analysis and musicbrainz, each with a table `songs` of one row a song
// and arrays, of which a song owns a slice that begins at its idx_*. Laid out as PyTables 2 does
// it.
#include "store.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 40, DEFLATE_LEVEL = 1 };

// --- tables --------------------------------------------------------------------------------------

typedef struct field {
  const char *name;
  size_t text; // bytes; 0: a number
  bool is_int;
} field;

#define INT(name)                                                                                  \
  { name, 0, true }
#define FLOAT(name)                                                                                \
  { name, 0, false }
#define TEXT(name, bytes)                                                                          \
  { name, bytes, false }

static const field metadata_fields[] = {
    TEXT("analyzer_version", 32),  INT("artist_7digitalid"),   FLOAT("artist_familiarity"),
    FLOAT("artist_hotttnesss"),    TEXT("artist_id", 32),      FLOAT("artist_latitude"),
    TEXT("artist_location", 1024), FLOAT("artist_longitude"),  TEXT("artist_mbid", 40),
    TEXT("artist_name", 1024),     INT("artist_playmeid"),     TEXT("genre", 1024),
    INT("idx_artist_terms"),       INT("idx_similar_artists"), TEXT("release", 1024),
    INT("release_7digitalid"),     FLOAT("song_hotttnesss"),   TEXT("song_id", 32),
    TEXT("title", 1024),           INT("track_7digitalid"),    {0}};

static const field analysis_fields[] = {INT("analysis_sample_rate"),
                                        TEXT("audio_md5", 32),
                                        FLOAT("danceability"),
                                        FLOAT("duration"),
                                        FLOAT("end_of_fade_in"),
                                        FLOAT("energy"),
                                        INT("idx_bars_confidence"),
                                        INT("idx_bars_start"),
                                        INT("idx_beats_confidence"),
                                        INT("idx_beats_start"),
                                        INT("idx_sections_confidence"),
                                        INT("idx_sections_start"),
                                        INT("idx_segments_confidence"),
                                        INT("idx_segments_loudness_max"),
                                        INT("idx_segments_loudness_max_time"),
                                        INT("idx_segments_loudness_start"),
                                        INT("idx_segments_pitches"),
                                        INT("idx_segments_start"),
                                        INT("idx_segments_timbre"),
                                        INT("idx_tatums_confidence"),
                                        INT("idx_tatums_start"),
                                        INT("key"),
                                        FLOAT("key_confidence"),
                                        FLOAT("loudness"),
                                        INT("mode"),
                                        FLOAT("mode_confidence"),
                                        FLOAT("start_of_fade_out"),
                                        FLOAT("tempo"),
                                        INT("time_signature"),
                                        FLOAT("time_signature_confidence"),
                                        TEXT("track_id", 32),
                                        {0}};

static const field musicbrainz_fields[] = {INT("idx_artist_mbtags"), INT("year"), {0}};

static size_t field_bytes(const field *f) {
  return f->text ? f->text : f->is_int ? sizeof(int32_t) : sizeof(double);
}

typedef struct table {
  const field *fields;
  size_t row_bytes, count;
  char *rows;
} table;

static bool table_make(table *t, const field *fields, size_t count) {
  *t = (table){.fields = fields, .count = count};
  for (const field *f = fields; f->name; f++)
    t->row_bytes += field_bytes(f);
  t->rows = calloc(count, t->row_bytes);
  return t->rows != NULL;
}

static char *cell(const table *t, size_t row, const char *name) {
  char *at = t->rows + row * t->row_bytes;
  for (const field *f = t->fields; f->name; f++) {
    if (strcmp(f->name, name) == 0) return at;
    at += field_bytes(f);
  }
  fprintf(stderr, "no field %s\n", name);
  abort();
}

static void put_int(const table *t, size_t row, const char *name, size_t value) {
  int32_t v = (int32_t)value;
  memcpy(cell(t, row, name), &v, sizeof v);
}

static void put_float(const table *t, size_t row, const char *name, double value) {
  memcpy(cell(t, row, name), &value, sizeof value);
}

static void put_text(const table *t, size_t row, const char *name, const char *text, size_t len) {
  memcpy(cell(t, row, name), text, len);
}

static void put_string(const table *t, size_t row, const char *name, const char *text) {
  put_text(t, row, name, text, strlen(text));
}

// --- arrays --------------------------------------------------------------------------------------

typedef enum array_name {
  SIMILAR,
  TERMS,
  TERMS_FREQ,
  TERMS_WEIGHT,
  BARS_START,
  BARS_CONFIDENCE,
  BEATS_START,
  BEATS_CONFIDENCE,
  SECTIONS_START,
  SECTIONS_CONFIDENCE,
  TATUMS_START,
  TATUMS_CONFIDENCE,
  SEGMENTS_START,
  SEGMENTS_CONFIDENCE,
  LOUDNESS_MAX,
  LOUDNESS_MAX_TIME,
  LOUDNESS_START,
  SEGMENTS_PITCHES,
  SEGMENTS_TIMBRE,
  TAGS,
  TAGS_COUNT,
  ARRAYS,
} array_name;

typedef struct array_kind {
  const char *group, *name, *index; // index: the field with its start
  size_t text;                      // bytes; 0: numbers
  bool is_int;
  size_t width;
} array_kind;

static const array_kind kinds[ARRAYS] = {
    [SIMILAR] = {"metadata", "similar_artists", "idx_similar_artists", 20, false, 1},
    [TERMS] = {"metadata", "artist_terms", "idx_artist_terms", 256, false, 1},
    [TERMS_FREQ] = {"metadata", "artist_terms_freq", NULL, 0, false, 1},
    [TERMS_WEIGHT] = {"metadata", "artist_terms_weight", NULL, 0, false, 1},
    [BARS_START] = {"analysis", "bars_start", "idx_bars_start", 0, false, 1},
    [BARS_CONFIDENCE] = {"analysis", "bars_confidence", "idx_bars_confidence", 0, false, 1},
    [BEATS_START] = {"analysis", "beats_start", "idx_beats_start", 0, false, 1},
    [BEATS_CONFIDENCE] = {"analysis", "beats_confidence", "idx_beats_confidence", 0, false, 1},
    [SECTIONS_START] = {"analysis", "sections_start", "idx_sections_start", 0, false, 1},
    [SECTIONS_CONFIDENCE] = {"analysis", "sections_confidence", "idx_sections_confidence", 0, false,
                             1},
    [TATUMS_START] = {"analysis", "tatums_start", "idx_tatums_start", 0, false, 1},
    [TATUMS_CONFIDENCE] = {"analysis", "tatums_confidence", "idx_tatums_confidence", 0, false, 1},
    [SEGMENTS_START] = {"analysis", "segments_start", "idx_segments_start", 0, false, 1},
    [SEGMENTS_CONFIDENCE] = {"analysis", "segments_confidence", "idx_segments_confidence", 0, false,
                             1},
    [LOUDNESS_MAX] = {"analysis", "segments_loudness_max", "idx_segments_loudness_max", 0, false,
                      1},
    [LOUDNESS_MAX_TIME] = {"analysis", "segments_loudness_max_time",
                           "idx_segments_loudness_max_time", 0, false, 1},
    [LOUDNESS_START] = {"analysis", "segments_loudness_start", "idx_segments_loudness_start", 0,
                        false, 1},
    [SEGMENTS_PITCHES] = {"analysis", "segments_pitches", "idx_segments_pitches", 0, false,
                          PITCHES},
    [SEGMENTS_TIMBRE] = {"analysis", "segments_timbre", "idx_segments_timbre", 0, false, PITCHES},
    [TAGS] = {"musicbrainz", "artist_mbtags", "idx_artist_mbtags", 256, false, 1},
    [TAGS_COUNT] = {"musicbrainz", "artist_mbtags_count", NULL, 0, true, 1},
};

typedef struct array {
  char *data;
  size_t count, cap; // elements
} array;

static size_t element_bytes(const array_kind *k) {
  size_t each = k->text ? k->text : k->is_int ? sizeof(int32_t) : sizeof(double);
  return each * k->width;
}

static char *array_grow(array *a, array_name name, size_t more) {
  size_t each = element_bytes(&kinds[name]), cap = a->cap ? a->cap : 64;
  while (cap < a->count + more)
    cap *= 2;
  if (cap != a->cap) {
    a->data = realloc(a->data, cap * each);
    if (!a->data) abort();
    memset(a->data + a->cap * each, 0, (cap - a->cap) * each);
    a->cap = cap;
  }
  char *at = a->data + a->count * each;
  a->count += more;
  return at;
}

static void add_numbers(array *arrays, array_name name, const void *values, size_t count) {
  char *at = array_grow(&arrays[name], name, count);
  if (count) memcpy(at, values, count * element_bytes(&kinds[name]));
}

static void add_text(array *arrays, array_name name, const char *text) {
  memcpy(array_grow(&arrays[name], name, 1), text, strlen(text));
}

// --- the songs of a file -------------------------------------------------------------------------

typedef struct content {
  table metadata, analysis, musicbrainz;
  array arrays[ARRAYS];
} content;

static void put_starts(content *c, size_t row) {
  for (int i = 0; i < ARRAYS; i++) {
    const array_kind *k = &kinds[i];
    const table *t = strcmp(k->group, "metadata") == 0   ? &c->metadata
                     : strcmp(k->group, "analysis") == 0 ? &c->analysis
                                                         : &c->musicbrainz;
    if (k->index) put_int(t, row, k->index, c->arrays[i].count);
  }
}

static void put_metadata(const table *t, size_t row, const song *s, const artist *a) {
  put_int(t, row, "artist_7digitalid", s->artist + 1);
  put_float(t, row, "artist_familiarity", s->key_confidence);
  put_float(t, row, "artist_hotttnesss", s->mode_confidence);
  put_string(t, row, "artist_id", a->id);
  put_float(t, row, "artist_latitude", a->latitude);
  put_string(t, row, "artist_location", a->location);
  put_float(t, row, "artist_longitude", a->longitude);
  put_string(t, row, "artist_mbid", a->mbid);
  put_string(t, row, "artist_name", a->name);
  put_int(t, row, "artist_playmeid", (size_t)-1);
  put_string(t, row, "release", s->release);
  put_int(t, row, "release_7digitalid", (size_t)s->track_7digitalid / 10);
  put_float(t, row, "song_hotttnesss", s->hotttnesss);
  put_string(t, row, "song_id", s->song_id);
  put_string(t, row, "title", s->title);
  put_int(t, row, "track_7digitalid", (size_t)s->track_7digitalid);
}

static void put_analysis(const table *t, size_t row, const song *s) {
  put_int(t, row, "analysis_sample_rate", 22050);
  put_text(t, row, "audio_md5", s->audio_md5, sizeof s->audio_md5);
  put_float(t, row, "duration", s->duration);
  put_float(t, row, "end_of_fade_in", s->end_of_fade_in);
  put_int(t, row, "key", (size_t)s->key);
  put_float(t, row, "key_confidence", s->key_confidence);
  put_float(t, row, "loudness", s->loudness);
  put_int(t, row, "mode", (size_t)s->mode);
  put_float(t, row, "mode_confidence", s->mode_confidence);
  put_float(t, row, "start_of_fade_out", s->start_of_fade_out);
  put_float(t, row, "tempo", s->tempo);
  put_int(t, row, "time_signature", (size_t)s->time_signature);
  put_float(t, row, "time_signature_confidence", s->time_signature_confidence);
  put_string(t, row, "track_id", s->track_id);
}

static void add_marks(array *arrays, array_name start, const marks *m) {
  add_numbers(arrays, start, m->start, m->count);
  add_numbers(arrays, start + 1, m->confidence, m->count); // confidences stand behind starts
}

static void add_artist(const world *w, array *arrays, const artist *a) {
  char text[TEXT_BYTES];
  for (size_t i = 0; i < a->similar_count; i++) {
    artist other;
    artist_make(w, a->similar[i], &other);
    add_text(arrays, SIMILAR, other.id);
  }
  for (size_t i = 0; i < a->term_count; i++) {
    double weight = 1 - (double)i / TERMS_MAX;
    term_make(a->terms[i], text);
    add_text(arrays, TERMS, text);
    add_numbers(arrays, TERMS_FREQ, &weight, 1);
    add_numbers(arrays, TERMS_WEIGHT, &weight, 1);
  }
  for (size_t i = 0; i < a->tag_count; i++) {
    int32_t count = (int32_t)i + 1;
    tag_make(a->tags[i], text);
    add_text(arrays, TAGS, text);
    add_numbers(arrays, TAGS_COUNT, &count, 1);
  }
}

static void add_song(const world *w, content *c, size_t row, const song *s) {
  artist a;
  artist_make(w, s->artist, &a);
  put_starts(c, row);
  put_metadata(&c->metadata, row, s, &a);
  put_analysis(&c->analysis, row, s);
  put_int(&c->musicbrainz, row, "year", (size_t)s->year);
  add_artist(w, c->arrays, &a);
  add_marks(c->arrays, BARS_START, &s->bars);
  add_marks(c->arrays, BEATS_START, &s->beats);
  add_marks(c->arrays, SECTIONS_START, &s->sections);
  add_marks(c->arrays, TATUMS_START, &s->tatums);
  add_numbers(c->arrays, SEGMENTS_START, s->segment_start, s->segment_count);
  add_numbers(c->arrays, SEGMENTS_CONFIDENCE, s->segment_confidence, s->segment_count);
  add_numbers(c->arrays, LOUDNESS_MAX, s->loudness_max, s->segment_count);
  add_numbers(c->arrays, LOUDNESS_MAX_TIME, s->loudness_max_time, s->segment_count);
  add_numbers(c->arrays, LOUDNESS_START, s->loudness_start, s->segment_count);
  add_numbers(c->arrays, SEGMENTS_PITCHES, s->pitches, s->segment_count);
  add_numbers(c->arrays, SEGMENTS_TIMBRE, s->timbre, s->segment_count);
}

// --- writing -------------------------------------------------------------------------------------

static hid_t text_type(size_t bytes) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, bytes);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

static bool put_attribute(hid_t object, const char *name, const char *text) {
  hid_t type = text_type(strlen(text)), space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool ok = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  return ok;
}

static bool put_number(hid_t object, const char *name, hid_t type, const void *value) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool ok = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
  H5Aclose(attribute);
  H5Sclose(space);
  return ok;
}

static bool describe(hid_t object, const char *class, const char *version, const char *title) {
  return put_attribute(object, "CLASS", class) && put_attribute(object, "VERSION", version) &&
         put_attribute(object, "TITLE", title);
}

// Nothing is stored of an array without elements.
static hid_t write_dataset(hid_t group, const char *name, hid_t type, int rank, const hsize_t *dims,
                           hsize_t chunk_rows, const void *data) {
  hsize_t chunk[2] = {chunk_rows, dims[rank - 1]}, most[2] = {H5S_UNLIMITED, dims[rank - 1]};
  hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, rank, chunk);
  H5Pset_shuffle(creation);
  H5Pset_deflate(creation, DEFLATE_LEVEL);
  hid_t space = H5Screate_simple(rank, dims, most);
  hid_t dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (dataset >= 0 && dims[0] && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0) {
    H5Dclose(dataset);
    dataset = -1;
  }
  H5Sclose(space);
  H5Pclose(creation);
  return dataset;
}

static bool write_array(hid_t group, const array_kind *k, const array *a) {
  enum { CHUNK_BYTES = 8192 };
  hsize_t dims[2] = {a->count, k->width};
  hid_t type = k->text ? text_type(k->text) : H5Tcopy(k->is_int ? H5T_STD_I32LE : H5T_IEEE_F64LE);
  hsize_t chunk_rows = CHUNK_BYTES / element_bytes(k);
  hid_t dataset =
      write_dataset(group, k->name, type, k->width > 1 ? 2 : 1, dims, chunk_rows, a->data);
  int32_t grows = 0; // the dimension along which it does
  bool ok = dataset >= 0 && describe(dataset, "EARRAY", "1.0", "array") &&
            put_number(dataset, "EXTDIM", H5T_STD_I32LE, &grows);
  H5Dclose(dataset);
  H5Tclose(type);
  return ok;
}

static hid_t table_type(const table *t) {
  hid_t type = H5Tcreate(H5T_COMPOUND, t->row_bytes);
  size_t at = 0;
  for (const field *f = t->fields; f->name; f++) {
    hid_t one = f->text ? text_type(f->text) : H5Tcopy(f->is_int ? H5T_STD_I32LE : H5T_IEEE_F64LE);
    H5Tinsert(type, f->name, at, one);
    H5Tclose(one);
    at += field_bytes(f);
  }
  return type;
}

static bool describe_table(hid_t dataset, const table *t) {
  int64_t rows = (int64_t)t->count;
  bool ok = describe(dataset, "TABLE", "2.6", "table of metadata for one song") &&
            put_number(dataset, "NROWS", H5T_STD_I64LE, &rows);
  for (int i = 0; ok && t->fields[i].name; i++) {
    char name[32];
    snprintf(name, sizeof name, "FIELD_%d_NAME", i);
    ok = put_attribute(dataset, name, t->fields[i].name);
  }
  return ok;
}

static bool write_table(hid_t group, const table *t) {
  enum { CHUNK_ROWS = 8 };
  hsize_t dims[1] = {t->count};
  hid_t type = table_type(t);
  hid_t dataset = write_dataset(group, "songs", type, 1, dims, CHUNK_ROWS, t->rows);
  bool ok = dataset >= 0 && describe_table(dataset, t);
  H5Dclose(dataset);
  H5Tclose(type);
  return ok;
}

static bool write_group(hid_t file, const char *name, const char *title, const table *t,
                        const array *arrays) {
  hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  bool ok = group >= 0 && describe(group, "GROUP", "1.0", title) && write_table(group, t);
  for (int i = 0; ok && i < ARRAYS; i++)
    if (strcmp(kinds[i].group, name) == 0) ok = write_array(group, &kinds[i], &arrays[i]);
  H5Gclose(group);
  return ok;
}

static bool write_file(const char *path, const content *c) {
  hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  if (file < 0) return false;
  hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
  bool ok =
      describe(root, "GROUP", "1.0", "H5 Song File") &&
      put_attribute(root, "PYTABLES_FORMAT_VERSION", "2.0") &&
      write_group(file, "metadata", "metadata about the song", &c->metadata, c->arrays) &&
      write_group(file, "analysis", "Echo Nest analysis of the song", &c->analysis, c->arrays) &&
      write_group(file, "musicbrainz", "data about the song coming from MusicBrainz",
                  &c->musicbrainz, c->arrays);
  H5Gclose(root);
  return H5Fclose(file) >= 0 && ok;
}

bool store_songs(const world *w, const char *path, size_t first, size_t count) {
  content c = {0};
  song *s = malloc(sizeof *s);
  bool ok = s && table_make(&c.metadata, metadata_fields, count) &&
            table_make(&c.analysis, analysis_fields, count) &&
            table_make(&c.musicbrainz, musicbrainz_fields, count);
  for (size_t i = 0; ok && i < count; i++) {
    song_make(w, first + i, s);
    add_song(w, &c, i, s);
  }
  ok = ok && write_file(path, &c);
  for (int i = 0; i < ARRAYS; i++)
    free(c.arrays[i].data);
  free(c.metadata.rows);
  free(c.analysis.rows);
  free(c.musicbrainz.rows);
  free(s);
  return ok;
}
