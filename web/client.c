/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - whose request is it?
 */
#include "web/client.h"

#include "config/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool
is_address(const char *text)
{
	struct in6_addr any;

	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static bool
is_trusted(const struct strs *trusted, const char *address)
{
	if (!trusted)
		return false;
	return is_address(address) ? config_net_has(trusted, address) : strs_has(trusted, address);
}

static void
peer_name(const struct sockaddr *peer, char out[CLIENT_BYTES])
{
	const char *ok = NULL;

	if (peer && peer->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, peer, sizeof(in));
		ok = inet_ntop(AF_INET, &in.sin_addr, out, CLIENT_BYTES);
	} else if (peer && peer->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, peer, sizeof(in6));
		ok = inet_ntop(AF_INET6, &in6.sin6_addr, out, CLIENT_BYTES);
	}
	if (!ok)
		(void)snprintf(out, CLIENT_BYTES, "unix");
}

/* Copies the last comma-separated item of text[0..*len) and shortens *len to what is before it. */
static bool
last_item(const char *text, size_t *len, char out[CLIENT_BYTES])
{
	size_t end = *len;
	size_t start;

	while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
		end--;
	start = end;
	while (start > 0 && text[start - 1] != ',')
		start--;
	*len = start > 0 ? start - 1 : 0;
	while (start < end && (text[start] == ' ' || text[start] == '\t'))
		start++;
	if (end - start == 0 || end - start >= CLIENT_BYTES)
		return false;
	memcpy(out, text + start, end - start);
	out[end - start] = '\0';
	return true;
}

void
client_name(const struct sockaddr *peer, const struct strs *trusted, const char *forwarded_for,
	char out[CLIENT_BYTES])
{
	size_t len = forwarded_for ? strlen(forwarded_for) : 0;
	char item[CLIENT_BYTES];

	peer_name(peer, out);
	while (len > 0 && is_trusted(trusted, out)) {
		if (!last_item(forwarded_for, &len, item) || !is_address(item))
			return;
		memcpy(out, item, CLIENT_BYTES);
	}
}
