/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - asks a webhook server the same question many times and says how fast it answered.
 *
 *	bench_load PORT PATH SECRET BODY_FILE CONNECTIONS SECONDS
 *
 * Each request is a delivery of its own (own id, own last bytes, own signature) on a connection of
 * its own, `Connection: close`, as a forge sends them. One thread, one epoll. Prints one line of
 * JSON: requests, seconds, rps, p50_ms, p99_ms, max_ms, and the count of each status; "failed"
 * counts connections that ended without one.
 *
 * The body's constant part is hashed once; per request only the tail is, so that the client costs
 * little beside the server that is measured.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES_MAX   (1024 * 1024)
#define REQUESTS_MAX     4000000
#define CONNECTIONS_MAX  1024
#define STATUS_MAX       600
#define SILENCE_MS_MAX   10000
#define HMAC_BLOCK_BYTES 64
#define SHA256_BYTES     32
#define TAIL             ",\"bench_serial\":\"%032llx\"}"
#define TAIL_BYTES       51
#define NANO             1000000000LL

struct connection {
	int fd;
	int64_t begun_ns;
	char head[1024]; /* the request's head, and the tail of its body at the end */
	char tail[TAIL_BYTES + 1];
	size_t head_len;
	size_t sent;
	char status_line[16];
	size_t received;
};

struct load {
	struct sockaddr_in to;
	const char *path;
	char *body; /* without its closing brace, which the tail brings */
	size_t body_len;
	EVP_MD_CTX *inner; /* hash of ipad and body */
	EVP_MD_CTX *outer; /* hash of opad */
	int epoll;
	int64_t end_ns;
	uint64_t serial;
	uint64_t in_flight;
	float *latency_ms;
	uint64_t n;
	uint64_t failed;
	uint64_t statuses[STATUS_MAX];
};

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NANO + t.tv_nsec;
}

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(70);
}

static EVP_MD_CTX *
hash_begin(const char *secret, unsigned char pad)
{
	unsigned char block[HMAC_BLOCK_BYTES];
	size_t len = strlen(secret);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(len <= sizeof(block) && ctx);
	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] ^= (unsigned char)secret[i];
	if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) ||
		!EVP_DigestUpdate(ctx, block, sizeof(block)))
		die("sha256");
	return ctx;
}

/* HMAC-SHA256 of body and tail as hexadecimal digits. */
static void
sign(const struct load *l, const char *tail, char out[2 * SHA256_BYTES + 1])
{
	unsigned char digest[SHA256_BYTES];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || !EVP_MD_CTX_copy_ex(ctx, l->inner) ||
		!EVP_DigestUpdate(ctx, tail, TAIL_BYTES) ||
		!EVP_DigestFinal_ex(ctx, digest, NULL) || !EVP_MD_CTX_copy_ex(ctx, l->outer) ||
		!EVP_DigestUpdate(ctx, digest, sizeof(digest)) ||
		!EVP_DigestFinal_ex(ctx, digest, NULL))
		die("hmac");
	EVP_MD_CTX_free(ctx);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
write_request(struct load *l, struct connection *c)
{
	char signature[2 * SHA256_BYTES + 1];
	unsigned long long serial = ++l->serial;
	int n;

	n = snprintf(c->tail, sizeof(c->tail), TAIL, serial);
	assert(n == TAIL_BYTES);
	sign(l, c->tail, signature);
	n = snprintf(c->head, sizeof(c->head),
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: GitHub-Hookshot/bench\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\nX-GitHub-Event: "
		"issues\r\n"
		"X-GitHub-Delivery: %08llx-0000-4000-8000-%012llx\r\n"
		"X-Hub-Signature-256: sha256=%s\r\nConnection: close\r\n\r\n",
		l->path, ntohs(l->to.sin_port), l->body_len + TAIL_BYTES,
		(unsigned long long)getpid(), serial, signature);
	assert(n > 0 && (size_t)n < sizeof(c->head));
	c->head_len = (size_t)n;
}

