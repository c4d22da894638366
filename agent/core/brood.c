// SPDX-License-Identifier: Apache-2.0
/*
 * The Child SAs of one pair: found by their inbound SPI, taken away with what of them is in the kernel, and which of them an earlier
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
