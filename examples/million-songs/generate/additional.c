// AdditionalFiles/: what the files of songs do not say of artists.
#include "store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static FILE *open_text(const char *folder, const char *name) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  if (!f) perror(path);
  return f;
}

static bool close_text(FILE *f) {
  bool ok = f && !ferror(f);
  return f && fclose(f) == 0 && ok;
}

static bool write_artists(const world *w, const char *folder) {
  FILE *artists = open_text(folder, "unique_artists.txt");
  FILE *places = open_text(folder, "artist_location.txt");
  static song s;
  for (size_t i = 0; artists && places && i < w->artists; i++) {
    artist a;
    artist_make(w, i, &a);
    song_make(w, i % w->songs, &s); // some track; nobody looks which
    fprintf(artists, "%s<SEP>%s<SEP>%s<SEP>%s\n", a.id, a.mbid, s.track_id, a.name);
    if (!isnan(a.latitude))
      fprintf(places, "%s<SEP>%.5f<SEP>%.5f<SEP>%s<SEP>%s\n", a.id, a.latitude, a.longitude, a.name,
              a.location);
  }
  bool ok = close_text(artists);
  return close_text(places) && ok;
}

// Lines 2 and 3, counted from 0, are one tag that was torn in two.
static bool write_words(const world *w, const char *folder) {
  FILE *terms = open_text(folder, "unique_terms.txt"),
       *tags = open_text(folder, "unique_mbtags.txt");
  char text[TEXT_BYTES];
  for (size_t i = 0; terms && i < w->terms; i++) {
    term_make(i, text);
    fprintf(terms, "%s\n", text);
  }
  for (size_t i = 0; tags && i < w->tags; i++) {
    tag_make(i, text);
    fprintf(tags, "%s%s\n", i == 2 ? "\"broken\n here\n" : "", text);
  }
  bool ok = close_text(terms);
  return close_text(tags) && ok;
}

static sqlite3 *open_database(const char *folder, const char *name, const char *sql) {
  char path[PATH_BYTES];
  sqlite3 *db = NULL;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  unlink(path);
  if (sqlite3_open(path, &db) == SQLITE_OK && sqlite3_exec(db, sql, 0, 0, 0) == SQLITE_OK)
    return db;
  fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
  sqlite3_close(db);
  return NULL;
}

static bool close_database(sqlite3 *db) {
  bool ok = db && sqlite3_exec(db, "COMMIT", 0, 0, 0) == SQLITE_OK;
  return sqlite3_close(db) == SQLITE_OK && ok;
}

static bool insert(sqlite3_stmt *statement, const char *a, const char *b) {
  sqlite3_bind_text(statement, 1, a, -1, SQLITE_TRANSIENT);
  sqlite3_bind_text(statement, 2, b, -1, SQLITE_TRANSIENT);
  bool ok = sqlite3_step(statement) == SQLITE_DONE;
  sqlite3_reset(statement);
  return ok;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  if (db && sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
  return statement;
}

static bool write_terms(const world *w, const char *folder) {
  sqlite3 *db = open_database(folder, "artist_term.db",
                              "CREATE TABLE artist_term (artist_id TEXT, term TEXT);"
                              "CREATE TABLE artist_mbtag (artist_id TEXT, mbtag TEXT); BEGIN");
  sqlite3_stmt *terms = prepare(db, "INSERT INTO artist_term VALUES (?, ?)");
  sqlite3_stmt *tags = prepare(db, "INSERT INTO artist_mbtag VALUES (?, ?)");
  bool ok = terms && tags;
  for (size_t i = 0; ok && i < w->artists; i++) {
    artist a;
    char text[TEXT_BYTES];
    artist_make(w, i, &a);
    for (size_t k = 0; ok && k < a.term_count; k++) {
      term_make(a.terms[k], text);
      ok = insert(terms, a.id, text);
    }
    for (size_t k = 0; ok && k < a.tag_count; k++) {
      tag_make(a.tags[k], text);
      ok = insert(tags, a.id, text);
    }
  }
  sqlite3_finalize(terms);
  sqlite3_finalize(tags);
  return close_database(db) && ok;
}

static bool write_similarity(const world *w, const char *folder) {
  sqlite3 *db = open_database(folder, "artist_similarity.db",
                              "CREATE TABLE similarity (target TEXT, similar TEXT); BEGIN");
  sqlite3_stmt *pairs = prepare(db, "INSERT INTO similarity VALUES (?, ?)");
  bool ok = pairs != NULL;
  for (size_t i = 0; ok && i < w->artists; i++) {
    artist a, other;
    artist_make(w, i, &a);
    for (size_t k = 0; ok && k < a.similar_count; k++) {
      artist_make(w, a.similar[k], &other);
      ok = insert(pairs, a.id, other.id);
    }
  }
  sqlite3_finalize(pairs);
  return close_database(db) && ok;
}

bool store_additional(const world *w, const char *folder) {
  return write_artists(w, folder) && write_words(w, folder) && write_terms(w, folder) &&
         write_similarity(w, folder);
}
