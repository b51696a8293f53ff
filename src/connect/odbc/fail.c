// What went wrong, in words.
#include "connect/odbc/session.h"

#include <limits.h>
#include <stdio.h>

// --- What the driver says ------------------------------------------------------------------------

// Without "[Oracle][ODBC]" in front, and of several lines the first.
static wh_str first_line(wh_str text) {
  while (text.len && text.data[0] == '[') {
    size_t end = wh_str_find(text, 0, ']');
    if (end >= text.len) break;
    text = wh_str_trim(wh_str_sub(text, end + 1, text.len));
  }
  text = wh_str_trim(wh_str_sub(text, 0, wh_str_find(text, 0, '\n')));
  while (text.len && strchr(" ;.\r", text.data[text.len - 1]))
    text.len--;
  return text;
}

// The whole message, as UTF-8 with a NUL behind it.
static bool get_message(SQLSMALLINT kind, SQLHANDLE handle, SQLSMALLINT number, SQLWCHAR *state,
                        wh_buf *out) {
  WH_CLEAN_BUF wh_buf wide;
  wh_buf_init(&wide, out->mem, 0);
  SQLINTEGER code;
  SQLSMALLINT room = WH_ODBC_MESSAGE_MAX, units = 0;
  for (int turn = 0; turn < 2; turn++) { // the second knows how long it is
    if (!wh_buf_reserve(&wide, (size_t)room * sizeof(SQLWCHAR))) return false;
    memset(wide.data, 0, (size_t)room * sizeof(SQLWCHAR));
    SQLRETURN rc = wh_odbc.SQLGetDiagRecW(kind, handle, number, state, &code, (SQLWCHAR *)wide.data,
                                          room, &units);
    if (!SQL_SUCCEEDED(rc)) return false;
    if (units < room || room == SHRT_MAX) break;
    room = units < SHRT_MAX ? (SQLSMALLINT)(units + 1) : SHRT_MAX;
  }
  size_t len = units < 0 ? 0 : units < room ? (size_t)units : (size_t)room - 1;
  (void)wh_odbc_from_wide((SQLWCHAR *)wide.data, len, out);
  return wh_buf_add_char(out, 0);
}

// Secrets go before anything is cut off, so that no part of one is left.
static void take_record(const wh_odbc_session *s, const SQLWCHAR *state, wh_buf *message,
                        wh_odbc_trouble *ret) {
  for (int i = 0; i < WH_ODBC_STATE_LEN; i++)
    ret->state[i] = state[i] < 0x80 ? (char)state[i] : '?';
  ret->state[WH_ODBC_STATE_LEN] = 0;
  wh_odbc_mask(wh_odbc_options_of(s), message->data);
  wh_str line = first_line(wh_str_of(message->data));
  size_t shown = wh_utf8_cut(line, sizeof ret->text - 1);
  snprintf(ret->text, sizeof ret->text, "%.*s", (int)shown, line.data);
}

void wh_odbc_trouble_of(const wh_odbc_session *s, SQLSMALLINT kind, SQLHANDLE handle,
                        wh_odbc_trouble *ret) {
  enum { RECORDS_MAX = 8 };
  *ret = (wh_odbc_trouble){.text = "the driver does not say why"};
  for (SQLSMALLINT i = 1; i <= RECORDS_MAX; i++) {
    SQLWCHAR state[WH_ODBC_STATE_LEN + 1] = {0};
    WH_CLEAN_BUF wh_buf message;
    wh_buf_init(&message, s->connection->mem, 0);
    if (!get_message(kind, handle, i, state, &message)) return;
    // Warnings come first with some drivers; an error behind them is what counts.
    bool is_warning = state[0] == '0' && state[1] == '1';
    if (i > 1 && is_warning) continue;
    take_record(s, state, &message, ret);
    if (!is_warning) return;
  }
}

bool wh_odbc_is_of_value(const wh_odbc_trouble *t) {
  return strncmp(t->state, "22", 2) == 0 || strcmp(t->state, "07006") == 0;
}

