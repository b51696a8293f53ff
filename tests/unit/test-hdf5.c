// HDF5 through codec/tables.h: several tables of one object, what is wanted and given of them, and
// what happens when memory runs out or bytes are wrong.
#include "hdf5_file.h"
#include "nodes.h"
#include "test.h"

#include <endian.h>
#include <hdf5.h>
#include <stdlib.h>

enum { SONGS = 3, ELEMENTS = 7, IMAGE_MAX = 1 << 20 };

// --- a file in memory ----------------------------------------------------------------------------

typedef struct song {
  int32_t start;
  char name[4];
} song;

static const song songs[SONGS] = {{0, "ab"}, {4, "cdef"}, {4, "\xC3\xA9"}};
static const double values[ELEMENTS] = {0, 1.5, -2, 3, 4, 5, 6};

static hid_t name_type(void) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, sizeof songs[0].name);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

static void put(hid_t file, const char *name, hid_t type, hsize_t count, hsize_t chunk,
                const void *data) {
  hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
  if (chunk) {
    H5Pset_chunk(creation, 1, &chunk);
    H5Pset_shuffle(creation);
    H5Pset_deflate(creation, 1);
  }
  hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  CHECK(dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  H5Dclose(dataset);
  H5Pclose(creation);
  H5Sclose(space);
}

static wh_str image_of(hid_t file, char *out) {
  H5Fflush(file, H5F_SCOPE_LOCAL);
  ssize_t n = H5Fget_file_image(file, out, IMAGE_MAX);
  H5Fclose(file);
  return wh_str_n(out, n > 0 ? (size_t)n : 0);
}

static hid_t create(void) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_core(access, 64 << 10, false);
  hid_t file = H5Fcreate("in memory", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  H5Pclose(access);
  return file;
}

// /songs, and /a whose elements they own; /x are integers.
static wh_str make_file(char *out) {
  hid_t file = create(), text = name_type();
  hid_t type = H5Tcreate(H5T_COMPOUND, sizeof *songs);
  H5Tinsert(type, "start", offsetof(song, start), H5T_STD_I32LE);
  H5Tinsert(type, "name", offsetof(song, name), text);
  uint64_t x[ELEMENTS] = {1, 300, 3, 4, 5, 6, 7}; // as they are in the file
  for (size_t i = 0; i < ELEMENTS; i++)
    x[i] = htobe64(x[i]);
  put(file, "songs", type, SONGS, 2, songs);
  put(file, "a", H5T_IEEE_F64LE, ELEMENTS, 3, values);
  put(file, "x", H5T_STD_I64BE, ELEMENTS, 0, x);
  H5Tclose(type);
  H5Tclose(text);
  return image_of(file, out);
}

static char image[IMAGE_MAX];

// --- its tables ----------------------------------------------------------------------------------

static wh_hdf5_table options_of(wh_arena *arena, const char *yaml) {
  const wh_node *node = test_nodes(arena, yaml);
  const wh_node *index = wh_node_get(node, "index"), *file = wh_node_get(node, "file");
  wh_hdf5_table table = {.rows = wh_node_get(node, "rows"),
                         .parent = wh_node_get(node, "parent"),
                         .repeat = wh_node_get(node, "repeat"),
                         .index_from = 1};
  if (index) table.index = index->text;
  if (file) table.file = file->text;
  CHECK_OK(wh_codec_hdf5.check_table(&table, &test_err));
  return table;
}

static const char songs_yaml[] = "rows: /songs\nfile: f\n";
static const char elements_yaml[] = "rows: [{ path: /a, name: v }]\n"
                                    "parent: { path: /songs, start: start, keep: { song: name } }\n"
                                    "index: i\n";

static const char songs_want[] = "{\"f\":\"TRAAA.b\",\"start\":0,\"name\":\"ab\"}\n"
                                 "{\"f\":\"TRAAA.b\",\"start\":4,\"name\":\"cdef\"}\n"
                                 "{\"f\":\"TRAAA.b\",\"start\":4,\"name\":\"\xC3\xA9\"}\n";
static const char elements_want[] = "{\"song\":\"ab\",\"i\":1,\"v\":0.0}\n"
                                    "{\"song\":\"ab\",\"i\":2,\"v\":1.5}\n"
                                    "{\"song\":\"ab\",\"i\":3,\"v\":-2.0}\n"
                                    "{\"song\":\"ab\",\"i\":4,\"v\":3.0}\n"
                                    "{\"song\":\"\xC3\xA9\",\"i\":1,\"v\":4.0}\n"
                                    "{\"song\":\"\xC3\xA9\",\"i\":2,\"v\":5.0}\n"
                                    "{\"song\":\"\xC3\xA9\",\"i\":3,\"v\":6.0}\n";

typedef struct scene {
  wh_arena arena;
  wh_hdf5_table options[2];
  wh_table_spec specs[2];
  wh_str file;
} scene;

static void scene_init(scene *s) {
  wh_arena_init(&s->arena, &test_mem);
  s->file = make_file(image);
  s->options[0] = options_of(&s->arena, songs_yaml);
  s->options[1] = options_of(&s->arena, elements_yaml);
  s->specs[0] = (wh_table_spec){.name = WH_STR("songs"), .options = &s->options[0]};
  s->specs[1] = (wh_table_spec){.name = WH_STR("elements"), .options = &s->options[1]};
}

TEST(one_pass_feeds_all_tables) {
  scene s;
  scene_init(&s);
  for (size_t rows = 1; rows <= 10; rows += 3) { // slices are cut anywhere
    hdf5_reading r;
    hdf5_reading_init(&r, &test_mem);
    r.context.batch_rows = rows;
    CHECK_OK(hdf5_reading_run(&r, s.file, s.specs, 2, &test_err));
    CHECK_STR(wh_buf_str(&r.rows[0]), wh_str_of(songs_want));
    CHECK_STR(wh_buf_str(&r.rows[1]), wh_str_of(elements_want));
    CHECK_EQ(r.rejects.len, 0);
    hdf5_reading_free(&r);
  }
  wh_arena_free(&s.arena);
}

TEST(only_what_is_wanted_comes) {
  scene s;
  scene_init(&s);
  wh_str wanted[] = {WH_STR("v"), WH_STR("nothing")};
  s.specs[1].wanted = wanted;
  s.specs[1].wanted_count = 2;
  hdf5_reading r;
  hdf5_reading_init(&r, &test_mem);
  CHECK_OK(hdf5_reading_run(&r, s.file, &s.specs[1], 1, &test_err));
  CHECK_STR(wh_buf_str(&r.rows[0]),
            WH_STR("{\"v\":0.0}\n{\"v\":1.5}\n{\"v\":-2.0}\n{\"v\":3.0}\n{\"v\":4.0}\n{\"v\":5.0}\n"
                   "{\"v\":6.0}\n"));
  hdf5_reading_free(&r);
  wh_arena_free(&s.arena);
}

// A column that is not in the file, one that is cast, and a value that does not fit.
TEST(rows_are_as_the_schema_given_says) {
  scene s;
  scene_init(&s);
  wh_field fields[] = {{.name = WH_STR("more"), .type = wh_type_of(WH_STRING), .nullable = true},
                       {.name = WH_STR("x"), .type = wh_type_of(WH_INT8)}};
  wh_schema given = {2, fields};
  wh_hdf5_table options = options_of(&s.arena, "rows: [/a, /x]\n");
  wh_table_spec spec = {.name = WH_STR("t"), .options = &options, .given = &given};
  hdf5_reading r;
  hdf5_reading_init(&r, &test_mem);
  r.context.batch_rows = 2;
  CHECK_OK(hdf5_reading_run(&r, s.file, &spec, 1, &test_err));
  CHECK_STR(wh_buf_str(&r.rows[0]),
            WH_STR("{\"more\":null,\"x\":1}\n{\"more\":null,\"x\":3}\n{\"more\":null,\"x\":4}\n"
                   "{\"more\":null,\"x\":5}\n{\"more\":null,\"x\":6}\n{\"more\":null,\"x\":7}\n"));
  CHECK_STR(wh_str_sub(wh_buf_str(&r.rejects), 0, 5), WH_STR("x @2 "));
  hdf5_reading_free(&r);
  wh_str wanted[] = {WH_STR("x")}; // then nobody asks for the other
  fields[0].nullable = false;
  fields[1].type = wh_type_of(WH_INT64);
  spec.wanted = wanted;
  spec.wanted_count = 1;
  hdf5_reading_init(&r, &test_mem);
  CHECK_OK(hdf5_reading_run(&r, s.file, &spec, 1, &test_err));
  CHECK_STR(wh_buf_str(&r.rows[0]),
            WH_STR("{\"x\":1}\n{\"x\":300}\n{\"x\":3}\n{\"x\":4}\n{\"x\":5}\n"
                   "{\"x\":6}\n{\"x\":7}\n"));
  hdf5_reading_free(&r);
  spec.wanted = NULL;
  hdf5_reading_init(&r, &test_mem);
  CHECK_FAILS(hdf5_reading_run(&r, s.file, &spec, 1, &test_err), WH_ERR_DATA);
  CHECK_ERROR_HAS("column more");
  hdf5_reading_free(&r);
  wh_arena_free(&s.arena);
}

// Rows behind those of another object keep the numbers they have in theirs.
TEST(a_batch_that_has_rows_already_gets_more) {
  scene s;
  scene_init(&s);
  wh_bytes_input in;
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20, .key = WH_STR("x.h5")};
  wh_batch batch = {0};
  wh_rejects none = wh_rejects_none();
  for (int i = 0; i < 2; i++) {
    wh_tables_reader *reader;
    size_t table;
    wh_bytes_input_init(&in, s.file.data, s.file.len);
    REQUIRE_OK(wh_codec_hdf5.open_tables(&context, &in.base, s.specs, 1, &reader, &test_err));
    if (i == 0) REQUIRE_OK(wh_batch_init(&batch, &test_mem, reader->schemas[0], &test_err));
    wh_schema copy;
    REQUIRE_OK(wh_schema_copy(reader->schemas[0], &s.arena, &copy, &test_err));
    wh_schema *kept = WH_NEW(&s.arena, wh_schema);
    *kept = copy;
    batch.schema = kept;
    CHECK_OK(reader->next(reader, &table, &batch, &none, &test_err));
    wh_tables_reader_close(reader);
  }
  REQUIRE(batch.rows == 2 * SONGS);
  for (size_t i = 0; i < batch.rows; i++)
    CHECK_EQ(wh_batch_place(&batch, i).row, i % SONGS + 1);
  wh_batch_free(&batch);
  wh_arena_free(&s.arena);
}

