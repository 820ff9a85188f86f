/* SPDX-License-Identifier: Apache-2.0 */
/* server_rig - see server_rig.h. */
#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "web/site.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct site *site;
static struct loop *loop;
static uint16_t port;
static pid_t server_pid;

static void
verify(void *ctx, struct web_exchange *x, const char *forge, const struct strs *proofs,
	const struct buf *body)
{
	const char *signature = proofs->v[0];

	(void)ctx;
	(void)forge;
	/* A form arrives here decoded where the forge signs the JSON. */
	if (strcmp(signature, "stale") == 0)
		site_verified(site, x, ERR_INVALID);
	else if (strcmp(signature, "json") == 0)
		site_verified(site, x, buf_str(body)[0] == '{' ? 0 : ERR_DENIED);
	else
		site_verified(site, x, strcmp(signature, "good") == 0 ? 0 : ERR_DENIED);
}

static struct web_exchange *waiting;

static void
answer_later(void *ctx)
{
	(void)ctx;
	site_stored(site, steal_ptr(&waiting), 0, 42);
}

static void
store(void *ctx, struct web_exchange *x, const struct site_delivery *d)
{
	(void)ctx;
	if (strcmp(d->event, "full") == 0) {
		site_stored(site, x, ERR_LIMIT, 0);
		return;
	}
	waiting = x;
	(void)loop_timer_add(loop, 20, answer_later, NULL);
}

static void
task(void *ctx, struct web_exchange *x, const char *page, enum site_file what)
{
	struct site_task none = { 0 };

	(void)ctx;
	(void)page;
	if (what == SITE_METRICS)
		site_metrics(site, x, "a 1\n", 4);
	else
		site_task(site, x, what, &none);
}

static bool
is_ready(void *ctx)
{
	(void)ctx;
	return false;
}

static void
serve(int fd)
{
	static const char *const gh_guids[] = { "X-GitHub-Delivery", NULL };
	static const char *const gh_proofs[] = { "X-Hub-Signature-256", NULL };
	static const char *const cb_guids[] = { "X-Gitea-Delivery", NULL };
	static const char *const cb_proofs[] = { "X-Gitea-Signature", NULL };
	static const char *const gl_guids[] = { "webhook-id", "Idempotency-Key", NULL };
	static const char *const gl_proofs[] = { "webhook-signature", "X-Gitlab-Token", NULL };
	static const struct site_hook hooks[] = {
		{ "gh", "X-GitHub-Event", NULL, gh_guids, gh_proofs, false },
		{ "cb", "X-Gitea-Event", NULL, cb_guids, cb_proofs, true },
		{ "gl", "X-Gitlab-Event", NULL, gl_guids, gl_proofs, false },
	};
	const struct site_backend backend = { verify, store, task, is_ready, NULL };
	struct web_server_spec spec = {
		.handler = site_handle,
		.body_max = site_body_max,
		.wait_s = site_wait_s,
		.connections_max = ROOM,
		.requests_max = ROOM,
		.bodies_bytes_max = 2 * LIMIT_DELIVERY_BYTES,
	};
	struct web_server *server;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_create(&loop, NULL) < 0)
		_exit(1);
	site = site_create(hooks, 3, &backend);
	spec.ctx = site;
	if (web_server_create(loop, &spec, &server, NULL) < 0 ||
		web_server_listen(server, fd, NULL) < 0)
		_exit(1);
	(void)loop_run(loop, NULL);
	_exit(0);
}

int
server_rig_start(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, 64) < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	port = ntohs(at.sin_port);
	server_pid = fork();
	if (server_pid == 0)
		serve(fd);
	(void)close(fd);
	return server_pid > 0 ? 0 : -1;
}

int
server_rig_stop(void **state)
{
	(void)state;
	(void)kill(server_pid, SIGKILL);
	return waitpid(server_pid, NULL, 0) == server_pid ? 0 : -1;
}

int
server_rig_dial(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval wait = { .tv_sec = WAIT_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

bool
server_rig_put(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

void
server_rig_get(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;

	/* Who was stopped for a moment is interrupted where a time is set. */
	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			assert_int_equal(buf_add(out, piece, (size_t)n), 0);
	}
}

int
server_rig_status_of(const struct buf *answer)
{
	static const char version[] = "HTTP/1.1 ";
	auto_free char *digits = NULL;
	int64_t status = 0;

	if (answer->len < sizeof(version) + 2)
		return 0;
	digits = mem_strn(answer->data + sizeof(version) - 1, 3);
	return str_i64(digits, 100, 599, &status, NULL) == 0 ? (int)status : 0;
}
