// Many records, 64 bytes at a time.
//
// Each block of bytes becomes masks with a bit a byte: quotes, delimiters, line ends. The running
// parity of the quotes says which bytes stand inside quotes. That holds as long as every opening
// quote follows a separator (or a closing quote: "" inside quotes) and every closing one is
// followed by a separator (or an opening quote), which two shifts check; where it does not hold,
// and where a comment may begin, csv_walk takes the record and the blocks start afresh behind it.
#include "codec/csv/scan.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { BLOCK = 64, BURST = 12 };

typedef struct masks {
  uint64_t quote, delimiter, lf, cr, escape, comment, high;
} masks;

// What is looked for, ready for the loops.
typedef struct targets {
  uint64_t quote_if, escape_if, comment_if; // all ones where there is such a character
  uint8_t quote, escape, comment;
  uint8_t delimiter_len;
  uint8_t delimiter[WH_CSV_DELIMITER_MAX];
  bool doubled;
} targets;

typedef struct cutter {
  csv_cut *cut;
  const char *data;
  targets t;
  size_t live_end; // bytes up to here have a known meaning
  size_t until;
  uint32_t *ends;
  uint32_t n;         // ends so far
  uint32_t row_first; // of them, before the row in hand
  uint32_t over;      // fields of the row in hand that were not kept
  uint32_t row_start, row_line;
  uint32_t line; // line ends before the block
  // Of the byte before the block:
  uint64_t inside;           // all ones: inside quotes
  uint64_t may_open, closed; // a quote may open behind it; it is a closing quote
  uint64_t cr, cr_outside, escaped, record_end;
  uint64_t delimiter_tail; // bits of the block where a delimiter that began before it ends
  uint32_t delimiter_skip; // bytes of the block that belong to a delimiter that began before it
  bool full;               // of bad rows, or past `until`
} cutter;

// --- Masks ---------------------------------------------------------------------------------------

static inline uint64_t zero_bytes(uint64_t x) {
  const uint64_t low = 0x7F7F7F7F7F7F7F7Full;
  return ~(((x & low) + low) | x | low);
}

// Bit i: the top bit of byte i.
static inline uint64_t gather_tops(uint64_t tops) {
  return ((tops >> 7) * 0x0102040810204080ull) >> 56;
}

static uint64_t find_byte(const char *p, uint8_t byte) {
  uint64_t splat = byte * 0x0101010101010101ull, found = 0;
  for (unsigned i = 0; i < BLOCK; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    found |= gather_tops(zero_bytes(word ^ splat)) << i;
  }
  return found;
}

static uint64_t find_high(const char *p) {
  uint64_t any = 0;
  for (unsigned i = 0; i < BLOCK; i += 8) {
    uint64_t word;
    memcpy(&word, p + i, 8);
    any |= word & 0x8080808080808080ull;
  }
  return any;
}

static inline masks masks_plain(const targets *t, const char *p) {
  masks m = {.delimiter = find_byte(p, t->delimiter[0]),
             .lf = find_byte(p, '\n'),
             .cr = find_byte(p, '\r'),
             .high = find_high(p)};
  for (unsigned i = 1; i < t->delimiter_len; i++)
    m.delimiter &= find_byte(p + i, t->delimiter[i]);
  if (t->quote_if) m.quote = find_byte(p, t->quote);
  if (t->escape_if) m.escape = find_byte(p, t->escape);
  if (t->comment_if) m.comment = find_byte(p, t->comment);
  return m;
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))

AVX2 static inline uint64_t equal(__m256i a, __m256i b, uint8_t byte) {
  __m256i splat = _mm256_set1_epi8((char)byte);
  uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, splat));
  uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b, splat));
  return low | (uint64_t)high << 32;
}

