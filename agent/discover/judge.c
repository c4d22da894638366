// SPDX-License-Identifier: Apache-2.0
/*
 * The rules, see judge.h.
 */
#include "discover/judge.h"

#include <stdio.h>
#include <string.h>

/* ---- sentences -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void because(struct judgment *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(out->reason, sizeof(out->reason), format, args);
	va_end(args);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t within(uint32_t value, uint32_t low, uint32_t high)
{
	return value < low ? low : least(value, high);
}

/* ---- outcomes --------------------------------------------------------------------------------- */

static void found(struct judgment *out, enum discover_trust trust, const struct keyset *keys, const char *name,
		  uint32_t ttl_s)
{
	out->outcome = DISCOVER_KEYS;
	out->trust = trust;
	out->keys = keys;
	out->name = name;
	out->ttl_s = within(ttl_s, JUDGE_KEYS_MIN_S, JUDGE_KEYS_MAX_S);
}

/* Nothing follows from it for what stands already. */
static void unsure(struct judgment *out, unsigned int failures)
{
	uint32_t ttl_s = JUDGE_FAILED_S;

	for (unsigned int i = 0; i < failures && ttl_s < JUDGE_FAILED_MAX_S; i++)
		ttl_s *= 2;
	out->outcome = DISCOVER_FAILED;
	out->unsure = true;
	out->ttl_s = least(ttl_s, JUDGE_FAILED_MAX_S);
}

/* Somebody forged it, or the zone is broken: not a host without keys, so it is not reached in clear either (RFC 4322 3.2.4). */
static void deny(struct judgment *out, const struct keyset *keys, const char *where)
{
	unsure(out, 1);
	out->bogus = true;
	because(out, "DNSSEC: %s %s: %s", where, keys->security == DNS_BOGUS ? "is bogus" : "has a wrong record",
		keys->why);
}

/* ---- the reverse tree ------------------------------------------------------------------------- */

static bool is_denied(const struct keyset *keys)
{
	return keys->security == DNS_BOGUS || (keys->security == DNS_SECURE && keys->wrong);
}

static bool is_secure(const struct keyset *keys)
{
	return keys->security == DNS_SECURE && keys->keys > 0;
}

bool judge_reverse(const struct keyset *reverse)
{
	return is_denied(reverse) || (reverse->security == DNS_SECURE && reverse->status == DNS_DATA);
}

/* False, with an outcome: the gateway cannot be used. What could not be asked is no word for it either. */
static bool judge_gateway(struct judgment *out, const struct judge_evidence *evidence)
{
	const struct keyset *reverse = &evidence->reverse, *beyond = &evidence->gateway.keys;
	const struct judge_fact *addresses = &evidence->gateway.addresses;
	const char *name = reverse->gateway_name;
	char text[ADDR_TEXT_MAX];

	unsure(out, 1);
	addr_format(text, &reverse->gateway);
	if (*name && (addresses->status == DNS_FAILED || addresses->security == DNS_BOGUS))
		because(out, "DNSSEC: its gateway, %s, could not be asked for its address", name);
	else if (*name && addresses->security != DNS_SECURE)
		because(out, "DNSSEC: its gateway, %s, has addresses that nobody signs", name);
	else if (addr_is_none(&reverse->gateway))
		because(out, "DNSSEC: its gateway, %s, has no address that can be used%s%s", name,
			*reverse->why ? ": " : "", reverse->why);
	else if (beyond->status == DNS_FAILED || beyond->security == DNS_BOGUS)
		because(out, "DNSSEC: it could not be asked whether its gateway, %s, is behind another", text);
	else if (beyond->security == DNS_SECURE && beyond->foreign && !beyond->keys)
		because(out, "DNSSEC: its gateway, %s, is itself behind a gateway, and only one is passed", text);
	else
		return true;
	return false;
}

static void judge_by_reverse(struct judgment *out, const struct judge_evidence *evidence)
{
	const struct keyset *reverse = &evidence->reverse;
	char gateway[ADDR_TEXT_MAX];

	if (is_denied(reverse)) {
		deny(out, reverse, "IPSECKEY in the reverse tree");
		return;
	}
	if (!is_secure(reverse)) {
		unsure(out, 1);
		because(out, "DNSSEC: no key of %zu in the reverse tree can be used: %s", reverse->records,
			reverse->why);
		return;
	}
	if (keyset_has_gateway(reverse) && !judge_gateway(out, evidence))
		return;
	*out = (struct judgment){ .name = "" };
	found(out, TRUST_REVERSE, reverse, "", reverse->ttl_s);
	if (keyset_has_gateway(reverse)) {
		because(out, "DNSSEC: %zu key%s of its gateway, %s, in the reverse tree, secure, for %u s",
			reverse->keys, reverse->keys > 1 ? "s" : "", addr_format(gateway, &reverse->gateway),
			out->ttl_s);
		return;
	}
	because(out, "DNSSEC: %zu key%s in the reverse tree, secure, for %u s", reverse->keys,
		reverse->keys > 1 ? "s" : "", out->ttl_s);
}

/* ---- names ------------------------------------------------------------------------------------ */

/* The reverse tree gives the name, and the name gives the address back, both proved. */
static bool is_confirmed(const struct judge_evidence *evidence, const struct judge_name *name)
{
	return name->is_pointed && evidence->pointer.security == DNS_SECURE && name->addresses.holds &&
	       name->addresses.security == DNS_SECURE;
}

