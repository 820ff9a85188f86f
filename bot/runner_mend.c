/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_mend - waits until the transcript of a killed shim is whole, by a process of its own.
 *
 * A transcript is small, and to mend it takes milliseconds; that a shim is killed is rare. So the
 * runner waits, but not for ever: then it is told as it is.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEND_MS_MAX 5000

void
attempt_mend(struct attempt *a)
{
	static const char *const argv[] = { "nightshift", "--role", SHIM_MEND, NULL };
	auto_free char *half = attempt_path(a, SHIM_HALF);
	struct spawn sp = SPAWN_INIT;
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };
	auto_fd int pidfd = -1;
	pid_t pid = -1;
	int status = 0;

	if (access(half, F_OK) < 0)
		return;
	sp.argv = argv;
	sp.cwd = a->dir;
	sp.new_session = true;
	if (shim_spawn_as(a->r, &sp, &pid, &pidfd, &e) < 0) {
		log_err(LOG_LEVEL_WARN, &log, "transcript.unmended", &e);
		return;
	}
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	if (poll(&end, 1, MEND_MS_MAX) != 1)
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (waitpid(pid, &status, 0) == pid && status != 0)
		log_warn(&log, "transcript.unmended", "status=%d", status);
}
