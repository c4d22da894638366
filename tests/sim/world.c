// SPDX-License-Identifier: Apache-2.0
/*
 * Hosts and the agenda (see world.h). Time jumps from one thing to do to the next: an event, or the deadline of an engine, whichever
 * comes first; so an hour costs no more than what happens in it.
 */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

/* ---- words ---- */

void say(const struct world *world, unsigned int host, const char *format, ...)
{
	va_list args;

	if (!world->trace)
		return;
	printf("%10.4f  h%u  ", (double)world->now / NSTIME_S, host);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static bool show_sa(void *arg, const struct ike_view *view)
{
	(void)arg;
	printf("    SA %u.%u tag %llu %s%s, %u children, sends %08x, spi %02x%02x..%02x%02x\n", view->sa.index,
	       view->sa.generation, (unsigned long long)view->tag, view->state, view->responder ? ", responder" : "",
	       view->children, __builtin_bswap32(view->spi_in_be), view->spi_i[0], view->spi_i[1], view->spi_r[0],
	       view->spi_r[1]);
	return true;
}

static void show(const struct world *world, unsigned int index)
{
	const struct host *host = &world->hosts[index];

	printf("  h%u%s\n", index, host->alive ? "" : ", down");
	if (host->alive)
		ike_each(host->ike, show_sa, NULL);
	for (unsigned int i = 0; i < host->kid_count; i++)
		printf("    child %08x -> %08x with h%u of %u.%u%s%s\n",
		       __builtin_bswap32(host->kids[i].keys.spi_in_be),
		       __builtin_bswap32(host->kids[i].keys.spi_out_be), host->kids[i].peer, host->kids[i].sa.index,
		       host->kids[i].sa.generation, host->kids[i].in ? ", in" : "", host->kids[i].out ? ", out" : "");
}

/* The first one counts; what comes after it may only be its consequence. */
void fail(struct world *world, const char *format, ...)
{
	va_list args;

	if (world->failure[0])
		return;
	va_start(args, format);
	vsnprintf(world->failure, sizeof(world->failure), format, args);
	va_end(args);
	if (world->trace) {
		printf("%10.4f  FAILED: %s\n", (double)world->now / NSTIME_S, world->failure);
		for (unsigned int i = 0; i < world->host_count; i++)
			show(world, i);
	}
}

/* ---- hosts ---- */

static void draw(void *arg, void *out, size_t len)
{
	struct host *host = arg;

	rng_fill(&host->rng, out, len);
}

/* Each SPI once in the life of a world, and whose it is to be seen in it, so that it names one end of one Child SA. */
static uint32_t next_spi(void *arg, const struct hf_pair *pair)
{
	struct host *host = arg;

	(void)pair;
	if (host->created >= RECORDS_MAX)
		return 0;
	return __builtin_bswap32(SPI_FIRST + host->index * RECORDS_MAX + host->created++);
}

/* PKCS#8 of Ed25519: a fixed head and the 32 octets of the key (RFC 8410 7). The same in all worlds, so they are made once. */
static struct sign_key *key_of(unsigned int i)
{
	static struct sign_key *keys[HOSTS_MAX + 1];
	uint8_t der[48] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
			    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
	struct err err = ERR_NONE;

	assert(i <= HOSTS_MAX);
	memset(der + 16, 0x11 * (int)(i + 1), 32);
	if (!keys[i] && sign_key_parse(&keys[i], VIEW_OF(der), "test key", &err))
		abort();
	return keys[i];
}

const struct sign_key *world_nobody(void)
{
	return key_of(HOSTS_MAX);
}

uint64_t host_now(const struct world *world, unsigned int host)
{
	return world->now + world->hosts[host].ahead_ns;
}

static struct hf_addr address(unsigned int index, unsigned int number)
{
	return addr_from_v4(__builtin_bswap32(0x0a090001 + number * 0x100 + index));
}

static bool had_addr(const struct host *host, const struct hf_addr *addr)
{
	if (addr_equal(&host->addr, addr))
		return true;
	for (unsigned int i = 0; i < host->addresses; i++) {
		struct hf_addr old = address(host->index, i);

		if (addr_equal(&old, addr))
			return true;
	}
	return false;
}

void host_set_addr(struct host *host, unsigned int number)
{
	host->addr = address(host->index, number);
	host->addresses = number;
}

unsigned int host_by_addr(const struct world *world, const struct hf_addr *addr)
{
	for (unsigned int i = 0; i < world->host_count; i++)
		if (had_addr(&world->hosts[i], addr) && world->hosts[i].twin_of == HOSTS_MAX)
			return i;
	return HOSTS_MAX;
}

void host_start(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];
	struct err err = ERR_NONE;

	host->memory = calloc(1, ike_memory(&host->options));
	host->ike = host->memory ? ike_init(host->memory, &host->options, &err) : NULL;
	if (!host->ike) {
		fprintf(stderr, "no engine: %s\n", err.text);
		abort();
	}
	host->alive = true;
	host->note_count = host->kid_count = host->stale_count = 0;
	memset(host->contacted, 0, sizeof(host->contacted));
	memset(host->retry_ns, 0, sizeof(host->retry_ns));
}

