/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A box's spec as a runtime reads it.
 */
#include "sandbox/oci/oci.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const NOTHING[] = { NULL };

struct written {
	struct box_spec spec;
	struct oci o;
	struct buf text;
	struct json *json;
};

static int
prepare(void **state)
{
	static const struct oci_runtime row = { "test", "test", NOTHING, false, NULL };
	struct written *w = mem_zero(sizeof(*w));
	struct box_spec *s = &w->spec;

	s->name = mem_str("agent");
	strs_add(&s->argv, "agent");
	strs_add(&s->env, "TOKEN=not for the runtime");
	s->slot = 7;
	box_spec_layer(s, BOX_WORKSPACE, "/boxes/up", 0, true);
	box_spec_layer(s, BOX_WORKSPACE, "/boxes/setup", 1, false);
	box_spec_layer(s, BOX_WORKSPACE, "/boxes/base", 1, false);
	box_spec_layer(s, "/data", "/boxes/data", 1, false);
	strs_add(&s->tools, "/absent");
	strs_add(&s->tools, "/opt/\"agents\"");
	assert_int_equal(box_spec_check(s, NULL), 0);
	native_begin(&w->o.n, s, &(struct box_io)BOX_IO_INIT);
	w->o.runtime = &row;
	w->o.n.stage_path = "/stage";
	w->o.n.tool_fds[1] = 0; /* there */
	w->o.n.has_slots = true;
	w->o.n.uid = w->o.n.gid = BOX_HOST_UID + 7;
	buf_init(&w->text, (size_t)256 << 10);
	*state = w;
	return 0;
}

static int
finish(void **state)
{
	struct written *w = *state;

	w->o.n.tool_fds[1] = -1;
	json_destroy(w->json);
	buf_finish(&w->text);
	box_spec_finish(&w->spec);
	free(w);
	return 0;
}

static void
put_down(struct written *w)
{
	struct err e = { 0 };

	if (oci_config(&w->o, &w->text, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(
		json_parse(w->text.data, w->text.len, &JSON_LIMITS_REPLY, &w->json, &e), 0);
}

/* The element of the list whose member has that value, or NULL. */
static const struct json *
find(const struct json *j, const char *list, const char *member, const char *value)
{
	for (size_t i = 0; i < json_len(j, list); i++) {
		const struct json *one = json_at(j, list, i);

		if (str_eq(json_str(one, member), value))
			return one;
	}
	return NULL;
}

static bool
has_word(const struct json *j, const char *list, const char *word)
{
	bool found = false;

	for (size_t i = 0; i < json_len(j, list); i++)
		found |= str_eq(json_str(json_at(j, list, i), ""), word);
	return found;
}

static void
assert_option(const struct json *j, const char *at, const char *option)
{
	const struct json *mount = find(j, "mounts", "destination", at);

	if (!mount || !has_word(mount, "options", option))
		fail_msg("%s is not mounted with %s", at, option);
}

static void
who_runs_has_nothing(void **state)
{
	static const char *const sets[] = { "process.capabilities.bounding",
		"process.capabilities.effective", "process.capabilities.inheritable",
		"process.capabilities.permitted", "process.capabilities.ambient", "process.env" };
	struct written *w = *state;

	put_down(w);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		assert_false(json_is_null(w->json, sets[i]));
		assert_int_equal(json_len(w->json, sets[i]), 0);
	}
	assert_true(json_bool(w->json, "process.noNewPrivileges"));
	assert_true(json_bool(w->json, "root.readonly"));
	assert_int_equal(json_i64(w->json, "process.user.uid"), BOX_UID);
	assert_int_equal(json_len(w->json, "process.args"), 1);
	/* PID 1 is told what to start by other means, and nobody is told before it. */
	assert_null(strstr(w->text.data, "TOKEN"));
	assert_true(json_is_null(w->json, "hooks"));
}

static void
all_namespaces_are_its_own(void **state)
{
	static const char *const types[] = { "user", "mount", "pid", "ipc", "uts", "cgroup",
		"network" };
	struct written *w = *state;

	put_down(w);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_non_null(find(w->json, "linux.namespaces", "type", types[i]));
	assert_string_equal(
		json_str(find(w->json, "linux.namespaces", "type", "user"), "path"), "/stage/user");
	assert_int_equal(json_len(w->json, "linux.uidMappings"), 1);
	const struct json *map = json_at(w->json, "linux.uidMappings", 0);
	assert_int_equal(json_i64(map, "containerID"), BOX_UID);
	assert_int_equal(json_i64(map, "hostID"), BOX_HOST_UID + 7);
}

/* In which the runtime is started, then. */
static void
a_network_made_ahead_is_kept(void **state)
{
	struct written *w = *state;

	w->o.n.net_fd = 0;
	put_down(w);
	assert_null(find(w->json, "linux.namespaces", "type", "network"));
	w->o.n.net_fd = -1;
}

static void
a_root_in_the_box_is_nobody(void **state)
{
	static const struct oci_runtime row = { "test", "test", NOTHING, true, NULL };
	struct written *w = *state;

	w->o.runtime = &row;
	put_down(w);
	assert_int_equal(json_len(w->json, "linux.gidMappings"), 2);
	const struct json *map = json_at(w->json, "linux.gidMappings", 0);
	assert_int_equal(json_i64(map, "containerID"), 0);
	/* Above every slot's. */
	assert_int_equal(json_i64(map, "hostID"), BOX_HOST_UID + BOX_SLOTS_MAX + 7);
}

static void
mounts_are_those_of_the_spec(void **state)
{
	static const char *const closed[] = { "/proc", "/dev/shm", "/tmp", "/var/tmp", BOX_HOME,
		BOX_WORKSPACE };
	struct written *w = *state;

	put_down(w);
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
		assert_option(w->json, closed[i], "nosuid");
		assert_option(w->json, closed[i], "nodev");
	}
	assert_option(w->json, "/tmp", "size=2147483648");
	assert_option(w->json, "/tmp", "nr_inodes=400000");
	assert_option(w->json, "/dev/pts", "newinstance");
	/* Top first, and what it writes beside its work. */
	assert_option(w->json, BOX_WORKSPACE, "lowerdir=/stage/1:/stage/2");
	assert_option(w->json, BOX_WORKSPACE, "upperdir=/stage/0/data");
	assert_option(w->json, BOX_WORKSPACE, "workdir=/stage/0/work");
	assert_string_equal(
		json_str(find(w->json, "mounts", "destination", "/data"), "source"), "/stage/3");
	assert_null(find(w->json, "mounts", "destination", "/absent"));
	assert_string_equal(
		json_str(find(w->json, "mounts", "destination", "/opt/\"agents\""), "source"),
		"/stage/t1");
	assert_true(has_word(w->json, "linux.maskedPaths", "/proc/kallsyms"));
	assert_true(has_word(w->json, "linux.maskedPaths", "/proc/bus"));
	assert_true(has_word(w->json, "linux.readonlyPaths", "/proc/sys"));
}

