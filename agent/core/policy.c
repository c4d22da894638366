// SPDX-License-Identifier: Apache-2.0
/*
 * The policy table, see policy.h. Sorted by falling prefix length, then by address: all prefixes of one
 * length are a run, and a look-up is one binary search in each run, the longest first.
 */
#include "core/policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void policy_init(struct policy *policy, struct policy_entry *storage, size_t max, enum hf_group fallback)
{
	*policy = (struct policy){ .entries = storage, .max = max, .fallback = fallback };
}

int policy_add(struct policy *policy, const struct policy_entry *entry, struct err *err)
{
	if (policy->count == policy->max)
		return err_set(err, -ENOSPC,
			       "%s:%u: more than %zu prefixes in all policy files: join some into shorter prefixes",
			       entry->file, entry->line, policy->max);
	policy->entries[policy->count++] = *entry;
	policy->sorted = false;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/*
 * Copies the one word of a line into `word`. Returns what is behind it, "" when there is nothing; NULL when the word
 * is too long to be a prefix.
 */
static const char *first_word(char *word, size_t word_max, const char *line)
{
	size_t len = 0;

	while (is_blank(*line))
		line++;
	while (line[len] && !is_blank(line[len]) && line[len] != '#')
		len++;
	if (len >= word_max)
		return NULL;
	memcpy(word, line, len);
	word[len] = '\0';
	line += len;
	while (is_blank(*line))
		line++;
	return *line == '#' ? "" : line;
}

int policy_add_line(struct policy *policy, enum hf_group group, const char *line, const char *file, unsigned int number,
		    struct err *err)
{
	struct policy_entry entry = { .group = group, .file = file, .line = number };
	struct err why = ERR_NONE;
	char word[PREFIX_TEXT_MAX];
	const char *rest = first_word(word, sizeof(word), line);

	if (!rest)
		return err_set(err, -EINVAL, "%s:%u: this is not a prefix: write one address or prefix per line", file,
			       number);
	if (!*word && !*rest)
		return 0;
	/* Libreswan may have "proto sport dport" here, which would mean less than what we enforce. */
	if (*rest)
		return err_set(err, -EINVAL,
			       "%s:%u: there is more than one word: protocols and ports are not told apart, "
			       "write one address or prefix per line",
			       file, number);
	if (prefix_parse(&entry.prefix, word, &why) < 0)
		return err_set(err, -EINVAL, "%s:%u: %s", file, number, why.text);
	return policy_add(policy, &entry, err);
}

/* Of equal prefixes the one that was written first comes first, so that a merge keeps it. */
static int compare_entries(const void *left, const void *right)
{
	const struct policy_entry *a = left, *b = right;
	int order = prefix_compare(&a->prefix, &b->prefix);

	if (order)
		return order;
	order = strcmp(a->file, b->file);
	if (order)
		return order;
	return (a->line > b->line) - (a->line < b->line);
}

static int refuse_conflict(const struct policy_entry *first, const struct policy_entry *second, struct err *err)
{
	char text[PREFIX_TEXT_MAX];

	return err_set(err, -EINVAL, "%s:%u: %s is in group %s, but %s:%u puts it into %s: remove one of the two lines",
		       second->file, second->line, prefix_format(text, &second->prefix), group_name(second->group),
		       first->file, first->line, group_name(first->group));
}

int policy_finish(struct policy *policy, struct err *err)
{
	size_t kept = 0;

	if (policy->count)
		qsort(policy->entries, policy->count, sizeof(policy->entries[0]), compare_entries);
	for (size_t i = 0; i < policy->count; i++) {
		const struct policy_entry *entry = &policy->entries[i];
		const struct policy_entry *before = kept ? &policy->entries[kept - 1] : NULL;

		if (before && prefix_equal(&before->prefix, &entry->prefix)) {
			if (before->group != entry->group)
				return refuse_conflict(before, entry, err);
			continue;
		}
		policy->entries[kept++] = *entry;
	}
	policy->count = kept;
	policy->sorted = true;
	return 0;
}

const struct policy_entry *policy_find(const struct policy *policy, const struct hf_addr *remote)
{
	assert(policy->sorted || policy->count == 0);
	return prefix_search(policy->entries, policy->count, sizeof(policy->entries[0]), remote);
}

enum hf_group policy_group(const struct policy *policy, const struct hf_addr *remote)
{
	const struct policy_entry *entry = policy_find(policy, remote);

	return entry ? entry->group : policy->fallback;
}

bool policy_allows_gateway(const struct policy *policy, enum hf_group group, const struct hf_addr *gateway)
{
	return policy->ways[group].gateways && policy_group(policy, gateway) != HF_GROUP_BLOCK;
}

static bool is_strict(enum hf_group group)
{
	return group != HF_GROUP_CLEAR && group != HF_GROUP_CLEAR_OR_PRIVATE;
}

bool policy_is_strict(const struct policy *policy)
{
	bool strict = is_strict(policy->fallback);

	for (size_t i = 0; i < policy->count && !strict; i++)
		strict = is_strict(policy->entries[i].group);
	return strict;
}
