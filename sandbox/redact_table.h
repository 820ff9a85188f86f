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
#define REDACT_PRIME     ((UINT64_C(1) << 61) - 1)
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

__extension__ typedef unsigned __int128 redact_wide;

/* The hash sum(byte * base^i) modulo 2^61 - 1 when a byte comes in, and `more` is added. */
static inline uint64_t
redact_hash_push(uint64_t hash, uint64_t base, uint64_t more, unsigned char in)
{
	redact_wide sum = (redact_wide)hash * base + more + in + 1;
	uint64_t folded = (uint64_t)(sum & REDACT_PRIME) + (uint64_t)(sum >> 61);

	return folded >= REDACT_PRIME ? folded - REDACT_PRIME : folded;
}

/* What is added for each byte that leaves when another comes in: -(byte * base^REDACT_WINDOW). */
void redact_hash_leavers(uint64_t base, uint64_t out[256]);

void redact_mac(const uint8_t key[32], const void *form, size_t len, uint8_t out[REDACT_MAC_BYTES]);

#endif
