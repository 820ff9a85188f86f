/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - the least a webhook server in C can do: libmicrohttpd, HMAC-SHA256, 202, nothing stored.
 *
 *	bench_floor SECRET     prints its port, then serves until its standard input ends
 *
 * What nightshift is measured against in script/bench intake: the distance to this is the price of
 * its roles, its guard over the head and its fsync.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES_MAX 65536
#define SHA256_BYTES   32

struct request {
	size_t len;
	char body[BODY_BYTES_MAX];
};

static int
signature_is_right(const char *secret, const struct request *r, const char *header)
{
	unsigned char digest[SHA256_BYTES];
	char expected[8 + 2 * SHA256_BYTES] = "sha256=";

	if (!header || strlen(header) != sizeof(expected) - 1)
		return 0;
	if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)r->body, r->len,
		    digest, NULL))
		return 0;
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(expected + 7 + 2 * i, 3, "%02x", digest[i]);
	return CRYPTO_memcmp(expected, header, sizeof(expected) - 1) == 0;
}

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned status)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
	enum MHD_Result rc;

	assert(response);
	(void)MHD_add_response_header(response, "Connection", "close");
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result
on_request(void *secret, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *data, size_t *data_len, void **context)
{
	struct request *r = *context;

	(void)url, (void)version;
	if (!r) {
		if (strcmp(method, "POST") != 0)
			return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
		*context = r = malloc(sizeof(*r));
		assert(r);
		r->len = 0;
		return MHD_YES;
	}
	if (*data_len > 0) {
		if (*data_len > sizeof(r->body) - r->len)
			return MHD_NO;
		memcpy(r->body + r->len, data, *data_len);
		r->len += *data_len;
		*data_len = 0;
		return MHD_YES;
	}
	return answer(connection, signature_is_right(secret, r,
					  MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						  "X-Hub-Signature-256"))
					  ? MHD_HTTP_ACCEPTED
					  : MHD_HTTP_UNAUTHORIZED);
}

static void
on_completed(void *ctx, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode how)
{
	(void)ctx, (void)connection, (void)how;
	free(*context);
}

int
main(int argc, char **argv)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	char byte;

	if (argc != 2) {
		(void)fprintf(stderr, "bench_floor SECRET\n");
		return 64;
	}
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, argv[1],
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, 1024u,
		MHD_OPTION_SOCK_ADDR, (const struct sockaddr *)&to, MHD_OPTION_END);
	if (!daemon)
		return 70;
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("listen=127.0.0.1:%u\n", info->port);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	MHD_stop_daemon(daemon);
	return 0;
}
