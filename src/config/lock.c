#include "config/lock.h"

// A field stands as it is, or, when it is empty or has white space, quotes or the like in it, as a
// JSON string. Two spaces part fields; so a line reads as a table row, and no value can pretend to
// be two.
#define LOCK_FILE "wherry.lock"
#define HEADER                                                                                     \
  "# What crosses where. Made by: wherry plan --lock. Review its changes as you review code.\n"

enum { LOCK_BYTES_MAX = 16 << 20 };

typedef enum part {
  PART_PIPELINE,
  PART_TO,
  PART_COLUMN,
  PART_FROM,
  PART_TYPE,
  PART_CLASS,
  PART_MASK,
  PART_COUNT,
} part;

// The word in front of a field, with its space.
static const char *const part_words[PART_COUNT] = {[PART_FROM] = "from ", [PART_MASK] = "mask "};

typedef struct lock_line {
  wh_str parts[PART_COUNT]; // as written; mask may be empty
} lock_line;

// --- writing -------------------------------------------------------------------------------------

static bool is_bare(wh_str text) {
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c <= ' ' || c == '"' || c == '\\' || c == 0x7F) return false;
  }
  return text.len > 0 && text.data[0] != '#' && wh_utf8_valid(text);
}

static void add_field(wh_buf *out, part which, wh_str text) {
  if (which > 0) wh_buf_add_c(out, "  ");
  if (part_words[which]) wh_buf_add_c(out, part_words[which]);
  if (is_bare(text))
    wh_buf_add_str(out, text);
  else
    wh_buf_add_json(out, text);
}

static wh_status add_line(wh_buf *out, const wh_crossing *c, wh_error *err) {
  WH_CLEAN_BUF wh_buf type;
  wh_buf_init(&type, out->mem, 0);
  wh_type_write(&c->type, &type);
  WH_TRY(wh_buf_check(&type, err));
  add_field(out, PART_PIPELINE, c->pipeline);
  add_field(out, PART_TO, c->to);
  add_field(out, PART_COLUMN, c->column);
  add_field(out, PART_FROM, c->from);
  add_field(out, PART_TYPE, wh_buf_str(&type));
  add_field(out, PART_CLASS, wh_str_of(wh_class_name(c->privacy)));
  if (c->mask.len) add_field(out, PART_MASK, c->mask);
  return wh_buf_check(out, err);
}

static wh_status line_of(const wh_crossing *c, wh_arena *arena, wh_str *ret, wh_error *err) {
  WH_CLEAN_BUF wh_buf line;
  wh_buf_init(&line, arena->mem, 0);
  WH_TRY(add_line(&line, c, err));
  wh_str copy = wh_arena_str(arena, wh_buf_str(&line));
  if (!copy.data) return wh_fail_memory(err);
  *ret = copy;
  return WH_OK;
}

static int compare_lines(const void *a, const void *b) {
  return wh_str_cmp(*(const wh_str *)a, *(const wh_str *)b);
}

static wh_status lock_path(const wh_config *config, wh_arena *arena, const char **ret,
                           wh_error *err) {
  char *folder = wh_arena_cstr(arena, config->folder);
  const char *path = folder ? wh_path_join(arena, folder, LOCK_FILE) : NULL;
  if (!path) return wh_fail_memory(err);
  *ret = path;
  return WH_OK;
}

wh_status wh_lock_write(const wh_config *config, const wh_crossing *crossings, size_t count,
                        wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  WH_CLEAN_BUF wh_buf out;
  wh_arena_init(&arena, config->source.mem);
  wh_buf_init(&out, config->source.mem, LOCK_BYTES_MAX);
  const char *path = NULL;
  WH_TRY(lock_path(config, &arena, &path, err));
  wh_str *lines = WH_NEW_ARRAY(&arena, count, wh_str);
  if (!lines) return wh_fail_memory(err);
  for (size_t i = 0; i < count; i++)
    WH_TRY(line_of(&crossings[i], &arena, &lines[i], err));
  if (count > 1) qsort(lines, count, sizeof *lines, compare_lines);
  wh_buf_add_c(&out, HEADER);
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && wh_str_eq(lines[i], lines[i - 1])) continue;
    wh_buf_add_str(&out, lines[i]);
    wh_buf_add_char(&out, '\n');
  }
  WH_TRY(wh_buf_check(&out, err));
  return wh_os_write_file(config->source.os, path, wh_buf_str(&out), false, err);
}

// --- reading -------------------------------------------------------------------------------------

// A field at the start of `rest`, as written.
static bool take_field(wh_str *rest, wh_str *ret) {
  size_t end = 0;
  if (wh_str_starts(*rest, "\"")) {
    for (end = 1; end < rest->len && rest->data[end] != '"'; end++)
      end += rest->data[end] == '\\';
    if (end >= rest->len) return false;
    end++;
  } else {
    end = wh_str_find(*rest, 0, ' ');
    if (!is_bare(wh_str_sub(*rest, 0, end))) return false;
  }
  *ret = wh_str_sub(*rest, 0, end);
  *rest = wh_str_sub(*rest, end, rest->len);
  return true;
}

static bool take_word(wh_str *rest, const char *word) {
  if (!wh_str_starts(*rest, word)) return false;
  *rest = wh_str_sub(*rest, strlen(word), rest->len);
  return true;
}

