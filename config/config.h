/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what people decide: nightshift.yaml for a server, .agent.yml for a repository.
 *
 * Both are plain structs with a row table, so that the master reads the files once and each role is
 * sent the result (base/row.h). They hold no secret, only the names of the files and variables that
 * do.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/row.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_BYTES_MAX  (256 * 1024)
#define CONFIG_FORGES_MAX 16
#define CONFIG_NAMES_MAX  32 /* models, registries, agents */

/* A pair x_file, x_env names one secret; at most one of the two is set (config_secret_read). */
struct config_forge {
	char *name;    /* the <name> of POST /hook/<name> */
	char *kind;    /* github, gitea */
	char *url;     /* web and git base, no slash at the end */
	char *api_url; /* set by config_load when the file says nothing */
	int64_t app_id;
	char *app_key_file;
	char *app_key_env;
	char *token_file;
	char *token_env;
	char *webhook_secret_file;
	char *webhook_secret_env;
	char *webhook_secret_old_file;
	char *webhook_secret_old_env;
	struct strs repos; /* for str_glob_list; empty: every repository */
};

struct config_model {
	char *name; /* the <name> of the gateway's /llm/<name>/ */
	char *kind; /* openai, anthropic, gemini: how the key is sent */
	char *url;
	char *key_file;
	char *key_env;
	struct strs allow;  /* names of models, for str_glob_list; empty: all */
	struct strs prices; /* for config_price_find */
};

struct config_registry {
	char *name; /* the <name> of the gateway's /<name>/ */
	char *url;
	char *files; /* where the addresses in its index lead; NULL: below url */
};

struct config_agent {
	char *name;
	char *kind;          /* claude, codex, ..., command: a row of the table of agents */
	char *path;          /* of the program; NULL: found in the box's PATH */
	struct strs command; /* kind command: argv */
	struct strs args;    /* more arguments */
	char *model;         /* what the CLI is told; NULL: its own default */
	char *provider;      /* name of a row of models; NULL: this agent gets no model route */
};

/* Work that the bot begins by itself, again and again. */
struct config_chore {
	char *name;
	struct strs repos; /* for str_glob_list */
	char *schedule;    /* for cron_parse */
	char *zone;        /* for zone_open */
	char *prompt;
	char *agent; /* name of a row of agents; NULL: as for any task */
};

struct config {
	char *listen;
	char *public_url; /* no slash at the end; NULL only with intake poll */
	struct strs trusted_proxies;
	char *intake; /* webhook, poll */
	int64_t poll_every_ms;
	int64_t reconcile_every_ms;
	char *state_dir; /* absolute */
	char *user;
	int64_t boxes;
	int64_t tasks_per_repo;
	struct row_list forges;       /* struct config_forge */
	struct row_list models;       /* struct config_model */
	struct row_list registries;   /* struct config_registry */
	int64_t cache_registry_bytes; /* what is kept on disk at most; 0: nothing that is not in use
				       */
	int64_t cache_layer_bytes;
	int64_t cache_checkout_bytes;
	int64_t cache_mirror_bytes;
	struct strs network;    /* hosts that repositories may open, and *.domain */
	char *agent;            /* name of the default agent: always a row of agents */
	struct row_list agents; /* struct config_agent; every built-in kind but command has a row */
	struct row_list chores; /* struct config_chore */
	char *sandbox_tier_min; /* name of an enum sandbox_tier */
	char *sandbox_rootfs;   /* NULL: the machine's own */
	char *sandbox_runtime;  /* NULL: boxes are made without one */
	struct strs sandbox_tools;
	char *commit_name;
	char *commit_email;
	bool commit_coauthor;
	bool commit_signoff;
	char *commit_sign_key_file;
	char *commit_sign_key_env;
	int64_t limit_wall_ms;
	int64_t limit_log_bytes;
	int64_t limit_disk_bytes;      /* of what an attempt writes */
	int64_t limit_free_disk_bytes; /* below it no attempt begins; 0: always */
	int64_t limit_setup_ms;
	int64_t limit_gate_ms;
	int64_t limit_idle_ms;
	int64_t limit_memory_bytes;
	int64_t limit_cpus_hundredths; /* 0: all that there are */
	int64_t limit_processes;
	int64_t limit_output_bytes;
	int64_t limit_attempts;
	int64_t limit_unattended_ms;
	int64_t limit_tokens;     /* of one task at the models; 0: no limit */
	int64_t limit_cost_cents; /* of a US dollar; 0: no limit */
	char *logs;               /* git: transcripts on refs/agent-logs of the repository; off */
	bool dry_run;
	int64_t backup_every_ms; /* 0: none are made */
	int64_t backup_keep;     /* the newest so many */
	int64_t backup_days;     /* and one of each of so many days */
	int64_t keep_deliveries_ms;
	int64_t keep_transcripts_ms;
	char *store; /* "sqlite", or what libpq connects to: postgres://... */
	char *store_password_file;
	char *marker_key_file;
	int64_t node_lease_ms;
	char *store_synchronous; /* full, off */
};

extern const struct row CONFIG_ROWS[];

/* A scheduled task of a repository. */
struct agent_chore {
	char *name;
	char *schedule; /* five fields of cron */
	char *prompt;
	int64_t open_max;
};

