/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit - the message of the one commit that a task makes.
 */
#include "handlers/text.h"

#include "base/limits.h"
#include "forge/markdown.h"

#include <inttypes.h>

#define SUBJECT_BYTES_MAX 72

void
commit_message(const struct task *t, struct buf *out)
{
	auto_buf struct buf subject = BUF_INIT(LIMIT_TITLE_BYTES);

	markdown_plain(&subject, t->title ? t->title : "", SUBJECT_BYTES_MAX);
	if (subject.len == 0)
		(void)buf_addf(out, "Task %" PRId64, t->id);
	else
		(void)buf_adds(out, subject.data);
	/* No "#17": the pull request closes the issue, the branch alone must not. */
	if (t->verb == VERB_CHORE) {
		(void)buf_addf(out, "\n\nTask %" PRId64 ", a chore.\n", t->id);
		return;
	}
	(void)buf_addf(out, "\n\nTask %" PRId64 " for %s %" PRId64 ".\n", t->id,
		t->is_pull ? "pull request" : "issue", forge_number(t->number));
}
