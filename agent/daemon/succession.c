// SPDX-License-Identifier: Apache-2.0
/*
 * See succession.h.
 */
#include "daemon/succession.h"

#include <string.h>

#include "base/nstime.h"
#include "base/secret.h"
#include "daemon/negotiator_internal.h"

/*
 * The peer began because it has something to send, so most often its ESP is the sign: looks for that double from 5 ms to a second. From
 * the 80 ms look on it is asked, which costs two small messages.
 */
#define LOOK_FIRST_NS (5 * NSTIME_MS)
#define LOOK_MOST_NS NSTIME_S
#define ASK_NS (80 * NSTIME_MS)

/* Child SAs that wait. One that finds no room is used at once. */
#define WAITING_MAX 1024

/* Of a pair, at the same time: both ends started, and once more after a restart. */
#define QUIET_MAX 4

struct waiting {
	struct hf_pair pair;
	struct handle sa;
	uint32_t heard; /* of the IKE SA, when the Child SA was made */
	struct child child;
	uint64_t look_ns, span_ns;
	uint32_t quiet_in_be[QUIET_MAX]; /* those that it replaces */
	unsigned int quiet_count;
};

struct succession {
	struct negotiator *negotiator;
	struct event *timer;
	uint64_t armed_ns; /* NSTIME_NEVER = not */
	struct waiting waiting[WAITING_MAX];
	size_t count;
};

static void forget(struct succession *succession, size_t at)
{
	size_t after = succession->count - at - 1;

	memmove(&succession->waiting[at], &succession->waiting[at + 1], after * sizeof(succession->waiting[0]));
	secret_wipe(&succession->waiting[--succession->count], sizeof(succession->waiting[0]));
}

/* The new one first: the pair is never without. */
static void use(struct succession *succession, size_t at)
{
	struct waiting waiting = succession->waiting[at];
	struct core_event event = { .type = EVENT_CHILD_USE, .pair = waiting.pair };

	event.up.child = waiting.child;
	event.up.out = true;
	forget(succession, at);
	agent_event(succession->negotiator->agent, &event);
	secret_wipe(&event, sizeof(event));
	secret_wipe(&waiting.child, sizeof(waiting.child));
	event = (struct core_event){ .type = EVENT_CHILD_QUIET, .pair = waiting.pair };
	for (unsigned int i = 0; i < waiting.quiet_count; i++) {
		event.up.child.spi_in_be = waiting.quiet_in_be[i];
		agent_event(succession->negotiator->agent, &event);
	}
}

/* An IKE SA that is not there any more was rekeyed, which takes messages, or its Child SAs went down with it. */
static bool was_heard(const struct succession *succession, const struct waiting *waiting)
{
	struct ike_view view;

	return !ike_find(succession->negotiator->ike, &view, waiting->sa) || view.heard != waiting->heard;
}

static bool has_sealed(const struct succession *succession, const struct waiting *waiting)
{
	struct sa_counters counters;

	return xfrm_state_counters(succession->negotiator->agent->nl, &counters, &waiting->pair.local,
				   waiting->child.spi_in_be, NULL) == 0 &&
	       counters.packets > 0;
}

