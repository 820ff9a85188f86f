/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard - is this request head one that every reader understands the same way? Pure.
 *
 * libmicrohttpd 0.9.75 takes Content-Length beside Transfer-Encoding, two lengths, folded headers
 * and bare line feeds; base/http1 does not.
 */
#ifndef WEB_GUARD_H
#define WEB_GUARD_H

#include "base/err.h"

#include <stddef.h>

enum guard_verdict {
	GUARD_MORE, /* the head is not complete yet */
	GUARD_PASS,
	GUARD_REFUSE,    /* answer 400 and close; e says why */
	GUARD_TOO_LARGE, /* answer 431 and close */
};

enum guard_verdict guard_head(const char *data, size_t len, struct err *e);

#endif
