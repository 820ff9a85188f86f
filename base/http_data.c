/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_data - requests and replies as data, apart from who carries them.
 */
#include "base/http.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void
http_request_finish(struct http_request *r)
{
	free(r->url);
	strs_finish(&r->headers);
	if (r->auth)
		mem_wipe(r->auth, strlen(r->auth));
	free(r->auth);
	buf_finish(&r->body);
	*r = (struct http_request){ 0 };
}

void
http_reply_finish(struct http_reply *r)
{
	strs_finish(&r->headers);
	buf_finish(&r->body);
	*r = (struct http_reply){ 0 };
}

const char *
http_reply_header(const struct http_reply *r, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < r->headers.n; i++) {
		const char *line = r->headers.v[i];

		if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0)
			return line + len + 2;
	}
	return NULL;
}
