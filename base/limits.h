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
#define LIMIT_PROOFS        8   /* headers that prove a delivery */
#define LIMIT_PROOF_BYTES   512 /* of each */
#define LIMIT_COMMANDS      8
#define LIMIT_ITEMS         100

/* Sessions of agents, kept for follow-ups. */
#define LIMIT_SESSION_BYTES MIB(16)
#define LIMIT_SESSION_MS    (14 * 24 * 3600 * 1000L)
#define LIMIT_SESSIONS      128

/* Repository: what a harvest may bring out. */
#define LIMIT_BUNDLE_BYTES         MIB(64)
#define LIMIT_HARVEST_FILES        5000
#define LIMIT_HARVEST_FILE_BYTES   MIB(16)
#define LIMIT_AGENT_YML_BYTES      KIB(64)
#define LIMIT_HARVEST_BYTES        MIB(256) /* of all changed files together, unpacked */
#define LIMIT_HARVEST_OBJECTS      50000
#define LIMIT_HARVEST_ENTRIES      200000 /* tree entries looked at: a bomb has 10^10 */
#define LIMIT_HARVEST_DEPTH        100
#define LIMIT_NAME_COMPONENT_BYTES 255
#define LIMIT_SYMLINK_BYTES        4095
#define LIMIT_OBJECT_BYTES         MIB(128) /* one object of a pack: a delta bomb has GiBs */
#define LIMIT_BUNDLE_HEAD_BYTES    KIB(8)

/* Repository: what is fetched and checked out. */
#define LIMIT_FETCH_BYTES    (4096L * MIB(1)) /* of one pack */
#define LIMIT_FETCH_MS       600000
#define LIMIT_CHECKOUT_FILES 500000
#define LIMIT_CHECKOUT_BYTES (8192L * MIB(1))
#define LIMIT_CHECKOUT_DEPTH 1000
#define LIMIT_CHECKOUT_MS    600000
#define LIMIT_CHECKOUTS      16 /* of one repository, kept for later tasks */
#define LIMIT_CHECKOUT_HISTORY_BYTES                                                               \
	MIB(256)                      /* of packs: above it a checkout has only recent history */
#define LIMIT_CHECKOUT_HISTORY     50 /* commits of recent history */
#define LIMIT_HARVEST_MS           120000
#define LIMIT_PUSH_MS              300000
#define LIMIT_PUSH_MS_MIN          45000 /* git waits 30 s for an answer */
#define LIMIT_PUSH_BYTES_S         KIB(64)
#define LIMIT_QUARANTINE_MS        (7 * 24 * 3600 * 1000L) /* since the last harvest or log */
#define LIMIT_GIT_CHILDREN         4
#define LIMIT_GIT_MEMORY_BYTES     (2048L * MIB(1)) /* RLIMIT_DATA of the git CLI */
#define LIMIT_HARVEST_MEMORY_BYTES (1024L * MIB(1))
#define LIMIT_GIT_OUTPUT_BYTES     KIB(64)
#define LIMIT_MODULES              32 /* submodules of one checkout, those of submodules too */
#define LIMIT_MODULE_DEPTH         3
#define LIMIT_LFS_FILES            10000 /* of one checkout; more are left as pointers */
#define LIMIT_LFS_OBJECTS          1000  /* fetched for one checkout */
#define LIMIT_LFS_OBJECT_BYTES     (1024L * MIB(1))
#define LIMIT_LFS_BYTES            (4096L * MIB(1))  /* of these together */
#define LIMIT_LFS_CACHE_BYTES      (16384L * MIB(1)) /* of a repository, kept for later tasks */
#define LIMIT_LFS_MS               600000            /* for one object */

#define LIMIT_LAYER_NAMES 2000000 /* of files in what a setup wrote */

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
