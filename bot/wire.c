/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - the protocol between roles as one table.
 *
 * To let a role say something new, add a row here; nothing else makes it legal.
 */
#include "bot/wire.h"

#include "base/limits.h"
#include "sandbox/redact.h"

#include <string.h>

#define ANY_ROLE         (((1u << ROLE_COUNT) - 1) & ~ROLE_BIT(ROLE_MASTER))
#define ROWS(name, type) WIRE_##name##_ROWS, sizeof(struct wire_##type)
#define NO_ROWS          NULL, 0
#define DELIVERY_ROWS    FORGE_DELIVERY_ROWS, sizeof(struct forge_delivery)
#define DELIVERY_BYTES   LIMIT_DELIVERY_BYTES
#define SETTINGS_BYTES   LIMIT_SETTINGS_BYTES
#define TRANSCRIPT_BYTES LIMIT_TRANSCRIPT_BYTES
#define LOGS_BYTES       (2 * LIMIT_TRANSCRIPT_BYTES + KIB(1))

#define MASTER  ROLE_BIT(ROLE_MASTER)
#define WEB     ROLE_BIT(ROLE_WEB)
#define QUEUE   ROLE_BIT(ROLE_QUEUE)
#define DECODER ROLE_BIT(ROLE_DECODER)
#define COURIER ROLE_BIT(ROLE_COURIER)
#define KEEPER  ROLE_BIT(ROLE_KEEPER)
#define GATEWAY ROLE_BIT(ROLE_GATEWAY)
#define RUNNER  ROLE_BIT(ROLE_RUNNER)
#define SHIM    ROLE_BIT(ROLE_SHIM)

#define SECRET_EARS (COURIER | GATEWAY | QUEUE)

/* clang-format off */
const struct msg_rule WIRE_RULES[] = {
	{ WIRE_CONFIG, "config", MASTER, ANY_ROLE, NO_ROWS, SETTINGS_BYTES, 0 },
	{ WIRE_PEER, "peer", MASTER, ANY_ROLE, ROWS(PEER, peer), 0, 1 },
	{ WIRE_CUT, "cut", ANY_ROLE, MASTER, ROWS(PEER, peer), 0, 0 },
	{ WIRE_LISTEN, "listen", MASTER, WEB, NO_ROWS, 0, MSG_FDS_MAX },
	{ WIRE_READY, "ready", ANY_ROLE, MASTER, ROWS(READY, ready), 0, 0 },
	{ WIRE_BEAT, "beat", ANY_ROLE, MASTER, NO_ROWS, 0, 0 },

	{ WIRE_VERIFY, "verify", WEB, KEEPER, ROWS(VERIFY, verify), DELIVERY_BYTES, 0 },
	{ WIRE_VERIFIED, "verified", KEEPER, WEB, ROWS(VERDICT, verdict), 0, 0 },
	{ WIRE_DELIVERY, "delivery", WEB, QUEUE, DELIVERY_ROWS, DELIVERY_BYTES, 0 },
	{ WIRE_STORED, "stored", QUEUE, WEB, ROWS(STORED, stored), 0, 0 },
	{ WIRE_QUERY, "query", WEB, QUEUE, ROWS(QUERY, query), 0, 0 },
	{ WIRE_PAGE, "page", QUEUE, WEB, ROWS(PAGE, page), TRANSCRIPT_BYTES, 0 },

	{ WIRE_DECODE, "decode", QUEUE, DECODER, DELIVERY_ROWS, DELIVERY_BYTES, 0 },
	{ WIRE_EVENT, "event", DECODER, QUEUE, ROWS(VERDICT, verdict), LIMIT_BLOB_BYTES, 0 },

	{ WIRE_FACT, "fact", QUEUE, COURIER, FORGE_OP_ROWS, sizeof(struct forge_op), 0, 0 },
	{ WIRE_EFFECT, "effect", QUEUE, COURIER, ROWS(EFFECT, effect), TRANSCRIPT_BYTES, 0 },
	{ WIRE_ANSWER, "answer", COURIER, QUEUE, ROWS(ANSWER, answer), 0, 0 },
	{ WIRE_PUSH, "push", QUEUE, COURIER, ROWS(PUSH, push), 0, 0 },
	{ WIRE_PUSHED, "pushed", COURIER, QUEUE, ROWS(PUSHED, pushed), 0, 0 },
	{ WIRE_LEASE, "lease", QUEUE, COURIER, ROWS(LEASE, lease), 0, 0 },
	{ WIRE_PUSH_LOGS, "push_logs", QUEUE, COURIER, ROWS(PUSH, push), LOGS_BYTES, 0 },
	{ WIRE_PEACE, "peace", QUEUE, COURIER, ROWS(PEACE, peace), 0, 0 },

	{ WIRE_PREPARE, "prepare", RUNNER, COURIER, ROWS(PREPARE, prepare), 0, 0 },
	{ WIRE_PREPARED, "prepared", COURIER, RUNNER, ROWS(PREPARED, prepared), SETTINGS_BYTES, 0 },
	{ WIRE_HARVEST, "harvest", RUNNER, COURIER, ROWS(HARVEST, harvest), 0, 1 },
	{ WIRE_HARVESTED, "harvested", COURIER, RUNNER, ROWS(HARVESTED, harvested), 0, 0 },

	{ WIRE_CLAIM, "claim", RUNNER, QUEUE, ROWS(CLAIM, claim), 0, 0 },
	{ WIRE_PROGRESS, "progress", RUNNER, QUEUE, ROWS(PROGRESS, progress), 0, 0 },
	{ WIRE_DONE, "done", RUNNER, QUEUE, ROWS(DONE, done), LOGS_BYTES, 0 },
	{ WIRE_TAKEN, "taken", QUEUE, RUNNER, NO_ROWS, 0, 0 },
	{ WIRE_START, "start", QUEUE, RUNNER, ROWS(START, start), 0, 0 },
	{ WIRE_STOP, "stop", QUEUE, RUNNER, ROWS(STOP, stop), 0, 0 },

	{ WIRE_SIGN_JWT, "sign_jwt", COURIER, KEEPER, ROWS(SIGN, sign), 0, 0 },
	{ WIRE_TOKEN, "token", COURIER, KEEPER, ROWS(NAME, name), 0, 0 },
	{ WIRE_SSH_SIGN, "ssh_sign", COURIER, KEEPER, NO_ROWS, LIMIT_BLOB_BYTES, 0 },
	{ WIRE_KEY, "key", GATEWAY, KEEPER, ROWS(NAME, name), 0, 0 },
	{ WIRE_MARKER, "marker", QUEUE, KEEPER, ROWS(NAME, name), 0, 0 },
	{ WIRE_REDACT, "redact", RUNNER, KEEPER, NO_ROWS, 0, 0 },
	{ WIRE_REDACTIONS, "redactions", KEEPER, RUNNER, ROWS(VERDICT, verdict),
		REDACT_TABLE_BYTES, 0 },
	{ WIRE_SECRET, "secret", KEEPER, SECRET_EARS, ROWS(VERDICT, verdict), LIMIT_BLOB_BYTES, 0 },

	{ WIRE_BOX_OPEN, "box_open", RUNNER, GATEWAY, ROWS(BOX, box), 0, 1 },
	{ WIRE_BOX_OPENED, "box_opened", GATEWAY, RUNNER, ROWS(VERDICT, verdict), 0, 1 },
	{ WIRE_BOX_CLOSE, "box_close", RUNNER, GATEWAY, ROWS(BOX, box), 0, 0 },
	{ WIRE_BOX_USAGE, "box_usage", GATEWAY, RUNNER, ROWS(USAGE, usage), 0, 0 },
	{ WIRE_BOX_SPENT, "box_spent", GATEWAY, RUNNER, ROWS(USAGE, usage), 0, 0 },

	{ WIRE_STEP, "step", RUNNER, SHIM, ROWS(STEP, step), LIMIT_BLOB_BYTES, MSG_FDS_MAX },
	{ WIRE_STEP_LISTEN, "step_listen", SHIM, RUNNER, NO_ROWS, 0, 1 },
	{ WIRE_STEP_GO, "step_go", RUNNER, SHIM, NO_ROWS, 0, 1 },
	{ WIRE_STEP_DONE, "step_done", SHIM, RUNNER, ROWS(STEP_DONE, step_done), LIMIT_TAIL_BYTES,
		0 },
	{ WIRE_STEP_SPENT, "step_spent", RUNNER, SHIM, ROWS(STEP_SPENT, step_spent), 0, 0 },
	{ WIRE_SHIM_STATE, "shim_state", SHIM, RUNNER, ROWS(SHIM_STATE, shim_state), 0, 0 },
	{ WIRE_SHIM_STOP, "shim_stop", RUNNER, SHIM, NO_ROWS, 0, 0 },
	{ WIRE_SHIM_TAIL, "shim_tail", SHIM, RUNNER, NO_ROWS, LIMIT_TAIL_BYTES, 0 },
	{ WIRE_NET_MAKE, "net_make", RUNNER, SHIM, NO_ROWS, 0, 0 },
	{ WIRE_NET, "net", SHIM | RUNNER, RUNNER | SHIM, NO_ROWS, 0, 1 },
	{ WIRE_DISK_MAKE, "disk_make", RUNNER, SHIM, NO_ROWS, 0, 1 },
	{ WIRE_DISK, "disk", SHIM | RUNNER, RUNNER | SHIM, NO_ROWS, 0, 1 },
};
/* clang-format on */
const size_t WIRE_RULES_COUNT = sizeof(WIRE_RULES) / sizeof(WIRE_RULES[0]);

