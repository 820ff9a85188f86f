/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile - agents that mean harm, one name each, and how the task of each must end.
 *
 * The harm is bounded by the program itself, at several times what a box may have, so that a limit
 * that is missing fails a test and not the machine.
 */
#ifndef TESTS_HOSTILE_HOSTILE_H
#define TESTS_HOSTILE_HOSTILE_H

#include <stddef.h>

#define MIB(n) ((size_t)(n) << 20)

struct attack {
	const char *name;
	void (*run)(void);
	/* With | between: `done`, for it mends the bug afterwards, `red`, `refused`, `wall`,
	 * `idle`, `memory`, `disk`, `output`. */
	const char *ends;
};

/* Each ends with a row without a name. */
extern const struct attack ATTACKS_PROCS[], ATTACKS_MEMORY[], ATTACKS_FILES[], ATTACKS_GIT[],
	ATTACKS_WORDS[], ATTACKS_REST[];

/* How far it came, for the transcript: the test looks for it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What an honest agent would have done. */
void mend(void);

/* Ends the attempt for whoever cannot go on. */
_Noreturn void done(void);

void put(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void shell(const char *command);
void wait_all(void);
double seconds(void);
void wait_ms(int ms);
void ignore(int signo);

#endif