static bool parse_line(wh_str text, lock_line *ret) {
  *ret = (lock_line){0};
  for (part which = 0; which < PART_COUNT; which++) {
    if (which == PART_MASK && text.len == 0) break;
    if (which > 0 && !take_word(&text, "  ")) return false;
    if (part_words[which] && !take_word(&text, part_words[which])) return false;
    if (!take_field(&text, &ret->parts[which])) return false;
  }
  wh_class class;
  return text.len == 0 && wh_class_parse(ret->parts[PART_CLASS], &class);
}

typedef struct lock_file {
  const char *path;
  lock_line *lines;
  size_t count;
} lock_file;

static wh_status parse_file(const char *path, wh_str text, wh_arena *arena, lock_file *ret,
                            wh_error *err) {
  size_t most = 1;
  for (size_t i = 0; i < text.len; i++)
    most += text.data[i] == '\n';
  lock_line *lines = WH_NEW_ARRAY(arena, most, lock_line);
  if (!lines) return wh_fail_memory(err);
  *ret = (lock_file){.path = path, .lines = lines};
  wh_str line;
  for (uint64_t number = 1; wh_str_split(&text, '\n', &line); number++) {
    if (wh_str_ends(line, "\r")) line.len--; // version control on Windows
    if (line.len == 0 || line.data[0] == '#') continue;
    if (parse_line(line, &lines[ret->count])) {
      ret->count++;
      continue;
    }
    return wh_fail_at(err, WH_ERR_USAGE, (wh_place){.line = number},
                      "%s:%llu: not a line of this file (pipeline, address, column, from, type, "
                      "class, mask, parted by two spaces). Make it anew with: wherry plan --lock",
                      path, (unsigned long long)number);
  }
  return WH_OK;
}

// --- checking ------------------------------------------------------------------------------------

static bool same_parts(const lock_line *a, const lock_line *b, part from, part to) {
  for (part which = from; which < to; which++)
    if (!wh_str_eq(a->parts[which], b->parts[which])) return false;
  return true;
}

static wh_status refuse(const lock_file *file, wh_str pipeline, const lock_line *now,
                        const lock_line *before, wh_error *err) {
  const wh_str *p = now->parts;
  const char *mask = p[PART_MASK].len ? ", mask " : "";
  if (!before) {
    return wh_fail(err, WH_ERR_REFUSED,
                   "%.*s: %.*s (from %.*s, %.*s, %.*s%s%.*s) would cross to %.*s, and %s does not "
                   "list it. Nothing was moved. Review and accept it with: wherry plan --lock",
                   WH_STR_ARG(pipeline), WH_STR_ARG(p[PART_COLUMN]), WH_STR_ARG(p[PART_FROM]),
                   WH_STR_ARG(p[PART_TYPE]), WH_STR_ARG(p[PART_CLASS]), mask,
                   WH_STR_ARG(p[PART_MASK]), WH_STR_ARG(p[PART_TO]), file->path);
  }
  const wh_str *q = before->parts;
  return wh_fail(
      err, WH_ERR_REFUSED,
      "%.*s: %.*s would cross to %.*s from %.*s, %.*s, %.*s%s%.*s; %s has it from %.*s, "
      "%.*s, %.*s%s%.*s. Nothing was moved. Review and accept it with: wherry plan --lock",
      WH_STR_ARG(pipeline), WH_STR_ARG(p[PART_COLUMN]), WH_STR_ARG(p[PART_TO]),
      WH_STR_ARG(p[PART_FROM]), WH_STR_ARG(p[PART_TYPE]), WH_STR_ARG(p[PART_CLASS]), mask,
      WH_STR_ARG(p[PART_MASK]), file->path, WH_STR_ARG(q[PART_FROM]), WH_STR_ARG(q[PART_TYPE]),
      WH_STR_ARG(q[PART_CLASS]), q[PART_MASK].len ? ", mask " : "", WH_STR_ARG(q[PART_MASK]));
}

static wh_status check_one(const lock_file *file, wh_str pipeline, const wh_crossing *crossing,
                           wh_arena *arena, wh_error *err) {
  wh_str text;
  lock_line now;
  WH_TRY(line_of(crossing, arena, &text, err));
  if (!parse_line(text, &now)) {
    return wh_fail(err, WH_ERR_BUG, "%s: a line that cannot be read back", file->path);
  }
  const lock_line *otherwise = NULL;
  for (size_t i = 0; i < file->count; i++) {
    const lock_line *line = &file->lines[i];
    if (!same_parts(line, &now, PART_PIPELINE, PART_FROM)) continue;
    if (same_parts(line, &now, PART_FROM, PART_COUNT)) return WH_OK;
    otherwise = line;
  }
  return refuse(file, pipeline, &now, otherwise, err);
}

wh_status wh_lock_check(const wh_config *config, wh_str pipeline, const wh_crossing *crossings,
                        size_t count, wh_error *err) {
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, config->source.mem);
  const char *path = NULL;
  WH_TRY(lock_path(config, &arena, &path, err));
  wh_str text;
  wh_status status = wh_os_read_file(config->source.os, path, LOCK_BYTES_MAX, &arena, &text, err);
  if (status == WH_ERR_NOT_FOUND) return WH_OK;
  if (status != WH_OK) return status;
  lock_file file = {0};
  WH_TRY(parse_file(path, text, &arena, &file, err));
  for (size_t i = 0; i < count; i++)
    WH_TRY(check_one(&file, pipeline, &crossings[i], &arena, err));
  return WH_OK;
}
