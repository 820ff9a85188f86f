/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends of a link on one loop, for the tests of base/msg.
 */
#ifndef TESTS_UNIT_BASE_MSG_ENDS_H
#define TESTS_UNIT_BASE_MSG_ENDS_H

#include "base/msg.h"

enum { A, B };
enum { ASK = 1, ANSWER, TELL, BLOB, HANDLE, SECRET };

struct note {
	int64_t number;
	char *text;
};

extern const struct row note_rows[];
extern const struct msg_rule note_rules[];
extern const size_t NOTE_RULES_COUNT;

struct end {
	struct fixture *f;
	struct msg_link *link;
	char seen[512]; /* what arrived, as words */
	int gone;
	int answer_not;    /* so many questions are left without an answer */
	uint64_t asked_id; /* of the last question */
	int fds[2];
	char *blob;
	size_t blob_len;
	int stop_after; /* messages */
	int n;
};

struct fixture {
	struct loop *l;
	struct end a;
	struct end b;
	char answers[256];
	int stop_after_answers;
	int n_answers;
};

/* For cmocka: two links that are not connected. */
int ends_setup(void **state);
int ends_teardown(void **state);

void ends_make(struct fixture *f, struct end *end, unsigned self);
void ends_connect(struct fixture *f);

/* Runs until a callback stops the loop; fails after 20 s. */
void ends_run(struct fixture *f);

/* Everything that is under way arrives. */
void ends_settle(struct fixture *f);

/* Adds a word to a list of them. */
void ends_word(char *to, size_t size, const char *text);

#endif
