// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of hosts and keys, see hosts.h: reading and searching. Texts and keys lie in one piece of memory as long as the text, which
 * is enough because each becomes shorter when it is read.
 */
#include "discover/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "discover/keytext.h"
#include "discover/lines.h"
#include "discover/stamp.h"

struct place {
	struct hf_prefix prefix; /* first: prefix_search */
	uint32_t host;		 /* index */
};

struct hosts {
	struct host *hosts;
	struct hf_prefix *prefixes; /* of all hosts, in the order of the text */
	struct place *index;	    /* sorted: longer prefixes first, then by address */
	uint8_t *octets;	    /* names and keys */
	size_t count, prefix_count, used;
	size_t room, prefix_room; /* elements of hosts and of prefixes */
};

struct reading {
	struct hosts *hosts;
	const struct hosts_options *options;
	unsigned int line;
	struct err *err;
};

/* A message is FILE:LINE: what is wrong. */
#define COMPLAIN(reading, format, ...) \
	err_set((reading)->err, -EINVAL, "%s:%u: " format, (reading)->options->file, (reading)->line, ##__VA_ARGS__)

/* ---- words ------------------------------------------------------------------------------------ */

static struct view behind(struct view word, const char *start)
{
	return view_of(word.at + strlen(start), word.len - strlen(start));
}

#define SHOWN(word) (int)((word).len < 64 ? (word).len : 64), (const char *)(word).at

/* ---- one line --------------------------------------------------------------------------------- */

/* Room for one more element; *room doubles. */
static int grow(void *array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *larger;

	if (count < *room)
		return 0;
	larger = reallocarray(*(void **)array, wanted, size);
	if (!larger)
		return -ENOMEM;
	*(void **)array = larger;
	*room = wanted;
	return 0;
}

bool hosts_in_scope(const struct hf_prefix *scope, size_t count, const struct hf_prefix *prefix)
{
	bool inside = false;

	for (size_t i = 0; i < count && !inside; i++)
		inside = scope[i].prefix_len <= prefix->prefix_len &&
			 addr_is_v4(&scope[i].addr) == addr_is_v4(&prefix->addr) &&
			 prefix_contains(&scope[i], &prefix->addr);
	return inside;
}

static int read_prefix(struct reading *reading, struct host *host, struct view part)
{
	struct hosts *hosts = reading->hosts;
	struct err err = ERR_NONE;
	struct hf_prefix prefix;
	char text[PREFIX_TEXT_MAX + 16] = "";

	if (!part.len)
		return COMPLAIN(reading,
				"there is an empty address between commas: write ADDRESS,ADDRESS without spaces");
	memcpy(text, part.at, part.len < sizeof(text) ? part.len : sizeof(text) - 1);
	if (prefix_parse(&prefix, text, &err) < 0)
		return COMPLAIN(reading, "%s", err.text);
	if (reading->options->scope && !hosts_in_scope(reading->options->scope, reading->options->scope_count, &prefix))
		return COMPLAIN(reading, "%s lies outside the directory's scope: widen the scope or remove it", text);
	if (host->prefix_count == HOSTS_PREFIXES_MAX)
		return COMPLAIN(reading, "the host has more than %d addresses: use prefixes", HOSTS_PREFIXES_MAX);
	if (hosts->prefix_count == HOSTS_INDEX_MAX)
		return COMPLAIN(reading, "there are more than %d addresses: use prefixes, or make several lists",
				HOSTS_INDEX_MAX);
	if (grow(&hosts->prefixes, &hosts->prefix_room, hosts->prefix_count, sizeof(prefix)) < 0)
		return err_set(reading->err, -ENOMEM, "out of memory");
	hosts->prefixes[hosts->prefix_count++] = prefix;
	host->prefix_count++;
	return 0;
}

static int read_addresses(struct reading *reading, struct host *host, struct view word)
{
	int rc = 0;

	if (keytext_is_key(word) && memchr(word.at, '=', word.len))
		return COMPLAIN(reading, "the line begins with a key: write the address first");
	do {
		rc = read_prefix(reading, host, line_part(&word, ','));
	} while (rc == 0 && word.at);
	return rc;
}

static bool is_name(struct view name)
{
	if (!name.len || name.len > HOSTS_NAME_MAX || name.at[0] == '.' || name.at[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
		      c == '-' || c == '_'))
			return false;
	}
	return true;
}

