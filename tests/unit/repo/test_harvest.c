/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an honest agent did comes out: one commit of ours, its numbers, a layer for the gate.
 */
#include "tests/unit/repo/scene.h"

#include "base/clean.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The agent works in a copy of the checkout, as in an overlay over it. */
static char *
ask(const char *git_dir, const char *args)
{
	struct buf out = BUF_INIT(MIB(4));

	scene_git(git_dir, args, &out);
	return out.data ? out.data : mem_str("");
}

static void
changes_become_our_commit(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	scene_write(dir, "src/widget.c", "int widget = 1;\nint gadget;\n");
	scene_write(dir, "new/file.txt", "one\ntwo\n");
	auto_free char *readme = mem_fmt("%s/README.md", dir);
	assert_int_equal(unlink(readme), 0);
	scene_agent_commit(dir);
	if (scene_take(s, dir, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.files, 3);
	assert_int_equal(got.insertions, 3);
	assert_int_equal(got.deletions, 2);
	assert_null(got.notes);
	struct repo_harvest h = scene_harvest(s);
	auto_free char *show =
		mem_fmt("log -1 --format=%%an|%%ae|%%ad|%%cn|%%P|%%B --date=raw %s", got.sha);
	auto_free char *text = ask(h.quarantine, show);
	auto_free char *want =
		mem_fmt("nightshift|bot@example.com|1795338000 +0000|nightshift|%s|Mend the "
			"widget\n\nCo-authored-by: asker <asker@example.com>\n",
			s->base);
	assert_string_equal(text, want);
	auto_free char *diff = mem_fmt("diff --name-status --no-renames %s %s", s->base, got.sha);
	auto_free char *names = ask(h.quarantine, diff);
	assert_string_equal(names, "D\tREADME.md\nA\tnew/file.txt\nM\tsrc/widget.c");
	repo_harvested_finish(&got);
}

static void
the_same_input_gives_the_same_commit(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvested first = { 0 };
	struct repo_harvested second = { 0 };
	struct repo_harvested third = { 0 };
	struct err e = { 0 };

	scene_write(dir, "src/widget.c", "int widget = 1;\n");
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &first, &e), 0);
	assert_int_equal(scene_take(s, dir, &second, &e), 0);
	assert_string_equal(first.sha, second.sha);
	/* Another quarantine, and an agent that made two commits of another date of it. */
	struct repo_harvest h = scene_harvest(s);
	assert_int_equal(fs_remove_tree(h.quarantine, &e), 0);
	scene_git(dir, "commit -q --allow-empty --amend -m other --date=1700000000", NULL);
	scene_git(dir, "commit -q --allow-empty -m more", NULL);
	assert_int_equal(scene_take(s, dir, &third, &e), 0);
	assert_string_equal(first.sha, third.sha);
	repo_harvested_finish(&first);
	repo_harvested_finish(&second);
	repo_harvested_finish(&third);
}

static void
no_change_is_no_commit(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	assert_null(got.sha);
	assert_int_equal(got.files, 0);
	repo_harvested_finish(&got);
}

