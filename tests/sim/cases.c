// SPDX-License-Identifier: Apache-2.0
/* See cases.h; the table is docs/COLLISIONS.md 1 and 2 as pairs of wishes. */
#include "cases.h"

#include <string.h>

#include "ike/internal.h"

#define SETTLED (150 * NSTIME_S) /* refused rekeys come again after 15 s, losers and replaced ones go within 30 s */

const struct collision collisions[] = {
	{ "both connect", { WISH_CONNECT, WISH_CONNECT }, false, 1, 1, 1, 1, 2, false },
	{ "both connect, slow kernels", { WISH_CONNECT, WISH_CONNECT }, true, 1, 1, 1, 0, 1, false },
	{ "one connects", { WISH_CONNECT, WISH_NOTHING }, true, 1, 1, 1, 2, 3, false },
	{ "both rekey the Child SA", { WISH_REKEY_CHILD, WISH_REKEY_CHILD }, false, 1, 1, 1, 2, 3, false },
	{ "both rekey the Child SA, slow kernels", { WISH_REKEY_CHILD, WISH_REKEY_CHILD }, true, 1, 1, 1, 1, 2, false },
	{ "both rekey the IKE SA", { WISH_REKEY_SA, WISH_REKEY_SA }, false, 1, 1, 1, 2, 3, false },
	{ "Child rekey, Child delete", { WISH_REKEY_CHILD, WISH_CLOSE_CHILD }, true, 1, 0, 1, 2, 3, false },
	{ "Child delete, Child rekey", { WISH_CLOSE_CHILD, WISH_REKEY_CHILD }, true, 1, 0, 1, 2, 3, false },
	{ "Child rekey, IKE rekey", { WISH_REKEY_CHILD, WISH_REKEY_SA }, true, 1, 1, 1, 2, 3, false },
	{ "IKE rekey, Child rekey", { WISH_REKEY_SA, WISH_REKEY_CHILD }, true, 1, 1, 1, 2, 3, false },
	{ "IKE rekey, Child delete", { WISH_REKEY_SA, WISH_CLOSE_CHILD }, false, 1, 0, 0, 2, 3, false },
	{ "IKE rekey, IKE delete", { WISH_REKEY_SA, WISH_CLOSE_SA }, false, 0, 0, 0, 2, 3, false },
	{ "IKE delete, IKE rekey", { WISH_CLOSE_SA, WISH_REKEY_SA }, false, 0, 0, 0, 2, 3, false },
	{ "Child rekey, IKE delete", { WISH_REKEY_CHILD, WISH_CLOSE_SA }, true, 0, 0, 0, 2, 3, false },
	{ "both delete the Child SA", { WISH_CLOSE_CHILD, WISH_CLOSE_CHILD }, false, 1, 0, 0, 2, 3, false },
	{ "both delete the IKE SA", { WISH_CLOSE_SA, WISH_CLOSE_SA }, false, 0, 0, 0, 3, 4, false },
	{ "Child delete, IKE delete", { WISH_CLOSE_CHILD, WISH_CLOSE_SA }, false, 0, 0, 0, 2, 3, false },
	{ "KEM: Child rekey", { WISH_REKEY_CHILD, WISH_NOTHING }, true, 1, 1, 1, 2, 3, true },
	{ "KEM: IKE rekey", { WISH_REKEY_SA, WISH_NOTHING }, false, 1, 1, 1, 2, 3, true },
	{ "KEM: both rekey the Child SA", { WISH_REKEY_CHILD, WISH_REKEY_CHILD }, true, 1, 1, 1, 2, 3, true },
	{ "KEM: both rekey the IKE SA", { WISH_REKEY_SA, WISH_REKEY_SA }, false, 1, 1, 1, 2, 3, true },
	{ "KEM: Child rekey, Child delete", { WISH_REKEY_CHILD, WISH_CLOSE_CHILD }, true, 1, 0, 1, 2, 3, true },
	{ "KEM: Child rekey, IKE rekey", { WISH_REKEY_CHILD, WISH_REKEY_SA }, true, 1, 1, 1, 2, 3, true },
	{ "KEM: Child rekey, IKE delete", { WISH_REKEY_CHILD, WISH_CLOSE_SA }, true, 0, 0, 0, 3, 4, true },
	{ "KEM: IKE rekey, Child delete", { WISH_REKEY_SA, WISH_CLOSE_CHILD }, false, 1, 0, 0, 2, 3, true },
	{ "KEM: IKE rekey, IKE delete", { WISH_REKEY_SA, WISH_CLOSE_SA }, false, 0, 0, 0, 3, 4, true },
};
const unsigned int collision_count = sizeof(collisions) / sizeof(collisions[0]);

/* ---- steps ---- */

static void take_off(struct world *world, unsigned int n)
{
	world->event_count--;
	memmove(&world->events[n], &world->events[n + 1], (world->event_count - n) * sizeof(world->events[0]));
}

void case_drop(struct world *world, unsigned int n)
{
	say(world, world->events[n].host, "a datagram is lost");
	take_off(world, n);
}

void case_settle(struct world *world, const struct collision *collision)
{
	for (unsigned int i = 0; !collision->slow && i < world->event_count && !world->failure[0]; i++) {
		if (world->events[i].type == EVENT_DATAGRAM)
			continue;
		case_do(world, collision, i, false);
		return; /* it has settled the rest */
	}
}

void case_do(struct world *world, const struct collision *collision, unsigned int n, bool keep)
{
	struct event event = world->events[n];

	if (!keep)
		take_off(world, n);
	event_do(world, &event);
	case_settle(world, collision);
	case_judge(world, collision);
}

