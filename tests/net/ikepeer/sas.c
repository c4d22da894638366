// SPDX-License-Identifier: Apache-2.0
/*
 * SAs and policies of ikepeer's Child SAs. A pair's policies come with its first Child SA and go with its last one; SAs
 * change under them. One reqid per pair. With --no-kernel there is none of all this, and it looks as if nothing stood.
 */
#include <arpa/inet.h>
#include <string.h>

#include "ikepeer.h"

static bool same(struct handle a, struct handle b)
{
	return a.index == b.index && a.generation == b.generation;
}

static struct standing *find(struct ikepeer *peer, struct handle child)
{
	for (struct standing *it = peer->standing; it < peer->standing + CHILDREN_MAX; it++)
		if (it->used && same(it->child, child))
			return it;
	return NULL;
}

static struct standing *room(struct ikepeer *peer)
{
	for (struct standing *it = peer->standing; it < peer->standing + CHILDREN_MAX; it++)
		if (!it->used)
			return it;
	return NULL;
}

static bool is_last(const struct ikepeer *peer, const struct hf_pair *pair)
{
	for (const struct standing *it = peer->standing; it < peer->standing + CHILDREN_MAX; it++)
		if (it->used && pair_equal(&it->pair, pair))
			return false;
	return true;
}

/* Any number that the same pair always gets will do. */
static uint32_t reqid_of(const struct hf_pair *pair)
{
	uint32_t sum = 0;

	for (int i = 0; i < 16; i++)
		sum = sum * 31 + pair->remote.octet[i] + 7u * pair->local.octet[i];
	return NETLINK_REQID_BASE + sum % NETLINK_REQID_COUNT;
}

uint32_t sas_spi(void *arg, const struct hf_pair *pair)
{
	struct ikepeer *peer = arg;
	struct err err = ERR_NONE;
	uint32_t spi_be = 0;

	if (peer->options.no_kernel)
		return htonl(0x100 + ++peer->next_spi % 0x7fffffff);
	if (xfrm_spi_alloc(peer->netlink, &spi_be, &pair->remote, &pair->local, reqid_of(pair), &err) < 0)
		say("ERROR spi: %s", err.text);
	return spi_be;
}

static enum sa_algorithm algorithm_of(enum child_algorithm algorithm)
{
	switch (algorithm) {
	case CHILD_AES_GCM_16_128:
		return SA_AES_GCM_16_128;
	case CHILD_CHACHA20_POLY1305:
		return SA_CHACHA20_POLY1305;
	default:
		return SA_AES_GCM_16_256;
	}
}

static int add(struct ikepeer *peer, const struct standing *it, bool inbound)
{
	const struct child *child = &it->keys;
	struct err err = ERR_NONE;
	struct sa sa = {
		.src = inbound ? it->pair.remote : it->pair.local,
		.dst = inbound ? it->pair.local : it->pair.remote,
		.spi_be = inbound ? child->spi_in_be : child->spi_out_be,
		.reqid = reqid_of(&it->pair),
		.mode = child->tunnel ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT,
		.algorithm = algorithm_of(child->algorithm),
		.inbound = inbound,
		.esn = child->esn,
		.replay_window = 128,
	};
	int error;

	if (child->encap) {
		sa.encap_sport_be = htons(inbound ? child->encap_remote : child->encap_local);
		sa.encap_dport_be = htons(inbound ? child->encap_local : child->encap_remote);
	}
	memcpy(sa.key, inbound ? child->key_in : child->key_out, sizeof(sa.key));
	error = xfrm_state_add(peer->netlink, &sa, &err);
	secret_wipe(&sa, sizeof(sa));
	if (error)
		say("ERROR %s SA: %s", inbound ? "inbound" : "outbound", err.text);
	return error;
}

static void take_off(struct ikepeer *peer, const struct standing *it, bool inbound)
{
	struct err err = ERR_NONE;

	if (xfrm_state_del(peer->netlink, inbound ? &it->pair.local : &it->pair.remote,
			   inbound ? it->keys.spi_in_be : it->keys.spi_out_be, &err) < 0)
		say("ERROR %s SA goes: %s", inbound ? "inbound" : "outbound", err.text);
}

static int set_policies(struct ikepeer *peer, const struct standing *it)
{
	enum sa_mode mode = it->keys.tunnel ? SA_MODE_TUNNEL : SA_MODE_TRANSPORT;
	struct err err = ERR_NONE;
	int error = xfrm_policy_set(peer->netlink, POLICY_OUT, &it->pair, mode, reqid_of(&it->pair), false, &err);

	error = error ? error
		      : xfrm_policy_set(peer->netlink, POLICY_IN, &it->pair, mode, reqid_of(&it->pair), false, &err);
	if (error)
		say("ERROR policies: %s", err.text);
	return error;
}

int sas_up(struct ikepeer *peer, const struct ike_output *output)
{
	struct standing *it = room(peer);
	int error = 0;

	if (peer->options.no_kernel)
		return 0;
	if (!it)
		return -1;
	*it = (struct standing){ .sa = output->sa,
				 .child = output->child.child,
				 .pair = { output->path.local, output->path.remote },
				 .keys = output->child.keys };
	if (output->child.install_in) {
		error = add(peer, it, true);
		it->in = !error;
	}
	if (!error && output->child.install_out) {
		error = add(peer, it, false);
		it->out = !error;
	}
	error = error ? error : set_policies(peer, it);
	it->used = !error;
	return error;
}

int sas_use(struct ikepeer *peer, const struct ike_output *output)
{
	struct standing *it = find(peer, output->child.child);
	int error = it && !it->out ? add(peer, it, false) : 0;

	if (it)
		it->out = !error;
	return error;
}

void sas_quiet(struct ikepeer *peer, const struct ike_output *output)
{
	struct standing *it = find(peer, output->child.child);

	if (it && it->out)
		take_off(peer, it, false);
	if (it)
		it->out = false;
}

/* Good enough here: a state made anew starts its sequence again, so this loses what the agent would keep. */
void sas_moved(struct ikepeer *peer, const struct ike_output *output)
{
	struct standing *it = find(peer, output->child.child);

	if (!it)
		return;
	sas_quiet(peer, output);
	it->pair = (struct hf_pair){ output->path.local, output->path.remote };
	it->keys.encap_local = output->path.local_port;
	it->keys.encap_remote = output->path.remote_port;
	it->out = !add(peer, it, false);
}

void sas_down(struct ikepeer *peer, const struct ike_output *output)
{
	struct standing *it = find(peer, output->child.child);
	struct err err = ERR_NONE;
	struct hf_pair pair;

	if (!it)
		return;
	if (it->in)
		take_off(peer, it, true);
	if (it->out)
		take_off(peer, it, false);
	pair = it->pair;
	secret_wipe(it, sizeof(*it));
	if (!is_last(peer, &pair))
		return;
	if (xfrm_policy_del(peer->netlink, POLICY_IN, &pair, &err) < 0 ||
	    xfrm_policy_del(peer->netlink, POLICY_OUT, &pair, &err) < 0)
		say("ERROR policies go: %s", err.text);
}