// --- Statements ----------------------------------------------------------------------------------

typedef struct meaning {
  const char *state; // or its first characters
  wh_status status;
  bool retry;
  const char *text; // NULL: the driver's own
} meaning;

static const meaning meanings[] = {
    {"HYT0", WH_ERR_LIMIT, false, "the statement took longer than statement_timeout"},
    {"S1T0", WH_ERR_LIMIT, false, "the statement took longer than statement_timeout"},
    {"HY001", WH_ERR_MEMORY, false, "the driver has no memory left"},
    {"HY014", WH_ERR_MEMORY, false, "the driver has no memory left"},
    {"HY008", WH_ERR_UNAVAILABLE, true, "somebody ended the statement at the database"},
    {"08", WH_ERR_UNAVAILABLE, true, "the connection to the database was lost"},
    {"57P", WH_ERR_UNAVAILABLE, true, "the database is shutting down"},
    {"40", WH_ERR_BUSY, true, NULL},
    {"55P03", WH_ERR_BUSY, true, NULL},
    {"42S02", WH_ERR_NOT_FOUND, false, NULL},
    {"42S22", WH_ERR_NOT_FOUND, false, NULL},
    {"42P01", WH_ERR_NOT_FOUND, false, NULL},
    {"42501", WH_ERR_DENIED, false, NULL},
    {"28", WH_ERR_DENIED, false, NULL},
    {"22", WH_ERR_DATA, false, NULL}, // a value that the query itself could not make
};

wh_status wh_odbc_fail(const wh_odbc_session *s, SQLHSTMT stmt, const char *doing, wh_error *err) {
  static const meaning other = {"", WH_ERR_IO, false, NULL};
  const wh_connection *c = s->connection;
  if (c->cancel && atomic_load(c->cancel))
    return wh_fail(err, WH_ERR_CANCELLED, "%.*s: asked to stop", WH_STR_ARG(c->name));
  wh_odbc_trouble t;
  wh_odbc_trouble_of(s, SQL_HANDLE_STMT, stmt, &t);
  const meaning *m = s->timed_out ? &meanings[0] : &other;
  for (size_t i = 0; m == &other && i < sizeof meanings / sizeof meanings[0]; i++)
    if (t.state[0] && wh_str_starts(wh_str_of(t.state), meanings[i].state)) m = &meanings[i];
  bool has_state = !m->text && t.state[0];
  wh_status status = wh_fail(err, m->status, "%.*s: %s: %s%s%s%s", WH_STR_ARG(c->name), doing,
                             m->text ? m->text : t.text, has_state ? " (" : "",
                             has_state ? t.state : "", has_state ? ")" : "");
  if (err) err->retry = m->retry;
  return status;
}

// --- Logging in ----------------------------------------------------------------------------------

// The names that odbcinst knows, the nearest of them to what was given.
static wh_str nearest_name(const wh_odbc_session *s, wh_str given, wh_arena *arena) {
  enum { NAMES_MAX = 256, UNITS = 256 };
  wh_str names[NAMES_MAX];
  size_t count = 0;
  bool is_driver = wh_odbc_options_of(s)->driver.len > 0;
  SQLUSMALLINT direction = SQL_FETCH_FIRST;
  for (; count < NAMES_MAX; direction = SQL_FETCH_NEXT) {
    SQLWCHAR name[UNITS] = {0}, about[UNITS] = {0};
    SQLSMALLINT len = 0, about_len = 0;
    SQLRETURN rc = is_driver ? wh_odbc.SQLDriversW(s->env, direction, name, UNITS, &len, about,
                                                   UNITS, &about_len)
                             : wh_odbc.SQLDataSourcesW(s->env, direction, name, UNITS, &len, about,
                                                       UNITS, &about_len);
    if (!SQL_SUCCEEDED(rc)) break;
    WH_CLEAN_BUF wh_buf utf8;
    wh_buf_init(&utf8, arena->mem, 0);
    while (len > 0 && len < UNITS && name[len - 1] == 0)
      len--;
    if (len <= 0 || len >= UNITS || !wh_odbc_from_wide(name, (size_t)len, &utf8)) continue;
    names[count] = wh_arena_str(arena, wh_buf_str(&utf8));
    if (names[count].data) count++;
  }
  return count ? wh_str_nearest(given, names, count) : (wh_str){0};
}

