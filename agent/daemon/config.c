// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration, see config.h. inih splits lines; it is fed through a reader of ours that counts them (the library is commonly built
 * without line numbers), knows the sections, and takes off indentation, which inih would read as the continuation of the line before.
 */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/own.h"
#include "base/suggest.h"
#include "control/exporter.h"
#include "daemon/config_reading.h"
#include "daemon/policies.h"
#include "daemon/resolvers.h"
#include "holdfast/control.h"

#define SECTIONS "[agent], [policy], [private], [private-or-clear], [clear-or-private], [discovery] and [limits]"
#define SPACE " \t\r\n\v\f"
#define SEPARATORS " \t,"
#define MESSAGE_MAX 400

struct key {
	const char *section, *name;
	int (*set)(struct reading *reading, const struct key *key, const char *value);
	size_t offset;	   /* in struct config_limits, of the text or switch in struct config, or the group */
	uint32_t min, max; /* of a number */
};

int config_refuse(struct reading *reading, const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return err_set(reading->err, -EINVAL, "%s:%u: %s", reading->path, reading->line, text);
}

static int set_string(struct reading *reading, char **slot, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return config_refuse(reading, "out of memory");
	free(*slot);
	*slot = copy;
	return 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

static int set_number(struct reading *reading, const struct key *key, const char *value)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end)
		return config_refuse(reading, "%s = %s is not a whole number: give one from %u to %u", key->name, value,
				     key->min, key->max);
	if (errno || number < key->min || number > key->max)
		return config_refuse(reading, "%s = %s is out of range: give a number from %u to %u", key->name, value,
				     key->min, key->max);
	*(uint32_t *)((char *)&reading->config->limits + key->offset) = (uint32_t)number;
	return 0;
}

static int check_path(struct reading *reading, const struct key *key, const char *value)
{
	if (*value != '/')
		return config_refuse(reading, "%s = %s is not an absolute path: start it with /", key->name, value);
	return 0;
}

static int set_policies(struct reading *reading, const struct key *key, const char *value)
{
	int rc = check_path(reading, key, value);

	reading->config->policies_line = reading->line;
	return rc < 0 ? rc : set_string(reading, &reading->config->policies, value);
}

static int set_socket(struct reading *reading, const struct key *key, const char *value)
{
	const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	int rc = check_path(reading, key, value);

	if (rc < 0)
		return rc;
	if (strlen(value) > max)
		return config_refuse(reading,
				     "%s is %zu octets long, and a socket's path has at most %zu: give a shorter one",
				     key->name, strlen(value), max);
	return set_string(reading, &reading->config->control_socket, value);
}

static int set_level(struct reading *reading, const struct key *key, const char *value)
{
	if (log_level_parse(&reading->config->log_level, value) < 0)
		return config_refuse(reading, "%s = %s is none: give error, warn, info or debug", key->name, value);
	return 0;
}

/* One of two words: *out is whether it is `yes`. */
static int choose(struct reading *reading, const struct key *key, const char *value, bool *out, const char *yes,
		  const char *no, const char *words)
{
	*out = strcmp(value, yes) == 0;
	if (!*out && strcmp(value, no) != 0)
		return config_refuse(reading, "%s = %s is none: give %s", key->name, value, words);
	return 0;
}

static int set_switch(struct reading *reading, const struct key *key, const char *value)
{
	return choose(reading, key, value, (bool *)((char *)reading->config + key->offset), "on", "off", "on or off");
}

static int set_default_group(struct reading *reading, const struct key *key, const char *value)
{
	if (group_parse(&reading->config->policy.fallback, value) < 0)
		return config_refuse(reading,
				     "%s = %s is not a policy group: give clear, clear-or-private, private-or-clear, "
				     "private or block",
				     key->name, value);
	return 0;
}

static int set_auth(struct reading *reading, const struct key *key, const char *value)
{
	return choose(reading, key, value, &reading->config->policy.ways[key->offset].auth_any, "any", "verified",
		      "verified, or any (also hosts that prove nothing)");
}

