/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - the message of the one commit that a task makes.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "forge/markdown.h"

#include <inttypes.h>
#include <string.h>

#define SUBJECT_BYTES_MAX 72

void
commit_message(const struct task *t, struct buf *out)
{
	auto_buf struct buf subject = BUF_INIT(LIMIT_TITLE_BYTES);
	size_t removed = 0;
	size_t len;

	if (t->title)
		markdown_visible(&subject, t->title, strlen(t->title), &removed);
	len = strcspn(buf_str(&subject), "\r\n");
	len = str_utf8_cut(buf_str(&subject), len, SUBJECT_BYTES_MAX);
	if (len == 0)
		(void)buf_addf(out, "Task %" PRId64, t->id);
	else
		(void)str_utf8_clean(out, subject.data, len);
	/* No "#17": the pull request closes the issue, the branch alone must not. */
	(void)buf_addf(out, "\n\nTask %" PRId64 " for %s %" PRId64 ".\n", t->id,
		t->is_pull ? "pull request" : "issue", t->number);
}
