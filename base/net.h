/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - is this address one of the internet's, or of a network behind us?
 */
#ifndef BASE_NET_H
#define BASE_NET_H

#include <stdbool.h>
#include <sys/socket.h>

/* False for loopback, private, link-local (cloud metadata), shared, multicast and reserved ranges
 * of IPv4 and IPv6, for IPv4 wrapped in IPv6 likewise (mapped, NAT64, 6to4), and for any other
 * family. IANA's special-purpose address registries. */
bool net_is_public(const struct sockaddr *a);

/* True if the address is one of this machine's own, whatever its range: the kernel would send from
 * where it sends to. Nothing is sent. */
bool net_is_own(const struct sockaddr *a, socklen_t len);

/* Two addresses without their ports. */
bool net_same_host(const struct sockaddr *a, const struct sockaddr *b);

#endif