static int set_probe(struct reading *reading, const struct key *key, const char *value)
{
	return choose(reading, key, value, &reading->config->policy.ways[key->offset].probe_always, "always", "known",
		      "known, or always (also hosts that nothing is known of)");
}

static int set_gateways(struct reading *reading, const struct key *key, const char *value)
{
	return choose(reading, key, value, &reading->config->policy.ways[key->offset].gateways, "yes", "no",
		      "no, or yes (also through gateways that signed records name)");
}

static int check_interface(struct reading *reading, const char *name)
{
	if (strlen(name) >= IFNAMSIZ)
		return config_refuse(
			reading,
			"\"%s\" is too long for an interface, whose name has at most %d characters: correct it", name,
			IFNAMSIZ - 1);
	if (strchr(name, '/'))
		return config_refuse(reading, "\"%s\" cannot be an interface, whose name has no /: correct it", name);
	if (strcmp(name, "lo") == 0)
		return config_refuse(reading,
				     "\"lo\" is the loopback interface, which never needs protection: remove it");
	return 0;
}

static int set_interfaces(struct reading *reading, const struct key *key, const char *value)
{
	struct config *config = reading->config;
	OWN_FREE char *copy = strdup(value);
	char *rest = copy, *name;

	if (!copy)
		return config_refuse(reading, "out of memory");
	for (size_t i = 0; i < config->interface_count; i++)
		free(config->interfaces[i]);
	config->interface_count = 0;
	config->interfaces_line = reading->line;
	while ((name = strsep(&rest, SEPARATORS)) != NULL) {
		char **slot = &config->interfaces[config->interface_count];

		if (!*name)
			continue;
		if (config->interface_count == LIMIT_INTERFACES)
			return config_refuse(reading, "%s has more than %d names: use globs such as eth*", key->name,
					     LIMIT_INTERFACES);
		if (check_interface(reading, name) < 0)
			return -EINVAL;
		*slot = NULL;
		if (set_string(reading, slot, name) < 0)
			return -EINVAL;
		config->interface_count++;
	}
	if (!config->interface_count)
		return config_refuse(reading,
				     "%s names none: give names or globs, or remove the line for all interfaces",
				     key->name);
	return 0;
}

static int set_resolvers(struct reading *reading, const struct key *key, const char *value)
{
	struct config *config = reading->config;
	OWN_FREE char *copy = strdup(value);
	char *rest = copy, *word;

	if (!copy)
		return config_refuse(reading, "out of memory");
	config->resolvers_auto = strcmp(value, "auto") == 0;
	if (config->resolvers_auto || strcmp(value, "none") == 0)
		return 0;
	while ((word = strsep(&rest, SEPARATORS)) != NULL) {
		struct err why = ERR_NONE;

		if (!*word)
			continue;
		if (config->resolver_count == LIMIT_RESOLVERS)
			return config_refuse(reading, "%s has more than %d addresses: leave out what is not asked",
					     key->name, LIMIT_RESOLVERS);
		if (addr_parse(&config->resolvers[config->resolver_count], word, &why) < 0)
			return config_refuse(reading, "%s: give auto, none, or addresses", why.text);
		config->resolver_count++;
	}
	if (!config->resolver_count)
		return config_refuse(reading, "%s names none: give auto, none, or addresses", key->name);
	return 0;
}

static int set_text(struct reading *reading, const struct key *key, const char *value)
{
	return set_string(reading, (char **)((char *)reading->config + key->offset), value);
}

static int set_path(struct reading *reading, const struct key *key, const char *value)
{
	if (*value != '/')
		return config_refuse(reading, "%s is \"%.200s\": give the whole path, from / on", key->name, value);
	if (key->offset == offsetof(struct config, key))
		reading->config->key_line = reading->line;
	if (key->offset == offsetof(struct config, pins))
		reading->config->pins_line = reading->line;
	return set_text(reading, key, value);
}

