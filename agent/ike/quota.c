// SPDX-License-Identifier: Apache-2.0
/*
 * What strangers may cost (RFC 8019 4, docs/PROTOCOL.md): half-open SAs in all, per address and per site; public-key work;
 * unprotected answers; SAs without authentication.
 */
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

enum scope { SCOPE_SOURCE, SCOPE_SITE };

/* IPv4: the address and its /24; IPv6: /64 and /48. Told apart by the second half of the key. */
static struct hf_pair key_of(const struct hf_addr *addr, enum scope scope)
{
	struct hf_pair key = { .local = *addr };
	uint8_t *octets = (uint8_t *)&key.local, *mark = (uint8_t *)&key.remote;
	size_t keep;

	if (addr_is_v4(addr))
		keep = scope == SCOPE_SOURCE ? 16 : 15;
	else
		keep = scope == SCOPE_SOURCE ? 8 : 6;
	memset(octets + keep, 0, sizeof(key.local) - keep);
	mark[0] = 1 + scope;
	return key;
}

static uint32_t count_of(const struct table *table, const struct hf_addr *addr, enum scope scope)
{
	struct hf_pair key = key_of(addr, scope);
	uint32_t count = 0;

	return table_find(table, &key, &count) ? count : 0;
}

static int count_up(struct table *table, const struct hf_addr *addr, enum scope scope)
{
	struct hf_pair key = key_of(addr, scope);

	return table_put(table, &key, count_of(table, addr, scope) + 1);
}

static void count_down(struct table *table, const struct hf_addr *addr, enum scope scope)
{
	struct hf_pair key = key_of(addr, scope);
	uint32_t count = count_of(table, addr, scope);

	if (count > 1)
		table_put(table, &key, count - 1);
	else
		table_del(table, &key);
}

static int enter(struct table *table, const struct hf_addr *addr)
{
	int rc = count_up(table, addr, SCOPE_SOURCE);

	if (rc)
		return rc;
	rc = count_up(table, addr, SCOPE_SITE);
	if (rc)
		count_down(table, addr, SCOPE_SOURCE);
	return rc;
}

static void leave(struct table *table, const struct hf_addr *addr)
{
	count_down(table, addr, SCOPE_SOURCE);
	count_down(table, addr, SCOPE_SITE);
}

static bool is_cookie_demanded(const struct ike *ike)
{
	return ike->half_open + 1 >= ike->options.cookie_half_open;
}

void ike_cookies(struct ike *ike, struct ike_cookies *out, uint64_t now)
{
	cookie_rotate(&ike->jar, &ike->options.host, now);
	memcpy(out->secret, ike->jar.secret, sizeof(out->secret));
	out->version = ike->jar.version;
	out->demanded = is_cookie_demanded(ike);
}

enum quota quota_ask(struct ike *ike, const struct ike_path *path, bool cookie_good)
{
	uint32_t source = count_of(&ike->sources, &path->remote, SCOPE_SOURCE);
	uint32_t site = count_of(&ike->sources, &path->remote, SCOPE_SITE);

	/* Without a cookie the address may be a lie: refusing it would let a stranger lock out whom he names. */
	if (!cookie_good)
		return is_cookie_demanded(ike) || source >= IKE_COOKIE_SOURCE ? QUOTA_COOKIE : QUOTA_PASS;
	if (source >= IKE_SOURCE_MAX) {
		ike->counts.refused_source++;
		return QUOTA_REFUSE;
	}
	if (site >= IKE_SITE_MAX) {
		ike->counts.refused_prefix++;
		return QUOTA_REFUSE;
	}
	if (ike->half_open >= ike->half_open_max) {
		ike->counts.refused_full++;
		return QUOTA_REFUSE;
	}
	return QUOTA_PASS;
}

int quota_enter(struct ike *ike, struct sa *sa)
{
	int rc = enter(&ike->sources, &sa->path.remote);

	if (rc)
		return rc;
	sa->half_open_counted = true;
	sa->quota_addr = sa->path.remote;
	ike->half_open++;
	return 0;
}

void quota_leave(struct ike *ike, struct sa *sa)
{
	if (sa->half_open_counted) {
		leave(&ike->sources, &sa->quota_addr);
		ike->half_open--;
		sa->half_open_counted = false;
	}
}

bool quota_null(struct ike *ike, struct sa *sa)
{
	const struct hf_addr *addr = &sa->path.remote;

	if (sa->null_counted)
		return true;
	if (ike->nulls_count >= (ike->options.sas_max + IKE_NULL_SHARE - 1) / IKE_NULL_SHARE ||
	    count_of(&ike->nulls, addr, SCOPE_SOURCE) >=
		    (addr_is_v4(addr) ? IKE_NULL_SOURCE_MAX : IKE_NULL_SOURCE6_MAX) ||
	    count_of(&ike->nulls, addr, SCOPE_SITE) >= IKE_NULL_SITE_MAX || enter(&ike->nulls, addr)) {
		ike->counts.refused_source++;
		return false;
	}
	sa->null_addr = *addr;
	sa->null_counted = true;
	ike->nulls_count++;
	return true;
}

void quota_null_leave(struct ike *ike, struct sa *sa)
{
	if (sa->null_counted) {
		leave(&ike->nulls, &sa->null_addr);
		ike->nulls_count--;
		sa->null_counted = false;
	}
}

/* A token bucket as one time: when it would be full. A token takes `span`; at most `burst` are saved up. */
bool bucket_take(struct bucket *bucket, uint64_t span, unsigned int burst, uint64_t now)
{
	uint64_t full = bucket->full_ns > now ? bucket->full_ns : now;

	if (full + span > now + span * burst)
		return false;
	bucket->full_ns = full + span;
	return true;
}

bool quota_work(struct ike *ike, unsigned int cost, uint64_t now)
{
	if (bucket_take(&ike->work_budget, cost * (NSTIME_S / IKE_WORK_RATE), IKE_WORK_BURST / (cost ? cost : 1), now))
		return true;
	ike->counts.refused_cost++;
	return false;
}

void quota_refund(struct ike *ike, unsigned int cost, uint64_t now)
{
	uint64_t span = cost * (NSTIME_S / IKE_WORK_RATE);

	if (ike->work_budget.full_ns > now + span)
		ike->work_budget.full_ns -= span;
	else
		ike->work_budget.full_ns = now;
}

bool quota_error(struct ike *ike, const struct hf_addr *stranger, uint64_t now)
{
	struct hf_pair site = key_of(stranger, SCOPE_SITE);
	uint64_t hash = siphash_of(ike->options.table_seed, &site, sizeof(site));

	/* The site's first: what it asks too much must not use up what others get. */
	return bucket_take(&ike->site_errors[hash % IKE_ERROR_SITES], NSTIME_S, IKE_SITE_ERRORS_BURST, now) &&
	       bucket_take(&ike->errors, NSTIME_S / IKE_ERRORS_RATE, IKE_ERRORS_BURST, now);
}

uint64_t quota_half_open_life(const struct ike *ike)
{
	return (uint64_t)ike->half_open * 4 > (uint64_t)ike->half_open_max * 3 ? IKE_HALF_OPEN_LIFE_BUSY
									       : IKE_HALF_OPEN_LIFE;
}
