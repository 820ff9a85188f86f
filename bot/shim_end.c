/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_end - how a process begins that works in an attempt's directory, and how it leaves that:
 * what a shim does itself, and who comes after a killed one in its place.
 */
#include "bot/shim_state.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/log.h"
#include "bot/shim.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#define RETRY_MS 5000 /* for a box that does not end */

/* The signals of a terminal are the master's to understand. */
void
shim_begin(const char *name)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	log_init(name, LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, name);
	(void)sigaction(SIGINT, &ignore, NULL);
	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* One shim at a time in a directory: who cleans up behind a dead one waits for the living. */
int
shim_wait_for_dir(int *dir, struct err *e)
{
	*dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *dir < 0 || flock(*dir, LOCK_EX) < 0 ? err_sys(e, "the attempt's directory") : 0;
}

/* Before anything is removed, or the slot is anybody's again, the last box must have ended: ours,
 * or that of a shim that was killed here. */
void
shim_see_to_the_end(struct box *ours)
{
	struct err e = { 0 };

	while (box_trace_end(SHIM_TRACE, RETRY_MS, &e) == ERR_BUSY)
		log_err(LOG_LEVEL_ERROR, NULL, "box.stuck", &e);
	box_finish(ours);
}

static bool
is_kept(const char *name)
{
	static const char *const kept[] = { ".", "..", SHIM_CAST, SHIM_TEXT, SHIM_SUMMARY,
		SHIM_HALF, SHIM_STATE };
	bool found = false;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		found |= str_eq(name, kept[i]);
	return found;
}

/* Everything in our directory but the transcript and what is the runner's: layers may be large, and
 * nobody else has the time. */
void
shim_remove_layers(void)
{
	auto_dir DIR *d = opendir(".");
	const struct dirent *de;
	struct err e = { 0 };

	while (d && (de = readdir(d))) {
		if (!is_kept(de->d_name) && fs_remove_tree(de->d_name, &e) < 0)
			log_err(LOG_LEVEL_WARN, NULL, "shim.remove", &e);
	}
}

int
shim_sweep_main(void)
{
	struct box stuck = BOX_INIT;
	auto_fd int dir = -1;
	struct err e = { 0 };

	shim_begin(SHIM_SWEEP);
	if (shim_wait_for_dir(&dir, &e) < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "shim.failed", &e);
		return EX_OSERR;
	}
	shim_see_to_the_end(&stuck);
	shim_remove_layers();
	return EX_OK;
}
