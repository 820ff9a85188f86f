/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_mend - the transcript of a shim that was killed.
 *
 * In a process of its own, because what is in it was written by an agent, and the runner reads
 * nothing of that.
 */
#include "bot/shim.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "bot/shim_state.h"
#include "sandbox/recorder.h"

#include <sysexits.h>
#include <unistd.h>

#define NOTE "the process that watched the box ended: what came last may be missing"

/* The cast last: as long as it does not say so, the work is done again from it. */
static int
mend(struct err *e)
{
	auto_buf struct buf cast = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	auto_buf struct buf text = BUF_INIT(LIMIT_TRANSCRIPT_BYTES);
	int rc = fs_read(SHIM_CAST, &cast, e);

	if (rc == ERR_MISSING)
		return 0; /* it was killed before its first step */
	if (rc == 0)
		rc = fs_read(SHIM_TEXT, &text, e);
	if (rc < 0)
		return rc;
	recorder_mend(NOTE, &cast, &text);
	rc = fs_write_atomic(SHIM_TEXT, buf_str(&text), text.len, 0600, e);
	return rc < 0 ? rc : fs_write_atomic(SHIM_CAST, buf_str(&cast), cast.len, 0600, e);
}

int
shim_mend_main(void)
{
	auto_fd int dir = -1;
	struct err e = { 0 };

	shim_begin(SHIM_MEND);
	int rc = shim_wait_for_dir(&dir, &e);
	if (rc == 0 && access(SHIM_HALF, F_OK) == 0)
		rc = mend(&e);
	if (rc < 0) {
		log_err(LOG_LEVEL_ERROR, NULL, "shim.transcript", &e);
		return EX_OSERR;
	}
	(void)unlink(SHIM_HALF);
	return EX_OK;
}
