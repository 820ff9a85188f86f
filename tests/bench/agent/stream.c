/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - an agent that asks its model again and again and looks at the clock.
 *
 *	OPENAI_BASE_URL=http://127.0.0.1:PORT/PATH bench_agent_stream STEADY BULK
 *
 * Asks for STEADY answers that come in pieces with pauses, and for BULK large ones that come as
 * fast as they can. Each piece tells when it was sent, in microseconds of this machine's clock. One
 * line an answer: "steady <us to the first piece> <us a piece was under way, median>" or
 * "bulk <bytes> <us>".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECES_MAX 1024
#define BASE       "http://127.0.0.1:"
#define STAMP      "\"t\":"

static char data[1 << 18];
static long long late[PIECES_MAX];
static unsigned short port;
static const char *path;
static const char *key;

static long long
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static _Noreturn void
fail(const char *why)
{
	(void)fprintf(stderr, "stream: %s\n", why);
	exit(1);
}

static int
ask(const char *model)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char text[2048], body[512];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(body, sizeof(body),
		"{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":"
		"\"go\"}]}",
		model);

	n = snprintf(text, sizeof(text),
		"POST %s/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n"
		"Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
		"Content-Length: %d\r\n\r\n%s",
		path, port, key, n, body);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
		write(fd, text, (size_t)n) != n)
		fail("no connection");
	return fd;
}

static int
by_size(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* When the newest piece of data[from..to] was sent; 0: there is none. */
static long long
newest(size_t from, size_t to)
{
	long long t = 0;
	const char *at = data + from;

	data[to] = '\0';
	while ((at = strstr(at, STAMP))) {
		at += sizeof(STAMP) - 1;
		t = strtoll(at, NULL, 10);
	}
	return t;
}

static void
steady(void)
{
	long long began = now_us(), first = 0;
	int fd = ask("gpt-steady");
	size_t len = 0, n_late = 0;
	ssize_t n;

	while ((n = read(fd, data + len, sizeof(data) - 1 - len)) > 0) {
		long long now = now_us();
		long long sent = newest(len, len + (size_t)n);

		len += (size_t)n;
		if (sent == 0)
			continue;
		if (first == 0)
			first = now - began;
		if (n_late < PIECES_MAX)
			late[n_late++] = now - sent;
	}
	(void)close(fd);
	if (n_late == 0 || !strstr(data, "[DONE]"))
		fail(data);
	qsort(late, n_late, sizeof(*late), by_size);
	(void)printf("steady %lld %lld\n", first, late[n_late / 2]);
}

static void
bulk(void)
{
	long long began = now_us();
	long sum = 0;
	int fd = ask("gpt-bulk");
	size_t last = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data) - 1)) > 0) {
		sum += n;
		last = (size_t)n;
	}
	(void)close(fd);
	data[last] = '\0';
	if (last < 7 || !strstr(data, "DONE]"))
		fail("the bulk has no end");
	(void)printf("bulk %ld %lld\n", sum, now_us() - began);
}

int
main(int argc, char **argv)
{
	const char *base = getenv("OPENAI_BASE_URL");
	char *end;

	key = getenv("OPENAI_API_KEY");
	if (argc != 3 || !base || !key || strncmp(base, BASE, sizeof(BASE) - 1) != 0)
		return 64;
	port = (unsigned short)strtoul(base + sizeof(BASE) - 1, &end, 10);
	path = end;
	for (long i = strtol(argv[1], NULL, 10); i > 0; i--)
		steady();
	for (long i = strtol(argv[2], NULL, 10); i > 0; i--)
		bulk();
	return 0;
}
