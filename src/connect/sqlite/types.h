// Declared column types, both ways.
//
// Tables that Wherry creates are declared so that SQLite's affinity (datatype3.html, section 3.1)
// never changes a stored value, and so that the declaration alone gives the type back:
//
//   bool              BOOLEAN                          0 and 1
//   int8 16 32 64     TINYINT SMALLINT INT INTEGER
//   uint8 16 32       TINYINT UNSIGNED, SMALLINT UNSIGNED, INT UNSIGNED
//   uint64            UNSIGNED TEXT                    digits: SQLite's integers end at 2^63 - 1
//   float32, float64  FLOAT32, REAL                    NaN is refused: SQLite would store NULL
//   decimal(p,s)      DECIMAL(p,s) up to 15 digits     numbers: 15 digits survive a REAL
//                     DECIMAL TEXT(p,s) beyond         digits with all s decimals
//   date              DATE                             2026-11-21
//   time[u]           TIME(0 | 3 | 9), TIME for us     08:55:00.000123
//   timestamp[u]      TIMESTAMP(0 | 3 | 9), TIMESTAMP  2026-11-21T08:55:00.000123
//   timestamp[u,UTC]  TIMESTAMPTZ, likewise            2026-11-21T08:55:00.000123Z
//   string, binary    TEXT, BLOB
//   list, struct      JSON                             text; reads back as string
//   null              (nothing)
//
// Times have as many fraction digits as their unit, so that they compare as text as they do as
// times.
#pragma once

#include "base/buf.h"
#include "data/type.h"

typedef enum wh_sqlite_affinity {
  WH_SQLITE_AFF_NONE, // "BLOB" in SQLite's words: values stay as they are bound
  WH_SQLITE_AFF_TEXT,
  WH_SQLITE_AFF_NUMERIC,
  WH_SQLITE_AFF_INTEGER,
  WH_SQLITE_AFF_REAL,
} wh_sqlite_affinity;
wh_sqlite_affinity wh_sqlite_affinity_of(wh_str declared);

typedef enum wh_sqlite_class {
  WH_SQLITE_UNKNOWN, // nothing declared, or words we do not know
  WH_SQLITE_INT,
  WH_SQLITE_BOOL,
  WH_SQLITE_FLOAT,
  WH_SQLITE_NUMBER, // NUMERIC, DECIMAL without precision
  WH_SQLITE_DECIMAL,
  WH_SQLITE_TEXT,
  WH_SQLITE_BLOB,
  WH_SQLITE_DATE,
  WH_SQLITE_TIME,
  WH_SQLITE_TIMESTAMP,
} wh_sqlite_class;

typedef struct wh_sqlite_decl {
  wh_sqlite_class is;
  wh_type type;  // as anybody's declaration means: int64 for every INT
  wh_type exact; // as a declaration of ours means
} wh_sqlite_decl;
wh_sqlite_decl wh_sqlite_decl_parse(wh_str declared);

bool wh_sqlite_decl_write(const wh_type *type, wh_buf *out);