static int set_source(struct reading *reading, const struct key *key, const char *value)
{
	if (strncmp(value, "https://", 8) == 0)
		return set_text(reading, key, value);
	if (*value != '/')
		return config_refuse(reading, "%s is \"%.200s\": give the whole path of a file, or an https:// address",
				     key->name, value);
	return set_text(reading, key, value);
}

static int set_dnssec(struct reading *reading, const struct key *key, const char *value)
{
	bool asks = strcmp(value, "resolvers") == 0, recursion = strcmp(value, "recursion") == 0;

	if (!asks && !recursion && strcmp(value, "off") != 0)
		return config_refuse(
			reading,
			"%s = %s is none: give off, resolvers ([policy] resolvers are asked) or recursion (the "
			"zones' own servers are)",
			key->name, value);
	reading->config->dnssec = asks	      ? CONFIG_DNSSEC_RESOLVERS
				  : recursion ? CONFIG_DNSSEC_RECURSION
					      : CONFIG_DNSSEC_OFF;
	return 0;
}

static int set_metrics(struct reading *reading, const struct key *key, const char *value)
{
	struct err why = ERR_NONE;

	if (strcmp(value, "off") == 0)
		return 0;
	if (exporter_check(value, &why) < 0)
		return config_refuse(reading, "%s: %s", key->name, why.text);
	return set_text(reading, key, value);
}

/* ---- keys ------------------------------------------------------------------------------------ */

#define LIMIT_KEY(field, LIMIT)                                                                               \
	{                                                                                                     \
		"limits", #field, set_number, offsetof(struct config_limits, field), LIMIT##_MIN, LIMIT##_MAX \
	}

static const struct key keys[] = {
	{ "agent", "interfaces", set_interfaces, 0, 0, 0 },
	{ "agent", "policies", set_policies, 0, 0, 0 },
	{ "agent", "control_socket", set_socket, 0, 0, 0 },
	{ "agent", "log_level", set_level, 0, 0, 0 },
	{ "agent", "key", set_path, offsetof(struct config, key), 0, 0 },
	{ "agent", "metrics", set_metrics, offsetof(struct config, metrics), 0, 0 },
	{ "agent", "sandbox", set_switch, offsetof(struct config, sandbox), 0, 0 },
	{ "agent", "shield", set_switch, offsetof(struct config, shield), 0, 0 },
	{ "agent", "spread", set_switch, offsetof(struct config, spread), 0, 0 },
	{ "agent", "state", set_path, offsetof(struct config, state), 0, 0 },
	{ "discovery", "pins", set_path, offsetof(struct config, pins), 0, 0 },
	{ "discovery", "directory", set_source, offsetof(struct config, directory), 0, 0 },
	{ "discovery", "directory_key", set_text, offsetof(struct config, directory_key), 0, 0 },
	{ "discovery", "directory_id", set_text, offsetof(struct config, directory_id), 0, 0 },
	{ "discovery", "directory_ca", set_path, offsetof(struct config, directory_ca), 0, 0 },
	{ "discovery", "dnssec", set_dnssec, 0, 0, 0 },
	{ "discovery", "dnssec_anchors", set_path, offsetof(struct config, dnssec_anchors), 0, 0 },
	{ "discovery", "dnssec_roots", set_path, offsetof(struct config, dnssec_roots), 0, 0 },
	{ "policy", "default", set_default_group, 0, 0, 0 },
	{ "policy", "resolvers", set_resolvers, 0, 0, 0 },
	{ "private", "auth", set_auth, HF_GROUP_PRIVATE, 0, 0 },
	{ "private", "probe", set_probe, HF_GROUP_PRIVATE, 0, 0 },
	{ "private", "gateways", set_gateways, HF_GROUP_PRIVATE, 0, 0 },
	{ "private-or-clear", "auth", set_auth, HF_GROUP_PRIVATE_OR_CLEAR, 0, 0 },
	{ "private-or-clear", "probe", set_probe, HF_GROUP_PRIVATE_OR_CLEAR, 0, 0 },
	{ "private-or-clear", "gateways", set_gateways, HF_GROUP_PRIVATE_OR_CLEAR, 0, 0 },
	{ "clear-or-private", "auth", set_auth, HF_GROUP_CLEAR_OR_PRIVATE, 0, 0 },
	LIMIT_KEY(hold_slots, LIMIT_HOLD_SLOTS),
	LIMIT_KEY(hold_big_slots, LIMIT_HOLD_BIG_SLOTS),
	LIMIT_KEY(hold_queues, LIMIT_HOLD_QUEUES),
	LIMIT_KEY(hold_age_seconds, LIMIT_HOLD_AGE_SECONDS),
	LIMIT_KEY(gate_entries, LIMIT_GATE_ENTRIES),
	LIMIT_KEY(peers, LIMIT_PEERS),
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))
_Static_assert(KEY_COUNT <= CONFIG_KEYS_MAX, "reading.seen has a place for each key");

