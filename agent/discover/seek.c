// SPDX-License-Identifier: Apache-2.0
/*
 * Questions, those who wait for their answers, and when they are asked again, see seek.h.
 */
#include "discover/seek.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/own.h"
#include "discover/finding.h"
#include "discover/hunt.h"

#define TICK_S 1
#define TICK_PARTS 8	 /* of all findings, one is looked at in each tick */
#define IN_USE_S 7500	 /* two of the hourly looks at standing SAs */
#define KEPT_S 600	 /* after its end, to know how often it failed before */
#define GRACE_S 3600	 /* SAs outlive a key's end by that while nobody can say what follows it */
#define HINTED_S 10	 /* in which hints make so many hunts for an address: */
#define HINTED_BURST 4	 /* as many as there may be names */
#define HINTED_MAX 16	 /* of those, in a second */
#define WAITERS_MAX 4096 /* as many as can ask at the same time */

struct waiter {
	struct waiter *next;
	uint64_t question;
};

struct seek {
	struct seek_options options;
	struct event_base *base;
	struct event *tick;
	struct dns *dns;
	struct findings all;
	size_t part;				/* that the next tick looks at */
	struct finding *hunted[SEEK_HUNTS_MAX]; /* that a hunt is under way for */
	unsigned int hunts, waiters;
	uint64_t hinted_s; /* in that second, hints made so many hunts: */
	unsigned int hinted;
	uint64_t refused;
	bool closing;
};

static uint64_t monotonic_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void give(struct finding *finding, uint64_t question, uint64_t now_s)
{
	struct seek *seek = finding->seek;
	char reason[JUDGE_REASON_MAX + 80];
	struct discover_answer answer = {
		.outcome = finding->outcome,
		.unsure = finding->unsure && !finding->lapsed,
		.bogus = finding->bogus,
		.trust = finding->trust,
		.name = finding->name ? finding->name : "",
		.reason = reason,
	};

	snprintf(reason, sizeof(reason), "%s%s", finding->reason,
		 finding->lapsed ? "; the keys that were there ended an hour ago" : "");

	if (finding->outcome == DISCOVER_KEYS) {
		answer.keys = finding->keys->keys;
		answer.gateway = finding->keys->gateway;
		for (size_t i = 0; i < answer.keys; i++)
			answer.spki[i] = view_of(finding->keys->spki[i], finding->keys->len[i]);
	}
	answer.until_s = (uint64_t)time(NULL) + (finding->end_s > now_s ? finding->end_s - now_s : 0);
	seek->options.callback(seek->options.arg, question, &finding->addr, &answer);
}

/* What cannot be found out now is no reason to end anything. */
static void give_nothing(struct seek *seek, uint64_t question, const struct hf_addr *addr, const char *reason)
{
	const struct discover_answer answer = {
		.outcome = DISCOVER_FAILED, .unsure = true, .name = "", .reason = reason
	};

	seek->options.callback(seek->options.arg, question, addr, &answer);
}

static struct waiter *take_waiter(struct finding *finding)
{
	struct waiter *waiter = finding->waiters;

	finding->waiters = waiter->next;
	finding->seek->waiters--;
	return waiter;
}

static void tell_waiters(struct finding *finding, bool found)
{
	struct seek *seek = finding->seek;

	if (finding->limit)
		event_del(finding->limit);
	finding->busy = true;
	while (finding->waiters) {
		OWN_FREE struct waiter *waiter = take_waiter(finding);

		if (found && !seek->closing)
			give(finding, waiter->question, monotonic_s());
		else if (!seek->closing)
			give_nothing(seek, waiter->question, &finding->addr,
				     "DNSSEC: no answer within 4 s; it is kept when it comes");
	}
	finding->busy = false;
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct finding *finding = arg;

	(void)fd;
	(void)what;
	finding->told = true;
	tell_waiters(finding, false);
}

/* ---- hunts ------------------------------------------------------------------------------------ */