static int read_name(struct reading *reading, struct host *host, struct view name)
{
	struct hosts *hosts = reading->hosts;
	char *copy = (char *)hosts->octets + hosts->used;

	if (!is_name(name))
		return COMPLAIN(reading,
				"\"%.*s\" is not a host's name: use letters, digits, - and ., at most %d characters",
				SHOWN(name), HOSTS_NAME_MAX);
	if (*host->name)
		return COMPLAIN(reading, "name= stands there twice: a host has one name");
	memcpy(copy, name.at, name.len);
	copy[name.len] = '\0';
	hosts->used += name.len + 1;
	host->name = copy;
	return 0;
}

static int read_key(struct reading *reading, struct host *host, struct view word)
{
	struct hosts *hosts = reading->hosts;
	uint8_t *spki = hosts->octets + hosts->used;
	size_t len = SPKI_MAX < word.len ? SPKI_MAX : word.len;
	struct err err = ERR_NONE;

	if (host->keys == HOSTS_KEYS_MAX)
		return COMPLAIN(reading, "the host has more than %d keys: remove those that are no longer used",
				HOSTS_KEYS_MAX);
	if (keytext_parse(spki, &len, word, &err) < 0)
		return COMPLAIN(reading, "%s", err.text);
	for (size_t i = 0; i < host->keys; i++)
		if (view_equal(host->spki[i], view_of(spki, len)))
			return COMPLAIN(reading, "the same key stands there twice: remove one");
	host->spki[host->keys++] = view_of(spki, len);
	hosts->used += len;
	return 0;
}

static int read_word(struct reading *reading, struct host *host, struct view word)
{
	if (line_starts(word, "name="))
		return read_name(reading, host, behind(word, "name="));
	if (line_starts(word, "until=")) {
		if (host->until_s)
			return COMPLAIN(reading, "until= stands there twice: remove one");
		if (stamp_parse_day(&host->until_s, behind(word, "until=")) < 0)
			return COMPLAIN(reading, "\"%.*s\" is not a day: write until=YYYY-MM-DD", SHOWN(word));
		return 0;
	}
	if (keytext_is_key(word))
		return read_key(reading, host, word);
	return COMPLAIN(reading,
			"\"%.*s\" is no key, name=NAME or until=YYYY-MM-DD: correct it, or put commas without "
			"spaces between addresses",
			SHOWN(word));
}

