/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_maker - makes networks for boxes, or disks for attempts, one for each that is asked for.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/msg.h"
#include "bot/wire.h"
#include "sandbox/disk.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define RUNNER_FD 3

/* That it cannot is said once, not for each box. */
static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	static bool was_able = true;
	auto_fd int fd = -1;
	struct msg_out out = { .fds = &fd };
	struct err e = { 0 };
	int rc;

	(void)ctx;
	if (m->type == WIRE_NET_MAKE) {
		out.type = WIRE_NET;
		rc = sandbox_net_make(&fd, &e);
	} else if (m->type == WIRE_DISK_MAKE && m->n_fds == 1) {
		out.type = WIRE_DISK;
		rc = disk_make(m->fds[0], ".", &fd, &e);
	} else {
		return;
	}
	if (rc < 0 && was_able)
		log_err(LOG_LEVEL_WARN, NULL, "maker.unmade", &e);
	was_able = rc == 0;
	out.n_fds = fd >= 0;
	if (msg_send(link, &out, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "maker.unsent", &e);
}

static void
on_runner_gone(void *loop)
{
	loop_stop(loop);
}

int
shim_maker_main(const char *name)
{
	struct msg_link_spec spec = {
		.rules = WIRE_RULES,
		.n_rules = WIRE_RULES_COUNT,
		.self = ROLE_SHIM,
		.peer = ROLE_RUNNER,
		.on_msg = on_msg,
		.on_gone = on_runner_gone,
	};
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct msg_link *link = NULL;
	struct loop *loop = NULL;
	struct err e = { 0 };

	log_init(name, LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, name);
	(void)sigaction(SIGINT, &ignore, NULL); /* of a terminal: the master's to understand */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	int rc = loop_create(&loop, &e);
	if (rc == 0) {
		spec.ctx = loop;
		link = msg_link_create(loop, &spec);
		rc = msg_link_attach(link, RUNNER_FD, &e);
	}
	if (rc == 0)
		rc = loop_run(loop, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_ERROR, NULL, "maker.failed", &e);
	msg_link_destroy(link);
	loop_destroy(loop);
	return rc < 0 ? err_exit(rc) : EX_OK;
}
