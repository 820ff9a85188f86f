/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - golden files for the tests of this folder.
 */
#ifndef TESTS_GOLDEN_FILES_H
#define TESTS_GOLDEN_FILES_H

#include "base/buf.h"
#include "base/str.h"
#include "tests/tree.gen.h"

#define GOLDEN_DIR NS_SOURCE_DIR "/tests/golden"

/* Whole file; fails the test if it cannot be read. The caller frees. */
char *golden_read(const char *path, size_t *len);

/* Names in dir that end with suffix, sorted; fails the test if there are none. */
void golden_list(const char *dir, const char *suffix, struct strs *out);

/* Compares with the file. If they differ, what we got is written to the build directory, the first
 * line that differs is printed, and the test fails. */
void golden_compare(const char *path, const struct buf *got);

#endif
