// Writes songs as the Million Song Dataset stores them.
#pragma once

#include "song.h"

#include <stdbool.h>

// One file with the songs [first, first + count). False after an error, which libhdf5 has printed.
bool store_songs(const world *w, const char *path, size_t first, size_t count);
// AdditionalFiles/ in the folder, which is there: texts and SQLite databases.
bool store_additional(const world *w, const char *folder);
