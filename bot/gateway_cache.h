/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_cache - answers of registries on disk.
 *
 * A file is an answer, written only from what a registry sent, complete, with the hash of its body;
 * it gets its name when it is whole. What is read is hashed on the way, and its last piece is not
 * handed out unless the hash is the one that was written: a disk that forgets makes a broken
 * download, not a wrong one. The least recently used go when there is too much.
 */
#ifndef BOT_GATEWAY_CACHE_H
#define BOT_GATEWAY_CACHE_H

#include "base/crypto.h"
#include "base/http.h"

#include <stdint.h>

#define CACHE_KEY_BYTES (2 * CRYPTO_SHA256_BYTES + 1)

struct cache;
struct cache_reader;
struct cache_writer;

/* dir exists and is ours alone. quota 0: nothing is kept. */
int cache_create(const char *dir, int64_t quota, struct cache **out, struct err *e);
void cache_destroy(struct cache *c); /* NULL is fine */

/* Of a request whose answer is the same for all who ask with this text. */
void cache_key(const char *text, char out[CACHE_KEY_BYTES]);

/* NULL: there is none, or it is older than keep_ms. */
struct cache_reader *cache_open(struct cache *c, const char *key, int64_t keep_ms);
const struct http_reply *cache_reader_head(const struct cache_reader *r);

/* Up to size bytes; 0: that was all. -1: it is broken, and gone now. */
int64_t cache_read(struct cache_reader *r, char *out, size_t size);
void cache_reader_destroy(struct cache_reader *r); /* NULL is fine */

/* NULL: it is not to be kept. */
struct cache_writer *cache_write(struct cache *c, const char *key, const struct http_reply *head);
void cache_writer_add(struct cache_writer *w, const char *data, size_t len);

/* is_whole false: it is forgotten. NULL is fine. */
void cache_writer_end(struct cache_writer *take_w, bool is_whole);

#endif
