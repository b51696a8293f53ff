// Functions that make mistakes easy do not compile. Included into every file by the build.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok strncpy strncat
