// SPDX-License-Identifier: Apache-2.0
/*
 * What an agent does by itself: it talks to whom it wants to, connects when there is no SA, asks for a sign of life when it sends
 * and hears nothing, closes what nobody uses. And what an operator or a kernel may make it do at any moment.
 */
#include <errno.h>

#include "base/addr.h"
#include "world.h"

#define TICK NSTIME_S
#define SILENCE (10 * NSTIME_S)	 /* sending and not hearing: ask */
#define CHILDLESS (5 * NSTIME_S) /* an IKE SA that protects nothing is of no use */
#define ATTEMPTS_MAX 3		 /* of one host to one peer at a time, with orders */

/* The youngest outbound SA, as a kernel takes it. */
static struct kid_note *sender(struct host *host, unsigned int peer)
{
	struct kid_note *best = NULL;

	for (unsigned int i = 0; i < host->kid_count; i++) {
		struct kid_note *kid = &host->kids[i];

		if (kid->peer == peer && kid->out && (!best || kid->sending_since_ns >= best->sending_since_ns))
			best = kid;
	}
	return best;
}

/* The kernel sees that what it could open came from elsewhere, and says so. */
static void see_sender(struct world *world, unsigned int index, const struct kid_note *kid, const struct host *from)
{
	struct host *host = &world->hosts[index];

	if (!from->outside_port || !kid->keys.encap ||
	    (addr_equal(&kid->remote, &from->addr) && kid->keys.encap_remote == from->outside_port))
		return;
	call_begin(world, index, NULL);
	ike_child_moved(host->ike, kid->handle, &from->addr, from->outside_port, host_now(world, index));
	call_end(world);
}

/* A packet under ESP, seen as far as the other end's kernel. */
static void talk(struct world *world, unsigned int from, unsigned int to)
{
	const struct kid_note *kid = sender(&world->hosts[from], to);
	struct host *peer = &world->hosts[to];
	struct note *note;

	if (!kid || !peer->alive || world->cut[from][to] ||
	    (kid->keys.encap && !net_leads_to(peer, &kid->remote, kid->keys.encap_remote)))
		return;
	for (unsigned int i = 0; i < peer->kid_count; i++) {
		if (!peer->kids[i].in || peer->kids[i].keys.spi_in_be != kid->keys.spi_out_be)
			continue;
		note = note_find(peer, peer->kids[i].sa);
		if (note)
			note->heard_ns = world->now;
		see_sender(world, to, &peer->kids[i], &world->hosts[from]);
		return;
	}
}

static bool has_note(const struct host *host, unsigned int peer)
{
	for (unsigned int i = 0; i < host->note_count; i++)
		if (host->notes[i].peer == peer)
			return true;
	return false;
}

static void visit(struct world *world, unsigned int index, struct note *note)
{
	struct host *host = &world->hosts[index];
	struct handle sa = note->sa;
	uint64_t now = world->now;
	unsigned int kids = 0, outs = 0;

	if (!note->up)
		return;
	for (unsigned int i = 0; i < host->kid_count; i++) {
		bool its = host->kids[i].sa.index == sa.index && host->kids[i].sa.generation == sa.generation;

		kids += its;
		outs += its && host->kids[i].want_out;
	}
	if (kids) {
		note->idle_since_ns = 0;
	} else if (!note->idle_since_ns) {
		note->idle_since_ns = now;
	} else if (now - note->idle_since_ns >= CHILDLESS) {
		note->idle_since_ns = now;
		say(world, index, "closes the SA with h%u that protects nothing", note->peer);
		call_begin(world, index, NULL);
		ike_close(host->ike, sa, host_now(world, index));
		call_end(world);
		return;
	}
	if (outs && now - note->heard_ns >= SILENCE && now - note->probed_ns >= SILENCE / 2) {
		note->probed_ns = now;
		say(world, index, "probes h%u", note->peer);
		call_begin(world, index, NULL);
		ike_probe(host->ike, sa, host_now(world, index));
		call_end(world);
	}
}

void habits_tick(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];
	struct handle all[NOTES_MAX];
	unsigned int count = host->note_count;

	event_add(world, rng_between(&world->rng, TICK / 2, TICK + TICK / 2), EVENT_TICK, index, HANDLE_NONE, NULL);
	for (unsigned int i = 0; i < count; i++)
		all[i] = host->notes[i].sa;
	for (unsigned int i = 0; i < count; i++) {
		struct note *note = note_find(host, all[i]);

		if (note)
			visit(world, index, note);
	}
	for (unsigned int peer = 0; peer < world->host_count; peer++) {
		if (peer == index || world->hosts[peer].twin_of != HOSTS_MAX)
			continue;
		talk(world, index, peer);
		if (host->wants[peer] && !has_note(host, peer) && world->now >= host->retry_ns[peer])
			caller_connect(world, index, peer);
	}
}