static int read_host(struct reading *reading, struct view line)
{
	struct hosts *hosts = reading->hosts;
	struct host host = { .name = "", .line = reading->line };
	struct view word = line_word(&line);
	int rc;

	if (!word.len)
		return 0;
	if (hosts->count == HOSTS_MAX)
		return COMPLAIN(reading, "there are more than %d hosts: make several lists", HOSTS_MAX);
	rc = read_addresses(reading, &host, word);
	while (rc == 0 && (word = line_word(&line)).len)
		rc = read_word(reading, &host, word);
	if (rc < 0)
		return rc;
	if (!host.keys)
		return COMPLAIN(reading,
				"the host has no key: write KIND:BASE64 behind its address, as `holdfast init` "
				"prints it there");
	if (grow(&hosts->hosts, &hosts->room, hosts->count, sizeof(host)) < 0)
		return err_set(reading->err, -ENOMEM, "out of memory");
	hosts->hosts[hosts->count++] = host;
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static int read_lines(struct reading *reading, struct view text)
{
	int rc = 0;

	for (reading->line = reading->options->line; rc == 0 && text.at; reading->line++) {
		struct view line = line_next(&text), content;

		for (size_t i = 0; i < line.len; i++)
			if (line.at[i] < ' ' && !line_is_space(line.at[i]))
				return COMPLAIN(reading, "there is %s: this is not a text file",
						line.at[i] ? "a control character" : "a NUL byte");
		content = line_part(&line, '#');
		if (content.len > HOSTS_LINE_MAX)
			return COMPLAIN(reading, "the line is longer than %d characters: shorten it", HOSTS_LINE_MAX);
		rc = read_host(reading, content);
	}
	return rc;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *first = a, *second = b;
	int order = prefix_compare(&first->prefix, &second->prefix);

	return order ? order : (first->host > second->host) - (first->host < second->host);
}

static int compare_names(const void *a, const void *b)
{
	const struct host *first = *(const struct host *const *)a, *second = *(const struct host *const *)b;
	int order = strcasecmp(first->name, second->name);

	return order ? order : (first->line > second->line) - (first->line < second->line);
}

/* Sorts the index; an address belongs to one line only. */
static int make_index(struct reading *reading)
{
	struct hosts *hosts = reading->hosts;
	char text[PREFIX_TEXT_MAX];
	size_t at = 0;

	hosts->index = calloc(hosts->prefix_count + 1, sizeof(*hosts->index));
	if (!hosts->index)
		return err_set(reading->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < hosts->count; i++) {
		struct host *host = &hosts->hosts[i];

		host->prefixes = hosts->prefixes + at;
		for (uint32_t n = 0; n < host->prefix_count; n++, at++)
			hosts->index[at] = (struct place){ host->prefixes[n], (uint32_t)i };
	}
	qsort(hosts->index, hosts->prefix_count, sizeof(*hosts->index), compare_places);
	for (size_t i = 1; i < hosts->prefix_count; i++) {
		const struct place *before = &hosts->index[i - 1], *place = &hosts->index[i];

		reading->line = hosts->hosts[place->host].line;
		if (prefix_equal(&before->prefix, &place->prefix))
			return COMPLAIN(reading, "%s is already on line %u: a host has one line, with all its keys",
					prefix_format(text, &place->prefix), hosts->hosts[before->host].line);
	}
	return 0;
}

static int check_names(struct reading *reading)
{
	const struct hosts *hosts = reading->hosts;
	OWN_FREE const struct host **named = calloc(hosts->count + 1, sizeof(*named));
	size_t count = 0;

	if (!named)
		return err_set(reading->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < hosts->count; i++)
		if (*hosts->hosts[i].name)
			named[count++] = &hosts->hosts[i];
	qsort(named, count, sizeof(*named), compare_names);
	for (size_t i = 1; i < count; i++) {
		reading->line = named[i]->line;
		if (strcasecmp(named[i - 1]->name, named[i]->name) == 0)
			return COMPLAIN(
				reading,
				"the name %s is already on line %u: a host has one line, with all its addresses",
				named[i]->name, named[i - 1]->line);
	}
	return 0;
}

static void own_hosts(struct hosts **hosts)
{
	hosts_free(*hosts);
}

int hosts_parse(struct hosts **out, struct view text, const struct hosts_options *options, struct err *err)
{
	OWN(own_hosts) struct hosts *hosts = calloc(1, sizeof(*hosts));
	struct reading reading = { .hosts = hosts, .options = options, .err = err };
	int rc;

	if (hosts)
		hosts->octets = malloc(text.len + 1);
	if (!hosts || !hosts->octets)
		return err_set(err, -ENOMEM, "out of memory");
	rc = read_lines(&reading, text);
	if (rc == 0)
		rc = make_index(&reading);
	if (rc == 0)
		rc = check_names(&reading);
	if (rc < 0)
		return rc;
	*out = TAKE(hosts);
	return 0;
}

void hosts_free(struct hosts *hosts)
{
	if (!hosts)
		return;
	free(hosts->hosts);
	free(hosts->prefixes);
	free(hosts->index);
	free(hosts->octets);
	free(hosts);
}

/* ---- searching -------------------------------------------------------------------------------- */

const struct host *hosts_find(const struct hosts *hosts, const struct hf_addr *addr, struct hf_prefix *prefix)
{
	const struct place *place = prefix_search(hosts->index, hosts->prefix_count, sizeof(hosts->index[0]), addr);

	if (!place)
		return NULL;
	if (prefix)
		*prefix = place->prefix;
	return &hosts->hosts[place->host];
}

size_t hosts_count(const struct hosts *hosts)
{
	return hosts ? hosts->count : 0;
}

const struct host *hosts_at(const struct hosts *hosts, size_t index)
{
	return index < hosts->count ? &hosts->hosts[index] : NULL;
}