bool case_tick(struct world *world, const struct collision *collision, uint64_t limit)
{
	uint64_t next = NSTIME_NEVER;

	for (unsigned int i = 0; i < world->host_count; i++)
		next = nstime_min(next, ike_deadline(world->hosts[i].ike));
	if (next > limit)
		return false;
	if (next > world->now)
		world->now = next;
	for (unsigned int i = 0; i < world->host_count; i++) {
		if (ike_deadline(world->hosts[i].ike) > world->now)
			continue;
		call_begin(world, i, NULL);
		ike_expire(world->hosts[i].ike, world->now);
		call_end(world);
	}
	case_settle(world, collision);
	case_judge(world, collision);
	return true;
}

/* In order, whoever's turn it is. */
static void run_out(struct world *world, const struct collision *collision)
{
	for (unsigned int i = 0; world->event_count && i < 200 && !world->failure[0]; i++)
		case_do(world, collision, 0, false);
	if (world->event_count)
		fail(world, "they do not stop talking");
}

/* ---- beginning ---- */

static void wish(struct world *world, unsigned int index, enum wish what)
{
	struct host *host = &world->hosts[index];

	if (what == WISH_CONNECT)
		caller_connect(world, index, !index);
	if (what == WISH_CONNECT || what == WISH_NOTHING)
		return;
	call_begin(world, index, NULL);
	switch (what) {
	case WISH_REKEY_CHILD:
		ike_rekey_child(host->ike, host->kids[0].handle, world->now);
		break;
	case WISH_REKEY_SA:
		ike_rekey(host->ike, host->notes[0].sa, world->now);
		break;
	case WISH_CLOSE_CHILD:
		ike_close_child(host->ike, host->kids[0].handle, world->now);
		break;
	default:
		ike_close(host->ike, host->notes[0].sa, world->now);
	}
	call_end(world);
}

static void plan(struct world *world, struct ike_options *options, unsigned int host)
{
	static const uint16_t kem[] = { KE_MLKEM768, 0 }, none[] = { 0 };

	(void)host;
	options->sas_max = 8;
	options->profile.add_kex = world->kem ? kem : none;
	options->fragment_size = 2000; /* a message is a datagram: snapshots are not taken of halves */
}

struct world *case_start(const struct collision *collision, bool trace)
{
	struct collision at_once = *collision;
	struct world *world = world_new();

	if (!world)
		return NULL;
	world->manual = true;
	world->kem = collision->kem;
	world->trace = trace;
	world_start(world, 1, 2, plan);
	if (collision->wish[0] != WISH_CONNECT) {
		at_once.slow = false;
		wish(world, 0, WISH_CONNECT);
		case_settle(world, &at_once);
		run_out(world, &at_once);
		world->now += NSTIME_S;
		say(world, 0, "---- and now");
	}
	wish(world, 0, collision->wish[0]);
	wish(world, 1, collision->wish[1]);
	case_settle(world, collision);
	return world;
}

/* ---- judging ---- */

static bool is_wished(const struct collision *collision, unsigned int index, enum wish what)
{
	return collision->wish[index] == what;
}

/*
 * Who made an SA that is not needed deletes it, nobody else (RFC 7296 2.8.1, docs/COLLISIONS.md U6). The ones that were there before are for the maker of
 * the one that takes their place. In these worlds the first Child SA of each host has its first SPI.
 */
static void judge_deletes(struct world *world, const struct collision *collision, unsigned int index)
{
	const struct ike *ike = world->hosts[index].ike;

	for (uint32_t i = pool_first(&ike->sas); i != POOL_NONE; i = pool_next(&ike->sas, i)) {
		const struct sa *sa = pool_at(&ike->sas, i);

		if (sa->request.kind == REQUEST_DELETE_SA && sa->loser && !sa->initiator)
			fail(world, "h%u deletes an IKE SA that the other made", index);
	}
	if (is_wished(collision, index, WISH_CLOSE_CHILD))
		return;
	for (uint32_t i = pool_first(&ike->kids); i != POOL_NONE; i = pool_next(&ike->kids, i)) {
		const struct kid *kid = pool_at(&ike->kids, i);
		bool first = __builtin_bswap32(kid->child.spi_in_be) == SPI_FIRST + index * RECORDS_MAX;

		if (kid->state == KID_DELETING && !kid->mine && !first)
			fail(world, "h%u deletes a Child SA that the other made", index);
	}
}

void case_judge(struct world *world, const struct collision *collision)
{
	for (unsigned int i = 0; i < world->host_count; i++)
		judge_deletes(world, collision, i);
}

void case_finish(struct world *world, const struct collision *collision)
{
	uint64_t limit = world->now + SETTLED;
	unsigned int sends, back, children;
	const char *why;

	run_out(world, collision);
	while (!world->failure[0] && case_tick(world, collision, limit))
		run_out(world, collision);
	sends = judge_sends(world, 0, 1);
	back = judge_sends(world, 1, 0);
	children = world->hosts[0].kid_count;
	if (sends != back || sends < collision->least || sends > collision->most || children != sends)
		fail(world, "at last h0 sends with %u Child SAs of %u, h1 with %u", sends, children, back);
	if (!judge_agree(world, 0, 1) || !judge_agree(world, 1, 0))
		fail(world, "at last they do not agree about the keys");
	for (unsigned int i = 0; i < 2; i++) {
		why = judge_host(world, i, collision->sas, sends);
		if (why)
			fail(world, "at last %s", why);
	}
	for (unsigned int i = 0; i < 2 && !world->failure[0]; i++) {
		struct host *host = &world->hosts[i];

		while (host->note_count && !world->failure[0]) {
			call_begin(world, i, NULL);
			ike_forget(host->ike, host->notes[0].sa, world->now);
			call_end(world);
		}
		why = judge_empty(world, i);
		if (why)
			fail(world, "h%u: all forgotten, and has %s left", i, why);
	}
}