static wh_status fail_name(const wh_odbc_session *s, wh_error *err) {
  const wh_odbc_options *o = wh_odbc_options_of(s);
  const wh_connection *c = s->connection;
  bool is_driver = o->driver.len > 0;
  wh_str given = is_driver ? o->driver : o->dsn;
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, c->mem);
  wh_str near = nearest_name(s, given, &arena);
  return wh_fail(err, WH_ERR_NOT_FOUND,
                 "%.*s: no ODBC %s '%.*s' is known.%s%.*s%s %s; `odbcinst -j` says where that is",
                 WH_STR_ARG(c->name), is_driver ? "driver" : "data source", WH_STR_ARG(given),
                 near.len ? " Did you mean '" : "", WH_STR_ARG(near), near.len ? "'?" : "",
                 is_driver ? "Drivers stand in odbcinst.ini"
                           : "Data sources stand in odbc.ini, of the system or the user");
}

static bool is_installed(const wh_odbc_session *s) {
  const wh_odbc_options *o = wh_odbc_options_of(s);
  WH_CLEAN_ARENA wh_arena arena;
  wh_arena_init(&arena, s->connection->mem);
  wh_str given = o->driver.len ? o->driver : o->dsn;
  return wh_str_eq_nocase(nearest_name(s, given, &arena), given);
}

// PostgreSQL's driver has one state for all that may happen before it is connected.
static bool is_user_refused(const wh_odbc_trouble *t) {
  return wh_str_starts(wh_str_of(t->state), "28") ||
         strcasestr(t->text, "password authentication failed") ||
         strcasestr(t->text, "no password supplied");
}

wh_status wh_odbc_fail_login(const wh_odbc_session *s, wh_error *err) {
  const wh_odbc_options *o = wh_odbc_options_of(s);
  const wh_connection *c = s->connection;
  wh_odbc_trouble t;
  wh_odbc_trouble_of(s, SQL_HANDLE_DBC, s->dbc, &t);
  wh_str state = wh_str_of(t.state);
  bool is_library = wh_str_is(state, "01000") || wh_str_starts(state, "IM");
  if (is_library && !is_installed(s) && !wh_str_starts(o->driver, "/")) return fail_name(s, err);
  if (is_library)
    return wh_fail(err, WH_ERR_NOT_FOUND,
                   "%.*s: the ODBC driver cannot be used: %s. Is its package installed?",
                   WH_STR_ARG(c->name), t.text);
  if (is_user_refused(&t))
    return wh_fail(err, WH_ERR_DENIED,
                   "%.*s: the database refuses the user '%.*s'. Check `user` and `password`%s",
                   WH_STR_ARG(c->name), WH_STR_ARG(o->user),
                   o->password.len ? "" : " (none was given)");
  bool is_late = wh_str_starts(state, "HYT") || wh_str_starts(state, "S1T");
  wh_status status;
  if (is_late)
    status = wh_fail(err, WH_ERR_UNAVAILABLE,
                     "%.*s: no answer within connect_timeout. Is the database running, and does a "
                     "firewall let this machine through?",
                     WH_STR_ARG(c->name));
  else
    status = wh_fail(err, WH_ERR_UNAVAILABLE, "%.*s: cannot connect: %s%s%s%s", WH_STR_ARG(c->name),
                     t.text, state.len ? " (" : "", t.state, state.len ? ")" : "");
  if (err) err->retry = is_late || wh_str_starts(state, "08");
  return status;
}
