/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text - what people read of a task on the forge.
 *
 * Everything that the agent or a user wrote goes in through forge/markdown.h, so that it cannot
 * act.
 */
#ifndef HANDLERS_TEXT_H
#define HANDLERS_TEXT_H

#include "handlers/handlers.h"

/* The progress comment, without its marker. */
void text_sticky(const struct effects_in *in, struct buf *out);
/* The state that such a comment tells, if it says that the task is over; else -1. */
int64_t text_sticky_end(const char *body);

/* Title and body of the pull request. */
void text_pull_title(const struct task *t, struct buf *out);
void text_pull_body(const struct effects_in *in, struct buf *out);

/* One sentence on what the bot's own test run said, without its full stop; the same in a few words
 * for places without Markdown; what a reader of those words may want to know besides. */
void text_gate(const struct task *t, struct buf *out);
void text_gate_title(const struct task *t, struct buf *out);
void text_gate_log(const struct task *t, struct buf *out);

/* Where the transcript lies in the repository, one line; or nothing. */
void text_log_links(const struct effects_in *in, struct buf *out);

/* The last lines of the terminal, folded, in a fence that holds; or nothing. */
void text_tail(const struct task *t, struct buf *out);

/* "agent/17-crash-on-empty-input", or the pull request's branch if the work may go there. */
void text_branch(const struct task *t, struct buf *out);

/* "queued, place 137". */
void text_place(int64_t place, struct buf *out);

/* " · [task page](...)" or nothing. */
void text_page_link(const struct handler_conf *conf, const struct task *t, struct buf *out);

#endif