TEST(a_bad_text_rejects_its_row) {
  hid_t file = create(), text = name_type();
  put(file, "songs", text, 1, 0, "a\xFF\0");
  H5Tclose(text);
  wh_str bytes = image_of(file, image);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_hdf5_table options = options_of(&arena, "rows: [/songs]\nindex: i\n");
  wh_table_spec spec = {.name = WH_STR("t"), .options = &options};
  hdf5_reading r;
  hdf5_reading_init(&r, &test_mem);
  CHECK_OK(hdf5_reading_run(&r, bytes, &spec, 1, &test_err));
  CHECK_EQ(r.rows[0].len, 0);
  CHECK_STR(wh_buf_str(&r.rejects), WH_STR("songs @1 the text is not UTF-8 from its byte 2 on, "
                                           "after 'a'\n"));
  hdf5_reading_free(&r);
}

// Else its rejects would be those of the next table, or of none.
TEST(a_table_of_bad_rows_is_given_before_the_next) {
  hid_t file = create(), text = name_type();
  static const int64_t numbers[] = {7, 8};
  put(file, "bad", text, 1, 0, "a\xFF\0");
  put(file, "good", H5T_NATIVE_INT64, 2, 0, numbers);
  H5Tclose(text);
  wh_str bytes = image_of(file, image);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_hdf5_table bad = options_of(&arena, "rows: [/bad]\n"),
                good = options_of(&arena, "rows: /good\n");
  const wh_table_spec specs[] = {{.name = WH_STR_INIT("bad"), .options = &bad},
                                 {.name = WH_STR_INIT("good"), .options = &good},
                                 {.name = WH_STR_INIT("last"), .options = &bad}};
  wh_codec_context context = {.mem = &test_mem, .row_limit_bytes = 1 << 20};
  wh_bytes_input in;
  wh_bytes_input_init(&in, bytes.data, bytes.len);
  wh_tables_reader *reader;
  REQUIRE_OK(wh_codec_hdf5.open_tables(&context, &in.base, specs, 3, &reader, &test_err));
  wh_batch batches[3] = {0};
  for (size_t i = 0; i < 3; i++)
    REQUIRE_OK(wh_batch_init(&batches[i], &test_mem, reader->schemas[i], &test_err));
  wh_rejects none = wh_rejects_none();
  for (size_t want = 0; want < 3; want++) {
    size_t table = 9;
    CHECK_OK(reader->next(reader, &table, batches, &none, &test_err));
    CHECK_EQ(table, want);
    CHECK_EQ(batches[want].rows, want == 1 ? 2 : 0);
    wh_batch_reset(&batches[want]);
  }
  size_t table;
  CHECK_EQ(reader->next(reader, &table, batches, &none, &test_err), WH_ERR_END);
  for (size_t i = 0; i < 3; i++)
    wh_batch_free(&batches[i]);
  wh_tables_reader_close(reader);
}