static void add_totals(struct world *world, const struct ike *ike)
{
	struct totals *totals = &world->totals;
	struct ike_counts counts;

	ike_count(ike, &counts);
	totals->handshakes += counts.initiated;
	totals->collisions += counts.collisions;
	totals->retransmits += counts.retransmits;
	totals->again += counts.answered_again;
	totals->replayed += counts.replayed;
	totals->bad_icv += counts.bad_icv;
	totals->auth_failed += counts.auth_failed;
	totals->cookies += counts.cookies_sent;
	for (unsigned int i = 0; i < IKE_REASONS; i++)
		totals->down[i] += counts.down[i];
}

/* As by a power cut: nobody is told, the kernel's SAs are gone. What was under way to it goes on. */
void host_stop(struct world *world, unsigned int index)
{
	struct host *host = &world->hosts[index];

	for (unsigned int i = 0; i < host->kid_count; i++)
		record_of(world, host->kids[i].keys.spi_in_be)->gone = true;
	host->note_count = host->kid_count = 0;
	host->alive = false;
	host->boot++;
	if (host->ike) {
		add_totals(world, host->ike);
		ike_clear(host->ike);
	}
	free(host->memory);
	host->ike = host->memory = NULL;
}

static void prepare(struct world *world, unsigned int index, struct hf_addr addr, struct sign_key *key)
{
	struct host *host = &world->hosts[index];

	*host = (struct host){
		.world = world, .index = index, .addr = addr, .inside = addr, .key = key, .twin_of = HOSTS_MAX
	};
	host->rng.state = rng_next(&world->rng);
	host->options = (struct ike_options){
		.sas_max = 48,
		.host = { .arg = host, .random = draw, .spi = next_spi },
		.key = world->auth == IKE_AUTH_SIGNATURE ? key : NULL,
	};
	rng_fill(&host->rng, host->options.table_seed, sizeof(host->options.table_seed));
}

struct world *world_new(void)
{
	return calloc(1, sizeof(struct world));
}

void world_start(struct world *world, uint64_t seed, unsigned int hosts,
		 void (*plan)(struct world *world, struct ike_options *options, unsigned int host))
{
	world->seed = seed;
	world->now = 1000 * NSTIME_S;
	world->host_count = hosts;
	if (!world->auth)
		world->auth = IKE_AUTH_SIGNATURE;
	for (unsigned int i = 0; i < hosts; i++) {
		prepare(world, i, address(i, 0), key_of(i));
		if (plan)
			plan(world, &world->hosts[i].options, i);
		host_start(world, i);
	}
}

void world_impostor(struct world *world, unsigned int twin_of)
{
	unsigned int index = world->host_count++;

	prepare(world, index, world->hosts[twin_of].addr, key_of(index));
	world->hosts[index].twin_of = twin_of;
	world->hosts[index].impostor = true;
	host_start(world, index);
}

void world_end(struct world *world)
{
	for (unsigned int i = 0; i < world->host_count; i++)
		host_stop(world, i);
	for (unsigned int i = 0; !world->manual && i < world->event_count; i++)
		datagram_put(world->events[i].datagram);
	net_forget(world, NULL);
	for (unsigned int i = 0; i < TAPE_MAX; i++)
		datagram_put(world->tape[i]);
	free(world);
}

/* ---- calls into an engine ---- */

void call_begin(struct world *world, unsigned int host, const struct datagram *datagram)
{
	world->call = (struct call){ .host = host, .datagram = datagram };
	ike_count(world->hosts[host].ike, &world->call.before);
}

void call_end(struct world *world)
{
	caller_outputs(world, world->call.host);
	judge_call(world);
}

/* ---- the agenda ---- */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->number < b->number;
}

static void swap(struct event *a, struct event *b)
{
	struct event c = *a;

	*a = *b;
	*b = c;
}

void event_add(struct world *world, uint64_t delay_ns, enum event_type type, unsigned int host, struct handle handle,
	       struct datagram *datagram)
{
	unsigned int at = world->event_count;

