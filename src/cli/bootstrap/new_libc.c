// What libraries of a newer system than Lambda's take from its C library: glibc 2.34 has none of
// it.
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void *data, size_t len);

// Of glibc 2.36, for expat, which salts its hashes with it. As there: without random numbers there
// is no going on.
void arc4random_buf(void *data, size_t len) {
  unsigned char *to = data;
  while (len) {
    ssize_t got = getrandom(to, len, 0);
    if (got < 0 && errno != EINTR) abort();
    if (got < 0) continue;
    to += got;
    len -= (size_t)got;
  }
}
