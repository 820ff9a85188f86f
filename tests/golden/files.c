/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files - see files.h.
 */
#include "files.h"

#include "base/fs.h"
#include "base/limits.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

char *
golden_read(const char *path, size_t *len)
{
	struct buf b = BUF_INIT(MIB(64));
	struct err e;

	if (fs_read(path, &b, &e) < 0)
		fail_msg("%s", e.text);
	if (len)
		*len = b.len;
	(void)buf_adds(&b, "");
	return buf_steal(&b);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
golden_list(const char *dir, const char *suffix, struct strs *out)
{
	auto_dir DIR *d = opendir(dir);
	const struct dirent *entry;

	if (!d)
		fail_msg("there is no %s", dir);
	while ((entry = readdir(d))) {
		if (str_ends(entry->d_name, suffix))
			strs_add(out, entry->d_name);
	}
	assert_true(out->n > 0);
	qsort(out->v, out->n, sizeof(out->v[0]), by_name);
}

static void
print_difference(const char *want, const char *got)
{
	size_t line = 1;

	while (*want && *got) {
		size_t w = strcspn(want, "\n"), g = strcspn(got, "\n");

		if (w != g || memcmp(want, got, w) != 0)
			break;
		want += w + (want[w] == '\n');
		got += g + (got[g] == '\n');
		line++;
	}
	print_error("line %zu\n want %.*s\n got  %.*s\n", line, (int)strcspn(want, "\n"), want,
		(int)strcspn(got, "\n"), got);
}

void
golden_compare(const char *path, const struct buf *got)
{
	auto_free char *want = golden_read(path, NULL);
	const char *name = path + strlen(GOLDEN_DIR "/");
	auto_buf struct buf copy = BUF_INIT(LIMIT_PATH_BYTES);
	struct err e;

	if (strcmp(want, buf_str(got)) == 0)
		return;
	(void)buf_addf(&copy, "%s/", NS_BINARY_DIR);
	for (; *name; name++)
		(void)buf_addc(&copy, *name == '/' ? '-' : *name);
	(void)buf_adds(&copy, ".got");
	if (fs_write_atomic(buf_str(&copy), got->data, got->len, 0644, &e) < 0)
		print_error("%s\n", e.text);
	print_difference(want, buf_str(got));
	fail_msg("%s differs from %s", path, buf_str(&copy));
}
