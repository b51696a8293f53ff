// Statements that wait in a session for what is sent next, and go to the server with it: one
// journey for all of them (libpq's pipeline mode). Nothing is known of them before; the first that
// fails makes all behind it fail, the one that took them along too, with the error of the first.
// Without a transaction around them they are one together. What waits when a ROLLBACK is run was
// never sent.
#pragma once

#include "connect/postgres/session.h"

// Both copy what they are given. `ret_rows` and `ret`, or NULL, are filled when they have been
// sent.
wh_status wh_pg_run_later(wh_pg_session *s, wh_str sql, const wh_str *params, size_t count,
                          uint64_t *ret_rows, wh_error *err);
wh_status wh_pg_exec_later(wh_pg_session *s, const char *name, const wh_str *params, size_t count,
                           PGresult **ret, wh_error *err);
// Sends what waits, if anything does.
wh_status wh_pg_send_later(wh_pg_session *s, const char *doing, wh_error *err);
// Whoever asked with that `ret` is not there any more.
void wh_pg_ignore_later(wh_pg_session *s, PGresult **ret);
void wh_pg_forget_later(wh_pg_session *s);

// --- for session.c

// The statement itself behind what waits, and all of it sent.
wh_status wh_pg_exec_behind(wh_pg_session *s, const wh_pg_later *last, const char *doing,
                            wh_error *err);
// What waits as one text, each with "; " behind it, where it has no parameters and nobody asks;
// else it is sent, and nothing is added.
wh_status wh_pg_join_later(wh_pg_session *s, const char *doing, wh_buf *sql, wh_error *err);
