/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - tells systemd how we are (sd_notify(3)), without its library.
 */
#ifndef BOT_NOTIFY_H
#define BOT_NOTIFY_H

/* Connects to NOTIFY_SOCKET. -1: nobody wants to know. */
int notify_open(void);

/* "READY=1", "STOPPING=1"; fd -1 is fine. Nobody is told when it does not arrive. */
void notify_send(int fd, const char *state);

#endif
