/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen - the sockets that web accepts on, opened by the master.
 */
#include "bot/listen.h"

#include "base/clean.h"
#include "base/str.h"
#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG                                                                                    \
	4096 /* lowered by net.core.somaxconn: a burst of deliveries waits in the kernel           \
	      */
#define SYSTEMD_FD_FIRST 3

static int
listen_tcp(const struct config_listen *c, int *out, struct err *e)
{
	auto_fd int fd = socket(c->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return err_sys(e, "socket");
	/* Connections of our predecessor that are still closing must not keep us out. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_sys(e, "SO_REUSEADDR");
	if (bind(fd, (const struct sockaddr *)&c->addr, c->addr_len) < 0) {
		if (errno == EADDRINUSE)
			return err_set(e, ERR_CONFLICT, "another program listens there");
		return err_sys(e, "bind");
	}
	if (listen(fd, BACKLOG) < 0)
		return err_sys(e, "listen");
	*out = steal_fd(&fd);
	return 0;
}

/* A socket file outlives its server; it is in the way only when nobody answers. */
static int
remove_stale(const struct sockaddr_un *a, struct err *e)
{
	struct stat st;

	if (lstat(a->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", a->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONFLICT, "%s is in the way and no socket", a->sun_path);
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno != ECONNREFUSED)
		return err_set(e, ERR_CONFLICT, "another program listens on %s", a->sun_path);
	return unlink(a->sun_path) < 0 ? err_sys(e, "unlink %s", a->sun_path) : 0;
}

static int
listen_unix(const char *path, int *out, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	int rc = remove_stale(&a, e);
	if (rc < 0)
		return rc;
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, "bind %s", path);
	/* Whoever reaches the directory may connect, as with a port; deliveries are signed. */
	if (chmod(path, 0666) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, "listen %s", path);
	*out = steal_fd(&fd);
	return 0;
}

static int
listen_systemd(struct listen *l, struct err *e)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	int64_t n = 0;
	int64_t who = 0;

	if (!pid || !count || str_i64(pid, 1, INT32_MAX, &who, NULL) < 0 || who != getpid())
		return err_set(e, ERR_MISSING, "systemd handed over no socket (LISTEN_PID)");
	if (str_i64(count, 1, MSG_FDS_MAX, &n, NULL) < 0)
		return err_set(e, ERR_INVALID, "LISTEN_FDS is %s, at most %d", count, MSG_FDS_MAX);
	for (int i = 0; i < n; i++) {
		int fd = SYSTEMD_FD_FIRST + i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return err_sys(e, "descriptor %d of systemd", fd);
		l->fds[l->n++] = fd;
	}
	return 0;
}

/* The address as people write it; the port may be the kernel's choice. */
static int
print_address(struct listen *l, struct err *e)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(l->fds[0], (struct sockaddr *)&a, &len) < 0)
		return err_sys(e, "getsockname");
	if (a.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &a, sizeof(in));
		(void)inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		(void)snprintf(l->address, sizeof(l->address), "%s:%d", host, ntohs(in.sin_port));
	} else if (a.ss_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, &a, sizeof(in));
		(void)inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof(host));
		(void)snprintf(
			l->address, sizeof(l->address), "[%s]:%d", host, ntohs(in.sin6_port));
	} else {
		struct sockaddr_un un;

		memcpy(&un, &a, sizeof(un));
		(void)snprintf(l->address, sizeof(l->address), "unix:%s", un.sun_path);
	}
	return 0;
}

int
listen_open(const char *text, struct listen *out, struct err *e)
{
	struct config_listen c;
	struct listen l = { .n = 0 };
	int rc = config_listen_parse(text, &c, e);

	if (rc == 0 && c.kind == CONFIG_LISTEN_SYSTEMD) {
		rc = listen_systemd(&l, e);
	} else if (rc == 0) {
		rc = c.kind == CONFIG_LISTEN_TCP ? listen_tcp(&c, &l.fds[0], e)
						 : listen_unix(c.path, &l.fds[0], e);
		l.n = rc == 0 ? 1 : 0;
	}
	if (rc == 0)
		rc = print_address(&l, e);
	if (rc < 0) {
		listen_close(&l);
		return err_wrap(e, rc, "listen: %s", text);
	}
	*out = l;
	return 0;
}

void
listen_close(struct listen *l)
{
	for (size_t i = 0; i < l->n; i++)
		(void)close(l->fds[i]);
	l->n = 0;
}
