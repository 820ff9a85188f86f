/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact_table - the form of a table, for its maker (redact_table.c) and its reader (redact.c).
 *
 * struct redact_head, then its `count` struct redact_entry by rising hash. Both are of one build on
 * one machine, so the structs travel as they are.
 */
#ifndef SANDBOX_REDACT_TABLE_H
#define SANDBOX_REDACT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define REDACT_WINDOW    16  /* bytes that the rolling hash sees */
#define REDACT_FORM_MAX  256 /* bytes; a longer form is sought in parts */
#define REDACT_MAC_BYTES 16
#define REDACT_MAGIC     UINT64_C(0x31766463616465ee)

struct redact_head {
	uint64_t magic;
	uint64_t base; /* of the rolling hash */
	uint64_t count;
	uint8_t key[32]; /* of the MACs */
};

struct redact_entry {
	uint64_t hash; /* of the first REDACT_WINDOW bytes */
	uint32_t len;  /* REDACT_WINDOW .. REDACT_FORM_MAX */
	uint32_t unused;
	uint8_t mac[REDACT_MAC_BYTES]; /* HMAC-SHA256 of all, cut */
};

/* The hash sum(byte * base^i) modulo 2^61 - 1 when a byte comes in. */
uint64_t redact_hash_push(uint64_t hash, uint64_t base, unsigned char in);

/* The same when the oldest byte leaves besides; leaver: redact_hash_leaver(base). */
uint64_t redact_hash_roll(
	uint64_t hash, uint64_t base, uint64_t leaver, unsigned char in, unsigned char out);

/* What makes a byte leave: -(base^REDACT_WINDOW). */
uint64_t redact_hash_leaver(uint64_t base);

void redact_mac(const uint8_t key[32], const void *form, size_t len, uint8_t out[REDACT_MAC_BYTES]);

#endif
