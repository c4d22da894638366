// SPDX-License-Identifier: Apache-2.0
/*
 * The network: it delays, so it reorders; in bad weather it also loses, doubles, damages, cuts, sends back, brings old datagrams again,
 * and parts hosts from each other. One host may be behind an address translator, which forgets what it knew of it.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

struct datagram *datagram_new(enum origin origin, const struct ike_path *path, struct view octets)
{
	struct datagram *datagram = malloc(sizeof(*datagram) + octets.len + 1);

	if (!datagram)
		abort();
	*datagram = (struct datagram){ .holders = 1, .origin = origin, .path = *path, .len = octets.len };
	if (octets.len)
		memcpy(datagram->octets, octets.at, octets.len);
	return datagram;
}

void datagram_put(struct datagram *datagram)
{
	if (datagram && !--datagram->holders)
		free(datagram);
}

static struct ike_path turned(const struct ike_path *path)
{
	return (struct ike_path){ .local = path->remote,
				  .remote = path->local,
				  .local_port = path->remote_port,
				  .remote_port = path->local_port };
}

/* As it is on the wire, for who receives it. */
static struct ike_path seen_outside(const struct host *from, const struct ike_path *path)
{
	struct ike_path theirs = turned(path);

	if (from->outside_port) {
		theirs.remote = from->addr;
		if (theirs.remote_port == 4500)
			theirs.remote_port = from->outside_port;
	}
	return theirs;
}

void net_deliver_later(struct world *world, struct datagram *datagram, uint64_t delay_ns)
{
	for (unsigned int i = 0; i < world->host_count; i++) {
		const struct host *host = &world->hosts[i];

		if (!addr_equal(&host->addr, &datagram->path.local))
			continue;
		/* An impostor on the path reads along, and not all of it. */
		if (host->twin_of != HOSTS_MAX && (world->calm || rng_chance(&world->rng, 300)))
			continue;
		datagram->holders++;
		event_add(world, delay_ns, EVENT_DATAGRAM, i, HANDLE_NONE, datagram);
	}
	datagram_put(datagram);
}

static uint64_t delay(struct world *world)
{
	return rng_between(&world->rng, world->weather.delay_min_ns, world->weather.delay_max_ns);
}

/* Changed on the way: some bits, or the end of it. */
static struct datagram *damage(struct world *world, const struct datagram *whole, bool cut)
{
	struct view octets = view_of(whole->octets, whole->len);
	struct datagram *copy;

	if (cut)
		octets.len = rng_below(&world->rng, (uint32_t)octets.len);
	copy = datagram_new(ORIGIN_FORGED, &whole->path, octets);
	for (unsigned int i = rng_below(&world->rng, 3); !cut && i < 3 && copy->len; i++)
		copy->octets[rng_below(&world->rng, (uint32_t)copy->len)] ^= (uint8_t)(1 << rng_below(&world->rng, 8));
	/* The same bit twice is no damage. */
	if (!cut && copy->len && memcmp(copy->octets, whole->octets, copy->len) == 0)
		copy->octets[copy->len - 1] ^= 1;
	return copy;
}

static void remember(struct world *world, struct datagram *datagram)
{
	unsigned int at = world->tape_count < TAPE_MAX ? world->tape_count++ : rng_below(&world->rng, TAPE_MAX);

	datagram_put(world->tape[at]);
	datagram->holders++;
	world->tape[at] = datagram;
}

static void in_bad_weather(struct world *world, struct datagram *datagram)
{
	const struct weather *weather = &world->weather;
	struct rng *rng = &world->rng;

	if (rng_chance(rng, weather->corrupt))
		net_deliver_later(world, damage(world, datagram, false), delay(world));
	if (rng_chance(rng, weather->cut))
		net_deliver_later(world, damage(world, datagram, true), delay(world));
	if (rng_chance(rng, weather->reflect)) {
		struct ike_path back = turned(&datagram->path);
		enum origin origin = datagram->origin == ORIGIN_HOST ? ORIGIN_MIRROR : datagram->origin;

		net_deliver_later(world, datagram_new(origin, &back, view_of(datagram->octets, datagram->len)),
				  delay(world));
	}
	if (rng_chance(rng, weather->twice)) {
		datagram->holders++;
		net_deliver_later(world, datagram, delay(world));
	}
	if (world->tape_count && rng_chance(rng, weather->replay)) {
		const struct datagram *old = world->tape[rng_below(rng, world->tape_count)];
		enum origin origin = old->origin == ORIGIN_HOST ? ORIGIN_REPLAY : old->origin;

		net_deliver_later(world, datagram_new(origin, &old->path, view_of(old->octets, old->len)),
				  delay(world));
	}
	remember(world, datagram);
}

