/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend - see backend.h.
 *
 * One request a connection, a process for each connection, so that a stalled one holds up nobody.
 */
#include "tests/unit/repo/backend.h"

#include "tests/unit/repo/backend_lfs.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/http1.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY_MAX     MIB(64)
#define HTTP_BACKEND "/usr/lib/git-core/git-http-backend"

struct request {
	struct buf in;
	struct http1_head head;
	struct buf body;
};

static _Noreturn void
give_up(void)
{
	_exit(1);
}

static void
send_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			give_up();
		data += n;
		len -= (size_t)n;
	}
}

static void
read_more(int fd, struct buf *b)
{
	char data[16384];
	ssize_t n = read(fd, data, sizeof(data));

	if (n <= 0 || buf_add(b, data, (size_t)n) < 0)
		give_up();
}

static bool
header_is(const struct request *r, const char *name, const char *value)
{
	const struct http1_header *h = http1_header_get(&r->head, name);

	return h && h->value_len == strlen(value) && memcmp(h->value, value, h->value_len) == 0;
}

static void
read_request(int fd, struct request *r)
{
	struct http1_chunks chunks = { 0 };
	size_t used;
	int rc;

	while ((rc = http1_head_parse(buf_str(&r->in), r->in.len, &r->head, NULL)) == 0)
		read_more(fd, &r->in);
	if (rc < 0)
		give_up();
	if (header_is(r, "expect", "100-continue"))
		send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	/* The head's pointers lead into `in`, so the body gets a buffer of its own. */
	struct buf rest = BUF_INIT(BODY_MAX);
	(void)buf_add(&rest, r->in.data + r->head.head_len, r->in.len - r->head.head_len);
	if (!r->head.is_chunked) {
		while ((int64_t)rest.len < r->head.content_length)
			read_more(fd, &rest);
		r->body = rest;
		return;
	}
	for (;;) {
		rc = http1_chunks_feed(&chunks, buf_str(&rest), rest.len, &used, &r->body, NULL);
		buf_drop(&rest, used);
		if (rc != 0)
			break;
		read_more(fd, &rest);
	}
	if (rc < 0)
		give_up();
}

static void
answer(int fd, const char *status, const char *header)
{
	auto_free char *text = mem_fmt(
		"HTTP/1.1 %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status, header);

	send_all(fd, text, strlen(text));
}

static bool
is_let_in(const struct request *r, const struct backend_shared *sh)
{
	auto_buf struct buf want = BUF_INIT(KIB(1));

	(void)buf_adds(&want, "Basic ");
	(void)str_base64(&want, sh->userinfo, strlen(sh->userinfo));
	return header_is(r, "authorization", buf_str(&want));
}

static void
add_env(struct strs *env, const struct request *r, const char *name, const char *header)
{
	const struct http1_header *h = http1_header_get(&r->head, header);

	if (h)
		strs_addf(env, "%s=%.*s", name, (int)h->value_len, h->value);
}

static void
make_env(struct strs *env, const struct request *r, const char *root)
{
	const char *query = memchr(r->head.target, '?', r->head.target_len);
	size_t path = query ? (size_t)(query - r->head.target) : r->head.target_len;

	strs_addf(env, "GIT_PROJECT_ROOT=%s", root);
	strs_add(env, "GIT_HTTP_EXPORT_ALL=1");
	strs_add(env, "REMOTE_USER=bot");
	strs_add(env, "REMOTE_ADDR=127.0.0.1");
	strs_add(env, "PATH=/usr/bin:/bin");
	strs_add(env, "HOME=/nonexistent");
	strs_add(env, "GIT_CONFIG_COUNT=2");
	strs_add(env, "GIT_CONFIG_KEY_0=safe.directory");
	strs_add(env, "GIT_CONFIG_VALUE_0=*");
	strs_add(env, "GIT_CONFIG_KEY_1=http.receivepack");
	strs_add(env, "GIT_CONFIG_VALUE_1=true");
	strs_addf(env, "REQUEST_METHOD=%.*s", (int)r->head.method_len, r->head.method);
	strs_addf(env, "PATH_INFO=%.*s", (int)path, r->head.target);
	strs_addf(env, "QUERY_STRING=%.*s", query ? (int)(r->head.target_len - path - 1) : 0,
		query ? query + 1 : "");
	strs_addf(env, "CONTENT_LENGTH=%zu", r->body.len);
	add_env(env, r, "CONTENT_TYPE", "content-type");
	add_env(env, r, "HTTP_CONTENT_ENCODING", "content-encoding");
	add_env(env, r, "GIT_PROTOCOL", "git-protocol");
	env->v = mem_grow(env->v, env->n + 1, sizeof(*env->v));
	env->v[env->n] = NULL;
}

/* Runs http-backend; its end of the pipe to read from. */
static int
run_backend(const struct request *r, const char *root)
{
	struct strs env = { 0 };
	char *argv[] = { mem_str(HTTP_BACKEND), NULL };
	int in = memfd_create("body", MFD_CLOEXEC);
	int out[2];

	make_env(&env, r, root);
	if (in < 0 || pipe2(out, O_CLOEXEC) < 0)
		give_up();
	send_all(in, buf_str(&r->body), r->body.len);
	(void)lseek(in, 0, SEEK_SET);
	pid_t pid = fork();
	if (pid < 0)
		give_up();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(in, 0);
		(void)dup2(out[1], 1);
		(void)execve(argv[0], argv, env.v);
		_exit(127);
	}
	(void)close(out[1]);
	return out[0];
}