static void
open_connection(struct load *l, struct connection *c)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };
	int one = 1;

	c->sent = c->received = 0;
	write_request(l, c);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->begun_ns = now_ns();
	if (connect(c->fd, (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 &&
		errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
	l->in_flight++;
}

/* Counts the answer and, while there is time, asks again on a new connection. */
static void
end_connection(struct load *l, struct connection *c)
{
	int64_t now = now_ns();
	unsigned long status = 0;

	(void)close(c->fd);
	l->in_flight--;
	c->status_line[c->received < 15 ? c->received : 15] = '\0';
	if (strncmp(c->status_line, "HTTP/1.1 ", 9) == 0)
		status = strtoul(c->status_line + 9, NULL, 10);
	if (status == 0 || status >= STATUS_MAX)
		l->failed++;
	else
		l->statuses[status]++;
	if (l->n < REQUESTS_MAX)
		l->latency_ms[l->n++] = (float)(now - c->begun_ns) / 1e6F;
	if (now < l->end_ns)
		open_connection(l, c);
}

/* Head, body and tail are one message of three parts; sent counts through all of them. */
static void
on_writable(struct load *l, struct connection *c)
{
	size_t total = c->head_len + l->body_len + TAIL_BYTES;
	struct iovec part[3] = {
		{ c->head, c->head_len },
		{ l->body, l->body_len },
		{ c->tail, TAIL_BYTES },
	};
	struct msghdr m = { .msg_iov = part, .msg_iovlen = 3 };
	size_t skip = c->sent;
	ssize_t n;

	while (skip >= m.msg_iov->iov_len) {
		skip -= m.msg_iov->iov_len;
		m.msg_iov++;
		m.msg_iovlen--;
	}
	m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + skip;
	m.msg_iov->iov_len -= skip;
	n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n < 0 || c->sent == total) { /* refused or done: the answer says which */
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
		(void)epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	}
}

static void
on_readable(struct load *l, struct connection *c)
{
	char text[4096];
	ssize_t n = recv(c->fd, text, sizeof(text), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end_connection(l, c);
		return;
	}
	for (ssize_t i = 0; i < n && c->received < sizeof(c->status_line) - 1; i++)
		c->status_line[c->received++] = text[i];
}

static void
run(struct load *l)
{
	struct epoll_event events[CONNECTIONS_MAX];

	while (l->in_flight > 0) {
		int n = epoll_wait(l->epoll, events, CONNECTIONS_MAX, SILENCE_MS_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) { /* silence: what is still open has failed */
			l->failed += l->in_flight;
			return;
		}
		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;
			if (events[i].events & EPOLLOUT)
				on_writable(l, c);
			else
				on_readable(l, c);
		}
	}
}

static char *
read_body(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *body = malloc(BODY_BYTES_MAX);
	ssize_t n = fd < 0 || !body ? -1 : read(fd, body, BODY_BYTES_MAX);

	if (n <= 0)
		die(path);
	(void)close(fd);
	while (n > 0 && body[n - 1] != '}')
		n--;
	assert(n > 1); /* an object: its closing brace comes with the tail */
	*len = (size_t)n - 1;
	return body;
}

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
print_result(struct load *l, double seconds)
{
	const char *comma = "";

	qsort(l->latency_ms, l->n, sizeof(*l->latency_ms), by_value);
	printf("{\"requests\":%llu,\"seconds\":%.3f,\"rps\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f,\"failed\":%llu,\"statuses\":{",
		(unsigned long long)l->n, seconds, (double)l->n / seconds,
		(double)l->latency_ms[l->n / 2], (double)l->latency_ms[l->n * 99 / 100],
		(double)l->latency_ms[l->n ? l->n - 1 : 0], (unsigned long long)l->failed);
	for (unsigned i = 0; i < STATUS_MAX; i++) {
		if (!l->statuses[i])
			continue;
		printf("%s\"%u\":%llu", comma, i, (unsigned long long)l->statuses[i]);
		comma = ",";
	}
	printf("}}\n");
}

int
main(int argc, char **argv)
{
	static struct load l;
	static struct connection connections[CONNECTIONS_MAX];
	size_t n;
	int64_t begun_ns;

	if (argc != 7) {
		(void)fprintf(
			stderr, "bench_load PORT PATH SECRET BODY_FILE CONNECTIONS SECONDS\n");
		return 64;
	}
	l.to.sin_family = AF_INET;
	l.to.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	l.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l.path = argv[2];
	l.body = read_body(argv[4], &l.body_len);
	n = strtoul(argv[5], NULL, 10);
	assert(n > 0 && n <= CONNECTIONS_MAX);
	l.inner = hash_begin(argv[3], 0x36);
	l.outer = hash_begin(argv[3], 0x5c);
	if (!EVP_DigestUpdate(l.inner, l.body, l.body_len))
		die("sha256");
	l.latency_ms = calloc(REQUESTS_MAX, sizeof(*l.latency_ms));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!l.latency_ms || l.epoll < 0)
		die("start");
	/* A serial that no other run has used: a server may know deliveries for good. */
	begun_ns = now_ns();
	l.serial = (uint64_t)begun_ns << 1;
	l.end_ns = begun_ns + (int64_t)(strtod(argv[6], NULL) * NANO);
	for (size_t i = 0; i < n; i++)
		open_connection(&l, &connections[i]);
	run(&l);
	print_result(&l, (double)(now_ns() - begun_ns) / NANO);
	return 0;
}
