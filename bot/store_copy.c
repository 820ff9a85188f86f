/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_copy - `nightshift store copy FROM TO`: from the file to a server, or back.
 *
 * Both are opened as the queue opens them, so neither is copied while somebody writes to it. What
 * was copied is what the configuration says next; the source stays as it was.
 */
#include "bot/store_command.h"

#include "base/mem.h"
#include "base/str.h"
#include "store/copy.h"

#include <inttypes.h>
#include <sysexits.h>

#define FILE_PREFIX        "sqlite:"
#define PASSWORD_BYTES_MAX 4096

int
store_password(const struct config *c, char **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(PASSWORD_BYTES_MAX);

	*out = NULL;
	if (!c->store_password_file)
		return 0;
	int rc = config_secret_read(c->store_password_file, NULL, &text, e);
	if (rc == 0)
		*out = mem_str(buf_str(&text));
	if (text.data)
		mem_wipe(text.data, text.cap);
	return rc;
}

void
store_password_finish(char *take_password)
{
	if (take_password)
		mem_wipe(take_password, strlen(take_password));
	free(take_password);
}

/* "sqlite:DIRECTORY" of a store, or an address of PostgreSQL. */
static int
open_at(const char *place, const char *password, struct store **out, struct err *e)
{
	bool is_file = str_starts(place, FILE_PREFIX);
	const struct store_conf conf = {
		.dir = is_file ? place + strlen(FILE_PREFIX) : NULL,
		.url = place,
		.password = password,
		.is_durable = true,
	};

	if (!is_file && !str_starts(place, "postgres://") && !str_starts(place, "postgresql://"))
		return err_set(e, ERR_INVALID,
			"%s: neither sqlite:DIRECTORY nor postgres://user@host/database", place);
	return (is_file ? &STORE_SQLITE : &STORE_POSTGRES)->open(&conf, out, e);
}

static int
copy_between(
	const char *source, const char *target, const char *password, int64_t *n, struct err *e)
{
	struct store *from = NULL, *to = NULL;
	struct store_tally tally;
	int rc = 0;

	/* Opening makes what is not there. */
	if (str_starts(source, FILE_PREFIX) && access(source + strlen(FILE_PREFIX), F_OK) < 0)
		rc = err_sys(e, "%s", source);
	if (rc == 0)
		rc = open_at(source, password, &from, e);
	if (rc == 0)
		rc = open_at(target, password, &to, e);
	if (rc == 0)
		rc = store_copy(from, to, n, e);
	if (rc == 0)
		rc = to->driver->tally(to, &tally, e);
	if (rc == 0)
		rc = store_tally_check(&tally, e);
	if (from)
		from->driver->close(from);
	if (to)
		to->driver->close(to);
	return rc;
}

int
store_copy_run(const struct config *c, const char *from, const char *to)
{
	char *password = NULL;
	auto_fd int lock = -1;
	struct err e = { 0 };
	int64_t n = 0;
	int rc = store_lock_state(c, &lock, &e);

	if (rc == 0)
		rc = store_password(c, &password, &e);
	if (rc == 0)
		rc = copy_between(from, to, password, &n, &e);
	store_password_finish(password);
	if (rc < 0)
		return store_failed(rc, &e);
	(void)printf("%" PRId64 " rows copied, and they add up\n"
		     "now say it in the configuration: store: %s\n",
		n, str_starts(to, FILE_PREFIX) ? "sqlite" : to);
	return EX_OK;
}
