// SPDX-License-Identifier: Apache-2.0
/*
 * See renewal.h. Looks each second at the pairs that are being renewed; what it sees decides, not what it began: the peer may have made
 * the new SAs.
 */
#include "daemon/renewal.h"

#include "core/limits.h"
#include "daemon/negotiator_internal.h"

#define LOOK_NS NSTIME_S

/* A peer that publishes its next key before it uses it refuses until then. */
#define AGAIN_FIRST_NS (10 * NSTIME_S)
#define AGAIN_MOST_NS (30 * NSTIME_S)

/* Packets that were sealed with the old SAs are on their way (core/vigil.c keeps them as long). */
#define REPLACED_NS (5 * NSTIME_S)

/* Attempts begun in one look, some 3 ms each. */
#define BEGIN_MAX 16

struct renewal {
	struct hf_pair pair;
	struct hf_addr gateway; /* all zero = none */
	uint8_t key[SHA256_LEN];
	uint64_t end_ns;
	uint64_t next_ns, again_ns; /* the next attempt, and the time from then to the one behind it */
	uint64_t made_ns;	    /* the new SAs were there; 0 = not yet */
};

struct renewals {
	struct negotiator *negotiator;
	struct event *timer;
	struct renewal renewal[LIMIT_RENEWALS];
	size_t count;
	uint64_t refused;
};

/* What there is of one pair. */
struct sight {
	const struct renewal *renewal;
	unsigned int olds;
	struct handle old[4]; /* more of one pair go at the next look */
	bool made, attempts;
};

static bool see(void *arg, const struct ike_view *view)
{
	uint64_t trust = view->tag >> TAG_TRUST_SHIFT;
	struct sight *sight = arg;

	if (!view->established)
		sight->attempts |= view->tag & TAG_OURS;
	else if (memcmp(view->key, sight->renewal->key, SHA256_LEN) != 0)
		sight->made |= trust && trust < TRUST_OPPORTUNISTIC && view->spi_out_be;
	else if (sight->olds < sizeof(sight->old) / sizeof(sight->old[0]))
		sight->old[sight->olds++] = view->sa;
	return true;
}

static void close_old(struct negotiator *negotiator, const struct sight *sight)
{
	for (unsigned int i = 0; i < sight->olds; i++)
		ike_close(negotiator->ike, sight->old[i], agent_now());
}

/* False: it is over. */
static bool look(struct negotiator *negotiator, struct renewal *renewal, unsigned int *begun, uint64_t now)
{
	struct sight sight = { .renewal = renewal };
	struct core_event gone = { .type = EVENT_KEY_GONE, .pair = renewal->pair };
	char text[PAIR_TEXT_MAX];

	ike_each_of_pair(negotiator->ike, &renewal->pair, see, &sight);
	if (!sight.olds)
		return false;
	if (sight.made && !renewal->made_ns)
		renewal->made_ns = now;
	if (renewal->made_ns && now >= nstime_add(renewal->made_ns, REPLACED_NS)) {
		log_info("%s: SAs of the peer's next key have taken the place of those of its last one",
			 pair_format(text, &renewal->pair));
		close_old(negotiator, &sight);
		return false;
	}
	if (now >= renewal->end_ns) {
		log_info("%s: SAs ended, the peer has not used its next key in time",
			 pair_format(text, &renewal->pair));
		agent_event(negotiator->agent, &gone);
		close_old(negotiator, &sight);
		return false;
	}
	if (!sight.made && !sight.attempts && now >= renewal->next_ns && *begun < BEGIN_MAX) {
		(*begun)++;
		renewal->next_ns = nstime_add(now, renewal->again_ns);
		renewal->again_ns = nstime_min(2 * renewal->again_ns, AGAIN_MOST_NS);
		negotiator_start(negotiator, &renewal->pair, &renewal->gateway, false);
	}
	return true;
}

static void arm(struct renewals *renewals)
{
	const struct timeval wait = { .tv_sec = LOOK_NS / NSTIME_S };

	if (renewals->count && !evtimer_pending(renewals->timer, NULL))
		evtimer_add(renewals->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct renewals *renewals = arg;
	uint64_t now = agent_now();
	unsigned int begun = 0;

	(void)fd;
	(void)what;
	/* From the end, since the last one takes the place of one that is over. */
	for (size_t i = renewals->count; i-- > 0;)
		if (!look(renewals->negotiator, &renewals->renewal[i], &begun, now))
			renewals->renewal[i] = renewals->renewal[--renewals->count];
	negotiator_settle(renewals->negotiator);
	arm(renewals);
}

bool renewals_begin(struct renewals *renewals, const struct hf_pair *pair, const struct hf_addr *gateway,
		    const uint8_t key[SHA256_LEN], uint64_t grace_ns)
{
	struct renewal *renewal = &renewals->renewal[renewals->count];
	uint64_t now = agent_now();

	for (size_t i = 0; i < renewals->count; i++)
		if (pair_equal(&renewals->renewal[i].pair, pair) &&
		    memcmp(renewals->renewal[i].key, key, SHA256_LEN) == 0)
			return true;
	if (renewals->count == LIMIT_RENEWALS) {
		renewals->refused++;
		return false;
	}
	*renewal = (struct renewal){
		.pair = *pair,
		.gateway = *gateway,
		.end_ns = nstime_add(now, grace_ns),
		.next_ns = now,
		.again_ns = AGAIN_FIRST_NS,
	};
	memcpy(renewal->key, key, SHA256_LEN);
	renewals->count++;
	arm(renewals);
	return true;
}

uint64_t renewals_refused(const struct renewals *renewals)
{
	return renewals->refused;
}

struct renewals *renewals_new(struct negotiator *negotiator)
{
	struct renewals *renewals = calloc(1, sizeof(*renewals));

	if (!renewals)
		return NULL;
	renewals->negotiator = negotiator;
	renewals->timer = evtimer_new(agent_base(negotiator->agent), on_timer, renewals);
	if (renewals->timer)
		return renewals;
	free(renewals);
	return NULL;
}

void renewals_free(struct renewals *renewals)
{
	if (!renewals)
		return;
	event_free(renewals->timer);
	free(renewals);
}