static void arm(struct succession *succession)
{
	uint64_t next = NSTIME_NEVER, span;
	struct timeval wait;

	for (size_t i = 0; i < succession->count; i++)
		next = nstime_min(next, succession->waiting[i].look_ns);
	/* Never set anew what is due as soon anyway, or a stream of events would keep it from ever running. */
	if (next >= succession->armed_ns)
		return;
	succession->armed_ns = next;
	span = nstime_until(next, agent_now());
	wait.tv_sec = (time_t)(span / NSTIME_S);
	wait.tv_usec = (suseconds_t)(span % NSTIME_S / NSTIME_US + 1);
	evtimer_add(succession->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct succession *succession = arg;
	uint64_t now = agent_now();

	(void)fd;
	(void)what;
	succession->armed_ns = NSTIME_NEVER;
	for (size_t i = succession->count; i-- > 0;) {
		struct waiting *waiting = &succession->waiting[i];

		/* What is told to the core may end others that wait. */
		if (i >= succession->count || waiting->look_ns > now)
			continue;
		if (was_heard(succession, waiting) || has_sealed(succession, waiting)) {
			use(succession, i);
			continue;
		}
		if (waiting->span_ns >= ASK_NS)
			ike_probe(succession->negotiator->ike, waiting->sa, now);
		waiting->span_ns = nstime_min(2 * waiting->span_ns, LOOK_MOST_NS);
		waiting->look_ns = nstime_add(now, waiting->span_ns);
	}
	negotiator_settle(succession->negotiator);
	arm(succession);
}

bool succession_add(struct succession *succession, const struct hf_pair *pair, struct handle sa,
		    const struct child *child)
{
	struct waiting *waiting = &succession->waiting[succession->count];
	struct ike_view view;

	if (succession->count == WAITING_MAX || !ike_find(succession->negotiator->ike, &view, sa))
		return false;
	*waiting = (struct waiting){
		.pair = *pair,
		.sa = sa,
		.heard = view.heard,
		.child = *child,
		.span_ns = LOOK_FIRST_NS,
		.look_ns = nstime_add(agent_now(), LOOK_FIRST_NS),
	};
	succession->count++;
	arm(succession);
	return true;
}

void succession_heard(struct succession *succession, const struct hf_pair *pair)
{
	for (size_t i = succession->count; i-- > 0;)
		if (i < succession->count && pair_equal(&succession->waiting[i].pair, pair) &&
		    was_heard(succession, &succession->waiting[i]))
			use(succession, i);
}

bool succession_quiet(struct succession *succession, const struct hf_pair *pair, uint32_t spi_in_be)
{
	bool kept = false;

	for (size_t i = succession->count; i-- > 0;) {
		struct waiting *waiting = &succession->waiting[i];

		if (!pair_equal(&waiting->pair, pair))
			continue;
		if (waiting->child.spi_in_be == spi_in_be) {
			forget(succession, i);
		} else if (!kept && waiting->quiet_count < QUIET_MAX) {
			waiting->quiet_in_be[waiting->quiet_count++] = spi_in_be;
			kept = true;
		}
	}
	return kept;
}

void succession_down(struct succession *succession, const struct hf_pair *pair, uint32_t spi_in_be)
{
	for (size_t i = succession->count; i-- > 0;) {
		if (i >= succession->count || !pair_equal(&succession->waiting[i].pair, pair))
			continue;
		if (succession->waiting[i].child.spi_in_be == spi_in_be)
			forget(succession, i);
		else
			use(succession, i);
	}
}

void succession_use(struct succession *succession, const struct hf_pair *pair)
{
	for (size_t i = succession->count; i-- > 0;)
		if (i < succession->count && pair_equal(&succession->waiting[i].pair, pair))
			use(succession, i);
}

void succession_forget(struct succession *succession, const struct hf_pair *pair)
{
	for (size_t i = succession->count; i-- > 0;)
		if (pair_equal(&succession->waiting[i].pair, pair))
			forget(succession, i);
}

struct succession *succession_new(struct negotiator *negotiator)
{
	struct succession *succession = calloc(1, sizeof(*succession));

	if (!succession)
		return NULL;
	succession->negotiator = negotiator;
	succession->armed_ns = NSTIME_NEVER;
	succession->timer = evtimer_new(agent_base(negotiator->agent), on_timer, succession);
	if (succession->timer)
		return succession;
	free(succession);
	return NULL;
}

void succession_free(struct succession *succession)
{
	if (!succession)
		return;
	event_free(succession->timer);
	secret_wipe(succession->waiting, sizeof(succession->waiting));
	free(succession);
}