AVX2 static inline masks masks_avx2(const targets *t, const char *p) {
  __m256i a = _mm256_loadu_si256((const __m256i *)p);
  __m256i b = _mm256_loadu_si256((const __m256i *)(p + 32));
  masks m = {.quote = equal(a, b, t->quote) & t->quote_if,
             .delimiter = equal(a, b, t->delimiter[0]),
             .lf = equal(a, b, '\n'),
             .cr = equal(a, b, '\r'),
             .high = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(a, b))};
  for (unsigned i = 1; i < t->delimiter_len; i++) {
    m.delimiter &= equal(_mm256_loadu_si256((const __m256i *)(p + i)),
                         _mm256_loadu_si256((const __m256i *)(p + 32 + i)), t->delimiter[i]);
  }
  if (t->escape_if) m.escape = equal(a, b, t->escape);
  if (t->comment_if) m.comment = equal(a, b, t->comment);
  return m;
}
#endif

// --- One block -----------------------------------------------------------------------------------

// Bit i: the parity of bits 0..i.
static inline uint64_t running_parity(uint64_t bits) {
  for (unsigned shift = 1; shift < 64; shift *= 2)
    bits ^= bits << shift;
  return bits;
}

// Bytes behind an escape that is not itself escaped, one escape at a time: they are rare.
static uint64_t escaped_bytes(cutter *k, uint64_t escape) {
  uint64_t escaped = k->escaped;
  k->escaped = 0;
  escape &= ~escaped;
  while (escape) {
    uint64_t lowest = escape & -escape;
    if (lowest >> 63) {
      k->escaped = 1;
      break;
    }
    escaped |= lowest << 1;
    escape &= ~(lowest | lowest << 1);
  }
  return escaped;
}

// Delimiters from left to right: of overlapping ones ("|||" with "||") the first counts.
static uint64_t part_delimiters(cutter *k, uint64_t found) {
  uint64_t kept = 0;
  uint32_t skip = k->delimiter_skip;
  k->delimiter_skip = 0;
  found = skip < 64 ? found >> skip << skip : 0;
  while (found) {
    uint32_t bit = (uint32_t)__builtin_ctzll(found);
    kept |= 1ull << bit;
    uint32_t behind = bit + k->t.delimiter_len;
    if (behind >= BLOCK) {
      k->delimiter_skip = behind - BLOCK;
      break;
    }
    found = found >> behind << behind;
  }
  return kept;
}

// The structure of one block.
typedef struct structure {
  uint64_t separators; // delimiters and line ends outside quotes
  uint64_t line_ends;  // of them
  uint64_t lines;      // all line ends, also inside quotes
  uint64_t event;      // bytes for csv_walk to look at
} structure;

// Where delimiters end, which for one byte is where they stand.
static inline uint64_t delimiter_ends(cutter *k, uint64_t delimiters) {
  uint32_t more = k->t.delimiter_len - 1u;
  if (more == 0) return delimiters;
  uint64_t ends = delimiters << more | k->delimiter_tail;
  k->delimiter_tail = delimiters >> (64 - more);
  return ends;
}

static inline __attribute__((always_inline)) structure structure_of(cutter *k, const masks *m,
                                                                    uint64_t live) {
  uint64_t quote = m->quote & live, delimiter = m->delimiter & live;
  uint64_t lf = m->lf & live, cr = m->cr & live;
  structure s = {.lines = (lf & ~(cr << 1 | k->cr)) | cr};
  k->cr = cr >> 63;
  if (k->t.escape_if && ((m->escape & live) | k->escaped)) {
    uint64_t plain = ~escaped_bytes(k, m->escape & live);
    quote &= plain, delimiter &= plain, lf &= plain, cr &= plain;
  }
  uint64_t inside = k->inside;
  if (quote) {
    inside ^= running_parity(quote);
    k->inside = (uint64_t)((int64_t)inside >> 63);
  }
  delimiter &= ~inside, lf &= ~inside, cr &= ~inside;
  if (k->t.delimiter_len > 1) delimiter = part_delimiters(k, delimiter);
  uint64_t second = lf & (cr << 1 | k->cr_outside); // the LF of CRLF
  k->cr_outside = cr >> 63;
  s.line_ends = (lf & ~second) | cr;
  s.separators = delimiter | s.line_ends;
  uint64_t may_open = delimiter_ends(k, delimiter) | s.line_ends | second;
  if (quote | k->closed) {
    uint64_t open = quote & inside, close = quote & ~inside;
    uint64_t doubled = k->t.doubled ? ~0ull : 0;
    may_open |= close & doubled;
    s.event = open & ~(may_open << 1 | k->may_open);
    s.event |= (close << 1 | k->closed) & ~(s.separators | (open & doubled)) & live;
    k->closed = close >> 63;
  }
  k->may_open = may_open >> 63;
  if (k->t.comment_if) {
    uint64_t ends = s.line_ends | second;
    s.event |= (ends << 1 | k->record_end) & m->comment & live;
    k->record_end = ends >> 63;
  }
  return s;
}

