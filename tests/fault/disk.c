/* SPDX-License-Identifier: Apache-2.0 */
/* disk - the list of what happened, and the disks that it may leave; see disk.h. */
#include "tests/fault/disk.h"

#include "base/buf.h"
#include "base/clean.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define SECTOR     512
#define FILE_BYTES (256u << 20)

/* A file has a number as long as anybody may speak of it, however often it is renamed. */
struct file {
	dev_t dev;
	ino_t ino;
	bool is_dead; /* its inode has been given to another */
	char *base;   /* what was on the disk when we began to watch */
	size_t base_len;
};

struct name {
	char *path;
	int file; /* -1: a directory */
};

static struct {
	char *root;
	bool is_watched;
	struct file *files;
	int n_files;
	struct name *names; /* when we began to watch */
	size_t n_names;
	struct disk_line *lines;
	size_t n_lines;
} disk;

/* ---- watching ---- */

const char *
disk_below(const char *path)
{
	size_t len = disk.is_watched ? strlen(disk.root) : 0;

	if (len == 0 || strncmp(path, disk.root, len) != 0)
		return NULL;
	if (path[len] == '\0')
		return "";
	return path[len] == '/' ? path + len + 1 : NULL;
}

int
disk_file(dev_t dev, ino_t ino, bool is_new)
{
	if (!disk.is_watched)
		return -1;
	for (int i = 0; i < disk.n_files; i++) {
		struct file *f = &disk.files[i];

		if (f->is_dead || f->dev != dev || f->ino != ino)
			continue;
		if (!is_new)
			return i;
		f->is_dead = true;
	}
	if (!is_new)
		return -1;
	disk.files = mem_grow(disk.files, (size_t)disk.n_files + 1, sizeof(*disk.files));
	disk.files[disk.n_files] = (struct file){ .dev = dev, .ino = ino };
	return disk.n_files++;
}

void
disk_add(const struct disk_line *line)
{
	if (!disk.is_watched)
		return;
	if (disk.n_lines % 64 == 0)
		disk.lines = mem_grow(disk.lines, disk.n_lines + 64, sizeof(*disk.lines));

	struct disk_line *l = &disk.lines[disk.n_lines++];
	*l = *line;
	l->data = line->data ? mem_dup(line->data, line->len) : NULL;
	l->path = mem_str(line->path);
	l->from = mem_str(line->from);
}

void
disk_promise(int64_t what)
{
	disk_add(&(struct disk_line){ .kind = DISK_PROMISE, .at = what });
}

static void
add_name(struct name **names, size_t *n, const char *path, int file)
{
	*names = mem_grow(*names, *n + 1, sizeof(**names));
	(*names)[(*n)++] = (struct name){ mem_str(path), file };
}

static void
look_at_file(const char *path, const char *below, const struct stat *st)
{
	auto_buf struct buf content = BUF_INIT(FILE_BYTES);
	int number = disk_file(st->st_dev, st->st_ino, false);

	if (number < 0) {
		int rc = fs_read(path, &content, NULL);

		assert(rc == 0);
		number = disk_file(st->st_dev, st->st_ino, true);
		disk.files[number].base_len = content.len;
		if (content.len > 0)
			disk.files[number].base = mem_dup(content.data, content.len);
	}
	add_name(&disk.names, &disk.n_names, below, number);
}

/* Breadth first: the names themselves are the list of what is still to be looked into. */
static void
look(void)
{
	add_name(&disk.names, &disk.n_names, "", -1);
	for (size_t i = 0; i < disk.n_names; i++) {
		if (disk.names[i].file >= 0)
			continue;
		auto_free char *dir = mem_fmt("%s/%s", disk.root, disk.names[i].path);
		auto_dir DIR *d = opendir(dir);
		const struct dirent *ent;

		assert(d);
		while ((ent = readdir(d))) {
			auto_free char *path = mem_fmt("%s/%s", dir, ent->d_name);
			auto_free char *below = mem_fmt("%s%s%s", disk.names[i].path,
				*disk.names[i].path ? "/" : "", ent->d_name);
			struct stat st;

			if (ent->d_name[0] == '.' || stat(path, &st) < 0)
				continue;
			if (S_ISDIR(st.st_mode))
				add_name(&disk.names, &disk.n_names, below, -1);
			else
				look_at_file(path, below, &st);
		}
	}
}

