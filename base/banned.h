/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned - calls that hurt others before; using one does not compile.
 *
 * Forced into every file by the build (-include base/banned.h).
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BANNED(f) call_to_banned_function_##f
#undef strcpy
#undef strncpy
#undef strcat
#undef strncat
#undef strtok
#undef sprintf
#undef vsprintf
#undef atoi
#undef atol
#undef atoll
#define strcpy   BANNED(strcpy)
#define strncpy  BANNED(strncpy)
#define strcat   BANNED(strcat)
#define strncat  BANNED(strncat)
#define strtok   BANNED(strtok)
#define sprintf  BANNED(sprintf)
#define vsprintf BANNED(vsprintf)
#define atoi     BANNED(atoi)
#define atol     BANNED(atol)
#define atoll    BANNED(atoll)
#define gets     BANNED(gets)
#define system   BANNED(system)
#define popen    BANNED(popen)

#endif
