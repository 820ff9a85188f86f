/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attrs - see attrs.h.
 */
#include "repo/attrs.h"

int
attrs_open(struct attrs *a, const char *git_dir, const git_oid *commit, struct err *e)
{
	a->commit = *commit;
	return git_open(&a->repo, git_dir, e);
}

void
attrs_close(struct attrs *a)
{
	git_repository_free(a->repo);
	*a = (struct attrs){ 0 };
}

static const char *
word(const char *value)
{
	switch (git_attr_value(value)) {
	case GIT_ATTR_VALUE_TRUE:
		return CONVERT_TRUE;
	case GIT_ATTR_VALUE_FALSE:
		return CONVERT_FALSE;
	case GIT_ATTR_VALUE_STRING:
		return value;
	case GIT_ATTR_VALUE_UNSPECIFIED:
	default:
		return NULL;
	}
}

int
attrs_convert(const struct attrs *a, const char *path, struct convert *out, struct err *e)
{
	static const char *const names[] = { "text", "crlf", "eol", "ident",
		"working-tree-encoding" };
	const char **const into[] = { &out->text, &out->crlf, &out->eol, &out->ident,
		&out->encoding };
	const char *values[sizeof(names) / sizeof(names[0])];
	git_attr_options o = { .version = GIT_ATTR_OPTIONS_VERSION };
	/* libgit2 takes it without const and does not write to it. */
	const char **asked = (const char **)(uintptr_t)names;

	o.flags = GIT_ATTR_CHECK_NO_SYSTEM | GIT_ATTR_CHECK_INCLUDE_COMMIT;
	o.attr_commit_id = a->commit;
	int rc = git_attr_get_many_ext(
		values, a->repo, &o, path, sizeof(names) / sizeof(names[0]), asked);
	if (rc < 0)
		return git_err(e, rc, path);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		*into[i] = word(values[i]);
	return 0;
}
