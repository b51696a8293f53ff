#include "engine/archive.h"

#include "codec/zip.h"
#include "connect/store.h"

struct archive_reader;

// Passes rejected rows on, with the numbers they have in the archive.
typedef struct numbered {
  wh_rejects base;
  wh_rejects *to;
  struct archive_reader *reader;
} numbered;

typedef struct archive_reader {
  wh_reader base;
  wh_archive_source source;
  wh_mem *mem;
  wh_arena arena;
  wh_zip *zip;
  wh_schema schema; // of every member
  bool has_schema;
  wh_schema wide; // what WH_ERR_WIDEN asks for

  wh_str member; // the name of the one that is open
  char name[WH_ZIP_NAME_MAX];
  wh_input *stream;
  wh_reader *reader; // NULL: none is open

  numbered rejects;
  uint64_t rows_before, row; // of the members behind us; the last one seen in this one
  uint64_t bytes, bytes_before;
} archive_reader;

// --- which members -------------------------------------------------------------------------------

static wh_status check_name(const wh_zip_member *m, wh_error *err) {
  wh_str name = m->is_folder ? wh_str_sub(m->name, 0, m->name.len - 1) : m->name;
  wh_status status = wh_key_check(name, err);
  if (status == WH_OK) return WH_OK;
  wh_error_prefix(err, "a member of the archive has a name that leads elsewhere: ");
  if (err) err->status = WH_ERR_DATA;
  return WH_ERR_DATA;
}

static const wh_codec_type *codec_of(const archive_reader *r, wh_str name) {
  return r->source.codec ? r->source.codec : wh_codec_by_key(name);
}

static wh_status check_codec(const archive_reader *r, wh_str name, wh_error *err) {
  const wh_codec_type *codec = codec_of(r, name);
  if (!codec)
    return wh_fail(err, WH_ERR_DATA,
                   "no codec reads files with this ending; read.members may "
                   "name fewer, or read.format the codec");
  if (codec->compresses)
    return wh_fail(err, WH_ERR_DATA,
                   "%s is read from its end, which it cannot be inside of an "
                   "archive",
                   codec->name);
  if (wh_codec_compression(codec, name) != WH_UNCOMPRESSED)
    return wh_fail(err, WH_ERR_DATA, "is compressed once more inside of the archive");
  return WH_OK;
}

static bool is_read(const archive_reader *r, const wh_zip_member *m) {
  return !m->is_folder && wh_glob_match(r->source.members, m->name);
}

static wh_status blame(wh_str member, wh_status status, wh_error *err) {
  if (status != WH_OK) wh_error_prefix(err, "%.*s: ", (int)wh_utf8_cut(member, 200), member.data);
  return status;
}

// All of them before the first: what cannot be read as a whole is not begun.
static wh_status survey(archive_reader *r, wh_error *err) {
  wh_zip_member m;
  wh_status status;
  uint64_t count = 0, read = 0;
  while ((status = wh_zip_next(r->zip, &m, err)) == WH_OK) {
    WH_TRY(check_name(&m, err));
    count++;
    if (!is_read(r, &m)) continue;
    WH_TRY(blame(m.name, wh_zip_check(&m, err), err));
    WH_TRY(blame(m.name, check_codec(r, m.name, err), err));
    read++;
    r->bytes += m.size;
  }
  if (status != WH_ERR_END) return status;
  if (read == 0)
    return wh_fail(err, WH_ERR_DATA, "none of the archive's %llu members matches '%.*s'",
                   (unsigned long long)count, WH_STR_ARG(r->source.members));
  wh_zip_rewind(r->zip);
  r->base.found = wh_arena_printf(&r->arena, "%llu of the archive's %llu members",
                                  (unsigned long long)read, (unsigned long long)count);
  return r->base.found.data ? WH_OK : wh_fail_memory(err);
}

// --- one member ----------------------------------------------------------------------------------

static void close_member(archive_reader *r) {
  if (r->reader) r->bytes_before += r->reader->bytes_read;
  wh_reader_close(r->reader);
  r->reader = NULL;
  wh_input_close(r->stream);
  r->stream = NULL;
  r->rows_before += r->row;
  r->row = 0;
}

static wh_status open_codec(archive_reader *r, const wh_zip_member *m, const wh_schema *given,
                            wh_error *err) {
  const wh_archive_source *s = &r->source;
  WH_TRY(wh_zip_open_member(r->zip, m, &r->stream, err));
  return codec_of(r, m->name)
      ->open_reader(&s->context, r->stream, s->options, given, &r->reader, err);
}

// WH_ERR_END: there are no more.
static wh_status open_next(archive_reader *r, const wh_schema *given, wh_error *err) {
  wh_zip_member m;
  do
    WH_TRY(wh_zip_next(r->zip, &m, err));
  while (!is_read(r, &m));
  memcpy(r->name, m.name.data, m.name.len);
  r->member = wh_str_n(r->name, m.name.len);
  return blame(r->member, open_codec(r, &m, given, err), err);
}

// A codec may have seen the end before the bytes had theirs, where they are proved.
static wh_status drain(archive_reader *r, wh_error *err) {
  char rest[4096];
  size_t n = 1;
  while (n)
    WH_TRY(wh_input_read(r->stream, rest, sizeof rest, &n, err));
  return WH_OK;
}

// --- places --------------------------------------------------------------------------------------

static wh_place place_of(archive_reader *r, wh_place place) {
  if (place.row > r->row) r->row = place.row;
  if (place.row) place.row += r->rows_before;
  return place;
}

static wh_status reject_row(wh_rejects *self, const wh_reject *reject, const wh_batch *batch,
                            size_t row, wh_error *err) {
  numbered *n = (numbered *)self;
  wh_reject moved = *reject;
  moved.place = place_of(n->reader, reject->place);
  return n->to->row(n->to, &moved, batch, row, err);
}