void net_send(struct world *world, unsigned int from, const struct ike_path *path, struct view octets)
{
	enum origin origin = world->hosts[from].impostor ? ORIGIN_IMPOSTOR : ORIGIN_HOST;
	struct ike_path theirs = seen_outside(&world->hosts[from], path);
	unsigned int to = host_by_addr(world, &theirs.local);
	struct datagram *datagram = datagram_new(origin, &theirs, octets);

	if (world->manual) {
		datagram->before = world->last;
		world->last = datagram;
		event_add(world, 0, EVENT_DATAGRAM, to, HANDLE_NONE, datagram);
		return;
	}
	if (world->weather.faults)
		in_bad_weather(world, datagram);
	if (to == HOSTS_MAX || world->cut[from][to] ||
	    (world->weather.faults && rng_chance(&world->rng, world->weather.loss))) {
		say(world, from, "   lost");
		datagram_put(datagram);
		return;
	}
	net_deliver_later(world, datagram, delay(world));
}

void net_forget(struct world *world, const struct datagram *mark)
{
	while (world->last && world->last != mark) {
		struct datagram *datagram = world->last;

		world->last = datagram->before;
		datagram_put(datagram);
	}
}

/* ---- the translator ---- */

#define OUTSIDE_PORT 20000 /* the first one that it gives */

void net_translate(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];

	host->inside = addr_from_v4(__builtin_bswap32(0xc0a80001 + index));
	host->outside_port = OUTSIDE_PORT;
}

bool net_leads_to(const struct host *host, const struct hf_addr *addr, uint16_t port)
{
	return addr_equal(&host->addr, addr) &&
	       (!host->outside_port || port == 500 || port == 4500 || port == host->outside_port);
}

bool net_forward(const struct host *host, struct ike_path *path)
{
	if (!host->outside_port)
		return true;
	if (!net_leads_to(host, &path->local, path->local_port))
		return false;
	path->local = host->inside;
	if (path->local_port == host->outside_port)
		path->local_port = 4500;
	return true;
}

void net_move(struct world *world)
{
	for (unsigned int i = 0; i < world->host_count; i++) {
		struct host *host = &world->hosts[i];

		if (!host->outside_port)
			continue;
		/* Just when two rekeys cross: by chance alone nobody would live to see it. */
		if (rng_chance(&world->moves, 200))
			habits_rekey_both(world, i);
		if (rng_chance(&world->moves, 300) && host->addresses < 200)
			host_set_addr(host, host->addresses + 1);
		else
			host->outside_port++;
		say(world, i, "is seen at its %uth address, port %u", host->addresses + 1, host->outside_port);
	}
}

/* ---- troubles ---- */

static void part(struct world *world, unsigned int a, unsigned int b)
{
	bool both = rng_chance(&world->rng, 700);

	world->cut[a][b] = true;
	world->cut[b][a] = both;
	say(world, a, "cut off from h%u%s", b, both ? "" : ", one way");
}

static void restart(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];
	bool keeps = rng_chance(&world->rng, 600);

	say(world, index, "restarts%s", keeps ? "" : " and has lost its crash secret");
	world->totals.restarts++;
	host_stop(world, index);
	if (!keeps)
		rng_fill(&host->rng, host->options.crash_secret, sizeof(host->options.crash_secret));
	event_add(world, rng_between(&world->rng, 0, 8 * NSTIME_S), EVENT_START, index, HANDLE_NONE, NULL);
}

void net_trouble(struct world *world)
{
	unsigned int a = rng_below(&world->rng, world->host_count), b = rng_below(&world->rng, world->host_count);
	struct host *host = &world->hosts[a];

	switch (rng_below(&world->rng, 6)) {
	case 0:
	case 1:
		part(world, a, b);
		break;
	case 2:
	case 3:
		memset(world->cut, 0, sizeof(world->cut));
		say(world, a, "all links are whole again");
		break;
	case 4:
		if (host->alive && host->twin_of == HOSTS_MAX)
			restart(world, a);
		break;
	default:
		/* A machine that slept, or a clock that was set while we looked away. */
		host->ahead_ns += rng_between(&world->rng, 1, 40 * NSTIME_S);
		say(world, a, "its clock jumps");
	}
}

void net_heal(struct world *world)
{
	memset(world->cut, 0, sizeof(world->cut));
	world->weather = (struct weather){ .delay_min_ns = NSTIME_MS, .delay_max_ns = 20 * NSTIME_MS };
	world->calm = true;
	for (unsigned int i = 0; i < world->host_count; i++)
		if (world->hosts[i].twin_of != HOSTS_MAX && world->hosts[i].alive)
			host_stop(world, i);
}
