// SPDX-License-Identifier: Apache-2.0
/*
 * The Child SAs of one pair: found by their inbound SPI, taken away with what of them is in the kernel, changed, which of them an earlier
 * agent made, and which are for one processor (RFC 9611).
 */
#include <string.h>

#include "core/internal.h"

struct peer_child *brood_find(struct peer *peer, uint32_t spi_in_be)
{
	for (unsigned int i = 0; i < peer->child_count; i++)
		if (peer->children[i].spi_in_be == spi_in_be)
			return &peer->children[i];
	return NULL;
}

/* Which processors have theirs: 1 << number. Those of before an agent's start, and those that lost a crossing, give their places up. */
static uint32_t taken(const struct peer *peer)
{
	uint32_t numbers = 0;

	for (unsigned int i = 0; i < peer->child_count; i++) {
		const struct peer_child *child = &peer->children[i];

		if (child->processor && !child->adopted && !child->quiet)
			numbers |= 1u << (child->processor - 1);
	}
	return numbers;
}

uint32_t brood_free_processor(const struct core *core, const struct peer *peer)
{
	uint32_t numbers = taken(peer), number = 0;

	while (number < core->processors && numbers & 1u << number)
		number++;
	return number;
}

/* A successor has the processor of the one it replaces, whatever is free. */
static uint32_t choose_processor(const struct core *core, struct peer *peer, const struct core_event *event)
{
	const struct peer_child *old = event->up.replaces_in_be ? brood_find(peer, event->up.replaces_in_be) : NULL;
	uint32_t number;

	if (!event->up.child.bound)
		return 0;
	if (old && old->bound)
		return old->processor;
	number = brood_free_processor(core, peer);
	return number < core->processors ? number + 1 : 0;
}

void brood_add(struct core *core, struct peer *peer, const struct core_event *event)
{
	const struct peer_child child = {
		.spi_in_be = event->up.child.spi_in_be,
		.spi_out_be = event->up.child.spi_out_be,
		.bound = event->up.child.bound,
		.anew = event->up.replaces_in_be == 0,
		.processor = choose_processor(core, peer, event),
	};

	peer->children[peer->child_count++] = child;
	vigil_changed(peer);
}

bool brood_stands_without(const struct peer *peer, const struct peer_child *without)
{
	for (unsigned int i = 0; i < peer->child_count; i++)
		if (&peer->children[i] != without && !peer->children[i].bound)
			return true;
	return false;
}

void brood_give_up_bound(struct core *core, const struct peer *peer)
{
	for (unsigned int i = 0; i < peer->child_count; i++)
		if (peer->children[i].bound)
			core_emit(core, peer, ACTION_CHILD_GONE)->spi_in_be = peer->children[i].spi_in_be;
}

void brood_anew(struct core *core, struct peer *peer, const struct peer_child *first)
{
	bool any = false;

	for (struct peer_child *child = peer->children; child < first; child++) {
		if (!child->bound || !child->out)
			continue;
		order_sa_gone(core, peer, child, false, true);
		child->out = false;
		child->quiet = any = true;
	}
	if (any)
		order_policy(core, peer, false);
}

/*
 * The kernel keeps with a policy which SAs it has found for it, and looks for no others while one of these will do: the first one does for every
 * processor. A new policy has found none. What is under way keeps its SA until its next packet.
 */
void brood_bound_added(struct core *core, struct peer *peer, const struct peer_child *child)
{
	if (peer->state != PEER_SECURE || !child->out)
		return;
	order_policy(core, peer, false);
	if (peer->vigil.busy)
		order_further(core, peer); /* one after the other */
}

void brood_remove(struct core *core, struct peer *peer, struct peer_child *child)
{
	size_t after = (size_t)(peer->children + peer->child_count - (child + 1));

	order_sa_gone(core, peer, child, child->in, child->out);
	memmove(child, child + 1, after * sizeof(*child));
	peer->child_count--;
	vigil_changed(peer);
}

void brood_use(struct core *core, struct peer *peer, const struct child *child)
{
	struct peer_child *known = brood_find(peer, child->spi_in_be);

	if (known && !known->out && (!known->bound || known->processor))
		order_sa(core, peer, known, child, false, true);
}

void brood_move(struct core *core, struct peer *peer, const struct child *child)
{
	const struct peer_child *known = brood_find(peer, child->spi_in_be);

	if (known)
		order_sa_move(core, peer, known, child);
}

void brood_quiet(struct core *core, struct peer *peer, uint32_t spi_in_be)
{
	struct peer_child *child = brood_find(peer, spi_in_be);

	if (child) {
		order_sa_gone(core, peer, child, false, child->out);
		child->out = false;
		child->quiet = true;
		vigil_changed(peer);
	}
}

void brood_clear(struct core *core, struct peer *peer)
{
	while (peer->child_count)
		brood_remove(core, peer, &peer->children[peer->child_count - 1]);
}

void brood_adopt(struct peer *peer, const struct core_event *event)
{
	if (peer->child_count == CORE_ADOPTED)
		return;
	peer->children[peer->child_count++] = (struct peer_child){
		.spi_in_be = event->adopt.spi_in_be,
		.spi_out_be = event->adopt.spi_out_be,
		.in = event->adopt.spi_in_be != 0,
		.out = event->adopt.spi_out_be != 0,
		.adopted = true,
		.bound = event->adopt.processor != 0,
		.processor = event->adopt.processor,
	};
}

/* An earlier agent's SAs go once there are some whose maker lives. */
void peer_drop_adopted(struct core *core, struct peer *peer)
{
	for (unsigned int i = peer->child_count; i-- > 0;)
		if (peer->children[i].adopted)
			brood_remove(core, peer, &peer->children[i]);
}

bool brood_has_adopted(const struct peer *peer)
{
	for (unsigned int i = 0; i < peer->child_count; i++)
		if (peer->children[i].adopted)
			return true;
	return false;
}

bool peer_is_orphaned(const struct peer *peer)
{
	const struct peer_child *sending = peer_sending(peer);

	return brood_has_adopted(peer) && (!sending || sending->adopted);
}

const struct peer_child *peer_sending(const struct peer *peer)
{
	for (unsigned int i = peer->child_count; i-- > 0;)
		if (peer->children[i].out && !peer->children[i].bound)
			return &peer->children[i];
	return NULL;
}