/* "Status: 403 Forbidden" of the CGI's head becomes the status line. */
static void
send_head(int fd, struct buf *cgi)
{
	char *end = memmem(buf_str(cgi), cgi->len, "\r\n\r\n", 4);
	auto_free char *head = mem_strn(cgi->data, (size_t)(end - cgi->data));
	const char *status = strstr(head, "Status: ");
	auto_free char *line = status ? mem_strn(status + 8, strcspn(status + 8, "\r")) : NULL;
	auto_free char *text = mem_fmt(
		"HTTP/1.1 %s\r\nConnection: close\r\n%s\r\n\r\n", line ? line : "200 OK", head);

	send_all(fd, text, strlen(text));
	buf_drop(cgi, (size_t)(end + 4 - cgi->data));
}

static _Noreturn void
stall(int fd, struct backend_shared *sh)
{
	struct pollfd p = { fd, 0, 0 };

	__atomic_store_n(&sh->is_stalled, 1, __ATOMIC_SEQ_CST);
	while (poll(&p, 1, 60000) == 0)
		continue;
	_exit(0);
}

static void
relay(int fd, const struct request *r, const char *root, struct backend_shared *sh)
{
	bool is_pack = r->body.len > 0 && memmem(r->body.data, r->body.len, "command=fetch", 13);
	struct buf cgi = BUF_INIT(BODY_MAX);
	char data[4096];
	int64_t sent = 0;
	int out = run_backend(r, root);

	if (is_pack)
		(void)__atomic_add_fetch(&sh->fetches, 1, __ATOMIC_SEQ_CST);
	while (!memmem(buf_str(&cgi), cgi.len, "\r\n\r\n", 4))
		read_more(out, &cgi);
	send_head(fd, &cgi);
	send_all(fd, buf_str(&cgi), cgi.len);
	for (ssize_t n; (n = read(out, data, sizeof(data))) > 0; sent += n) {
		if (is_pack && sh->stall_after > 0 && sent + n > sh->stall_after) {
			send_all(fd, data, (size_t)(sh->stall_after - sent));
			stall(fd, sh);
		}
		send_all(fd, data, (size_t)n);
	}
	if (is_pack && sh->stall_after > 0)
		stall(fd, sh);
}

static bool
serve_lfs(int fd, const struct request *r, const char *root, const struct backend_shared *sh)
{
	const struct http1_header *host = http1_header_get(&r->head, "host");
	auto_free char *here =
		mem_fmt("http://%.*s", host ? (int)host->value_len : 0, host ? host->value : "");
	auto_free char *target = mem_strn(r->head.target, r->head.target_len);
	auto_buf struct buf out = BUF_INIT(MIB(20));

	if (!backend_lfs(target, &r->body, root, sh->lfs_places[0] ? sh->lfs_places : here, &out))
		return false;
	if (sh->is_busy)
		answer(fd, "503 Service Unavailable", "");
	else
		send_all(fd, buf_str(&out), out.len);
	return true;
}

static _Noreturn void
serve(int fd, const char *root, struct backend_shared *sh)
{
	struct request r = { .in = BUF_INIT(BODY_MAX), .body = BUF_INIT(BODY_MAX) };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	read_request(fd, &r);
	(void)__atomic_add_fetch(&sh->requests, 1, __ATOMIC_SEQ_CST);
	if (sh->redirect[0]) {
		auto_free char *to = mem_fmt("Location: %s%.*s\r\n", sh->redirect,
			(int)r.head.target_len, r.head.target);
		answer(fd, "302 Found", to);
	} else if (!is_let_in(&r, sh)) {
		(void)__atomic_add_fetch(&sh->refused, 1, __ATOMIC_SEQ_CST);
		answer(fd, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n");
	} else if (!serve_lfs(fd, &r, root, sh)) {
		relay(fd, &r, root, sh);
	}
	_exit(0);
}

static _Noreturn void
accept_all(int listen_fd, const char *root, struct backend_shared *sh)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	const struct sigaction reaped = { .sa_handler = SIG_IGN };
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	(void)sigaction(SIGCHLD, &reaped, NULL); /* by the kernel */
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		pid_t pid = fd < 0 ? -1 : fork();

		if (pid == 0) {
			(void)sigaction(SIGCHLD, &usual, NULL); /* git waits for its own */
			serve(fd, root, sh);
		}
		if (fd >= 0)
			(void)close(fd);
	}
}

void
backend_start(struct backend *b, const char *root, const char *userinfo)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(b->url, sizeof(b->url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	b->shared = mmap(NULL, sizeof(*b->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(b->shared, MAP_FAILED);
	(void)snprintf(b->shared->userinfo, sizeof(b->shared->userinfo), "%s", userinfo);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0)
		accept_all(fd, root, b->shared);
	(void)close(fd);
}

void
backend_stop(struct backend *b)
{
	(void)kill(b->pid, SIGKILL);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	(void)munmap(b->shared, sizeof(*b->shared));
}