TEST(every_allocation_may_fail) {
  scene s;
  scene_init(&s);
  wh_status status = WH_ERR_MEMORY;
  for (size_t n = 1; status == WH_ERR_MEMORY && n < 2000; n++) {
    wh_mem mem;
    wh_mem_init(&mem, 0);
    hdf5_reading r;
    hdf5_reading_init(&r, &mem);
    atomic_store(&mem.fail_at, n);
    status = hdf5_reading_run(&r, s.file, s.specs, 2, &test_err);
    CHECK(status == WH_OK || status == WH_ERR_MEMORY);
    atomic_store(&mem.fail_at, 0);
    hdf5_reading_free(&r);
    CHECK_EQ(atomic_load(&mem.used), 0);
  }
  CHECK_EQ(status, WH_OK);
  wh_arena_free(&s.arena);
}

TEST(a_cut_file_is_an_error) {
  scene s;
  scene_init(&s);
  for (size_t n = 0; n < s.file.len; n += 1 + s.file.len / 61) {
    hdf5_reading r;
    hdf5_reading_init(&r, &test_mem);
    CHECK_FAILS(hdf5_reading_run(&r, wh_str_n(s.file.data, n), s.specs, 2, &test_err), WH_ERR_DATA);
    hdf5_reading_free(&r);
  }
  wh_arena_free(&s.arena);
}