static bool is_lost(const struct keyset *old, const struct judgment *judgment)
{
	return old && (judgment->outcome == DISCOVER_KEYS ? !keyset_covers(judgment->keys, old) : !judgment->unsure);
}

static void heed_hint(struct finding *finding, uint64_t now_s);

static bool has_keys(const struct finding *finding, uint64_t now_s)
{
	return finding->keys && finding->outcome == DISCOVER_KEYS && now_s < finding->end_s;
}

/* What could not be asked takes nothing away: records live as long as they say. */
static void keep(struct finding *finding, const struct judgment *judgment, uint64_t now_s)
{
	struct keyset *keys = NULL;
	char *name = NULL;

	finding->again_s = now_s + judgment->ttl_s;
	if (judgment->unsure && has_keys(finding, now_s)) {
		finding->failures++;
		return;
	}
	if (judgment->outcome == DISCOVER_KEYS && (keys = malloc(sizeof(*keys))) != NULL) {
		*keys = *judgment->keys;
		name = *judgment->name ? strdup(judgment->name) : NULL;
		/* Early enough to have the next ones when these end. */
		finding->again_s = now_s + judgment->ttl_s * 4 / 5;
		finding->keys_end_s = now_s + judgment->ttl_s;
		finding->lapsed = false;
	}
	/* What is gone for a moment is remembered, to know later whether it is gone for good. */
	if (keys || !judgment->unsure) {
		free(finding->keys);
		finding->keys = keys;
	}
	free(finding->name);
	finding->name = name;
	finding->known = true;
	finding->outcome = judgment->outcome == DISCOVER_KEYS && !keys ? DISCOVER_FAILED : judgment->outcome;
	finding->unsure = judgment->unsure || finding->outcome != judgment->outcome;
	finding->bogus = judgment->bogus;
	finding->trust = judgment->trust;
	finding->failures = finding->unsure ? finding->failures + 1 : 0;
	finding->end_s = now_s + judgment->ttl_s;
	memcpy(finding->reason, judgment->reason, sizeof(finding->reason));
}

static void end_hunt(struct finding *finding)
{
	struct seek *seek = finding->seek;
	unsigned int at = 0;

	while (seek->hunted[at] != finding)
		at++;
	seek->hunted[at] = seek->hunted[--seek->hunts];
	finding->hunted = false;
}

static void on_hunted(void *arg, const struct judge_evidence *evidence)
{
	struct finding *finding = arg;
	struct seek *seek = finding->seek;
	struct judgment judgment;
	bool lost, late, weak;

	end_hunt(finding);
	if (seek->closing)
		return;
	judge_all(&judgment, evidence, finding->failures);
	lost = is_lost(finding->keys, &judgment);
	weak = finding->known && finding->outcome != DISCOVER_KEYS;
	late = finding->told;
	keep(finding, &judgment, monotonic_s());
	heed_hint(finding, monotonic_s());
	if (!finding->hunted)
		tell_waiters(finding, true);
	finding->busy = true; /* what is told may make others be asked for, and this one go for them */
	if (lost && seek->options.changed)
		seek->options.changed(seek->options.arg);
	if ((weak || late) && finding->outcome == DISCOVER_KEYS && seek->options.appeared)
		seek->options.appeared(seek->options.arg, &finding->addr);
	finding->busy = false;
}

static bool same_network(const struct hf_addr *a, const struct hf_addr *b)
{
	return addr_is_v4(a) == addr_is_v4(b) && memcmp(a->octet, b->octet, addr_is_v4(a) ? 15 : 6) == 0;
}

static bool is_network_busy(const struct seek *seek, const struct hf_addr *addr)
{
	unsigned int hunts = 0;

	for (unsigned int i = 0; seek->hunts >= SEEK_NETWORK_MAX && i < seek->hunts; i++)
		hunts += same_network(&seek->hunted[i]->addr, addr);
	return hunts >= SEEK_NETWORK_MAX;
}

