/* SPDX-License-Identifier: Apache-2.0 */
/* fs - a tree in which directories and links change places while it is removed. */
#include "base/fs.h"

#include "tests/unit/scratch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS    50
#define SWAPS_MIN 10000

/* t/a is a directory, t/b a link out of the tree; at each moment the other way round. */
_Noreturn static void
swap_for_ever(volatile unsigned long *swaps)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		*swaps += renameat2(AT_FDCWD, "t/a", AT_FDCWD, "t/b", RENAME_EXCHANGE) == 0;
	}
}

static void
grow(void)
{
	(void)mkdir("t", 0700);
	(void)mkdir("t/a", 0700);
	(void)!symlink("../outside", "t/b"); /* there is one already */
	(void)mkdir("t/a/x", 0700);
	for (int i = 0; i < 20; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "t/a/%d", i);
		(void)mkdir(path, 0700);
	}
}

/* The control: who looks first and goes in by name then is led out, now and then. */
static bool
is_fooled(void)
{
	struct stat st;

	return lstat("t/a", &st) == 0 && S_ISDIR(st.st_mode) && access("t/a/kept", F_OK) == 0;
}

static void
what_changes_places_leads_nowhere(void **state)
{
	volatile unsigned long *swaps = mmap(
		NULL, sizeof(*swaps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(swaps != MAP_FAILED);
	assert_int_equal(fs_mkdirs("outside/x", 0700, NULL), 0);
	scratch_put("outside/kept", "x", 0600);
	scratch_put("outside/x/kept", "x", 0600);
	pid_t pid = fork();
	if (pid == 0)
		swap_for_ever(swaps);
	unsigned fooled = 0;
	for (int i = 0; i < ROUNDS || *swaps < SWAPS_MIN || fooled == 0; i++) {
		grow();
		for (int k = 0; k < 50; k++)
			fooled += is_fooled();
		(void)fs_remove_tree("t", NULL); /* may find that somebody is there, and stop */
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(fs_remove_tree("t", NULL), 0);
	assert_int_equal(access("t", F_OK), -1);
	assert_int_equal(access("outside/kept", F_OK), 0);
	assert_int_equal(access("outside/x/kept", F_OK), 0);
	(void)munmap((void *)(uintptr_t)swaps, sizeof(*swaps));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(what_changes_places_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
