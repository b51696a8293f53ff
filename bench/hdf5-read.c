// How fast all tables of files of songs are read: by the codec, and by the shortest program on
// libhdf5, which reads every dataset whole, as it is stored, into memory that it keeps, and makes
// nothing of it.
//
//   build/bench/hdf5-read ROUNDS FILE...
//
// In turn, the files once each, so many rounds. Prints what each round took of processor time, and
// the rows; "libhdf5, in memory" opens the file with the driver that reads it at once.
#include "codec/hdf5/hdf5.h"
#include "config/problems.h"
#include "config/yaml.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TABLES_MAX = 16 };

static const char tables_yaml[] =
    "song: { rows: [/metadata/songs, /analysis/songs, /musicbrainz/songs], file: name }\n"
    "similar: { rows: /metadata/similar_artists, parent: { path: /metadata/songs, "
    "keep: artist_id, start: 'idx_{name}' } }\n"
    "term: { rows: [{ path: /metadata/artist_terms, start: idx_artist_terms }, "
    "{ path: /metadata/artist_terms_freq, start: idx_artist_terms }, "
    "{ path: /metadata/artist_terms_weight, start: idx_artist_terms }], "
    "parent: { path: /metadata/songs, keep: artist_id } }\n"
    "tag: { rows: [{ path: /musicbrainz/artist_mbtags, start: idx_artist_mbtags }, "
    "{ path: /musicbrainz/artist_mbtags_count, start: idx_artist_mbtags }], "
    "parent: { path: /musicbrainz/songs } }\n"
    "bar: { rows: [/analysis/bars_start, /analysis/bars_confidence], index: at, "
    "parent: { path: /analysis/songs, start: 'idx_{name}', keep: track_id } }\n"
    "beat: { rows: [/analysis/beats_start, /analysis/beats_confidence], index: at, "
    "parent: { path: /analysis/songs, start: 'idx_{name}', keep: track_id } }\n"
    "section: { rows: [/analysis/sections_start, /analysis/sections_confidence], index: at, "
    "parent: { path: /analysis/songs, start: 'idx_{name}', keep: track_id } }\n"
    "tatum: { rows: [/analysis/tatums_start, /analysis/tatums_confidence], index: at, "
    "parent: { path: /analysis/songs, start: 'idx_{name}', keep: track_id } }\n"
    "segment: { rows: [/analysis/segments_start, /analysis/segments_confidence, "
    "/analysis/segments_loudness_max, /analysis/segments_loudness_max_time, "
    "/analysis/segments_loudness_start, { path: /analysis/segments_pitches, prefix: p }, "
    "{ path: /analysis/segments_timbre, prefix: t }], index: at, "
    "parent: { path: /analysis/songs, start: 'idx_{name}', keep: track_id } }\n";

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void give_up(const char *file, const char *why) {
  fprintf(stderr, "%s: %s\n", file, why);
  exit(1);
}

// --- the codec -----------------------------------------------------------------------------------

typedef struct file_input {
  wh_input base;
  FILE *file;
} file_input;

static wh_status file_read_at(wh_input *in, uint64_t at, void *data, size_t len, wh_error *err) {
  file_input *f = (file_input *)in;
  ssize_t n = pread(fileno(f->file), data, len, (off_t)at);
  return n == (ssize_t)len ? WH_OK : wh_fail(err, WH_ERR_IO, "cannot read");
}

typedef struct tables {
  wh_mem mem;
  wh_arena arena;
  wh_hdf5_table options[TABLES_MAX];
  wh_table_spec specs[TABLES_MAX];
  size_t count;
} tables;

static void make_tables(tables *t) {
  wh_error err = {0};
  wh_problems problems;
  wh_node *map;
  wh_mem_init(&t->mem, 0);
  wh_arena_init(&t->arena, &t->mem);
  wh_problems_init(&problems, &t->arena, NULL);
  if (wh_yaml_parse(wh_str_of(tables_yaml), "tables", &t->arena, &problems, &map, &err) != WH_OK)
    give_up("tables", err.text);
  for (t->count = 0; t->count < map->count; t->count++) {
    const wh_node_entry *e = &map->entries[t->count];
    wh_option_context context = {.arena = &t->arena};
    if (wh_options_parse(wh_codec_hdf5.table_options, e->value, NULL, "table", &context,
                         &t->options[t->count], &err) != WH_OK)
      give_up("tables", err.text);
    t->specs[t->count] = (wh_table_spec){.name = e->key->text, .options = &t->options[t->count]};
  }
}

