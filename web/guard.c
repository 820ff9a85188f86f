/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard - is this request head one that every reader understands the same way?
 */
#include "web/guard.h"

#include "base/http1.h"
#include "base/limits.h"

#include <string.h>

enum guard_verdict
guard_head(const char *data, size_t len, struct err *e)
{
	struct http1_head head;
	int rc = http1_head_parse(data, len, &head, e);

	if (rc == 0)
		return len >= LIMIT_HEAD_BYTES ? GUARD_TOO_LARGE : GUARD_MORE;
	if (rc == ERR_LIMIT)
		return GUARD_TOO_LARGE;
	if (rc < 0)
		return GUARD_REFUSE;
	if (head.head_len > LIMIT_HEAD_BYTES)
		return GUARD_TOO_LARGE;
	/* A client that waits for "100 Continue" gets it from the library; anything else in Expect
	 * is nobody's. */
	if (head.minor == 1 && !http1_header_get(&head, "host")) {
		(void)err_set(e, ERR_PROTOCOL, "no Host header");
		return GUARD_REFUSE;
	}
	if (head.target_len == 0 || head.target[0] != '/') {
		(void)err_set(e, ERR_PROTOCOL, "the target is not a path");
		return GUARD_REFUSE;
	}
	return GUARD_PASS;
}
