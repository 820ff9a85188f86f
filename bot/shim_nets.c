/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_nets - makes networks for boxes, one for each that is asked for.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/msg.h"
#include "bot/wire.h"
#include "sandbox/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sysexits.h>

#define RUNNER_FD 3

static void
on_msg(void *ctx, struct msg_link *link, struct msg *m)
{
	auto_fd int fd = -1;
	struct err e = { 0 };

	(void)ctx;
	if (m->type != WIRE_NET_MAKE)
		return;
	if (sandbox_net_make(&fd, &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "net.unmade", &e);
	if (msg_send(link, &(struct msg_out){ .type = WIRE_NET, .fds = &fd, .n_fds = fd >= 0 },
		    &e) < 0)
		log_err(LOG_LEVEL_WARN, NULL, "net.unsent", &e);
}

static void
on_runner_gone(void *loop)
{
	loop_stop(loop);
}

int
shim_nets_main(void)
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

	log_init("nets", LOG_LEVEL_INFO);
	(void)prctl(PR_SET_NAME, "nets");
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
		log_err(LOG_LEVEL_ERROR, NULL, "nets.failed", &e);
	msg_link_destroy(link);
	loop_destroy(loop);
	return rc < 0 ? err_exit(rc) : EX_OK;
}
