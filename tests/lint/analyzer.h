/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyzer - tells clang's analyzer that err_* return what they promise.
 *
 * It sees one file at a time, takes err_sys() for a function that may return 0, and then follows
 * paths that do not exist. Read before every file that check-tidy looks at, never compiled.
 */
#ifndef TESTS_LINT_ANALYZER_H
#define TESTS_LINT_ANALYZER_H

#include "base/err.h"

#define err_set(e, code, ...) ((void)err_set(e, code, __VA_ARGS__), (int)(code))
#define err_sys(...)          ((void)err_sys(__VA_ARGS__), (int)ERR_SYSTEM)
#define err_wrap(e, rc, ...)  ((void)err_wrap(e, rc, __VA_ARGS__), (rc))

#endif