// The lowest bit's position; anything for 0.
static inline uint32_t lowest(uint64_t bits) {
  return bits ? (uint32_t)__builtin_ctzll(bits) : BLOCK;
}

// Twelve are more than most blocks have: written without asking, they cost less than a branch that
// is hard to foresee.
static inline __attribute__((always_inline)) void keep_ends(uint32_t *to, uint64_t bits,
                                                            uint32_t at, uint32_t count) {
  for (unsigned i = 0; i < BURST; i++) {
    to[i] = at + lowest(bits);
    bits &= bits - 1;
  }
  for (uint32_t i = BURST; i < count; i++) {
    to[i] = at + lowest(bits);
    bits &= bits - 1;
  }
}

// A row with another number of fields: not kept. False: no room for one more.
static bool drop_row(cutter *k, uint32_t end, uint32_t end_n, uint32_t fields) {
  csv_cut *cut = k->cut;
  bool blank = end == k->row_start;
  if (!blank) {
    if (cut->bad_count == CSV_BADS_MAX) return false;
    cut->bads[cut->bad_count++] = (csv_bad){.fault = CSV_FIELDS,
                                            .row = cut->rows,
                                            .start = k->row_start,
                                            .end = end,
                                            .line = k->row_line,
                                            .at = k->row_start,
                                            .fields = fields};
  }
  memmove(k->ends + k->row_first, k->ends + end_n, (k->n - end_n) * sizeof *k->ends);
  k->n -= end_n - k->row_first;
  return true;
}

// Ends the rows whose line ends stand in the block. False: it was cut short, before the row in
// hand.
static inline __attribute__((always_inline)) bool end_rows(cutter *k, const structure *s,
                                                           uint32_t at, uint32_t n_before) {
  csv_cut *cut = k->cut;
  uint32_t columns = cut->columns;
  for (uint64_t rest = s->line_ends; rest; rest &= rest - 1) {
    uint64_t bit = rest & -rest;
    uint32_t end = at + (uint32_t)__builtin_ctzll(rest);
    uint32_t end_n = n_before + (uint32_t)__builtin_popcountll(s->separators & (bit - 1)) + 1;
    uint32_t fields = end_n - k->row_first + k->over;
    if (__builtin_expect(fields == columns, 1)) {
      cut->starts[cut->rows] = k->row_start;
      cut->lines[cut->rows] = k->row_line;
      cut->rows++;
      k->row_first = end_n;
    } else {
      if (!drop_row(k, end, end_n, fields)) return false;
      n_before -= end_n - k->row_first;
    }
    k->over = 0;
    k->row_line = k->line + (uint32_t)__builtin_popcountll(s->lines & ((bit << 1) - 1));
    k->row_start = end + 1u + (k->data[end] == '\r' && k->data[end + 1] == '\n');
    if (k->row_start >= k->until) return false;
  }
  return true;
}

// False: the loop has to stop, or csv_walk has to look at the row in hand.
static inline __attribute__((always_inline)) bool do_block(cutter *k, const masks *m, size_t at) {
  uint64_t live = k->live_end - at >= BLOCK ? ~0ull : (1ull << (k->live_end - at)) - 1;
  structure s = structure_of(k, m, live);
  if (__builtin_expect(s.event != 0, 0)) {
    uint64_t before = (s.event & -s.event) - 1;
    s.separators &= before, s.line_ends &= before;
  }
  uint32_t count = (uint32_t)__builtin_popcountll(s.separators);
  uint32_t n_before = k->n;
  keep_ends(k->ends + k->n, s.separators, (uint32_t)at, count);
  k->n += count;
  if (s.line_ends && !end_rows(k, &s, (uint32_t)at, n_before)) {
    k->full = true;
    return false;
  }
  if (s.event) return false;
  // Of a row that is too long only the number of fields is of interest.
  if (__builtin_expect(k->n - k->row_first > k->cut->columns, 0)) {
    k->over += k->n - k->row_first - k->cut->columns;
    k->n = k->row_first + k->cut->columns;
  }
  k->line += (uint32_t)__builtin_popcountll(s.lines);
  return k->cut->rows < k->cut->rows_max;
}