static int refuse_key(struct reading *reading, const char *section, const char *name)
{
	const char *here[CONFIG_KEYS_MAX], *meant;
	char list[MESSAGE_MAX / 2] = "";
	size_t count = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) == 0)
			here[count++] = keys[i].name;
		else if (strcmp(keys[i].name, name) == 0)
			return config_refuse(reading, "%s is not a key of [%s]: put it under [%s]", name, section,
					     keys[i].section);
	}
	meant = suggest_nearest(name, here, count);
	if (meant)
		return config_refuse(reading, "unknown key %s in [%s], nothing reads it: did you mean %s?", name,
				     section, meant);
	for (size_t i = 0; i < count; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", here[i]);
	return config_refuse(reading, "unknown key %s in [%s], nothing reads it: remove it; there are %s", name,
			     section, list);
}

/* inih's handler: 1 = done. A key before any section comes with section "". */
static int on_key(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *reading = arg;

	if (reading->err->text[0] || !name)
		return !reading->err->text[0];
	if (!*section)
		return config_refuse(reading, "%s stands before any section: put it under one of " SECTIONS, name) == 0;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0)
			continue;
		if (reading->seen[i])
			return config_refuse(reading,
					     "%s is set a second time, first on line %u: remove one of the two", name,
					     reading->seen[i]) == 0;
		reading->seen[i] = reading->line;
		if (!*value)
			return config_refuse(reading, "%s has no value: give one, or remove the line for the default",
					     name) == 0;
		return keys[i].set(reading, &keys[i], value) == 0;
	}
	return refuse_key(reading, section, name) == 0;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static int check_section(struct reading *reading, const char *line)
{
	static const char *const sections[] = {
		"agent", "policy", "private", "private-or-clear", "clear-or-private", "discovery", "limits",
	};
	const size_t count = sizeof(sections) / sizeof(sections[0]);
	const char *end = strchr(line, ']'), *meant;
	char name[64];

	if (!end || end[1 + strspn(end + 1, SPACE)])
		return config_refuse(reading, "\"%.64s\" is no section: write [name] alone on its line", line);
	snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, sections[i]) == 0)
			return 0;
	meant = suggest_nearest(name, sections, count);
	if (meant)
		return config_refuse(reading, "unknown section [%s], nothing reads it: did you mean [%s]?", name,
				     meant);
	return config_refuse(reading, "unknown section [%s], nothing reads it: the sections are " SECTIONS, name);
}

/* A # behind a space starts a comment, as people expect; inih knows only ; for that. */
static void strip_comment(char *line)
{
	if (*line == '#' || *line == ';')
		*line = '\0';
	for (char *at = strchr(line, '#'); at; at = strchr(at + 1, '#')) {
		if (strchr(SPACE, at[-1])) {
			*at = '\0';
			return;
		}
	}
}