static size_t add_name(char (*out)[DISCOVER_NAME_MAX], size_t count, const char *name)
{
	if (name && count < JUDGE_NAMES_MAX)
		snprintf(out[count++], DISCOVER_NAME_MAX, "%s", name);
	return count;
}

static bool start_hunt(struct seek *seek, struct finding *finding)
{
	char names[JUDGE_NAMES_MAX][DISCOVER_NAME_MAX];
	bool is_hinted = finding->trust == TRUST_OPPORTUNISTIC;
	size_t count = add_name(names, 0, is_hinted ? finding->name : NULL);

	if (seek->hunts == SEEK_HUNTS_MAX || is_network_busy(seek, &finding->addr)) {
		seek->refused++;
		return false;
	}
	/* The name that keys were found at stays one to ask, also when the hint is over. What the reverse tree gave it gives again. */
	count = add_name(names, count, finding->hint);
	if (seek->options.names)
		count += seek->options.names(seek->options.arg, &names[count], JUDGE_NAMES_MAX - count, &finding->addr);
	/* Of keys that were there once it is asked whether they still are, and never what is remembered of them elsewhere. */
	if (hunt_start(seek->dns, &finding->addr, finding->keys != NULL, (const char(*)[DISCOVER_NAME_MAX])names, count,
		       on_hunted, finding) < 0)
		return false;
	seek->hunted[seek->hunts++] = finding;
	finding->hunted = true;
	finding->told = finding->hinted = false;
	return true;
}

/* No flood of hints is one of questions. */
static bool take_hinted(struct seek *seek, uint64_t now_s)
{
	if (seek->hinted_s != now_s)
		seek->hinted = 0;
	seek->hinted_s = now_s;
	return seek->hinted++ < HINTED_MAX;
}

/* Nor is it a reason to ask again when keys are proved. What waits for a turn has it at one of the next ticks. */
static void heed_hint(struct finding *finding, uint64_t now_s)
{
	if (finding->known && finding->outcome == DISCOVER_KEYS && finding->trust != TRUST_OPPORTUNISTIC)
		finding->hinted = false;
	if (now_s >= finding->hinted_s + HINTED_S) {
		finding->hinted_s = now_s;
		finding->hinted_hunts = 0;
	}
	if (!finding->hinted || !finding->known || finding->hunted || finding->hinted_hunts == HINTED_BURST ||
	    !take_hinted(finding->seek, now_s) || !start_hunt(finding->seek, finding))
		return;
	finding->hinted_hunts++;
	finding->end_s = now_s; /* whoever asks now waits for it */
}

/* ---- questions -------------------------------------------------------------------------------- */

static bool wait_for(struct finding *finding, uint64_t question)
{
	const struct timeval limit = { .tv_sec = SEEK_WAIT_S };
	struct seek *seek = finding->seek;
	struct waiter *waiter = seek->waiters < WAITERS_MAX ? malloc(sizeof(*waiter)) : NULL;

	if (waiter && !finding->limit)
		finding->limit = evtimer_new(seek->base, on_limit, finding);
	if (!waiter || !finding->limit || (!finding->waiters && event_add(finding->limit, &limit) < 0)) {
		free(waiter);
		return false;
	}
	*waiter = (struct waiter){ finding->waiters, question };
	finding->waiters = waiter;
	seek->waiters++;
	return true;
}

void seek_ask(struct seek *seek, uint64_t question, const struct hf_addr *addr)
{
	struct finding *finding = findings_add(&seek->all, addr);
	uint64_t now_s = monotonic_s();

	if (!finding) {
		seek->refused++;
		give_nothing(seek, question, addr, "DNSSEC: no room to ask for it");
		return;
	}
	finding->used_s = now_s;
	if (finding->known && now_s < finding->end_s)
		give(finding, question, now_s);
	else if (!finding->hunted && !start_hunt(seek, finding))
		give_nothing(seek, question, addr, "DNSSEC: too many addresses are being asked for");
	else if (finding->told || !wait_for(finding, question))
		give_nothing(seek, question, addr, "DNSSEC: still no answer; it is kept when it comes");
}

