/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of the test's own, in which a public address is at hand: the real resolver, the real
 * checks, and no way out.
 */
#ifndef TESTS_UNIT_BOT_OWN_NET_H
#define TESTS_UNIT_BOT_OWN_NET_H

#define OWN_NET_PUBLIC "93.184.216.34" /* is answered here, as if it were another machine's */
#define OWN_NET_SELF   "93.184.216.35" /* is this machine's */

/* Before anything else in main: this process and its children get a network with these two
 * addresses and loopback, and hosts as their /etc/hosts. */
void own_net_enter(const char *hosts);

/* A TCP listener. */
int own_net_listen(const char *addr, int port);

#endif
