/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_text - small texts for people in what the runner tells. Pure.
 */
#ifndef BOT_RUNNER_TEXT_H
#define BOT_RUNNER_TEXT_H

#include "config/config.h"
#include "store/task.h"

#define TEXT_COMMAND_BYTES 128

/* 2700000 is "45m", 90000 "90s". */
void text_duration(int64_t ms, char out[32]);

/* 8589934592 is "8GiB", 104857600 "100MiB". */
void text_size(int64_t bytes, char out[32]);

/* The first line of a command, cut, without what would end a `code` span. */
void text_command(const char *command, char out[TEXT_COMMAND_BYTES]);

/* The last paragraph that an agent of plain text printed: what it has to say for itself. tail is
 * the end of a transcript, whose notes start with "== ". Adds nothing if it printed nothing. */
void text_last_words(const char *tail, const char *agent, struct buf *out);

/* The gateway's lines "when-in-ms host reason" as "01:23 host: reason", in time since the beginning
 * of the transcript, whose head cast begins with. Without one the times are left out. */
void text_blocked(const char *lines, const char *cast, struct buf *out);

/* Co-authored-by for who asked, Signed-off-by of the bot, as the configuration says. Adds nothing
 * that is not one line. */
void text_trailers(const struct config *c, const struct task *t, struct buf *out);

#endif
