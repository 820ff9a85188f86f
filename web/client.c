/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - whose request is it?
 */
#include "web/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_BYTES 16

/* Any address as 16 bytes, v4 as v4-mapped. */
static bool
address_parse(const char *text, uint8_t out[ADDRESS_BYTES])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET6, text, out) == 1)
		return true;
	memcpy(out, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
}

static bool
bits_equal(const uint8_t *a, const uint8_t *b, int64_t bits)
{
	for (int i = 0; i < ADDRESS_BYTES && bits > 0; i++, bits -= 8) {
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));

		if ((a[i] ^ b[i]) & mask)
			return false;
	}
	return true;
}

static bool
network_has(const char *network, const uint8_t address[ADDRESS_BYTES])
{
	char text[CLIENT_BYTES];
	const char *slash = strchr(network, '/');
	size_t len = slash ? (size_t)(slash - network) : strlen(network);
	uint8_t base[ADDRESS_BYTES];
	int64_t bits = 8 * ADDRESS_BYTES;

	if (len >= sizeof(text))
		return false;
	memcpy(text, network, len);
	text[len] = '\0';
	if (!address_parse(text, base))
		return false;
	if (slash && str_i64(slash + 1, 0, 128, &bits, NULL) < 0)
		return false;
	if (slash && !strchr(text, ':'))
		bits += 96;
	return bits <= 128 && bits_equal(base, address, bits);
}

bool
client_in(const struct strs *networks, const char *address)
{
	uint8_t bytes[ADDRESS_BYTES];

	if (!networks)
		return false;
	if (!address_parse(address, bytes))
		return strs_has(networks, address);
	for (size_t i = 0; i < networks->n; i++) {
		if (network_has(networks->v[i], bytes))
			return true;
	}
	return false;
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
	uint8_t bytes[ADDRESS_BYTES];

	peer_name(peer, out);
	while (len > 0 && client_in(trusted, out)) {
		if (!last_item(forwarded_for, &len, item) || !address_parse(item, bytes))
			return;
		memcpy(out, item, CLIENT_BYTES);
	}
}
