/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why - what git's standard error means for us.
 *
 * git ends with 128 for everything, so the words have to be read; LC_ALL=C keeps them English. The
 * rows are tried in order: a refusal is told from a network that will be back.
 */
#include "repo/repo.h"

#include <string.h>

struct why {
	const char *words;
	int code;
};

static const struct why WHY[] = {
	{ "Authentication failed", ERR_DENIED },
	{ "could not read Username", ERR_DENIED },
	{ "could not read Password", ERR_DENIED },
	{ "The requested URL returned error: 401", ERR_DENIED },
	{ "The requested URL returned error: 403", ERR_DENIED },
	{ "The requested URL returned error: 404", ERR_MISSING },
	{ "not found", ERR_MISSING },
	{ "couldn't find remote ref", ERR_MISSING },
	{ "not our ref", ERR_MISSING }, /* a commit asked for by its id */
	{ "unable to update url base from redirection", ERR_DENIED },
	{ "The requested URL returned error: 30", ERR_DENIED },
	{ "The requested URL returned error: 429", ERR_BUSY },
	{ "The requested URL returned error: 5", ERR_BUSY },
	{ "Could not resolve host", ERR_BUSY },
	{ "Failed to connect", ERR_BUSY },
	{ "Connection refused", ERR_BUSY },
	{ "Connection timed out", ERR_BUSY },
	{ "Operation too slow", ERR_BUSY },
	{ "SSL certificate problem", ERR_DENIED },
	{ "File size limit exceeded", ERR_LIMIT },
	{ "File too large", ERR_LIMIT },
	{ "died of signal 25", ERR_LIMIT }, /* SIGXFSZ: the same, in a child of git's */
	{ "Out of memory", ERR_LIMIT },
	{ "attempting to allocate", ERR_LIMIT },
	{ "No space left on device", ERR_LIMIT },
	{ "fsck error", ERR_DENIED },
	{ "early EOF", ERR_BUSY },
	{ "unexpected disconnect", ERR_BUSY },
	{ "the remote end hung up", ERR_BUSY },
	{ "RPC failed", ERR_BUSY },
	{ "Recv failure", ERR_BUSY },
	{ "Empty reply from server", ERR_BUSY },
	{ "unable to access", ERR_BUSY },
	{ "cannot lock ref", ERR_BUSY },
	{ "Unable to create", ERR_BUSY },
	{ "invalid index-pack output", ERR_BUSY },
};

/* The line of text that holds `at`. */
static int
quote(struct err *e, int code, const char *text, const char *at)
{
	const char *from = at;

	while (from > text && from[-1] != '\n')
		from--;
	return err_set(e, code, "%.*s",
		(int)strcspn(from, "\n") > 300 ? 300 : (int)strcspn(from, "\n"), from);
}

bool
repo_command_is_door(const char *text)
{
	static const char *const words[] = { "Authentication failed", "could not read Username",
		"could not read Password", "returned error: 401", "returned error: 403" };
	bool found = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		found |= strstr(text, words[i]) != NULL;
	return found;
}

int
repo_command_why(const char *text, struct err *e)
{
	for (size_t i = 0; i < sizeof(WHY) / sizeof(WHY[0]); i++) {
		const char *at = strstr(text, WHY[i].words);

		if (!at)
			continue;
		/* Which object and which rule is said in a line of its own. */
		const char *more = strcmp(WHY[i].words, "fsck error") == 0
					   ? strstr(text, "error: object ")
					   : NULL;
		return quote(e, WHY[i].code, text, more ? more : at);
	}
	const char *fatal = strstr(text, "fatal: ");
	const char *error = strstr(text, "error: ");
	if (fatal || error)
		return quote(e, ERR_SYSTEM, text, fatal ? fatal : error);
	return err_set(e, ERR_SYSTEM, "git gave up without a word");
}
