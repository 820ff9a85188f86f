/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - every bound that is not a setting, by name.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB(n) ((n)*1024L)
#define MIB(n) ((n)*1024L * 1024L)

/* Intake: GitHub caps a delivery at 25 MB (docs.github.com, webhook events and payloads). */
#define LIMIT_DELIVERY_BYTES   MIB(25)
#define LIMIT_HEAD_BYTES       KIB(16)
#define LIMIT_DRAIN_BYTES      MIB(1)
#define LIMIT_DRAIN_MS         2000
#define LIMIT_DECODE_MS        2000
#define LIMIT_DELIVERY_STRIKES 3

/* Text that people wrote. GitHub's own cap for a body is 65,536 characters. */
#define LIMIT_TITLE_BYTES   1024
#define LIMIT_BODY_BYTES    KIB(256)
#define LIMIT_NAME_BYTES    256
#define LIMIT_URL_BYTES     2048
#define LIMIT_PATH_BYTES    4096
#define LIMIT_COMMENT_BYTES 60000
#define LIMIT_LABELS        100
#define LIMIT_COMMANDS      8
#define LIMIT_ITEMS         100

/* Repository: what a harvest may bring out. */
#define LIMIT_BUNDLE_BYTES       MIB(64)
#define LIMIT_HARVEST_FILES      5000
#define LIMIT_HARVEST_FILE_BYTES MIB(16)
#define LIMIT_AGENT_YML_BYTES    KIB(64)

/* Transcript. */
#define LIMIT_TRANSCRIPT_BYTES MIB(8)
#define LIMIT_TAIL_BYTES       KIB(4)

/* Tasks. */
#define LIMIT_PROMPT_BYTES  KIB(512)
#define LIMIT_SUMMARY_BYTES KIB(8)
#define LIMIT_STEPS         200
#define LIMIT_BOXES         256
#define LIMIT_GLOBS         256

/* Messages between roles: a blob's ceiling where it is not a delivery or a transcript. */
#define LIMIT_BLOB_BYTES     MIB(1)
#define LIMIT_SETTINGS_BYTES MIB(1)

#endif
