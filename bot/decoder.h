/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder - the role that reads what strangers wrote.
 */
#ifndef BOT_DECODER_H
#define BOT_DECODER_H

/* Name of the deliveries that the queue makes itself from what polling found: the body is a
 * row-packed struct forge_event whose commands are still to be read out of comment_body. */
#define DECODER_POLL_EVENT "nightshift.poll"

#endif
