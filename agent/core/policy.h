// SPDX-License-Identifier: Apache-2.0
/*
 * The policy table: which group a remote address belongs to, longest prefix first (DESIGN 4). Sorted once
 * when loaded, searched without allocation. IPv4 and IPv6 never meet: ::/0 says nothing about
 * IPv4, and an address nothing lists belongs to the default group.
 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct policy_entry {
	struct hf_prefix prefix; /* first: prefix_search */
	enum hf_group group;
	const char *file; /* where it was written, for error and answer texts; lives as long as the table */
	unsigned int line;
};

/* How hosts of a group are made secure (DESIGN 4). */
struct policy_way {
	bool auth_any;	   /* also a peer that proves nothing, where no key of it is known */
	bool probe_always; /* IKE begins at once, whether or not discovery will know the host */
	bool gateways;	   /* a host may be reached through the gateway that its signed record names */
};

struct policy {
	struct policy_entry *entries; /* caller's storage */
	size_t count, max;
	enum hf_group fallback; /* for addresses nothing lists */
	struct policy_way ways[HF_GROUP_COUNT];
	bool sorted;
};

void policy_init(struct policy *policy, struct policy_entry *storage, size_t max, enum hf_group fallback);

/* policy_add appends; -ENOSPC when full. Order does not matter before policy_finish. */
int policy_add(struct policy *policy, const struct policy_entry *entry, struct err *err);

/* policy_add_line reads one line of a policy file: a CIDR, a comment, or nothing. Errors name file:line. */
int policy_add_line(struct policy *policy, enum hf_group group, const char *line, const char *file, unsigned int number,
		    struct err *err);

/*
 * policy_finish sorts and checks. The same prefix in two groups is an error naming both places; twice in the
 * same group is merged. -EINVAL.
 */
int policy_finish(struct policy *policy, struct err *err);

/* policy_find returns the entry that decides for `remote`, or NULL when the fallback does. */
const struct policy_entry *policy_find(const struct policy *policy, const struct hf_addr *remote);
enum hf_group policy_group(const struct policy *policy, const struct hf_addr *remote);

/* policy_allows_gateway: hosts of the group may be reached through a gateway, and this one is no address that nothing is sent to. */
bool policy_allows_gateway(const struct policy *policy, enum hf_group group, const struct hf_addr *gateway);

/* policy_is_strict is true when any prefix (or the fallback) is held, private or blocked. */
bool policy_is_strict(const struct policy *policy);

#endif
