#include "song.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// --- chance --------------------------------------------------------------------------------------

typedef struct dice {
  uint64_t state;
} dice;

enum kind { OF_ARTIST = 1, OF_SONG };

static uint64_t roll(dice *d) { // splitmix64
  uint64_t z = d->state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

static dice dice_for(const world *w, enum kind kind, size_t number) {
  dice d = {w->seed * 31 + (uint64_t)kind};
  d.state = roll(&d) ^ number * UINT64_C(0xD1342543DE82EF95);
  return d;
}

static size_t below(dice *d, size_t n) {
  return roll(d) % n;
}

static size_t between(dice *d, size_t least, size_t most) {
  return least + below(d, most - least + 1);
}

// With so many decimal places, as the real ones have.
static double decimal(dice *d, double least, double most, double places) {
  double unit = (double)(roll(d) >> 11) * 0x1p-53;
  return round((least + unit * (most - least)) * places) / places;
}

// --- texts ---------------------------------------------------------------------------------------

static const char *const words[] = {"Night",  "River",  "Señorita", "Blå",     "Été",   "Stone",
                                    "Радуга", "Little", "Queen",    "Motör",   "東京",  "Electric",
                                    "Ghost",  "Über",   "Morning",  "Ραψωδία", "Train", "Don't"};
enum { WORDS = sizeof words / sizeof *words };

static void make_text(dice *d, char out[TEXT_BYTES]) {
  const char *a = words[below(d, WORDS)], *b = words[below(d, WORDS)];
  snprintf(out, TEXT_BYTES, "%s %s %u", a, b, (unsigned)below(d, 1000));
}

static void make_letters(dice *d, char *out, size_t count, const char *alphabet) {
  size_t n = strlen(alphabet);
  for (size_t i = 0; i < count; i++)
    out[i] = alphabet[below(d, n)];
}

static const char hex[] = "0123456789abcdef", hex_large[] = "0123456789ABCDEF",
                  letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

static void put_id(char out[ID_BYTES], const char *text) {
  memcpy(out, text, ID_BYTES - 1);
  out[ID_BYTES - 1] = 0;
}

// The number is in it, so that there are no two.
static void make_id(dice *d, const char *prefix, size_t number, char out[ID_BYTES]) {
  char tail[6] = "", text[TEXT_BYTES];
  make_letters(d, tail, 5, hex_large);
  snprintf(text, sizeof text, "%s%07X1187%s", prefix, (unsigned)number & 0xFFFFFFF, tail);
  put_id(out, text);
}

void term_make(size_t number, char out[TEXT_BYTES]) {
  static const char *const kinds[] = {"rock", "jazz", "chanson française", "hip hop", "électro"};
  snprintf(out, TEXT_BYTES, "%s %zu", kinds[number % 5], number / 5);
}

void tag_make(size_t number, char out[TEXT_BYTES]) {
  static const char *const kinds[] = {"british", "60s", "schlager", "música"};
  snprintf(out, TEXT_BYTES, "%s %zu", kinds[number % 4], number / 4);
}

// --- artists -------------------------------------------------------------------------------------

// Different numbers below `most`, none of them `not`.
static size_t pick(dice *d, size_t want, size_t most, size_t not, size_t *out) {
  size_t first = below(d, most), step = 1 + below(d, most > 7 ? 7 : 1), count = 0;
  for (size_t i = 0; i < want && i * step < most; i++) {
    size_t number = (first + i * step) % most;
    if (number != not ) out[count++] = number;
  }
  return count;
}

void artist_make(const world *w, size_t number, artist *a) {
  dice d = dice_for(w, OF_ARTIST, number);
  *a = (artist){0};
  make_id(&d, "AR", number, a->id);
  make_letters(&d, a->mbid, MBID_BYTES - 1, hex);
  a->mbid[8] = a->mbid[13] = a->mbid[18] = a->mbid[23] = '-';
  make_text(&d, a->name);
  a->latitude = a->longitude = NAN;
  if (below(&d, 10) < 4) {
    a->latitude = decimal(&d, -60, 70, 1e5);
    a->longitude = decimal(&d, -180, 180, 1e5);
    make_text(&d, a->location);
  }
  a->term_count = pick(&d, between(&d, 0, TERMS_MAX), w->terms, SIZE_MAX, a->terms);
  a->similar_count = pick(&d, between(&d, 0, 9) ? SIMILAR_MAX : 0, w->artists, number, a->similar);
  a->tag_count = pick(&d, below(&d, 3) ? 0 : between(&d, 1, TAGS_MAX), w->tags, SIZE_MAX, a->tags);
}

// --- songs ---------------------------------------------------------------------------------------

static void make_marks(dice *d, marks *m, size_t count, double duration) {
  m->count = count;
  for (size_t i = 0; i < count; i++) {
    m->start[i] = round(duration * ((double)i + 0.3) / (double)count * 1e5) / 1e5;
    m->confidence[i] = decimal(d, 0, 1, 1e3);
  }
}

static void make_segments(dice *d, song *s) {
  for (size_t i = 0; i < s->segment_count; i++) {
    s->segment_start[i] = round(s->duration * (double)i / (double)s->segment_count * 1e5) / 1e5;
    s->segment_confidence[i] = decimal(d, 0, 1, 1e3);
    s->loudness_max[i] = decimal(d, -60, 0, 1e3);
    s->loudness_max_time[i] = decimal(d, 0, 0.5, 1e5);
    s->loudness_start[i] = decimal(d, -60, 0, 1e3);
    for (size_t k = 0; k < PITCHES; k++) {
      s->pitches[i][k] = decimal(d, 0, 1, 1e3);
      s->timbre[i][k] = decimal(d, -200, 200, 1e3);
    }
  }
}

// The folders of the subset: data/A/A/A to data/B/I/J, in turn.
static void make_track_id(dice *d, size_t number, char out[ID_BYTES]) {
  enum { FOLDERS = 894 };
  size_t folder = number % FOLDERS, in_folder = number / FOLDERS;
  char tail[3] = "", text[TEXT_BYTES];
  make_letters(d, tail, 2, letters);
  snprintf(text, sizeof text, "TR%c%c%c%s128F%07X", 'A' + (int)(folder / 676),
           'A' + (int)(folder / 26 % 26), 'A' + (int)(folder % 26), tail,
           (unsigned)in_folder & 0xFFFFFFF);
  put_id(out, text);
}

void song_make(const world *w, size_t number, song *s) {
  dice d = dice_for(w, OF_SONG, number);
  memset(s, 0, sizeof *s);
  s->artist = below(&d, w->artists);
  make_track_id(&d, number, s->track_id);
  make_id(&d, "SO", number, s->song_id);
  make_text(&d, s->title);
  make_text(&d, s->release);
  make_letters(&d, s->audio_md5, sizeof s->audio_md5, hex);
  s->track_7digitalid = (int)between(&d, 1000000, 9999999);
  s->key = (int)below(&d, 12);
  s->mode = (int)below(&d, 2);
  s->time_signature = (int)between(&d, 1, BEATS_PER_BAR_MAX);
  s->year = below(&d, 2) ? (int)between(&d, 1926, 2010) : 0;
  s->hotttnesss = below(&d, 5) < 2 ? NAN : decimal(&d, 0, 1, 1e6);
  s->duration = decimal(&d, 30, 420, 1e5);
  s->loudness = decimal(&d, -40, 0, 1e3);
  s->tempo = decimal(&d, 0, 240, 1e3);
  s->end_of_fade_in = decimal(&d, 0, 5, 1e3);
  s->start_of_fade_out = s->duration - decimal(&d, 0, 10, 1e3);
  s->key_confidence = decimal(&d, 0, 1, 1e3);
  s->mode_confidence = decimal(&d, 0, 1, 1e3);
  s->time_signature_confidence = decimal(&d, 0, 1, 1e3);
  bool has_beat = below(&d, 30) > 0; // a few have none that could be found
  size_t bars = has_beat ? between(&d, 20, BARS_MAX) : 0;
  make_marks(&d, &s->bars, bars, s->duration);
  make_marks(&d, &s->beats, bars * between(&d, 2, 4), s->duration);
  make_marks(&d, &s->tatums, s->beats.count * between(&d, 1, 3), s->duration);
  make_marks(&d, &s->sections, between(&d, 0, SECTIONS_MAX), s->duration);
  s->segment_count = below(&d, 100) ? between(&d, 200, SEGMENTS_MAX) : 0;
  make_segments(&d, s);
}