	if (at == EVENTS_MAX) {
		fail(world, "the agenda is full");
		datagram_put(datagram);
		return;
	}
	world->events[world->event_count++] = (struct event){
		.time_ns = world->now + delay_ns,
		.number = world->event_number++,
		.type = type,
		.host = host,
		.boot = world->hosts[host].boot,
		.handle = handle,
		.datagram = datagram,
	};
	if (world->manual)
		return;
	for (; at && is_before(&world->events[at], &world->events[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&world->events[at], &world->events[(at - 1) / 2]);
}

static struct event take_first(struct world *world)
{
	struct event first = world->events[0];
	unsigned int at = 0, next;

	world->events[0] = world->events[--world->event_count];
	while ((next = 2 * at + 1) < world->event_count) {
		if (next + 1 < world->event_count && is_before(&world->events[next + 1], &world->events[next]))
			next++;
		if (!is_before(&world->events[next], &world->events[at]))
			break;
		swap(&world->events[at], &world->events[next]);
		at = next;
	}
	return first;
}

static void deliver(struct world *world, unsigned int to, const struct datagram *datagram)
{
	static const char *const names[] = { "", "old ", "mirrored ", "forged ", "impostor's " };
	struct ike_path path = datagram->path;

	if (!net_forward(&world->hosts[to], &path))
		return;
	say(world, to, "<- h%u  %sdatagram of %zu octets, exchange %u flags %02x mid %u",
	    host_by_addr(world, &datagram->path.remote), names[datagram->origin], datagram->len,
	    datagram->len > 18 ? datagram->octets[18] : 0, datagram->len > 19 ? datagram->octets[19] : 0,
	    datagram->len > 23 ? datagram->octets[23] : 0);
	call_begin(world, to, datagram);
	ike_datagram(world->hosts[to].ike, &path, view_of(datagram->octets, datagram->len), host_now(world, to));
	call_end(world);
}

void event_do(struct world *world, const struct event *event)
{
	struct host *host = &world->hosts[event->host];

	if (event->type == EVENT_START) {
		say(world, event->host, "starts");
		host_start(world, event->host);
		event_add(world, NSTIME_S, EVENT_TICK, event->host, HANDLE_NONE, NULL);
		return;
	}
	if (!host->alive || (event->boot != host->boot && event->type != EVENT_DATAGRAM))
		return;
	switch (event->type) {
	case EVENT_DATAGRAM:
		deliver(world, event->host, event->datagram);
		return;
	case EVENT_ANSWER:
		caller_answer(world, event->host, event->handle);
		return;
	case EVENT_INSTALL:
		caller_install(world, event->host, event->handle);
		return;
	case EVENT_CLOSE:
		call_begin(world, event->host, NULL);
		ike_close(host->ike, event->handle, host_now(world, event->host));
		call_end(world);
		return;
	case EVENT_TICK:
		habits_tick(world, event->host);
		return;
	default:
		return;
	}
}

/* What belongs to no host. */
static void world_event(struct world *world, enum event_type type)
{
	unsigned int per_minute = type == EVENT_ORDER	? world->weather.orders
				  : type == EVENT_FAULT ? world->weather.troubles
				  : type == EVENT_MOVE	? world->weather.moves
							: world->weather.forge;
	struct rng *rng = type == EVENT_MOVE ? &world->moves : &world->rng;

	if (world->calm || !per_minute)
		return;
	if (type == EVENT_ORDER)
		habits_order(world);
	else if (type == EVENT_FAULT)
		net_trouble(world);
	else if (type == EVENT_MOVE)
		net_move(world);
	else
		forger_act(world);
	event_add(world, rng_between(rng, 1, 120 * NSTIME_S / per_minute), type, 0, HANDLE_NONE, NULL);
}

static uint64_t deadline_of(const struct world *world, unsigned int index)
{
	const struct host *host = &world->hosts[index];
	uint64_t deadline = host->alive ? ike_deadline(host->ike) : NSTIME_NEVER;

	if (deadline == NSTIME_NEVER)
		return NSTIME_NEVER;
	return deadline > host->ahead_ns ? deadline - host->ahead_ns : 0;
}

/* Whatever is first. False: nothing before `until`. */
static bool step(struct world *world, uint64_t until_ns)
{
	uint64_t next = world->event_count ? world->events[0].time_ns : NSTIME_NEVER;
	unsigned int due = HOSTS_MAX;
	struct event event;

	for (unsigned int i = 0; i < world->host_count; i++) {
		uint64_t deadline = deadline_of(world, i);

		if (deadline <= next && deadline != NSTIME_NEVER) {
			next = deadline;
			due = i;
		}
	}
	if (next > until_ns)
		return false;
	world->same_time_steps = next > world->now ? 0 : world->same_time_steps + 1;
	if (world->same_time_steps > 20000)
		fail(world, "time stands still: h%u has always something due", due);
	world->totals.steps++;
	if (next > world->now)
		world->now = next;
	if (due < HOSTS_MAX) {
		call_begin(world, due, NULL);
		world->call.timer = true;
		ike_expire(world->hosts[due].ike, host_now(world, due));
		call_end(world);
		return true;
	}
	event = take_first(world);
	if (event.type >= EVENT_ORDER && event.type <= EVENT_MOVE)
		world_event(world, event.type);
	else
		event_do(world, &event);
	datagram_put(event.datagram);
	return true;
}

void world_run(struct world *world, uint64_t until_ns)
{
	while (!world->failure[0] && step(world, until_ns))
		;
	if (until_ns > world->now && !world->failure[0])
		world->now = until_ns;
}
