// SPDX-License-Identifier: Apache-2.0
/*
 * See succession.h.
 */
#include "daemon/succession.h"

#include <string.h>

#include "base/nstime.h"
#include "base/secret.h"
#include "daemon/internal.h"

/*
 * How long a pair that has SAs goes on sending with the old ones after the peer made further ones: the peer can read the
 * new ones when our answer has arrived and its kernel has them. 200 ms covers a continent.
 */
#define USE_NS (200 * NSTIME_MS)

/* Child SAs that wait for that. One that finds no room is used at once. */
#define WAITING_MAX 256

/* The outbound half of a further Child SA that is not used yet, the oldest first. */
struct waiting {
	struct hf_pair pair;
	struct child child;
	uint64_t due_ns;
};

struct succession {
	struct agent *agent;
	struct event *timer;
	struct waiting waiting[WAITING_MAX];
	size_t count;
};

static void forget(struct succession *succession, size_t at)
{
	size_t after = succession->count - at - 1;

	memmove(&succession->waiting[at], &succession->waiting[at + 1], after * sizeof(succession->waiting[0]));
	secret_wipe(&succession->waiting[--succession->count], sizeof(succession->waiting[0]));
}

static void use(struct succession *succession, size_t at)
{
	struct core_event event = { .type = EVENT_CHILD_USE, .pair = succession->waiting[at].pair };

	event.up.child = succession->waiting[at].child;
	event.up.out = true;
	forget(succession, at);
	agent_event(succession->agent, &event);
	secret_wipe(&event, sizeof(event));
}

static void arm(struct succession *succession)
{
	struct timeval wait = { 0 };
	uint64_t span;

	if (!succession->count || evtimer_pending(succession->timer, NULL))
		return;
	span = nstime_until(succession->waiting[0].due_ns, agent_now());
	wait.tv_usec = (suseconds_t)(span / NSTIME_US + 1); /* below a second, see USE_NS */
	evtimer_add(succession->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct succession *succession = arg;

	(void)fd;
	(void)what;
	while (succession->count && succession->waiting[0].due_ns <= agent_now())
		use(succession, 0);
	arm(succession);
}

bool succession_add(struct succession *succession, const struct hf_pair *pair, const struct child *child)
{
	struct peer_view view;

	if (succession->count == WAITING_MAX || !core_find(succession->agent->core, &view, pair) || !view.spi_out_be ||
	    (view.state != PEER_SECURE && view.state != PEER_HANDOFF))
		return false;
	succession->waiting[succession->count++] = (struct waiting){ *pair, *child, nstime_add(agent_now(), USE_NS) };
	arm(succession);
	return true;
}

void succession_use(struct succession *succession, const struct hf_pair *pair)
{
	for (size_t i = succession->count; i-- > 0;)
		if (pair_equal(&succession->waiting[i].pair, pair))
			use(succession, i);
}

void succession_forget(struct succession *succession, const struct hf_pair *pair)
{
	for (size_t i = succession->count; i-- > 0;)
		if (pair_equal(&succession->waiting[i].pair, pair))
			forget(succession, i);
}

struct succession *succession_new(struct agent *agent)
{
	struct succession *succession = calloc(1, sizeof(*succession));

	if (!succession)
		return NULL;
	succession->agent = agent;
	succession->timer = evtimer_new(agent_base(agent), on_timer, succession);
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
