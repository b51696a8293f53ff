// A line to a server on this machine that the test cuts: at the nth message of a client, before the
// server hears of it, or after it has answered and before the client hears of that. Whoever
// connects again is served.
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool cut_line_start(int server_port); // false: it does not work here
void cut_line_stop(void);
int cut_line_port(void);
// In the nth message from now on (1: the next); 0: never.
void cut_line_at(uint64_t n, bool after_the_answer);
bool cut_line_was_cut(void); // since cut_line_at
