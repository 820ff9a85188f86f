/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scratch - a directory of its own for each test, which is in it while it runs.
 */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <sys/types.h>

/* Of the running test: an absolute path. */
extern char scratch_dir[64];

int scratch_setup(void **state);
int scratch_teardown(void **state);

/* Writes a file; fails the test if that cannot be done. */
void scratch_put(const char *path, const char *text, mode_t mode);

/* An RSA key made for tests, PKCS#8. It opens nothing anywhere. */
extern const char SCRATCH_RSA_KEY[];

#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

#endif
