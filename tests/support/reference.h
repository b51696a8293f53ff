// A small table for steps that look rows up in one, whatever its address.
//
//   test_reference r;
//   test_reference_init(&r, "code: int64, name: string?", "1|Open\n2|Shipped\n");
//   context.tables = &r.tables;
#pragma once

#include "rows.h"

#include "step/keyed_table.h"

typedef struct test_reference {
  wh_keyed_tables tables;
  test_table table;
  size_t batch;           // rows of one
  wh_status fails;        // what `next` fails with at the end; WH_OK: nothing
  size_t rejects;         // so many rows at the end cannot be read
  size_t opened, columns; // how often it was read, and how many columns were asked for
} test_reference;

void test_reference_init(test_reference *reference, const char *fields, const char *rows);
void test_reference_free(test_reference *reference);