void seek_hint(struct seek *seek, const struct hf_addr *addr, const char *name)
{
	struct finding *finding = name ? findings_add(&seek->all, addr) : findings_find(&seek->all, addr);
	char *copy;

	if (!finding)
		return; /* the first question finds the hint */
	if (name && finding->hint && strcasecmp(finding->hint, name) == 0)
		return; /* asked for already */
	copy = name ? strdup(name) : NULL;
	if (copy) {
		free(finding->hint);
		finding->hint = copy;
	}
	finding->hinted = true;
	heed_hint(finding, monotonic_s());
}

/* ---- time ------------------------------------------------------------------------------------- */

/* Nobody has said for too long that the keys are still the address's. */
static void lapse(struct seek *seek, struct finding *finding, uint64_t now_s)
{
	if (!finding->keys || finding->lapsed || finding->outcome == DISCOVER_KEYS ||
	    now_s <= finding->keys_end_s + GRACE_S)
		return;
	finding->lapsed = true;
	if (seek->options.changed)
		seek->options.changed(seek->options.arg);
}

static void look(struct seek *seek, struct finding *finding, uint64_t now_s)
{
	bool in_use = finding->keys && now_s < finding->used_s + IN_USE_S;

	if (!finding_is_free(finding))
		return;
	lapse(seek, finding, now_s);
	if (in_use && (now_s > finding->end_s || now_s >= finding->again_s))
		start_hunt(seek, finding);
	else if (finding->hinted)
		heed_hint(finding, now_s);
	else if (!in_use && now_s > finding->end_s + KEPT_S)
		findings_drop(&seek->all, finding);
}

/* From the end, since a drop moves the last one here. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct seek *seek = arg;
	size_t low = seek->all.count * seek->part / TICK_PARTS, high = seek->all.count * (seek->part + 1) / TICK_PARTS;
	uint64_t now_s = monotonic_s();

	(void)fd;
	(void)what;
	for (size_t i = high; i > low; i--)
		if (i <= seek->all.count)
			look(seek, seek->all.finding[i - 1], now_s);
	seek->part = (seek->part + 1) % TICK_PARTS;
}

/* ---- life ------------------------------------------------------------------------------------- */

void seek_count(const struct seek *seek, struct seek_counts *out)
{
	*out = (struct seek_counts){ seek->all.count, seek->hunts, seek->refused };
}

void seek_close(struct seek *seek)
{
	if (!seek)
		return;
	seek->closing = true;
	dns_close(seek->dns);
	if (seek->tick)
		event_free(seek->tick);
	while (seek->all.count) {
		tell_waiters(seek->all.finding[seek->all.count - 1], false);
		findings_drop(&seek->all, seek->all.finding[seek->all.count - 1]);
	}
	findings_clear(&seek->all);
	free(seek);
}

static void own_seek(struct seek **seek)
{
	seek_close(*seek);
}

int seek_open(struct seek **out, const struct seek_options *options, struct event_base *base, struct err *err)
{
	const struct timeval tick = { .tv_sec = TICK_S };
	OWN(own_seek) struct seek *seek = calloc(1, sizeof(*seek));
	int rc;

	if (!seek)
		return err_set(err, -ENOMEM, "out of memory");
	rc = findings_init(&seek->all, seek, err);
	if (rc < 0)
		return rc;
	seek->options = *options;
	seek->base = base;
	rc = dns_open(&seek->dns, &options->dns, base, err);
	if (rc < 0)
		return rc;
	seek->tick = event_new(base, -1, EV_PERSIST, on_tick, seek);
	if (!seek->tick || event_add(seek->tick, &tick) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	*out = TAKE(seek);
	return 0;
}