const struct wire_pair WIRE_PAIRS[] = {
	{ ROLE_WEB, ROLE_KEEPER },
	{ ROLE_WEB, ROLE_QUEUE },
	{ ROLE_QUEUE, ROLE_DECODER },
	{ ROLE_QUEUE, ROLE_COURIER },
	{ ROLE_QUEUE, ROLE_RUNNER },
	{ ROLE_QUEUE, ROLE_KEEPER },
	{ ROLE_COURIER, ROLE_KEEPER },
	{ ROLE_COURIER, ROLE_RUNNER },
	{ ROLE_RUNNER, ROLE_KEEPER },
	{ ROLE_GATEWAY, ROLE_KEEPER },
	{ ROLE_GATEWAY, ROLE_RUNNER },
};
const size_t WIRE_PAIRS_COUNT = sizeof(WIRE_PAIRS) / sizeof(WIRE_PAIRS[0]);

static const char *const ROLE_NAMES[ROLE_COUNT] = {
	[ROLE_MASTER] = "master",
	[ROLE_WEB] = "web",
	[ROLE_QUEUE] = "queue",
	[ROLE_DECODER] = "decoder",
	[ROLE_COURIER] = "courier",
	[ROLE_KEEPER] = "keeper",
	[ROLE_GATEWAY] = "gateway",
	[ROLE_RUNNER] = "runner",
	[ROLE_SHIM] = "shim",
};

const char *
role_name(unsigned role)
{
	return role < ROLE_COUNT ? ROLE_NAMES[role] : "unknown";
}

int
role_parse(const char *name)
{
	for (int r = 0; r < ROLE_COUNT; r++) {
		if (strcmp(ROLE_NAMES[r], name) == 0)
			return r;
	}
	return -1;
}
