// Runs a fuzz target over the files of its corpus, as a test: a file a test.
//
//   test-fuzz-NAME [FILE or FOLDER]...
//
// Without arguments, over the corpus in the source tree. A target that finds something aborts.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 20000, PATH_BYTES = 1024 };

static char *files[FILES_MAX];
static int file_count;

static void add_path(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) {
    perror(path);
    exit(1);
  }
  if (!S_ISDIR(st.st_mode)) {
    if (file_count < FILES_MAX) files[file_count++] = strdup(path);
    return;
  }
  DIR *dir = opendir(path);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    char inner[PATH_BYTES];
    if (entry->d_name[0] == '.') continue;
    snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
    add_path(inner);
  }
  if (dir) closedir(dir);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int replay(int number, const char *path) {
  FILE *f = fopen(path, "rb");
  struct stat st;
  if (!f || fstat(fileno(f), &st) != 0) {
    printf("not ok %d %s\n", number, path);
    return 1;
  }
  uint8_t *data = malloc((size_t)st.st_size + 1);
  size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
  fclose(f);
  LLVMFuzzerTestOneInput(data, n);
  free(data);
  const char *name = strrchr(path, '/');
  printf("ok %d %s\n", number, name ? name + 1 : path);
  return 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc < 2) add_path(WHERRY_FUZZ_CORPUS);
  for (int i = 1; i < argc; i++)
    add_path(argv[i]);
  qsort(files, (size_t)file_count, sizeof *files, by_name);
  printf("TAP version 13\n1..%d\n", file_count);
  int bad = 0;
  for (int i = 0; i < file_count; i++) {
    bad |= replay(i + 1, files[i]);
    free(files[i]);
  }
  return bad;
}
