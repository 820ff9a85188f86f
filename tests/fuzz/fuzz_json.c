/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Somebody's JSON as a forge's answer; and a message between roles, which is bytes as well if a
 * role has been taken over.
 */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "forge/forge.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(LIMIT_DELIVERY_BYTES);
	struct forge_answer answer = { 0 };
	struct json *j = NULL;

	if (json_parse((const char *)data, size, &JSON_LIMITS_REPLY, &j, NULL) == 0) {
		json_decode(j, FORGE_ANSWER_ROWS, &answer);
		(void)json_encode(FORGE_ANSWER_ROWS, &answer, &text, NULL);
		forge_answer_finish(&answer);
	}
	json_destroy(j);
	if (row_unpack(FORGE_ANSWER_ROWS, &answer, data, size, NULL) == 0)
		forge_answer_finish(&answer);
	buf_finish(&text);
	return 0;
}
