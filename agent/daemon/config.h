// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration as the operator wrote it: /etc/holdfast/holdfast.conf (inih) and the policy folder beside it.
 * Every mistake is one line "file:line: what, why, what to do"; nothing is guessed and nothing
 * unknown is passed over. Described in holdfast.conf(5).
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"
#include "core/limits.h"
#include "core/policy.h"

#define CONFIG_FILE "/etc/holdfast/holdfast.conf"
#define CONFIG_POLICIES "/etc/holdfast/policies"
#define CONFIG_KEY "/etc/holdfast/key.pem"
#define CONFIG_PINS "/etc/holdfast/pins"
#define CONFIG_STATE "/var/lib/holdfast"
#define CONFIG_ANCHORS "/usr/share/dns/root.key" /* Debian's dns-root-data */

/* [limits], each within the range of core/limits.h. */
struct config_limits {
	uint32_t hold_slots;
	uint32_t hold_big_slots;
	uint32_t hold_queues;
	uint32_t gate_entries;
	uint32_t peers;
	uint32_t hold_age_seconds;
};

/* Who is asked for keys in the DNS. */
enum config_dnssec { CONFIG_DNSSEC_OFF, CONFIG_DNSSEC_RESOLVERS, CONFIG_DNSSEC_RECURSION };

struct config {
	char *file;	   /* NULL = there is none, everything is default */
	char **interfaces; /* names and shell globs; "*" when nothing else was said */
	size_t interface_count;
	unsigned int interfaces_line; /* 0 = default */
	char *policies;
	unsigned int policies_line; /* 0 = default */
	char *control_socket;
	char *metrics; /* where they are served, as exporter_check has it; NULL = nowhere */
	char *key;     /* file of our private key; without a line in the configuration it may be missing */
	char *pins;    /* file of static pins; likewise */
	char *directory, *directory_key, *directory_id, *directory_ca; /* NULL = not given */
	enum config_dnssec dnssec;
	char *dnssec_anchors;		  /* file of trust anchors */
	char *dnssec_roots;		  /* file of root hints; NULL = the Internet's */
	char *state;			  /* folder for what must survive a restart */
	unsigned int key_line, pins_line; /* 0 = default */
	enum log_level log_level;
	bool sandbox; /* privileges are given up once it runs */
	bool shield;  /* XDP in front of IKE, where it can be */
	bool spread;  /* ESP over the processors, by the same program */
	struct hf_addr resolvers[LIMIT_RESOLVERS];
	size_t resolver_count;
	bool resolvers_auto; /* they came from resolv.conf: worth reading again when that changes */
	struct config_limits limits;
	struct policy policy;		    /* sorted; its fallback is [policy] default */
	char *policy_files[HF_GROUP_COUNT]; /* path of each group's file, NULL = it has none */
};

/*
 * config_load reads `path`, or CONFIG_FILE when it is NULL, and the policy folder. A missing CONFIG_FILE or default folder is
 * no error: the defaults hold, and the log says so. On failure `out` is untouched and err says why.
 */
int config_load(struct config *out, const char *path, struct err *err);

/* config_defaults is what holds without a line in the file. -ENOMEM; config_free frees it in either case. */
int config_defaults(struct config *out);

/* config_free frees what `config` owns, its policy table included, and zeroes it. */
void config_free(struct config *config);

/*
 * config_check_interfaces fails when an interface that is named without a glob does not exist now: a
 * misspelled name would leave the real interface unprotected. -ENODEV.
 */
int config_check_interfaces(const struct config *config, struct err *err);

/* config_wants_interface says whether to attach to `name`, now or when it appears. Never true for lo. */
bool config_wants_interface(const struct config *config, const char *name);

#endif
