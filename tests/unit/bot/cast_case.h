/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cast_case - a recording as its player shows it. Where one of its events ends and the next begins
 * is a matter of time, and nothing that a test may look at.
 */
#ifndef TESTS_UNIT_BOT_CAST_CASE_H
#define TESTS_UNIT_BOT_CAST_CASE_H

/* All that was said, in one piece; the caller's to free. Fails the test for what is no cast. */
char *cast_case_play(const char *cast);

#endif