/* ---- orders ---- */

static unsigned int random_host(struct world *world)
{
	return rng_below(&world->rng, world->host_count);
}

static void order_connect(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];
	unsigned int peer = random_host(world), have = 0;

	for (unsigned int i = 0; i < host->note_count; i++)
		have += host->notes[i].peer == peer;
	if (peer != index && world->hosts[peer].twin_of == HOSTS_MAX && host->twin_of != peer && have < ATTEMPTS_MAX)
		caller_connect(world, index, peer);
}

/* Names of what is gone must do nothing. */
static void order_stale(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];
	struct ike_answer answer = { .tag = 77, .null = true };
	uint64_t now = host_now(world, index);
	struct handle stale;
	struct ike_counts after;

	if (!host->stale_count)
		return;
	stale = host->stale[rng_below(&world->rng, host->stale_count < 8 ? host->stale_count : 8)];
	if (note_find(host, stale) || kid_find(host, stale))
		return; /* an SA's handle may be a child's as well, or another boot's */
	call_begin(world, index, NULL);
	ike_answer(host->ike, stale, &answer, now);
	ike_installed(host->ike, stale, -EEXIST, now);
	ike_rekey_child(host->ike, stale, now);
	ike_rekey(host->ike, stale, now);
	ike_probe(host->ike, stale, now);
	ike_close_child(host->ike, stale, now);
	ike_count(host->ike, &after);
	if (after.sas != world->call.before.sas || after.children != world->call.before.children)
		fail(world, "h%u: a stale handle had an effect", index);
	call_end(world);
}

static void order_sa(struct world *world, unsigned int index, unsigned int what)
{
	static const char *const names[] = { "rekeys the SA", "probes", "closes", "forgets" };
	struct host *host = &world->hosts[index];
	uint64_t now = host_now(world, index);
	struct note *note;

	if (!host->note_count)
		return;
	note = &host->notes[rng_below(&world->rng, host->note_count)];
	say(world, index, "%s with h%u", names[what], note->peer);
	call_begin(world, index, NULL);
	switch (what) {
	case 0:
		ike_rekey(host->ike, note->sa, now);
		break;
	case 1:
		ike_probe(host->ike, note->sa, now);
		break;
	case 2:
		ike_close(host->ike, note->sa, now);
		break;
	default:
		ike_forget(host->ike, note->sa, now);
	}
	call_end(world);
}

static void order_child(struct world *world, unsigned int index, bool close)
{
	struct host *host = &world->hosts[index];
	const struct kid_note *kid;

	if (!host->kid_count)
		return;
	kid = &host->kids[rng_below(&world->rng, host->kid_count)];
	say(world, index, "%s child %08x with h%u", close ? "closes" : "rekeys", __builtin_bswap32(kid->keys.spi_in_be),
	    kid->peer);
	call_begin(world, index, NULL);
	if (close)
		ike_close_child(host->ike, kid->handle, host_now(world, index));
	else
		ike_rekey_child(host->ike, kid->handle, host_now(world, index));
	call_end(world);
}

void habits_order(struct world *world)
{
	unsigned int index = random_host(world), dice = rng_below(&world->rng, 100);

	if (!world->hosts[index].alive)
		return;
	if (dice < 20)
		order_connect(world, index);
	else if (dice < 45)
		order_child(world, index, false);
	else if (dice < 65)
		order_sa(world, index, 0);
	else if (dice < 75)
		order_sa(world, index, 1);
	else if (dice < 82)
		order_child(world, index, true);
	else if (dice < 88)
		order_sa(world, index, 2);
	else if (dice < 90)
		order_sa(world, index, 3);
	else
		order_stale(world, index);
}

static void rekey_all_with(struct world *world, unsigned int index, unsigned int peer)
{
	struct host *host = &world->hosts[index];
	struct handle sas[NOTES_MAX];
	unsigned int count = 0;

	for (unsigned int i = 0; i < host->note_count; i++)
		if (host->notes[i].peer == peer)
			sas[count++] = host->notes[i].sa;
	for (unsigned int i = 0; i < count; i++) {
		call_begin(world, index, NULL);
		ike_rekey(host->ike, sas[i], host_now(world, index));
		call_end(world);
	}
}

void habits_rekey_both(struct world *world, unsigned int index)
{
	for (unsigned int peer = 0; peer < world->host_count; peer++) {
		if (!world->hosts[index].alive || !world->hosts[peer].alive)
			continue;
		rekey_all_with(world, index, peer);
		rekey_all_with(world, peer, index);
	}
}