/* inih's reader, like fgets: the next line, or NULL at the end and after a mistake. */
static char *next_line(char *out, int out_max, void *arg)
{
	struct reading *reading = arg;
	OWN_FREE char *line = NULL;
	size_t room = 0, used;
	ssize_t len;
	char *text;

	if (reading->err->text[0])
		return NULL;
	len = getline(&line, &room, reading->file);
	if (len < 0)
		return NULL;
	reading->line++;
	if (strlen(line) != (size_t)len) {
		config_refuse(reading, "there is a NUL byte: this is not a text file");
		return NULL;
	}
	/* Some editors begin a file with a byte order mark. */
	text = reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
	text += strspn(text, SPACE);
	strip_comment(text);
	for (used = strlen(text); used && strchr(SPACE, text[used - 1]); used--)
		text[used - 1] = '\0';
	if (used + 2 > (size_t)out_max) {
		config_refuse(reading, "the line is longer than %d characters: shorten it", out_max - 2);
		return NULL;
	}
	if (*text == '[' && check_section(reading, text) < 0)
		return NULL;
	if (*text && *text != '[' && !strpbrk(text, "=:")) {
		config_refuse(reading,
			      "\"%.64s\" is neither a [section] nor a key = value: correct it, or put # in front",
			      text);
		return NULL;
	}
	snprintf(out, (size_t)out_max, "%s\n", text);
	return out;
}

/* ---- file ------------------------------------------------------------------------------------ */

unsigned int config_line_of(const struct reading *reading, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (strcmp(keys[i].name, name) == 0)
			return reading->seen[i];
	return 0;
}

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

static int read_file(struct config *config, const char *path, struct err *err)
{
	const char *name = path ? path : CONFIG_FILE;
	OWN(close_file) FILE *file = fopen(name, "re");
	struct reading reading = { .config = config, .path = name, .file = file, .err = err };
	int rc;

	if (!file && errno == ENOENT && !path) {
		log_info("no %s: every setting has its default", CONFIG_FILE);
		return 0;
	}
	if (!file)
		return err_set(err, -errno, "%s: cannot be read (%s): correct the path or its permissions", name,
			       strerror(errno));
	rc = ini_parse_stream(next_line, &reading, on_key, &reading);
	if (err->text[0])
		return -EINVAL;
	if (ferror(file))
		return err_set(err, -EIO, "%s: cannot be read (%s): the configuration is a plain file", name,
			       strerror(errno));
	if (rc != 0) {
		reading.line = rc > 0 ? (unsigned int)rc : reading.line;
		return config_refuse(&reading, "not understood: write key = value");
	}
	if (config_check_together(&reading) < 0)
		return -EINVAL;
	return set_string(&reading, &config->file, name);
}

static int read_policies(struct config *config, struct err *err)
{
	int rc = policies_load(&config->policy, config->policy_files, config->policies, err);
	size_t len = strlen(config->policies);

	if (rc == -ENOENT && !config->policies_line) {
		*err = ERR_NONE;
		log_info("no folder %s: every address belongs to group %s", config->policies,
			 group_name(config->policy.fallback));
		return policy_finish(&config->policy, err);
	}
	/* A mistake in the folder's own name was made in the configuration file. */
	if (rc < 0 && config->policies_line && strncmp(err->text, config->policies, len) == 0 && err->text[len] == ':')
		err_prefix(err, "%s:%u", config->file, config->policies_line);
	return rc;
}

int config_load(struct config *out, const char *path, struct err *err)
{
	OWN(config_free) struct config config = { 0 };
	struct err local = ERR_NONE;
	int rc = config_defaults(&config);

	if (!err)
		err = &local;
	if (rc < 0)
		return err_set(err, rc, "out of memory");
	rc = read_file(&config, path, err);
	if (rc == 0)
		rc = read_policies(&config, err);
	if (rc < 0)
		return rc;
	if (config.resolvers_auto)
		config.resolver_count = resolvers_auto(config.resolvers, LIMIT_RESOLVERS);
	*out = config;
	config = (struct config){ 0 };
	return 0;
}
