/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_rig - a shim as a process, with the test as its runner. The test's program is the shim too,
 * when it is started as `--role shim`.
 */
#ifndef TESTS_UNIT_BOT_SHIM_RIG_H
#define TESTS_UNIT_BOT_SHIM_RIG_H

#include "bot/wire.h"
#include "sandbox/sandbox.h"

struct shim_rig {
	struct loop *loop;
	struct msg_link *link;
	char dir[48];
	pid_t pid;
	int pidfd;
	int gone;
	int n_done;
	struct wire_step_done done;
	int n_states; /* of SHIM_STATE, and the last one */
	struct wire_shim_state state;
	int64_t serial;   /* of the last step that was sent */
	int64_t alone_ms; /* to be said with the next; 0: a minute */
	char *tail;
	int listen_fd;
	int n_listens;
};

struct CMUnitTest;

/* Runs the tests, as root and then by somebody without rights. Who is not root runs the second
 * half, and fails for the first. */
int shim_rig_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

/* The same where only the first n_stranger tests are for those without rights. */
int shim_rig_main_of(
	int argc, char **argv, const struct CMUnitTest *tests, size_t n, size_t n_stranger);

/* Of each test: the shim is started, has ended. */
int shim_rig_setup(void **state);
int shim_rig_teardown(void **state);
#define SHIM_TEST(test) cmocka_unit_test_setup_teardown(test, shim_rig_setup, shim_rig_teardown)

/* One more in the same directory, when the first has ended. */
void shim_rig_spawn(struct shim_rig *c);

/* A runner comes to the shim's door, and goes again. */
void shim_rig_come(struct shim_rig *c);
void shim_rig_leave(struct shim_rig *c);

/* Waits, at most 90 s. */
void shim_rig_wait(struct shim_rig *c, int64_t ms);
void shim_rig_until(struct shim_rig *c, const int *flag, int at_least);
void shim_rig_until_tail(struct shim_rig *c, const char *word);
void shim_rig_until_cast(struct shim_rig *c, const char *word); /* in the recording */

/* A step of a shell command. */
void shim_rig_shell(struct box_spec *s, const char *name, const char *command);
void shim_rig_send(struct shim_rig *c, const struct box_spec *s);
void shim_rig_run(struct shim_rig *c, const struct box_spec *s); /* to its end */

/* Tells it to end; its exit code. */
void shim_rig_end(struct shim_rig *c);
int shim_rig_reap(struct shim_rig *c);

/* A file of its directory, or NULL; the caller's to free. */
char *shim_rig_file(const struct shim_rig *c, const char *name);

#endif