#ifdef __x86_64__
AVX2 static bool run_avx2(cutter *outer, size_t from) {
  cutter k = *outer;
  bool more = true;
  for (size_t at = from; more && at < k.live_end; at += BLOCK) {
    masks m = masks_avx2(&k.t, k.data + at);
    k.cut->high |= m.high != 0;
    more = do_block(&k, &m, at);
  }
  *outer = k;
  return more;
}
#endif

static bool run_plain(cutter *outer, size_t from) {
  cutter k = *outer;
  bool more = true;
  for (size_t at = from; more && at < k.live_end; at += BLOCK) {
    masks m = masks_plain(&k.t, k.data + at);
    k.cut->high |= m.high != 0;
    more = do_block(&k, &m, at);
  }
  *outer = k;
  return more;
}

// --- Runs of blocks ------------------------------------------------------------------------------

// Where a record begins.
static void start_at(cutter *k, uint32_t at, uint32_t line) {
  k->n = k->row_first;
  k->over = 0;
  k->row_start = at;
  k->row_line = k->line = line;
  k->inside = k->closed = k->cr = k->cr_outside = k->escaped = 0;
  k->delimiter_tail = k->delimiter_skip = 0;
  k->may_open = k->record_end = 1;
}

// Takes the row in hand by csv_walk. False: it is not complete, or there is no room for it.
static bool walk_row(cutter *k, size_t len, bool ended) {
  csv_cut *cut = k->cut;
  csv_record r;
  csv_walk(cut->dialect, k->data, k->row_start, len, ended, k->ends + k->row_first, cut->columns,
           &r);
  for (size_t i = k->row_start; i < r.end && !cut->high; i++)
    cut->high = k->data[i] & 0x80;
  if (r.kind == CSV_RECORD_MORE) return false;
  if (r.fault == CSV_OPEN) {
    cut->broken = CSV_OPEN;
    cut->broken_at = (uint32_t)r.at;
    return false;
  }
  bool row = r.kind == CSV_RECORD_ROW || (r.kind == CSV_RECORD_BLANK && cut->columns == 1);
  if (row && !r.fault && r.fields == cut->columns) {
    cut->starts[cut->rows] = k->row_start;
    cut->lines[cut->rows] = k->row_line;
    cut->rows++;
    k->row_first += cut->columns;
  } else if (row) {
    if (cut->bad_count == CSV_BADS_MAX) {
      k->full = true;
      return false;
    }
    cut->bads[cut->bad_count++] = (csv_bad){.fault = r.fault ? r.fault : CSV_FIELDS,
                                            .row = cut->rows,
                                            .start = k->row_start,
                                            .end = (uint32_t)r.end,
                                            .line = k->row_line,
                                            .at = r.fault ? (uint32_t)r.at : k->row_start,
                                            .fields = r.fields};
  }
  start_at(k, (uint32_t)r.next, k->row_line + r.lines);
  return true;
}

static void set_targets(targets *t, const csv_dialect *d) {
  *t = (targets){.quote_if = d->quote ? ~0ull : 0,
                 .escape_if = d->escape ? ~0ull : 0,
                 .comment_if = d->comment_len ? ~0ull : 0,
                 .quote = (uint8_t)d->quote,
                 .escape = (uint8_t)d->escape,
                 .comment = (uint8_t)d->comment[0],
                 .delimiter_len = d->delimiter_len,
                 .doubled = d->doubled};
  memcpy(t->delimiter, d->delimiter, sizeof t->delimiter);
}

static void number_rows(csv_cut *cut) {
  uint32_t bad = 0;
  for (uint32_t row = 0; row < cut->rows; row++) {
    while (bad < cut->bad_count && cut->bads[bad].row <= row)
      bad++;
    cut->numbers[row] = row + bad;
  }
}