static wh_status read_tables(tables *t, const char *path, file_input *in, uint64_t *rows,
                             wh_error *err) {
  wh_codec_context context = {
      .mem = &t->mem, .row_limit_bytes = 8 << 20, .threads = 1, .key = wh_str_of(path)};
  wh_tables_reader *reader;
  wh_batch batches[TABLES_MAX] = {0};
  wh_rejects none = wh_rejects_none();
  size_t table;
  WH_TRY(wh_codec_hdf5.open_tables(&context, &in->base, t->specs, t->count, &reader, err));
  wh_status status = WH_OK;
  for (size_t i = 0; status == WH_OK && i < t->count; i++)
    status = wh_batch_init(&batches[i], &t->mem, reader->schemas[i], err);
  while (status == WH_OK) {
    status = reader->next(reader, &table, batches, &none, err);
    if (status == WH_OK) *rows += batches[table].rows;
    if (status == WH_OK) wh_batch_reset(&batches[table]);
  }
  for (size_t i = 0; i < t->count; i++)
    wh_batch_free(&batches[i]);
  wh_tables_reader_close(reader);
  return status == WH_ERR_END ? WH_OK : status;
}

static uint64_t by_codec(tables *t, const char *path) {
  struct stat st;
  wh_error err = {0};
  uint64_t rows = 0;
  file_input in = {.base.read_at = file_read_at, .file = fopen(path, "r")};
  if (!in.file || fstat(fileno(in.file), &st) != 0) give_up(path, "cannot be opened");
  in.base.size = (uint64_t)st.st_size;
  if (read_tables(t, path, &in, &rows, &err) != WH_OK) give_up(path, err.text);
  fclose(in.file);
  return rows;
}

// --- libhdf5 -------------------------------------------------------------------------------------

static const char *const datasets[] = {"/metadata/songs",
                                       "/analysis/songs",
                                       "/musicbrainz/songs",
                                       "/metadata/similar_artists",
                                       "/metadata/artist_terms",
                                       "/metadata/artist_terms_freq",
                                       "/metadata/artist_terms_weight",
                                       "/musicbrainz/artist_mbtags",
                                       "/musicbrainz/artist_mbtags_count",
                                       "/analysis/bars_start",
                                       "/analysis/bars_confidence",
                                       "/analysis/beats_start",
                                       "/analysis/beats_confidence",
                                       "/analysis/sections_start",
                                       "/analysis/sections_confidence",
                                       "/analysis/tatums_start",
                                       "/analysis/tatums_confidence",
                                       "/analysis/segments_start",
                                       "/analysis/segments_confidence",
                                       "/analysis/segments_loudness_max",
                                       "/analysis/segments_loudness_max_time",
                                       "/analysis/segments_loudness_start",
                                       "/analysis/segments_pitches",
                                       "/analysis/segments_timbre"};

static uint64_t by_library(const char *path, hid_t access) {
  static void *values;
  static size_t values_bytes;
  uint64_t elements = 0;
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
  if (file < 0) give_up(path, "cannot be opened");
  for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++) {
    hid_t dataset = H5Dopen2(file, datasets[i], H5P_DEFAULT);
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space), bytes = count * H5Tget_size(type);
    if (bytes > values_bytes) {
      values = realloc(values, bytes);
      values_bytes = bytes;
    }
    if (count && (!values || H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0))
      give_up(path, datasets[i]);
    elements += count;
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
  }
  H5Fclose(file);
  return elements;
}

int main(int argc, char **argv) {
  static tables t;
  if (argc < 3) give_up("usage", "hdf5-read ROUNDS FILE...");
  make_tables(&t);
  hid_t whole = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(whole, 64 << 10, false);
  for (long round = strtol(argv[1], NULL, 10); round-- > 0;) {
    static const char *const names[] = {"wherry", "libhdf5", "libhdf5, in memory"};
    for (int way = 0; way < 3; way++) {
      double began = now();
      uint64_t rows = 0;
      for (int i = 2; i < argc; i++)
        rows +=
            way == 0 ? by_codec(&t, argv[i]) : by_library(argv[i], way == 1 ? H5P_DEFAULT : whole);
      printf("%-20s %8.3f s %12llu %s\n", names[way], now() - began, (unsigned long long)rows,
             way ? "elements" : "rows");
    }
  }
  H5Pclose(whole);
  return 0;
}
