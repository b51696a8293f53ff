// Makes files as those of the Million Song Dataset are, which cannot be shipped:
//
//   generate-songs FOLDER [SONGS [SEED]]     data/A/A/A/TR....h5, one song a file, and
//   AdditionalFiles/ generate-songs --aggregate FILE [SONGS [SEED]]     one file that holds them
//   all
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, SONGS_DEFAULT = 100, SONGS_MAX = 100 * 1000 * 1000 };

static bool make_folders(const char *path) {
  char part[PATH_BYTES];
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
    if (mkdir(part, 0777) != 0 && errno != EEXIST) {
      perror(part);
      return false;
    }
  }
  return true;
}

static bool make_files(const world *w, const char *folder) {
  static song s;
  for (size_t i = 0; i < w->songs; i++) {
    char path[PATH_BYTES];
    song_make(w, i, &s);
    const char *id = s.track_id;
    snprintf(path, sizeof path, "%s/data/%c/%c/%c/%s.h5", folder, id[2], id[3], id[4], id);
    if (!make_folders(path) || !store_songs(w, path, i, 1)) return false;
  }
  char additional[PATH_BYTES];
  snprintf(additional, sizeof additional, "%s/AdditionalFiles/", folder);
  return make_folders(additional) && store_additional(w, additional);
}

static bool number(const char *text, uint64_t most, uint64_t *ret) {
  char *end;
  errno = 0;
  *ret = strtoull(text, &end, 10);
  return errno == 0 && *end == 0 && end != text && *ret <= most;
}

int main(int argc, char **argv) {
  bool aggregate = argc > 1 && strcmp(argv[1], "--aggregate") == 0;
  char **words = argv + 1 + aggregate;
  int count = argc - 1 - aggregate;
  uint64_t songs = SONGS_DEFAULT, seed = 1;
  if (count < 1 || count > 3 || (count > 1 && (!number(words[1], SONGS_MAX, &songs) || !songs)) ||
      (count > 2 && !number(words[2], UINT64_MAX, &seed))) {
    fprintf(stderr, "usage: generate-songs FOLDER | --aggregate FILE [SONGS [SEED]]\n");
    return 2;
  }
  // As many artists, terms and tags to a song as there are in the subset of 10,000.
  world w = {.seed = seed,
             .songs = songs,
             .artists = songs * 45 / 10 + 20,
             .terms = songs * 76 / 100 + 100,
             .tags = songs * 23 / 100 + 20};
  bool ok = aggregate ? store_songs(&w, words[0], 0, songs) : make_files(&w, words[0]);
  return ok ? 0 : 1;
}
