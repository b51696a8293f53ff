// Functions that make mistakes easy do not compile. Included into every file by the build.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(WHERRY_MYSQL) && __has_include(<mysql.h>)
#include <mysql.h> // its macros name what is banned here
#endif

#pragma GCC poison strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok strncpy strncat
