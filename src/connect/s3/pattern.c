#include "connect/s3/pattern.h"

#include "base/buf.h"
#include "connect/store.h"
#include "net/iam.h"

// A first byte of UTF-8 from which on characters are behind U+00FF, which policies cannot have.
enum { BEHIND_LATIN_1 = 0xC4 };

typedef struct making {
  wh_buf texts[WH_S3_PATTERNS_MAX];
  size_t count;
  bool wider;
} making;

static void add_all(making *m, wh_str text) {
  for (size_t i = 0; i < m->count; i++)
    wh_buf_add_str(&m->texts[i], text);
}

// Two side by side are one. An escaped star ends in '}'.
static void add_star(making *m) {
  for (size_t i = 0; i < m->count; i++)
    if (!wh_str_ends(wh_buf_str(&m->texts[i]), "*")) wh_buf_add_char(&m->texts[i], '*');
}

static void add_literal(making *m, wh_str text) {
  for (size_t i = 0; i < m->count; i++)
    wh_iam_add_literal(&m->texts[i], text);
}

// "**/" in front of a name: any folders, or none.
static void add_any_folders(making *m) {
  if (2 * m->count > WH_S3_PATTERNS_MAX) {
    m->wider = true;
    add_star(m);
    return;
  }
  for (size_t i = 0; i < m->count; i++)
    wh_buf_add_str(&m->texts[m->count + i], wh_buf_str(&m->texts[i]));
  size_t all = 2 * m->count;
  add_star(m);
  add_all(m, WH_STR("/"));
  m->count = all;
}

static size_t run_of_stars(wh_str glob, size_t at) {
  size_t end = at;
  while (end < glob.len && glob.data[end] == '*')
    end++;
  return end - at;
}

// Returns where it goes on.
static size_t add_stars(making *m, wh_str glob, size_t at) {
  size_t stars = run_of_stars(glob, at), end = at + stars;
  bool begins = at == 0 || glob.data[at - 1] == '/';
  if (stars >= 2 && begins && end < glob.len && glob.data[end] == '/') {
    size_t more = run_of_stars(glob, end + 1);
    if (more == 0) add_any_folders(m);
    if (more == 1) add_star(m); // "**/*" is anything; "**/**" is the second alone
    return more == 1 ? end + 2 : end + 1;
  }
  m->wider = m->wider || stars == 1;
  add_star(m);
  return end;
}

static size_t char_len(wh_str s, size_t at) {
  size_t len = 1;
  while (at + len < s.len && ((unsigned char)s.data[at + len] & 0xC0) == 0x80)
    len++;
  return len;
}

// "[*]" is how a glob says a wildcard literally; other classes stand for one character.
static void add_class(making *m, wh_str class) {
  size_t len = char_len(class, 1);
  if (class.data[1] != '!' && len + 2 == class.len) {
    add_literal(m, wh_str_sub(class, 1, 1 + len));
    return;
  }
  m->wider = true;
  add_all(m, WH_STR("?"));
}

static size_t add_char(making *m, wh_str glob, size_t at) {
  size_t end = at + char_len(glob, at);
  if ((unsigned char)glob.data[at] >= BEHIND_LATIN_1) {
    m->wider = true;
    add_star(m);
  } else {
    add_literal(m, wh_str_sub(glob, at, end));
  }
  return end;
}

static void translate(making *m, wh_str glob) {
  for (size_t at = 0; at < glob.len;) {
    size_t end = glob.data[at] == '[' ? wh_glob_class_end(glob, at) : 0;
    if (end) {
      add_class(m, wh_str_sub(glob, at, end));
      at = end;
    } else if (glob.data[at] == '*') {
      at = add_stars(m, glob, at);
    } else if (glob.data[at] == '?') {
      m->wider = true; // it may be a '/' there
      add_all(m, WH_STR("?"));
      at++;
    } else {
      at = add_char(m, glob, at);
    }
  }
}

static wh_status keep(const making *m, wh_arena *arena, wh_s3_patterns *ret, wh_error *err) {
  *ret = (wh_s3_patterns){.count = m->count, .wider = m->wider};
  for (size_t i = 0; i < m->count; i++) {
    WH_TRY(wh_buf_check(&m->texts[i], err));
    ret->items[i] = wh_arena_str(arena, wh_buf_str(&m->texts[i]));
    if (!ret->items[i].data) return wh_fail_memory(err);
  }
  return WH_OK;
}

wh_status wh_s3_patterns_of(wh_str glob, wh_arena *arena, wh_s3_patterns *ret, wh_error *err) {
  making m = {.count = 1};
  for (size_t i = 0; i < WH_S3_PATTERNS_MAX; i++)
    wh_buf_init(&m.texts[i], arena->mem, 0);
  translate(&m, glob);
  wh_status status = keep(&m, arena, ret, err);
  for (size_t i = 0; i < WH_S3_PATTERNS_MAX; i++)
    wh_buf_free(&m.texts[i]);
  return status;
}