/* True if the store is on a server. */
bool config_store_is_remote(const struct config *c);

/* .agent.yml. Zeros and NULLs mean that the repository says nothing; config_load's values hold
 * then. */
struct agent_settings {
	char *agent;
	struct strs setup;     /* commands, run by the box's sh -c */
	struct strs setup_key; /* files whose contents name the setup layer */
	char *gate_test;       /* command */
	char *gate_report;     /* path of JUnit XML or TAP, below the workspace */
	int64_t gate_reruns;
	struct strs network;    /* "registry" or host names */
	struct strs protect;    /* globs for str_glob_list */
	struct row_list chores; /* struct agent_chore */
	int64_t limit_wall_ms;
	int64_t limit_idle_ms;
	int64_t limit_memory_bytes;
	int64_t limit_tokens;     /* 0: no limit */
	int64_t limit_cost_cents; /* of a US dollar; 0: no limit */
	int64_t limit_tasks_open;
	bool submodules;
	bool lfs;
};

extern const struct row AGENT_SETTINGS_ROWS[];

/* Reads, checks and completes the server's file. Relative paths in it are made absolute against its
 * folder. On error *out is empty and the text says where: nightshift.yaml:12:3: unknown key
 * "lisen"; did you mean "listen"? */
int config_load(const char *path, struct config *out, struct err *e);

/* The same from memory; name is for messages, and its folder for relative paths. */
int config_parse(const char *data, size_t len, const char *name, struct config *out, struct err *e);
void config_finish(struct config *c);

static inline void
clean_config(struct config *c)
{
	config_finish(c);
}

#define auto_config auto_cleanup(clean_config)

/* .agent.yml of a default branch: written by people with write access, but still bounded as an
 * enemy's. len 0 gives the defaults. */
int agent_settings_parse(
	const char *data, size_t len, const char *name, struct agent_settings *out, struct err *e);
void agent_settings_finish(struct agent_settings *s);

/* Rows by name; NULL if there is none. Borrowed from c. */
const struct config_forge *config_forge_find(const struct config *c, const char *name);
const struct config_model *config_model_find(const struct config *c, const char *name);
const struct config_registry *config_registry_find(const struct config *c, const char *name);
const struct config_agent *config_agent_find(const struct config *c, const char *name);
const struct config_chore *config_chore_find(const struct config *c, const char *name);

/* The values in force as a nightshift.yaml that config_parse reads back to the same;
 * docs/CONFIG.md. */
int config_print(const struct config *c, struct buf *out);
int config_docs(struct buf *out);

/* A line of a model's prices, "PATTERN in DOLLARS [cached DOLLARS] [written DOLLARS] out DOLLARS"
 * for a million tokens each. */
#define CONFIG_PRICE_MAX INT64_C(1000000000)
struct config_price {
	int64_t in; /* millionths of a dollar for a million tokens */
	int64_t cached;
	int64_t written;
	int64_t out;
};
struct config_tokens {
	int64_t in, cached, written, out;
};
int config_price_parse(const char *text, struct config_price *out, struct err *e);

/* The last line whose pattern fits decides; false: the model has no price. */
bool config_price_find(const struct config_model *m, const char *model, struct config_price *out);

/* In millionths of a dollar, rounded up. */
int64_t config_price_cost(const struct config_price *p, const struct config_tokens *t);

#define CONFIG_SECRET_BYTES_MIN 16 /* a shorter secret is refused: it can be guessed */

/* A secret's value out of its file or its variable; the caller wipes it. A shorter one than that is
 * refused (ERR_INVALID): it could not be masked in transcripts without masking
 * words of prose. ERR_MISSING, ERR_DENIED. */
int config_secret_read(const char *file, const char *env, struct buf *out, struct err *e);

/* Each secret that c names: what is its place in the file ("forges.gh.token"). Stops at the first
 * negative result, which it returns. */
struct config_secret {
	const char *what;
	const char *file;
	const char *env;
};
int config_secrets_each(const struct config *c,
	int (*fn)(void *arg, const struct config_secret *secret), void *arg);

/* listen: "host:port", "[v6]:port", "unix:PATH", "systemd". Host is a numeric address or localhost,
 * so that nothing is resolved. */
enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX, CONFIG_LISTEN_SYSTEMD };
struct config_listen {
	enum config_listen_kind kind;
	struct sockaddr_storage
		addr; /* TCP: sockaddr_in or sockaddr_in6; port 0 lets the kernel choose */
	socklen_t addr_len;
	char path[108]; /* UNIX: as in sockaddr_un */
};
int config_listen_parse(const char *text, struct config_listen *out, struct err *e);

/* An address or a CIDR block; v4 is kept v4-mapped. Bits behind the prefix are refused: they are a
 * mistake. */
struct config_net {
	uint8_t addr[16];
	int bits; /* of 128 */
};
int config_net_parse(const char *text, struct config_net *out, struct err *e);

/* True if addr (numeric, v4 or v6, v4-mapped counts as v4) is one of nets: addresses or CIDR
 * blocks. */
bool config_net_has(const struct strs *nets, const char *addr);

#endif