void
disk_watch(const char *root)
{
	disk_forget();
	disk.root = mem_str(root);
	disk.is_watched = true;
	look();
}

void
disk_unwatch(void)
{
	disk.is_watched = false;
}

static void
names_free(struct name *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i].path);
	free(names);
}

void
disk_forget(void)
{
	for (size_t i = 0; i < disk.n_lines; i++) {
		free(disk.lines[i].data);
		free(disk.lines[i].path);
		free(disk.lines[i].from);
	}
	for (int i = 0; i < disk.n_files; i++)
		free(disk.files[i].base);
	names_free(disk.names, disk.n_names);
	free(disk.lines);
	free(disk.files);
	free(disk.root);
	memset(&disk, 0, sizeof(disk));
}

size_t
disk_lines(void)
{
	return disk.n_lines;
}

int64_t
disk_promised(size_t line)
{
	for (size_t i = line; i > 0; i--) {
		if (disk.lines[i - 1].kind == DISK_PROMISE)
			return disk.lines[i - 1].at;
	}
	return 0;
}

/* ---- what a file holds ---- */

static void
grow(char **data, size_t *len, size_t size)
{
	assert(size <= FILE_BYTES);
	if (size <= *len)
		return;
	*data = mem_grow(*data, size, 1);
	memset(*data + *len, 0, size - *len);
	*len = size;
}

static void
tear(struct dice *d, char *at, size_t n)
{
	for (size_t i = dice_below(d, n); i < n; i++)
		at[i] = (char)dice_next(d);
}

/* Those of its sectors that the dice let through. */
static void
write_some(const struct disk_line *l, struct dice *d, uint64_t percent, char **data, size_t *len)
{
	size_t at = (size_t)l->at, end = at + l->len;

	while (at < end) {
		size_t n = SECTOR - at % SECTOR < end - at ? SECTOR - at % SECTOR : end - at;

		if (percent == 100 || dice_hits(d, percent)) {
			grow(data, len, at + n);
			memcpy(*data + at, l->data + (at - (size_t)l->at), n);
			if (percent < 100 && dice_hits(d, 3))
				tear(d, *data + at, n);
		}
		at += n;
	}
}

static void
cut_to(char **data, size_t *len, size_t size)
{
	grow(data, len, size);
	*len = size;
}

static size_t
last_sync(const struct disk_cut *c, int file)
{
	for (size_t i = c->is_liar ? 0 : c->line; i > 0; i--) {
		if (disk.lines[i - 1].kind == DISK_SYNC && disk.lines[i - 1].file == file)
			return i;
	}
	return 0;
}

static void
make_file(const struct disk_cut *c, struct dice *d, int file, const char *path)
{
	static const uint64_t PERCENT[] = { 0, 0, 10, 50, 90, 100 };
	uint64_t percent = PERCENT[dice_below(d, sizeof(PERCENT) / sizeof(PERCENT[0]))];
	const struct file *f = &disk.files[file];
	auto_free char *data = f->base ? mem_dup(f->base, f->base_len) : NULL;
	size_t len = f->base_len, synced = last_sync(c, file);

	for (size_t i = 0; i < c->line; i++) {
		const struct disk_line *l = &disk.lines[i];

		if (l->file != file)
			continue;
		if (l->kind == DISK_WRITE)
			write_some(l, d, i < synced ? 100 : percent, &data, &len);
		else if (l->kind == DISK_TRUNCATE && (i < synced || dice_hits(d, percent)))
			cut_to(&data, &len, (size_t)l->at);
	}
	/* What lies in a file that was only mapped is anything. */
	if (str_ends(path, "-shm") && len > 0)
		tear(d, data, len);

	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert(fd >= 0);
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, data + at, len - at);

		assert(n > 0);
		at += (size_t)n;
	}
}

/* ---- which names there are ---- */