static wh_status reject_raw(wh_rejects *self, const wh_reject *reject, wh_str text, wh_error *err) {
  numbered *n = (numbered *)self;
  wh_reject moved = *reject;
  moved.place = place_of(n->reader, reject->place);
  return n->to->raw(n->to, &moved, text, err);
}

static void move_places(archive_reader *r, wh_batch *batch) {
  if (batch->rows == 0) return;
  wh_place last = wh_batch_place(batch, batch->rows - 1);
  if (last.row > r->row) r->row = last.row;
  if (!batch->places) batch->first_row += r->rows_before;
  for (size_t i = 0; batch->places && i < batch->rows; i++)
    batch->places[i].row += r->rows_before;
}

// --- reading -------------------------------------------------------------------------------------

static wh_status next_of_member(archive_reader *r, wh_batch *batch, wh_rejects *to, wh_error *err) {
  r->rejects.to = to;
  r->base.paused = false;
  WH_TRY(blame(r->member, r->reader->next(r->reader, batch, &r->rejects.base, err), err));
  r->base.bytes_read = r->bytes_before + r->reader->bytes_read;
  r->base.paused = r->reader->paused;
  move_places(r, batch);
  if (batch->rows || r->base.paused) return WH_OK;
  WH_TRY(blame(r->member, drain(r, err), err));
  close_member(r);
  return WH_OK;
}

// Reads the open member, whose columns are r->wide, to its end for what its schema becomes.
static wh_status widen_by_member(archive_reader *r, wh_error *err) {
  wh_rejects none = wh_rejects_none();
  wh_batch batch = {0};
  wh_status status = wh_batch_init(&batch, r->mem, &r->wide, err);
  while (status == WH_OK && r->reader) {
    wh_batch_reset(&batch);
    status = next_of_member(r, &batch, &none, err);
  }
  wh_batch_free(&batch);
  return status;
}

static wh_status take_columns(archive_reader *r, wh_error *err) {
  if (wh_schema_eq(&r->wide, r->reader->schema)) return WH_OK;
  return wh_schema_copy(r->reader->schema, &r->arena, &r->wide, err);
}

// The columns of the open member are not those of the first: all that are left are read for what
// they have, as a reader does with the rows of one file.
static wh_status widen(archive_reader *r, bool is_read, wh_error *err) {
  wh_status status = WH_OK;
  while (status == WH_OK) {
    WH_TRY(take_columns(r, err));
    status = is_read ? WH_OK : widen_by_member(r, err);
    if (status == WH_ERR_WIDEN)
      WH_TRY(take_columns(r, err));
    else if (status != WH_OK)
      return status;
    if (r->reader) close_member(r);
    is_read = false;
    status = open_next(r, &r->wide, err);
  }
  if (status != WH_ERR_END) return status;
  if (wh_schema_eq(&r->wide, &r->schema))
    return wh_fail(err, WH_ERR_DATA, "the archive's members do not agree on their columns");
  r->base.schema = &r->wide;
  return wh_fail(err, WH_ERR_WIDEN, "the archive's members have more columns than the first");
}

static wh_status open_first(archive_reader *r, wh_error *err) {
  WH_TRY(open_next(r, r->source.given, err));
  WH_TRY(wh_schema_copy(r->reader->schema, &r->arena, &r->schema, err));
  r->base.schema = &r->schema;
  r->base.schema_inferred = r->reader->schema_inferred;
  if (!r->reader->found.len) return WH_OK;
  r->base.found = wh_arena_printf(&r->arena, "%.*s, %.*s", WH_STR_ARG(r->base.found),
                                  WH_STR_ARG(r->reader->found));
  return r->base.found.data ? WH_OK : wh_fail_memory(err);
}

static wh_status reader_next(wh_reader *base, wh_batch *batch, wh_rejects *rejects, wh_error *err) {
  archive_reader *r = (archive_reader *)base;
  base->paused = false;
  while (batch->rows == 0 && !base->paused) {
    if (!r->reader) {
      wh_status status = open_next(r, &r->schema, err);
      if (status == WH_ERR_END) return WH_OK;
      WH_TRY(status);
      if (!wh_schema_eq(r->reader->schema, &r->schema)) return widen(r, false, err);
    }
    wh_batch_reset(batch);
    wh_status status = next_of_member(r, batch, rejects, err);
    if (status == WH_ERR_WIDEN) return widen(r, true, err);
    WH_TRY(status);
  }
  return WH_OK;
}

static void reader_close(wh_reader *base) {
  archive_reader *r = (archive_reader *)base;
  close_member(r);
  wh_zip_close(r->zip);
  wh_arena_free(&r->arena);
  wh_mem_free(r->mem, r, sizeof *r);
}

uint64_t wh_archive_bytes(const wh_reader *reader) {
  return ((const archive_reader *)reader)->bytes;
}

wh_status wh_archive_open(const wh_archive_source *source, wh_reader **ret, wh_error *err) {
  wh_mem *mem = source->context.mem;
  archive_reader *r = wh_mem_alloc_zero(mem, sizeof *r);
  if (!r) return wh_fail_memory(err);
  r->base = (wh_reader){.next = reader_next, .close = reader_close};
  r->source = *source;
  r->mem = mem;
  r->rejects = (numbered){.base = {.row = reject_row, .raw = reject_raw}, .reader = r};
  wh_arena_init(&r->arena, mem);
  wh_status status = wh_zip_open(mem, source->in, &r->zip, err);
  if (status == WH_OK) status = survey(r, err);
  if (status == WH_OK) status = open_first(r, err);
  if (status == WH_OK)
    *ret = &r->base;
  else
    reader_close(&r->base);
  return status;
}
