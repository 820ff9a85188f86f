/* SPDX-License-Identifier: Apache-2.0 */
/* store_rig - see store_rig.h. */
#include "store_rig.h"
#include "postgres_rig.h"

#include "base/fs.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int64_t serial;
static const struct store_driver *driver;

int
rig_sqlite(void **state)
{
	(void)state;
	driver = &STORE_SQLITE;
	return 0;
}

int
rig_postgres(void **state)
{
	(void)state;
	driver = &STORE_POSTGRES;
	postgres_rig_start();
	return 0;
}

int
rig_postgres_stop(void **state)
{
	(void)state;
	postgres_rig_stop();
	return 0;
}

static void
rig_open(struct rig *r)
{
	const struct store_conf conf = {
		.dir = r->dir, .url = postgres_rig_url(), .is_durable = false
	};
	struct err e = { 0 };

	if (r->db->open(&conf, &r->s, &e) < 0)
		fail_msg("open: %s", e.text);
}

int
rig_setup(void **state)
{
	struct rig *r = mem_zero(sizeof(*r));

	(void)snprintf(r->dir, sizeof(r->dir), "/tmp/ns-store-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->db = driver;
	if (driver == &STORE_POSTGRES)
		postgres_rig_empty();
	rig_open(r);
	*state = r;
	return 0;
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;

	r->db->close(r->s);
	(void)fs_remove_tree(r->dir, NULL);
	free(r);
	return 0;
}

void
rig_reopen(struct rig *r)
{
	r->db->close(r->s);
	r->s = NULL;
	rig_open(r);
}

struct task
rig_task(int64_t repo_id, int64_t number)
{
	struct task t = { .repo_id = repo_id, .number = number, .gate_exit = -1 };

	t.page = mem_fmt("%032lld", (long long)++serial);
	t.forge = mem_str("gh");
	t.repo = mem_fmt("acme/r%lld", (long long)repo_id);
	t.title = mem_str("A title with \"quotes\" and \xc3\xbc");
	t.prompt = mem_str("Do it");
	t.created_ms = 1000 + serial;
	return t;
}

int64_t
rig_add_task(struct rig *r, int64_t repo_id, int64_t number)
{
	struct task t = rig_task(repo_id, number);
	auto_free char *key = mem_fmt("t%lld", (long long)serial);
	bool was_seen;
	struct err e = { 0 };

	if (r->db->task_add(r->s, key, 0, &t, &was_seen, &e) < 0)
		fail_msg("task_add: %s", e.text);
	int64_t id = t.id;
	task_finish(&t);
	return id;
}

int64_t
rig_add_delivery(struct rig *r, const char *guid)
{
	char forge[] = "gh", event[] = "issues";
	auto_free char *id_text = mem_str(guid);
	struct delivery d = { .forge = forge, .guid = id_text, .event = event, .received_ms = 5 };
	int64_t id = 0;

	assert_int_equal(r->db->delivery_add(r->s, &d, "{}", 2, &id, NULL), 0);
	return id;
}
