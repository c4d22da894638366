// SPDX-License-Identifier: Apache-2.0
/*
 * The Child SAs of one pair: found by their inbound SPI, taken away with what of them is in the kernel, changed, and which of them an earlier
 * agent made.
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

	if (known && !known->out)
		order_sa(core, peer, child, false, true);
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
		if (peer->children[i].out)
			return &peer->children[i];
	return NULL;
}