static void
the_layer_makes_the_harvested_tree(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvested got = { 0 };
	struct repo_harvest h = scene_harvest(s);
	struct err e = { 0 };
	struct stat st;

	/* A changed file, an executable one, a link, a directory that goes, a file that becomes a
	 * directory and the other way round. */
	scene_write(dir, "run.sh", "#!/bin/sh\nexit 1\n");
	auto_free char *run = mem_fmt("%s/run.sh", dir);
	auto_free char *link = mem_fmt("%s/to-run", dir);
	auto_free char *deep = mem_fmt("%s/src/deep", dir);
	auto_free char *readme = mem_fmt("%s/README.md", dir);
	assert_int_equal(chmod(run, 0755), 0);
	assert_int_equal(symlink("run.sh", link), 0);
	assert_int_equal(fs_remove_tree(deep, &e), 0);
	scene_write(dir, "src/deep", "now a file\n");
	assert_int_equal(unlink(readme), 0);
	scene_write(dir, "README.md/inner", "now a directory\n");
	auto_free char *old_link = mem_fmt("%s/link", dir);
	assert_int_equal(unlink(old_link), 0);
	scene_agent_commit(dir);
	if (scene_take(s, dir, &got, &e) < 0)
		fail_msg("%s", e.text);
	auto_free char *d_run = mem_fmt("%s/run.sh", h.delta_dir);
	auto_free char *d_gone = mem_fmt("%s/link", h.delta_dir);
	auto_free char *d_deep = mem_fmt("%s/src/deep", h.delta_dir);
	auto_free char *d_link = mem_fmt("%s/to-run", h.delta_dir);
	auto_free char *d_inner = scene_read(h.delta_dir, "README.md/inner");
	assert_int_equal(lstat(d_run, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_mtim.tv_sec, h.author.date_s);
	assert_int_equal(lstat(d_gone, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_rdev, makedev(0, 0));
	assert_int_equal(lstat(d_deep, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(lstat(d_link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_string_equal(d_inner, "now a directory\n");
	assert_false(scene_exists(h.delta_dir, "src/widget.c"));
	repo_harvested_finish(&got);
}

static void
a_directory_that_goes_is_one_whiteout(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	auto_free char *src = mem_fmt("%s/src", dir);
	auto_free char *link = mem_fmt("%s/link", dir);
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(fs_remove_tree(src, &e), 0);
	assert_int_equal(unlink(link), 0);
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	assert_int_equal(got.files, 3);
	auto_free char *d_src = mem_fmt("%s/src", h.delta_dir);
	assert_int_equal(lstat(d_src, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	repo_harvested_finish(&got);
}

/* The proof that counts: mounted over the checkout it is the harvested tree, empty directories and
 * all. Needs the right to mount, which the tests of this project have (the boxes need it). */
static void
mounted_over_the_checkout_it_is_the_commit(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	auto_free char *base = repo_checkout_path(s->trees, s->base);
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };
	auto_free char *at = mem_fmt("%s/merged", s->dir);
	auto_free char *src = mem_fmt("%s/src", dir);
	auto_free char *readme = mem_fmt("%s/README.md", dir);

	assert_int_equal(fs_remove_tree(src, &e), 0);
	assert_int_equal(unlink(readme), 0);
	scene_write(dir, "src", "now a file\n");
	scene_write(dir, "README.md/inner", "now a directory\n");
	scene_write(dir, "a/b/c", "new\n");
	auto_free char *link = mem_fmt("%s/link", dir);
	assert_int_equal(unlink(link), 0);
	scene_agent_commit(dir);
	if (scene_take(s, dir, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(mkdir(at, 0755), 0);
	auto_free char *layers = mem_fmt("lowerdir=%s:%s", h.delta_dir, base);
	auto_free char *script = mem_fmt("mount -t overlay overlay -o %s %s && cd %s && "
					 "find . -path ./.git -prune -o -type f -print | sort",
		layers, at, at);
	const char *argv[] = { "/usr/bin/unshare", "-Urm", "/bin/sh", "-c", script, NULL };
	auto_buf struct buf out = BUF_INIT(MIB(1));
	assert_int_equal(scene_run("/", argv, NULL, NULL, 0, &out), 0);
	assert_string_equal(buf_str(&out), "./README.md/inner\n./a/b/c\n./run.sh\n./src");
	repo_harvested_finish(&got);
}

static void
protected_paths_need_a_human(void **state)
{
	static const char *const names[] = { ".github/workflows/ci.yml", ".gitea/workflows/a/b.yml",
		".forgejo/workflows/x", ".gitlab-ci.yml", ".GitHub/Workflows/ci.yml",
		".github/workflows", "deploy/prod/secret.tf" };
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		auto_free char *dir = scene_agent(s);
		struct repo_harvest h = scene_harvest(s);
		struct strs protect = { 0 };
		struct repo_harvested got = { 0 };
		struct err e = { 0 };

		strs_add(&protect, "deploy/**");
		h.protect = &protect;
		scene_write(dir, names[i], "mine\n");
		scene_agent_commit(dir);
		auto_fd int fd = scene_bundle(s, dir, "HEAD");
		assert_int_equal(repo_harvest(&h, fd, &got, &e), ERR_DENIED);
		auto_free char *want = mem_fmt("%s: protected path", names[i]);
		assert_string_equal(e.text, want);
		assert_null(got.sha);
		assert_int_equal(fs_remove_tree(dir, &e), 0);
		strs_finish(&protect);
	}
}

static void
a_repository_may_open_what_is_protected_by_default(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvest h = scene_harvest(s);
	auto_strs struct strs protect = { 0 };
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	strs_add(&protect, "!.github/workflows/**");
	h.protect = &protect;
	scene_write(dir, ".github/workflows/ci.yml", "mine\n");
	scene_agent_commit(dir);
	auto_fd int fd = scene_bundle(s, dir, "HEAD");
	assert_int_equal(repo_harvest(&h, fd, &got, &e), 0);
	repo_harvested_finish(&got);
}

/* What the keeper signs is the commit; sealed it is the same commit with a signature. */
static void
a_seal_adds_a_signature_and_nothing_else(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	struct repo_harvest h = scene_harvest(s);
	struct repo_harvested got = { 0 };
	char *sealed = NULL;
	char *again = NULL;
	struct err e = { 0 };
	static const char signature[] =
		"-----BEGIN SSH SIGNATURE-----\nQUJD\n-----END SSH SIGNATURE-----\n";

	scene_write(dir, "src/widget.c", "int widget = 1;\n");
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), 0);
	auto_free char *cat = mem_fmt("cat-file commit %s", got.sha);
	auto_free char *plain = ask(h.quarantine, cat);
	assert_int_equal(strncmp(got.payload, plain, strlen(plain)), 0);
	assert_int_equal(repo_seal(h.quarantine, got.payload, signature, &sealed, &e), 0);
	assert_int_equal(repo_seal(h.quarantine, got.payload, signature, &again, &e), 0);
	assert_string_equal(sealed, again);
	assert_string_not_equal(sealed, got.sha);
	auto_free char *cat_sealed = mem_fmt("cat-file commit %s", sealed);
	auto_free char *text = ask(h.quarantine, cat_sealed);
	assert_non_null(strstr(text, "\ngpgsig -----BEGIN SSH SIGNATURE-----\n QUJD\n"));
	assert_non_null(strstr(text, "Mend the widget"));
	free(sealed);
	free(again);
	repo_harvested_finish(&got);
}

static void
a_transcript_becomes_the_same_commit_each_time(void **state)
{
	struct scene *s = *state;
	struct repo_harvest h = scene_harvest(s);
	struct repo_logs l = { h.quarantine, "{\"version\": 2}\n", "hello\n",
		{ "nightshift", "bot@example.com", 1795338000 } };
	auto_free char *first = NULL;
	auto_free char *second = NULL;
	struct err e = { 0 };

	assert_int_equal(repo_logs_commit(&l, &first, &e), 0);
	assert_int_equal(repo_logs_commit(&l, &second, &e), 0);
	assert_string_equal(first, second);
	auto_free char *args = mem_fmt("ls-tree --name-only %s", first);
	auto_free char *names = ask(h.quarantine, args);
	assert_string_equal(names, "task.cast\ntask.txt");
}

/* A commit, a byte; a commit, a byte. */
_Noreturn static void
write_for_ever(struct repo_logs l, int said)
{
	for (;; l.author.date_s++) {
		auto_free char *sha = NULL;

		(void)repo_logs_commit(&l, &sha, NULL);
		if (write(said, "", 1) != 1)
			_exit(1);
	}
}

/* Also with what a killed libgit2 left there: its lock is nobody's. */
static void
a_writer_killed_at_any_moment_stands_in_nobodys_way(void **state)
{
	struct scene *s = *state;
	struct repo_harvest h = scene_harvest(s);
	struct repo_logs l = { h.quarantine, "{\"version\": 2}\n", "hello\n",
		{ "nightshift", "bot@example.com", 1795338000 } };
	struct err e = { 0 };

	for (int i = 0; i < 60; i++) {
		auto_free char *sha = NULL;
		char done;
		int ends[2];

		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		l.author.date_s += i;
		if (pid == 0)
			write_for_ever(l, ends[1]);
		for (int n = 0; n < i % 3; n++)
			assert_int_equal(read(ends[0], &done, 1), 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		(void)close(ends[0]);
		(void)close(ends[1]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(repo_logs_commit(&l, &sha, &e), 0);
		auto_free char *mark = mem_fmt("refs/accepted/%s", sha);
		auto_free char *lock = mem_fmt("%s.lock", mark);
		scene_write(h.quarantine, lock, "");
		auto_free char *again = NULL;
		assert_int_equal(repo_logs_commit(&l, &again, &e), 0);
		assert_string_equal(again, sha);
		assert_true(scene_exists(h.quarantine, mark));
	}
	assert_int_equal(repo_mirror_sweep(h.quarantine, &e), 0);
	auto_free char *refs = ask(h.quarantine, "for-each-ref --format=%(refname)");
	assert_null(strchr(refs, '.'));
}

static void
odd_names_of_the_repository_itself_may_stay(void **state)
{
	static const char *const odd[] = { "back\\slash", "latin-\xe4", "new\nline", "...",
		"x/tab\there" };
	struct scene *s = *state;
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		scene_write(s->work, odd[i], "odd\n");
	scene_commit(s, "odd", s->base);
	scene_mirror(s);
	auto_free char *dir = scene_agent(s);
	scene_write(dir, "README.md", "changed beside them\n");
	scene_write(dir, "x/more", "changed beside them\n");
	scene_write(dir, odd[0], "and one of them\n");
	scene_agent_commit(dir);
	if (scene_take(s, dir, &got, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got.files, 3);
	repo_harvested_finish(&got);
	/* But no new one. */
	scene_write(dir, "other\\slash", "odd\n");
	scene_agent_commit(dir);
	assert_int_equal(scene_take(s, dir, &got, &e), ERR_DENIED);
}

static void
old_quarantines_go(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = mem_fmt("%s/state/quarantine", s->dir);
	auto_free char *old = mem_fmt("%s/17", dir);
	struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct err e = { 0 };

	scene_write(dir, "17/repo.git/HEAD", "x");
	scene_write(dir, "18/repo.git/HEAD", "x");
	scene_write(dir, "lost+found/x", "x");
	assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
	assert_int_equal(repo_quarantine_sweep(dir, 3600000, &e), 1);
	assert_false(scene_exists(dir, "17"));
	assert_true(scene_exists(dir, "18"));
	assert_true(scene_exists(dir, "lost+found"));
	assert_int_equal(repo_quarantine_sweep("/nonexistent", 0, &e), 0);
}

/* Everything that makes git run a program, in the agent's own repository. The agent's git obeys
 * (the control); what takes its work out does not even look. */
static void
what_the_agent_plants_runs_nothing(void **state)
{
	struct scene *s = *state;
	auto_free char *dir = scene_agent(s);
	auto_free char *mark = mem_fmt("%s/ran", s->dir);
	auto_free char *script = mem_fmt("#!/bin/sh\ntouch %s\n", mark);
	auto_free char *program = mem_fmt("%s/program", s->dir);
	auto_free char *config =
		mem_fmt("[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tfsmonitor = %s\n"
			"\tsshCommand = %s\n\tpager = %s\n\thooksPath = .git/hooks\n"
			"[diff \"x\"]\n\ttextconv = %s\n\tcommand = %s\n"
			"[filter \"x\"]\n\tclean = %s\n\tsmudge = %s\n\tprocess = %s\n"
			"[uploadpack]\n\tpackObjectsHook = %s\n[gpg]\n\tprogram = %s\n",
			program, program, program, program, program, program, program, program,
			program, program);
	struct repo_harvested got = { 0 };
	struct err e = { 0 };

	scene_write(dir, "src/widget.c", "int widget = 1;\n");
	scene_agent_commit(dir);
	auto_fd int fd = scene_bundle(s, dir, "HEAD");
	scene_write(s->dir, "program", script);
	assert_int_equal(chmod(program, 0755), 0);
	scene_write(dir, ".gitattributes", "* filter=x diff=x\n");
	scene_write(dir, ".git/config", config);
	const char *argv[] = { "/usr/bin/git", "-C", dir, "status", NULL };
	(void)scene_run("/", argv, NULL, NULL, 0, NULL);
	assert_true(scene_exists(s->dir, "ran"));
	assert_int_equal(unlink(mark), 0);
	struct repo_harvest h = scene_harvest(s);
	assert_int_equal(repo_harvest(&h, fd, &got, &e), 0);
	assert_false(scene_exists(s->dir, "ran"));
	repo_harvested_finish(&got);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_become_our_commit),
		TEST(the_same_input_gives_the_same_commit),
		TEST(no_change_is_no_commit),
		TEST(the_layer_makes_the_harvested_tree),
		TEST(a_directory_that_goes_is_one_whiteout),
		TEST(mounted_over_the_checkout_it_is_the_commit),
		TEST(protected_paths_need_a_human),
		TEST(a_repository_may_open_what_is_protected_by_default),
		TEST(a_seal_adds_a_signature_and_nothing_else),
		TEST(a_transcript_becomes_the_same_commit_each_time),
		TEST(a_writer_killed_at_any_moment_stands_in_nobodys_way),
		TEST(odd_names_of_the_repository_itself_may_stay),
		TEST(old_quarantines_go),
		TEST(what_the_agent_plants_runs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