static bool could_not_say(const struct judge_name *name)
{
	return name->addresses.status == DNS_FAILED || name->addresses.security == DNS_BOGUS ||
	       name->keys.status == DNS_FAILED;
}

static uint32_t life_of(const struct judge_evidence *evidence, const struct judge_name *name)
{
	uint32_t ttl_s = least(name->keys.ttl_s, name->addresses.ttl_s);

	return name->is_pointed ? least(ttl_s, evidence->pointer.ttl_s) : ttl_s;
}

/* A confirmed name's keys, or why they cannot be had. False: no confirmed name has anything to say. */
static bool judge_confirmed(struct judgment *out, const struct judge_evidence *evidence)
{
	const struct judge_name *first = NULL;
	bool differ = false;

	for (size_t i = 0; i < evidence->names; i++) {
		const struct judge_name *name = &evidence->name[i];

		if (name->is_pointed && evidence->pointer.security == DNS_SECURE && could_not_say(name)) {
			unsure(out, 0);
			because(out, "DNSSEC: %s, the address's name, could not be asked for: %s", name->name,
				*name->keys.why ? name->keys.why : "no answer to the question for its addresses");
			return true;
		}
		if (!is_confirmed(evidence, name))
			continue;
		if (is_denied(&name->keys)) {
			deny(out, &name->keys, name->name);
			return true;
		}
		if (!is_secure(&name->keys))
			continue;
		differ |= first && !keyset_equal(&first->keys, &name->keys);
		first = first ? first : name;
	}
	if (!first)
		return false;
	found(out, differ ? TRUST_OPPORTUNISTIC : TRUST_FORWARD, &first->keys, first->name, life_of(evidence, first));
	because(out, "DNSSEC: %zu key%s at %s, %s, for %u s", first->keys.keys, first->keys.keys > 1 ? "s" : "",
		first->name,
		differ ? "and others at another name of the address: nobody proves which are right"
		       : "which the reverse tree confirms",
		out->ttl_s);
	return true;
}

/*
 * Keys that nobody proves to be the address's. Those of all its names: none is better than another, and whoever makes the host hear a wrong
 * name must not take the right one's place with it.
 */
static bool judge_unproved(struct judgment *out, const struct judge_evidence *evidence)
{
	const struct keyset *reverse = &evidence->reverse;
	const struct judge_name *first = NULL;
	uint32_t ttl_s = JUDGE_KEYS_MAX_S;
	size_t names = 0;

	if (reverse->keys) {
		found(out, TRUST_OPPORTUNISTIC, reverse, "", reverse->ttl_s);
		because(out, "DNSSEC: %zu key%s in the reverse tree, not signed, for %u s", reverse->keys,
			reverse->keys > 1 ? "s" : "", out->ttl_s);
		return true;
	}
	for (size_t i = 0; i < evidence->names; i++) {
		const struct judge_name *name = &evidence->name[i];

		if (!name->keys.keys || !name->addresses.holds || name->addresses.security == DNS_BOGUS)
			continue;
		keyset_join(&out->joined, &name->keys);
		ttl_s = least(ttl_s, life_of(evidence, name));
		first = first ? first : name;
		names++;
	}
	if (!first)
		return false;
	found(out, TRUST_OPPORTUNISTIC, &out->joined, first->name, ttl_s);
	because(out, "DNSSEC: %zu key%s at %s%s, which nothing confirms as the address's, for %u s", out->joined.keys,
		out->joined.keys > 1 ? "s" : "", first->name, names > 1 ? " and other names" : "", out->ttl_s);
	return true;
}

/* ---- all -------------------------------------------------------------------------------------- */

static bool is_known(const struct judge_fact *fact)
{
	return fact->status != DNS_FAILED && fact->security != DNS_BOGUS;
}

static void judge_none(struct judgment *out, const struct judge_evidence *evidence, unsigned int failures)
{
	const struct keyset *reverse = &evidence->reverse;

	if (!is_known(&evidence->pointer)) {
		unsure(out, failures);
		because(out, "DNSSEC: no key in the reverse tree, and it could not be asked for the address's name");
		return;
	}
	if (reverse->security == DNS_SECURE) {
		out->outcome = DISCOVER_NO_KEY;
		out->ttl_s = within(reverse->ttl_s, 1, JUDGE_NO_KEY_MAX_S);
		because(out, "DNSSEC: proved that the reverse tree has no key of it, for %u s", out->ttl_s);
		return;
	}
	unsure(out, 1);
	out->ttl_s = JUDGE_UNSIGNED_S;
	because(out, "DNSSEC: no key in the reverse tree, but nobody signs there%s%s", *reverse->why ? ": " : "",
		reverse->why);
}

void judge_all(struct judgment *out, const struct judge_evidence *evidence, unsigned int failures)
{
	const struct keyset *reverse = &evidence->reverse;

	*out = (struct judgment){ .name = "" };
	if (judge_reverse(reverse)) {
		judge_by_reverse(out, evidence);
		return;
	}
	/* What would be stronger is not known: nothing weaker may take its place. */
	if (reverse->status == DNS_FAILED) {
		unsure(out, failures);
		because(out, "DNSSEC: the reverse tree could not be asked for its key: %s", reverse->why);
		return;
	}
	if (judge_confirmed(out, evidence) || judge_unproved(out, evidence))
		return;
	judge_none(out, evidence, failures);
}