static size_t
dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool
is_in(const char *path, const char *dir, size_t len)
{
	return dir_len(path) == len && strncmp(path, dir, len) == 0;
}

static bool
is_naming(const struct disk_line *l)
{
	return l->kind == DISK_NEW || l->kind == DISK_GONE || l->kind == DISK_MOVE ||
	       l->kind == DISK_LINK || l->kind == DISK_MKDIR;
}

/* From which line on changes to the directory of `path` have not happened. The same for each path
 * of a directory: the dice are thrown when its first change is looked at. */
static size_t
dir_end(const struct disk_cut *c, struct dice *d, const char *path)
{
	size_t len = dir_len(path), synced = 0, n = 0;

	for (size_t i = 0; i < c->line; i++) {
		const struct disk_line *l = &disk.lines[i];

		if (l->kind == DISK_SYNC_DIR && !c->is_liar && strlen(l->path) == len &&
			strncmp(l->path, path, len) == 0) {
			synced = i;
			n = 0;
		}
		n += is_naming(l) && is_in(l->path, path, len);
	}
	size_t some = dice_below(d, n + 1);
	for (size_t i = synced; i < c->line; i++) {
		const struct disk_line *l = &disk.lines[i];

		if (is_naming(l) && is_in(l->path, path, len) && some-- == 0)
			return i;
	}
	return c->line;
}

static struct name *
find(struct name *names, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (names[i].path && strcmp(names[i].path, path) == 0)
			return &names[i];
	}
	return NULL;
}

struct tree {
	struct name *names;
	size_t n;
};

static void
put(struct tree *t, const char *path, int file)
{
	auto_free char *dir = mem_strn(path, dir_len(path));
	struct name *there = find(t->names, t->n, path);

	if (there)
		there->file = file;
	else if (find(t->names, t->n, dir))
		add_name(&t->names, &t->n, path, file);
}

static void
take(struct tree *t, const char *path)
{
	struct name *there = path ? find(t->names, t->n, path) : NULL;

	if (there) {
		free(there->path);
		there->path = NULL;
	}
}

static void
apply(struct tree *t, const struct disk_line *l)
{
	const struct name *from = l->from ? find(t->names, t->n, l->from) : NULL;
	int file = l->kind == DISK_NEW ? l->file : from ? from->file : -1;

	if (l->kind == DISK_GONE)
		take(t, l->path);
	else if (l->kind == DISK_MKDIR || file >= 0)
		put(t, l->path, file);
	if (l->kind == DISK_MOVE)
		take(t, l->from);
}

static void
make_names(const struct disk_cut *c, struct dice *d, struct tree *t)
{
	struct {
		const char *path;
		size_t end;
	} dirs[32];
	size_t n_dirs = 0;

	for (size_t i = 0; i < disk.n_names; i++)
		add_name(&t->names, &t->n, disk.names[i].path, disk.names[i].file);
	for (size_t i = 0; i < c->line; i++) {
		const struct disk_line *l = &disk.lines[i];
		size_t j = 0;

		if (!is_naming(l))
			continue;
		while (j < n_dirs && !is_in(l->path, dirs[j].path, dir_len(dirs[j].path)))
			j++;
		if (j == n_dirs) {
			assert(n_dirs < sizeof(dirs) / sizeof(dirs[0]));
			dirs[n_dirs].path = l->path;
			dirs[n_dirs++].end = dir_end(c, d, l->path);
		}
		if (i < dirs[j].end)
			apply(t, l);
	}
}

void
disk_make(const struct disk_cut *c, struct dice *d, const char *to)
{
	struct tree t = { 0 };

	make_names(c, d, &t);
	for (size_t i = 0; i < t.n; i++) {
		if (!t.names[i].path || !*t.names[i].path)
			continue;
		auto_free char *path = mem_fmt("%s/%s", to, t.names[i].path);
		if (t.names[i].file >= 0)
			make_file(c, d, t.names[i].file, path);
		else if (mkdir(path, 0700) < 0)
			assert(!"an empty directory takes a name");
	}
	names_free(t.names, t.n);
}
