/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template - HTML in which nothing that was not ours can act.
 */
#include "web/template.h"

#include "base/limits.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

void
html_bytes(struct buf *out, const char *text, size_t len)
{
	auto_buf struct buf clean = BUF_INIT(3 * LIMIT_TRANSCRIPT_BYTES);

	(void)str_utf8_clean(&clean, text, len);
	(void)str_html(out, buf_str(&clean), clean.len);
}

void
html_text(struct buf *out, const char *text)
{
	if (text)
		html_bytes(out, text, strlen(text));
}

void
html_number(struct buf *out, int64_t n)
{
	(void)buf_addf(out, "%" PRId64, n);
}

void
html_link(struct buf *out, const char *url, const char *text)
{
	if (!url || (!str_starts(url, "https://") && !str_starts(url, "http://"))) {
		html_text(out, text);
		return;
	}
	html_add(out, "<a href=\"");
	html_text(out, url);
	html_add(out, "\" rel=\"noreferrer\">");
	html_text(out, text);
	html_add(out, "</a>");
}
