// SPDX-License-Identifier: Apache-2.0
/*
 * --load: newcomers at a steady pace, each from another address. A set-up counts when its Child SA is up, and ends with a DELETE, so that
 * neither end fills up. The pace does not wait for answers, as newcomers do not wait for each other.
 */
#include "ikepeer.h"

#define NEWCOMERS 65536 /* then the first address again */
#define TICK_US 1000

/* IPv4: the nth is in another /24 than the one before, so that no site asks more than a site does. */
static struct hf_addr nth(const struct hf_addr *first, uint64_t n)
{
	struct hf_addr addr = *first;

	addr.octet[14] = (uint8_t)(addr.octet[14] + n);
	addr.octet[15] = (uint8_t)(addr.octet[15] + n / 256);
	return addr;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	engine_settle(arg);
}

void load_start(struct ikepeer *peer)
{
	static const struct timeval tick = { 0, TICK_US };

	if (!peer->options.load_per_second)
		return;
	load_pace(peer, peer->options.load_per_second);
	peer->load.tick = event_new(peer->base, -1, EV_PERSIST, on_tick, peer);
	event_add(peer->load.tick, &tick);
}

void load_pace(struct ikepeer *peer, uint32_t per_second)
{
	peer->load.per_second = per_second;
	peer->load.since_ns = engine_now();
	peer->load.due_before = peer->load.begun;
}

bool load_step(struct ikepeer *peer)
{
	struct load *load = &peer->load;
	uint64_t now = engine_now();
	struct hf_addr from;

	if (load->finished_count) {
		ike_close(peer->ike, load->finished[--load->finished_count], now);
		return true;
	}
	if (load->begun >= load->due_before + (now - load->since_ns) * load->per_second / NSTIME_S)
		return false;
	from = nth(&peer->options.load_from, load->begun++ % NEWCOMERS);
	if (!engine_begin(peer, &from, peer->options.connect).generation)
		load->failed++;
	return true;
}

void load_up(struct ikepeer *peer, struct handle sa)
{
	if (!peer->load.since_ns)
		return;
	peer->load.up++;
	if (peer->load.finished_count < CHILDREN_MAX)
		peer->load.finished[peer->load.finished_count++] = sa;
}

void load_down(struct ikepeer *peer, bool was_up)
{
	peer->load.failed += !was_up;
}