/* What nobody writes is read-only as a whole, too. */
static void
a_tree_without_a_writable_layer_is_read_only(void **state)
{
	struct written *w = *state;

	box_spec_layer(&w->spec, "/data", "/boxes/more", 1, false);
	put_down(w);
	assert_option(w->json, "/data", "lowerdir=/stage/3:/stage/4");
	assert_option(w->json, "/data", "ro");
}

static void
an_overlay_of_nothing_is_refused(void **state)
{
	struct written *w = *state;
	struct err e = { 0 };

	box_spec_layer(&w->spec, "/lonely", "/boxes/lonely", 1, true);
	assert_int_equal(oci_config(&w->o, &w->text, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "/lonely"));
}

/* native_rule_cb */
static int
look_up(void *ctx, const char *call, int sys, unsigned n, const struct scmp_arg_cmp *args)
{
	struct {
		const struct json *json;
		size_t i;
	} *at = ctx;
	const struct json *rule = json_at(at->json, "linux.seccomp.syscalls", at->i++);

	(void)args;
	assert_true(has_word(rule, "names", call));
	assert_string_equal(json_str(rule, "action"), "SCMP_ACT_ERRNO");
	assert_int_equal(json_i64(rule, "errnoRet"), sys);
	assert_int_equal(json_len(rule, "args"), n);
	return 0;
}

static void
every_rule_of_the_filter_is_in_it(void **state)
{
	struct written *w = *state;
	struct {
		const struct json *json;
		size_t i;
	} at = { 0 };

	put_down(w);
	at.json = w->json;
	assert_int_equal(native_rules(look_up, &at), 0);
	assert_int_equal(json_len(w->json, "linux.seccomp.syscalls"), at.i);
	assert_true(at.i > 100);
	assert_int_equal(json_len(w->json, "linux.seccomp.architectures"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, prepare, finish)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_runs_has_nothing),
		TEST(all_namespaces_are_its_own),
		TEST(a_network_made_ahead_is_kept),
		TEST(a_root_in_the_box_is_nobody),
		TEST(mounts_are_those_of_the_spec),
		TEST(a_tree_without_a_writable_layer_is_read_only),
		TEST(an_overlay_of_nothing_is_refused),
		TEST(every_rule_of_the_filter_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
