// SPDX-License-Identifier: Apache-2.0
/*
 * Waiting for the DNS, see query.h.
 */
#include "cli/query.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "cli/offline.h"

struct query {
	struct event_base *base;
	struct dns *dns;
};

static void own_query(struct query **query)
{
	query_close(*query);
}

int query_open(struct query **out, const struct cli *cli, struct err *err)
{
	OWN(own_query) struct query *query = calloc(1, sizeof(*query));
	OWN(offline_dns_free) struct offline_dns settings = { .count = 0 };
	struct dns_options options;
	int rc = query ? offline_dns(cli, &settings, err) : err_set(err, -ENOMEM, "out of memory");

	if (rc < 0)
		return rc;
	query->base = event_base_new();
	if (!query->base)
		return err_set(err, -ENOMEM, "no memory for the event loop");
	options = (struct dns_options){ settings.resolvers, settings.count, settings.anchors, settings.roots };
	rc = dns_open(&query->dns, &options, query->base, err);
	if (rc < 0)
		return rc;
	*out = TAKE(query);
	return 0;
}

void query_close(struct query *query)
{
	if (!query)
		return;
	dns_close(query->dns);
	if (query->base)
		event_base_free(query->base);
	free(query);
}

/* ---- waiting ---------------------------------------------------------------------------------- */

/* What is waited for. An answer that comes too late finds nobody, so it outlives the call that asked. */
struct wait {
	struct query *query;
	dns_callback *see_reply;
	hunt_callback *see_evidence;
	void *arg; /* NULL = nobody waits any more */
	bool came;
};

static void on_reply(void *arg, const struct dns_reply *reply)
{
	struct wait *wait = arg;

	if (!wait->arg) {
		free(wait);
		return;
	}
	wait->came = true;
	wait->see_reply(wait->arg, reply);
	event_base_loopbreak(wait->query->base);
}

static void on_evidence(void *arg, const struct judge_evidence *evidence)
{
	struct wait *wait = arg;

	if (!wait->arg) {
		free(wait);
		return;
	}
	wait->came = true;
	wait->see_evidence(wait->arg, evidence);
	event_base_loopbreak(wait->query->base);
}

/* True when it came; else the wait is freed by whoever brings it later. */
static bool wait_for(struct wait *wait)
{
	const struct timeval limit = { .tv_sec = QUERY_WAIT_S };

	if (!wait->came) {
		event_base_loopexit(wait->query->base, &limit);
		event_base_dispatch(wait->query->base);
	}
	if (!wait->came) {
		wait->arg = NULL;
		return false;
	}
	free(wait);
	return true;
}

void query_ask(struct query *query, const char *name, uint16_t type, dns_callback *see, void *arg)
{
	static const struct dns_reply late = { .status = DNS_FAILED, .why = "nobody answered in time" };
	static const struct dns_reply unasked = { .status = DNS_FAILED, .why = "it could not be asked" };
	struct wait *wait = calloc(1, sizeof(*wait));

	if (wait)
		*wait = (struct wait){ .query = query, .see_reply = see, .arg = arg };
	if (!wait || dns_ask(query->dns, name, type, on_reply, wait) < 0) {
		free(wait);
		see(arg, &unasked);
		return;
	}
	if (!wait_for(wait))
		see(arg, &late);
}

int query_hunt(struct query *query, const struct hf_addr *addr, const char (*names)[DISCOVER_NAME_MAX], size_t count,
	       hunt_callback *see, void *arg, struct err *err)
{
	struct wait *wait = calloc(1, sizeof(*wait));

	if (wait)
		*wait = (struct wait){ .query = query, .see_evidence = see, .arg = arg };
	if (!wait || hunt_start(query->dns, addr, false, names, count, on_evidence, wait) < 0) {
		free(wait);
		return err_set(err, -EIO, "the DNS cannot be asked: no memory");
	}
	if (!wait_for(wait))
		return err_set(err, -ETIMEDOUT, "no answer in %u s that decides anything: are the resolvers reached?",
			       QUERY_WAIT_S);
	return 0;
}

/* ---- saying ----------------------------------------------------------------------------------- */

const char *query_security(enum dns_security security)
{
	return security == DNS_SECURE ? "secure" : security == DNS_BOGUS ? "bogus" : "not signed";
}

const char *query_say(char out[QUERY_SAY_MAX], enum dns_status status, enum dns_security security, const char *why)
{
	static const char *const missing[] = { [DNS_NO_DATA] = "none there", [DNS_NO_NAME] = "there is no such name" };

	if (security == DNS_BOGUS)
		snprintf(out, QUERY_SAY_MAX, "bogus: %s", why);
	else if (status == DNS_FAILED)
		snprintf(out, QUERY_SAY_MAX, "no answer: %s", *why ? why : "nobody gave one");
	else if (status == DNS_DATA)
		snprintf(out, QUERY_SAY_MAX, "%s", query_security(security));
	else
		snprintf(out, QUERY_SAY_MAX, "%s (%s)", missing[status], query_security(security));
	return out;
}