void csv_cut_run(csv_cut *cut, const char *data, size_t from, size_t len, size_t until,
                 bool ended) {
  cutter k = {.cut = cut, .data = data, .until = until, .ends = cut->ends};
  k.live_end = ended ? len : len > CSV_AHEAD ? len - CSV_AHEAD : 0;
  set_targets(&k.t, cut->dialect);
  bool (*run)(cutter *, size_t) = run_plain;
#ifdef __x86_64__
  if (cut->cpu >= WH_CPU_AVX2) run = run_avx2;
#endif
  cut->rows = cut->bad_count = 0;
  cut->high = cut->complete = false;
  cut->broken = CSV_FINE;
  start_at(&k, (uint32_t)from, 0);
  while (k.row_start < len && k.row_start < until && cut->rows < cut->rows_max && !k.full) {
    if (k.row_start < k.live_end && !run(&k, k.row_start)) {
      if (k.full || cut->rows >= cut->rows_max || k.row_start >= until) break;
    }
    // Something odd, or the end.
    if (k.row_start < len && !walk_row(&k, len, ended)) {
      cut->complete = !k.full;
      break;
    }
  }
  if (k.row_start >= len || k.row_start >= until) cut->complete = true;
  if (cut->rows > cut->rows_max) {
    // Some more of the last block: they are taken next time, and bad ones among them too.
    cut->rows = cut->rows_max;
    k.row_start = cut->starts[cut->rows];
    k.row_line = cut->lines[cut->rows];
    while (cut->bad_count && cut->bads[cut->bad_count - 1].start >= k.row_start)
      cut->bad_count--;
    cut->complete = false;
    cut->broken = CSV_FINE;
  }
  cut->starts[cut->rows] = k.row_start;
  cut->next = k.row_start;
  cut->next_line = k.row_line;
  number_rows(cut);
}

wh_status csv_cut_init(csv_cut *cut, wh_mem *mem, const csv_dialect *dialect, uint32_t columns,
                       uint32_t rows_max, wh_error *err) {
  *cut = (csv_cut){.dialect = dialect, .mem = mem, .cpu = wh_cpu_level(), .columns = columns};
  // Rows that a block can end beyond the last one: each has at least a byte a field.
  size_t rows_cap = rows_max + BLOCK / columns + 2;
  size_t ends_cap = rows_cap * columns + columns + BLOCK + BURST;
  cut->rows_max = rows_max;
  cut->ends = wh_mem_alloc(mem, ends_cap * sizeof *cut->ends);
  if (cut->ends) cut->ends_cap = ends_cap;
  cut->starts = wh_mem_alloc(mem, (rows_cap + 1) * 3 * sizeof *cut->starts);
  if (cut->starts) cut->rows_cap = rows_cap;
  if (!cut->ends || !cut->starts) {
    csv_cut_free(cut);
    return wh_fail_memory(err);
  }
  cut->lines = cut->starts + rows_cap + 1;
  cut->numbers = cut->lines + rows_cap + 1;
  return WH_OK;
}

void csv_cut_free(csv_cut *cut) {
  wh_mem_free(cut->mem, cut->ends, cut->ends_cap * sizeof *cut->ends);
  if (cut->starts)
    wh_mem_free(cut->mem, cut->starts, (cut->rows_cap + 1) * 3 * sizeof *cut->starts);
  *cut = (csv_cut){0};
}

void csv_cut_remove(csv_cut *cut, const uint8_t *rows) {
  uint32_t to = 0;
  size_t width = cut->columns;
  for (uint32_t row = 0; row < cut->rows; row++) {
    if (rows[row >> 3] >> (row & 7) & 1) continue;
    if (to != row) {
      memmove(cut->ends + to * width, cut->ends + row * width, width * sizeof *cut->ends);
      cut->starts[to] = cut->starts[row];
      cut->lines[to] = cut->lines[row];
      cut->numbers[to] = cut->numbers[row];
    }
    to++;
  }
  cut->rows = to;
  cut->starts[to] = cut->next;
}