// --- an input that fails -------------------------------------------------------------------------

typedef struct failing {
  wh_bytes_input bytes;
  size_t reads_left;
} failing;

static wh_status fail_read_at(wh_input *in, uint64_t at, void *data, size_t len, wh_error *err) {
  failing *f = (failing *)in;
  if (f->reads_left-- == 0) {
    f->reads_left = 0;
    return wh_fail(err, WH_ERR_UNAVAILABLE, "no answer");
  }
  memcpy(data, f->bytes.data + at, len);
  return WH_OK;
}

// Of a large object, it is not the file that is wrong then.
TEST(an_input_that_fails_is_no_damaged_file) {
  enum { LARGE = WH_HDF5_WHOLE_BYTES / 8 + 100000 };
  double *large = calloc(LARGE, sizeof *large);
  char *bytes = malloc(LARGE * sizeof *large + IMAGE_MAX);
  REQUIRE(large && bytes);
  hid_t file = create();
  put(file, "a", H5T_IEEE_F64LE, LARGE, 0, large);
  H5Fflush(file, H5F_SCOPE_LOCAL);
  ssize_t n = H5Fget_file_image(file, bytes, LARGE * sizeof *large + IMAGE_MAX);
  H5Fclose(file);
  REQUIRE(n > WH_HDF5_WHOLE_BYTES);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, &test_mem);
  wh_hdf5_table options = options_of(&arena, "rows: /a\n");
  wh_table_spec spec = {.name = WH_STR("t"), .options = &options};
  wh_codec_context context = {.mem = &test_mem};
  for (size_t reads = 0; reads < 4; reads++) {
    failing in = {.reads_left = reads};
    wh_tables_reader *reader = NULL;
    wh_batch batch = {0};
    size_t table;
    wh_rejects none = wh_rejects_none();
    wh_bytes_input_init(&in.bytes, bytes, (size_t)n);
    in.bytes.base.read_at = fail_read_at;
    wh_status status =
        wh_codec_hdf5.open_tables(&context, &in.bytes.base, &spec, 1, &reader, &test_err);
    if (status == WH_OK) status = wh_batch_init(&batch, &test_mem, reader->schemas[0], &test_err);
    while (status == WH_OK) {
      wh_batch_reset(&batch);
      status = reader->next(reader, &table, &batch, &none, &test_err);
    }
    CHECK_EQ(status, WH_ERR_UNAVAILABLE);
    CHECK_ERROR_HAS("no answer");
    wh_batch_free(&batch);
    wh_tables_reader_close(reader);
  }
  free(large);
  free(bytes);
}
