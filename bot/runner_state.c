/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_state - an attempt as a file in its directory, from which another runner goes on.
 *
 * The file is the packed rows of the parts, each behind its length. It need not survive the
 * machine, for boxes do not; so nothing is synced. Before all comes the language that its shim
 * speaks: a runner of a version that speaks another one cannot go on.
 */
#include "bot/runner.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "bot/shim.h"

#include <string.h>

#define STATE_BYTES_MAX MIB(4)

#define I(member)      ROW_I(struct attempt, member, #member)
#define B(member)      ROW_B(struct attempt, member, #member)
#define S(member, max) ROW_S(struct attempt, member, #member, max)

static const struct row ATTEMPT_ROWS[] = {
	I(phase),
	I(serial),
	B(is_stopping),
	B(has_begun),
	B(waits),
	B(models),
	B(registries),
	B(has_gateway),
	S(spent, LIMIT_SUMMARY_BYTES),
	I(setup_next),
	B(on_head),
	S(layer, LIMIT_PATH_BYTES),
	S(layer_key, LIMIT_NAME_BYTES),
	S(layer_new, LIMIT_PATH_BYTES),
	B(is_step_said),
	I(agent_exit),
	I(agent_end),
	B(agent_is_done),
	S(agent_text, LIMIT_SUMMARY_BYTES),
	S(agent_how, LIMIT_SUMMARY_BYTES),
	S(session.id, LIMIT_NAME_BYTES),
	B(session.is_sought),
	B(session.is_resumed),
	B(session.is_refused),
	B(session.is_packed),
	I(session.read),
	I(session.written),
	S(quiet_tail, LIMIT_TAIL_BYTES),
	B(is_told),
	ROW_DONE,
};

static const struct part {
	const struct row *rows;
	size_t at; /* in struct attempt */
} PARTS[] = {
	{ ATTEMPT_ROWS, 0 },
	{ TASK_ROWS, offsetof(struct attempt, task) },
	{ WIRE_PREPARED_ROWS, offsetof(struct attempt, base) },
	{ AGENT_SETTINGS_ROWS, offsetof(struct attempt, settings) },
	{ WIRE_HARVESTED_ROWS, offsetof(struct attempt, harvest) },
	{ TASK_STEP_ROWS, offsetof(struct attempt, step) },
	{ WIRE_DONE_ROWS, offsetof(struct attempt, done) },
};

static int
add_part(const struct attempt *a, const struct part *p, struct buf *out, struct err *e)
{
	auto_buf struct buf packed = BUF_INIT(STATE_BYTES_MAX);
	int rc = row_pack(p->rows, (const char *)a + p->at, &packed, e);

	if (rc == 0)
		rc = buf_add(out, &packed.len, sizeof(packed.len));
	return rc < 0 ? rc : buf_add(out, packed.data, packed.len);
}

static int
pack(const struct attempt *a, struct buf *out, struct err *e)
{
	int64_t words = shim_words();
	int rc = buf_add(out, &words, sizeof(words));

	for (size_t i = 0; rc == 0 && i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
		rc = add_part(a, &PARTS[i], out, e);
	return rc;
}

void
state_save(const struct attempt *a)
{
	auto_free char *path = attempt_path(a, SHIM_STATE);
	auto_buf struct buf data = BUF_INIT(STATE_BYTES_MAX);
	struct log_ctx log = runner_log(a);
	struct err e = { 0 };
	int rc = pack(a, &data, &e);

	if (rc == 0)
		rc = fs_write_whole(path, data.data, data.len, 0600, &e);
	if (rc < 0)
		log_err(LOG_LEVEL_WARN, &log, "attempt.not_written_down", &e);
}

struct reader {
	const char *data;
	size_t left;
};

static int
take(struct reader *r, size_t len, const char **out, struct err *e)
{
	if (len > r->left)
		return err_set(e, ERR_PROTOCOL, "it ends early");
	*out = r->data;
	r->data += len;
	r->left -= len;
	return 0;
}

static int
take_part(struct attempt *a, const struct part *p, struct reader *r, struct err *e)
{
	const char *data;
	size_t len;
	int rc = take(r, sizeof(len), &data, e);

	if (rc < 0)
		return rc;
	memcpy(&len, data, sizeof(len));
	rc = take(r, len, &data, e);
	return rc < 0 ? rc : row_unpack(p->rows, (char *)a + p->at, data, len, e);
}

static int
unpack(struct attempt *a, struct reader *r, struct err *e)
{
	const char *data;
	int64_t words;
	int rc = take(r, sizeof(words), &data, e);

	if (rc < 0)
		return rc;
	memcpy(&words, data, sizeof(words));
	if (words != shim_words())
		return err_set(e, ERR_PROTOCOL, "another version wrote it");
	for (size_t i = 0; rc == 0 && i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
		rc = take_part(a, &PARTS[i], r, e);
	return rc;
}

int
state_load(struct attempt *a, struct err *e)
{
	const struct task key = { .id = a->task.id, .fence = a->task.fence };
	auto_free char *path = attempt_path(a, SHIM_STATE);
	auto_buf struct buf file = BUF_INIT(STATE_BYTES_MAX);
	int rc = fs_read(path, &file, e);
	struct reader r = { buf_str(&file), file.len };

	if (rc == 0)
		rc = unpack(a, &r, e);
	if (rc == 0 && (r.left > 0 || a->phase < 0 || a->phase >= PHASE_COUNT ||
			       a->task.id != key.id || a->task.fence != key.fence))
		rc = err_set(e, ERR_PROTOCOL, "it is another attempt's");
	if (rc < 0) { /* whoever asks still wants to know whose */
		a->task.id = key.id;
		a->task.fence = key.fence;
	}
	return rc;
}
