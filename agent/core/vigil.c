// SPDX-License-Identifier: Apache-2.0
/*
 * A secured peer's time: whether it seals, whether it is heard while we send, whether anybody uses the SAs at all, and when an
 * earlier agent's are replaced. Four points in time and the peer's one timer, which runs at the first of them.
 */
#include "base/nstime.h"
#include "core/internal.h"

/* The looks whether the peer seals double from 5 ms; not beyond 20 ms while what is for the peer is held until it does. */
#define SEALS_FIRST_NS (5 * NSTIME_MS)
#define SEALS_HELD_NS (20 * NSTIME_MS)
#define SEALS_MOST_NS (5 * NSTIME_S)

/* The peer's old SA is kept while packets sealed with it may be on their way (strongSwan does the same). */
#define REPLACED_SA_NS (5 * NSTIME_S)

/*
 * Two looks at which packets had left and none had come make 30 s without a sign of life while sending. A look
 * reads two counters, 20 us: 16,384 pairs cost 2 % of a core.
 */
#define LIFE_NS (15 * NSTIME_S)
#define LIFE_SILENT 2

/* RFC 4322 3.4.1's later looks: what nobody used for so long goes, long before it would be rekeyed. */
#define UNUSED_NS (1200 * NSTIME_S)

/* 50 handshakes a second after a restart: 2 % of a core here, and no burst for a peer that all of a fleet talk to. */
#define REFRESH_FIRST_NS NSTIME_S
#define REFRESH_NEXT_NS (20 * NSTIME_MS)

/* A successor that could not be made is tried again when the attempt (64 s) is over for sure. */
#define REFRESH_AGAIN_NS (120 * NSTIME_S)

static void arm(struct core *core, struct peer *peer)
{
	const struct vigil *vigil = &peer->vigil;

	core_timer(core, peer,
		   nstime_min(nstime_min(vigil->seals_ns, vigil->drop_ns),
			      nstime_min(vigil->refresh_ns, vigil->life_ns)));
}

void vigil_start(struct core *core, struct peer *peer, uint64_t now)
{
	peer->vigil = (struct vigil){
		.seals_ns = NSTIME_NEVER,
		.drop_ns = NSTIME_NEVER,
		.refresh_ns = NSTIME_NEVER,
		.life_ns = nstime_add(now, LIFE_NS),
		.used_ns = now,
	};
	arm(core, peer);
}

void vigil_adopted(struct core *core, struct peer *peer, uint64_t now)
{
	uint64_t earliest = nstime_add(now, REFRESH_FIRST_NS), next = nstime_add(core->refresh_ns, REFRESH_NEXT_NS);

	core->refresh_ns = next > earliest ? next : earliest;
	peer->vigil.refresh_ns = core->refresh_ns;
	/* Not all at the same instant for ever after, either. */
	peer->vigil.life_ns = nstime_add(core->refresh_ns, LIFE_NS);
	arm(core, peer);
}

/* Once a pair, and one after the other: what asks need not be the peer. */
void vigil_asked(struct core *core, struct peer *peer, uint64_t now)
{
	uint64_t next = nstime_add(core->asked_ns, REFRESH_NEXT_NS);

	if (peer->state != PEER_SECURE || !peer_is_orphaned(peer) || peer->vigil.asked)
		return;
	peer->vigil.asked = true;
	next = next > now ? next : now;
	if (next >= peer->vigil.refresh_ns)
		return;
	core->asked_ns = next;
	peer->vigil.refresh_ns = next;
	arm(core, peer);
}

void vigil_seals(struct core *core, struct peer *peer, uint64_t now)
{
	unsigned int doublings = peer->looks < 16 ? peer->looks : 16;
	uint64_t most = peer->state == PEER_SECURE ? SEALS_MOST_NS : SEALS_HELD_NS;
	uint64_t when = nstime_add(now, nstime_min(SEALS_FIRST_NS << doublings, most));

	peer->looks++;
	if (peer->state != PEER_SECURE) {
		core_timer(core, peer, when);
		return;
	}
	peer->vigil.seals_ns = when;
	arm(core, peer);
}

void vigil_sealed(struct core *core, struct peer *peer)
{
	peer->vigil.seals_ns = NSTIME_NEVER;
	arm(core, peer);
}

void vigil_replaced(struct core *core, struct peer *peer, uint64_t now)
{
	peer->vigil.refresh_ns = NSTIME_NEVER;
	peer->vigil.drop_ns = nstime_add(now, REPLACED_SA_NS);
	arm(core, peer);
}

void vigil_changed(struct peer *peer)
{
	peer->vigil.counted = false;
}

bool vigil_is_idle(const struct peer *peer, uint64_t now)
{
	return now >= nstime_add(peer->vigil.used_ns, UNUSED_NS);
}

/* An earlier agent's SAs have no IKE SA to ask through: their successor's handshake is the question. */
static void doubt(struct core *core, struct peer *peer, uint64_t now)
{
	if (peer_is_orphaned(peer)) {
		peer->vigil.refresh_ns = nstime_min(peer->vigil.refresh_ns, now);
		return;
	}
	peer->vigil.silent = 0;
	core->counts.probes++;
	core_emit(core, peer, ACTION_PROBE)->probe_soon = true;
}

void vigil_on_life(struct core *core, struct peer *peer, const struct core_event *event, uint64_t now)
{
	struct vigil *vigil = &peer->vigil;
	bool heard = event->life.in != vigil->in, sent = event->life.out != vigil->out;

	if (peer->state != PEER_SECURE)
		return;
	if (event->error) {
		vigil->counted = false;
		return;
	}
	if (!vigil->counted) {
		/* Which of them were carried before the change is not known; that some were will be seen next time. */
		vigil->counted = true;
		heard = sent = false;
	}
	vigil->in = event->life.in;
	vigil->out = event->life.out;
	if (heard || sent)
		vigil->used_ns = now;
	if (heard)
		vigil->silent = 0;
	else if (sent && ++vigil->silent >= LIFE_SILENT)
		doubt(core, peer, now);
	if (vigil_is_idle(peer, now))
		peer_close_idle(core, peer, now);
	else
		arm(core, peer);
}

static void refresh(struct core *core, struct peer *peer, uint64_t now)
{
	peer->vigil.asked = true; /* from here on it is under way, and bringing it forward would start it twice */
	peer->vigil.refresh_ns = peer_is_orphaned(peer) ? nstime_add(now, REFRESH_AGAIN_NS) : NSTIME_NEVER;
	if (peer_is_orphaned(peer))
		core_emit(core, peer, ACTION_REKEY)->spi_in_be = peer->children[0].spi_in_be;
}

void vigil_expire(struct core *core, struct peer *peer, uint64_t now)
{
	struct vigil *vigil = &peer->vigil;

	if (now >= vigil->drop_ns) {
		vigil->drop_ns = NSTIME_NEVER;
		if (!peer_is_orphaned(peer))
			peer_drop_adopted(core, peer);
		else
			vigil->refresh_ns = nstime_min(vigil->refresh_ns, now); /* the successor did not last */
	}
	if (now >= vigil->refresh_ns)
		refresh(core, peer, now);
	if (now >= vigil->seals_ns) {
		vigil->seals_ns = NSTIME_NEVER; /* the answer sets it anew */
		if (!peer->peer_seals)
			order_check_seals(core, peer);
	}
	if (now >= vigil->life_ns) {
		vigil->life_ns = nstime_add(now, LIFE_NS);
		order_check_life(core, peer);
	}
	arm(core, peer);
}
