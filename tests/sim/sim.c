// SPDX-License-Identifier: Apache-2.0
/*
 * Seeded worlds: some hosts, now and then one behind an address translator, in bad weather, then good weather, in which everything must come
 * right; then all is closed, and nothing may be left.
 *
 *   sim                        what `make check` runs: the seeds of seeds.txt and the first 200, as TAP
 *   sim --seed N [--trace]     one world; with every datagram, order and output
 *   sim --seeds FROM COUNT     a campaign: failures and a summary
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit/kem_standin.h"
#include "ike/proposal.h"
#include "ike/wire.h"
#include "world.h"

#define CHECK_SEEDS 200
#define FAILURE_MAX 1024
#define FAILED_LISTED 100 /* seeds named once more at the end of a campaign */
/* Once the weather is good: dead SAs are noticed within 10 s and given up within a minute, losers after 70 s, refused
 * rekeys come again after 15 s; some of it in turn. */
#define CALM_BOUND (400 * NSTIME_S)
/* Rekeying goes on: between two of them there is a quiet moment. */
#define MOMENT_BOUND (90 * NSTIME_S)
#define CLOSE_BOUND (150 * NSTIME_S)

/* ---- what a world is like ---- */

/* Numbers of their own, so that what was found by a seed before is still found by it. */
static void plan_add_kex(const struct world *world, struct ike_options *options, unsigned int index)
{
	static const uint16_t none[] = { 0 };
	struct rng by_seed = { .state = world->seed ^ 0x6b656d }, by_host = { .state = world->seed + index };

	if (!rng_chance(&by_seed, 250) || !rng_chance(&by_host, 800))
		options->profile.add_kex = none;
}

/*
 * In one world of seven one host is behind a translator: one, since of two that both are, or think so, neither follows the other (RFC 7296
 * 2.23). Numbers of their own, as above; none of the seeds that found something before has one.
 */
static struct rng translator_rng(const struct world *world)
{
	return (struct rng){ .state = world->seed ^ 0x7472616e736c };
}

static bool has_translator(const struct world *world)
{
	struct rng rng = translator_rng(world);

	return rng_chance(&rng, 150);
}

static void plan_host(struct world *world, struct ike_options *options, unsigned int index)
{
	static const uint16_t p256_first[] = { 19, 31, 0 }, modp_only[] = { 31, 14, 0 };
	struct rng *rng = &world->rng;
	struct host *host = &world->hosts[index];

	plan_add_kex(world, options, index);
	options->child_life_ns = rng_between(rng, 100, 900) * NSTIME_S;
	options->sa_life_ns = rng_between(rng, 200, 2000) * NSTIME_S;
	options->force_encap = rng_chance(rng, 100) && !has_translator(world);
	options->cookie_half_open = rng_chance(rng, 250);
	options->fragment_size = rng_chance(rng, 200) ? 576 : 0;
	options->profile.child_pfs_required = rng_chance(rng, 200);
	options->profile.cbc = rng_chance(rng, 100);
	if (rng_chance(rng, 200))
		options->profile.kex = rng_chance(rng, 800) ? p256_first : modp_only;
	if (rng_chance(rng, 700))
		rng_fill(rng, options->crash_secret, sizeof(options->crash_secret));
	if (rng_chance(rng, 250)) {
		memset(host->fqdn, 'a' + (int)index, sizeof(host->fqdn));
		options->id = (struct ike_identity){ .type = ID_FQDN,
						     .data = view_of(host->fqdn, rng_between(rng, 20, 250)) };
	}
}

static unsigned int sometimes(struct rng *rng, unsigned int most)
{
	return rng_chance(rng, 500) ? rng_below(rng, most) : 0;
}

static void plan_weather(struct world *world)
{
	static const uint64_t delays_ms[] = { 5, 30, 200, 2000 };
	struct rng *rng = &world->rng;

	world->weather = (struct weather){
		.faults = true,
		.loss = sometimes(rng, 300),
		.twice = sometimes(rng, 150),
		.corrupt = sometimes(rng, 60),
		.cut = sometimes(rng, 30),
		.reflect = sometimes(rng, 50),
		.replay = sometimes(rng, 150),
		.delay_min_ns = NSTIME_MS,
		.delay_max_ns = delays_ms[rng_below(rng, 4)] * NSTIME_MS,
		.forge = sometimes(rng, 200),
		.orders = 1 + sometimes(rng, 90),
		.troubles = sometimes(rng, 8),
		.refuse_install = sometimes(rng, 100),
		.refuse_key = sometimes(rng, 60),
		.slow_caller = sometimes(rng, 200),
	};
}

static void plan_translator(struct world *world)
{
	unsigned int behind;

	world->moves = translator_rng(world);
	if (!rng_chance(&world->moves, 150))
		return;
	behind = rng_below(&world->moves, world->host_count);
	/* Nobody shares its address. */
	for (unsigned int i = 0; i < world->host_count; i++)
		if (world->hosts[i].twin_of == behind || world->hosts[behind].twin_of < HOSTS_MAX)
			return;
	net_translate(world, behind);
	world->weather.moves = 1 + rng_below(&world->moves, rng_chance(&world->moves, 500) ? 12 : 120);
	event_add(world, NSTIME_S, EVENT_MOVE, 0, HANDLE_NONE, NULL);
}

static void plan_wants(struct world *world)
{
	for (unsigned int a = 0; a < world->host_count; a++)
		for (unsigned int b = 0; b < world->host_count; b++)
			world->hosts[a].wants[b] = a != b && rng_chance(&world->rng, 600);
}

static struct world *make_world(uint64_t seed, bool trace)
{
	static const unsigned int counts[] = { 2, 2, 2, 3, 3, 4, 4, 5, 6 };
	struct world *world = world_new();
	struct rng *rng;
	unsigned int dice, hosts;

	if (!world)
		abort();
	rng = &world->rng;
	rng->state = seed * 0x2545f4914f6cdd1dull + 1;
	world->trace = trace;
	dice = rng_below(rng, 100);
	world->auth = dice < 80 ? IKE_AUTH_SIGNATURE : dice < 95 ? IKE_AUTH_PSK : IKE_AUTH_NULL;
	hosts = counts[rng_below(rng, sizeof(counts) / sizeof(counts[0]))];
	world_start(world, seed, hosts, plan_host);
	plan_wants(world);
	plan_weather(world);
	/* Where nobody proves anything, everybody is who he says. */
	if (world->auth != IKE_AUTH_NULL && rng_chance(rng, 200))
		world->hosts[1 + rng_below(rng, hosts - 1)].impostor = true;
	if (world->auth != IKE_AUTH_NULL && rng_chance(rng, 300))
		world_impostor(world, rng_below(rng, hosts));
	plan_translator(world);
	for (unsigned int i = 0; i < world->host_count; i++)
		event_add(world, rng_between(rng, 0, 2 * NSTIME_S), EVENT_TICK, i, HANDLE_NONE, NULL);
	event_add(world, NSTIME_S, EVENT_ORDER, 0, HANDLE_NONE, NULL);
	event_add(world, 5 * NSTIME_S, EVENT_FAULT, 0, HANDLE_NONE, NULL);
	event_add(world, NSTIME_S, EVENT_FORGE, 0, HANDLE_NONE, NULL);
	return world;
}

/* ---- its life ---- */

static void run_until_calm(struct world *world, uint64_t bound_ns, const char *when)
{
	uint64_t end = world->now + bound_ns;
	const char *why = judge_calm(world);

	while (why && !world->failure[0] && world->now < end) {
		world_run(world, world->now + NSTIME_S / 4);
		why = judge_calm(world);
	}
	if (why)
		fail(world, "%s, not calm: %s", when, why);
}

/* Nobody wants to talk to one who cannot prove who he is, once that is known. */
static void give_up_impostors(struct world *world)
{
	for (unsigned int a = 0; a < world->host_count; a++)
		for (unsigned int b = 0; b < world->host_count; b++)
			if (world->hosts[a].impostor || world->hosts[b].impostor)
				world->hosts[a].wants[b] = false;
}

/* `all`, or only what some of them would. */
static void close_all(struct world *world, bool all)
{
	for (unsigned int a = 0; a < world->host_count; a++) {
		struct host *host = &world->hosts[a];

		memset(host->wants, 0, sizeof(host->wants));
		if (!host->alive || (!all && rng_chance(&world->rng, 300)))
			continue;
		for (unsigned int i = host->note_count; i-- && !world->failure[0];) {
			call_begin(world, a, NULL);
			ike_close(host->ike, host->notes[i].sa, host_now(world, a));
			call_end(world);
		}
	}
}

static void live(struct world *world)
{
	world_run(world, world->now + rng_between(&world->rng, 20, 240) * NSTIME_S);
	say(world, 0, "---- good weather");
	net_heal(world);
	give_up_impostors(world);
	/* Who restarts just now is given the time. */
	world_run(world, world->now + 10 * NSTIME_S);
	run_until_calm(world, CALM_BOUND, "after the faults");
	world->settled = true;
	world_run(world, world->now + 20 * NSTIME_S);
	run_until_calm(world, MOMENT_BOUND, "once more");
	world->settled = false;
	if (world->failure[0])
		return;
	say(world, 0, "---- all is closed");
	close_all(world, false);
	world_run(world, world->now + NSTIME_S);
	close_all(world, true);
	world_run(world, world->now + CLOSE_BOUND);
	for (unsigned int i = 0; i < world->host_count && !world->failure[0]; i++)
		if (world->hosts[i].alive && judge_empty(world, i))
			fail(world, "h%u: closed, and has %s left", i, judge_empty(world, i));
}

static void add_totals(struct totals *sum, const struct totals *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

/* True when all was well. What the world did is added to `totals`. */
static bool run_seed(uint64_t seed, bool trace, struct totals *totals, char failure[FAILURE_MAX])
{
	struct world *world = make_world(seed, trace);
	bool good;

	live(world);
	good = !world->failure[0];
	snprintf(failure, FAILURE_MAX, "seed %llu, %.3f s: %s", (unsigned long long)seed,
		 (double)world->now / NSTIME_S - 1000, world->failure);
	for (unsigned int i = 0; i < world->host_count; i++)
		if (world->hosts[i].alive)
			host_stop(world, i);
	add_totals(totals, &world->totals);
	world_end(world);
	return good;
}

/* ---- from outside ---- */

static int campaign(uint64_t from, uint64_t count)
{
	struct totals totals = { 0 };
	struct timespec start, end;
	char failure[FAILURE_MAX];
	uint64_t failed = 0, seeds[FAILED_LISTED];
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t seed = from; seed < from + count; seed++) {
		if (!run_seed(seed, false, &totals, failure)) {
			if (failed < FAILED_LISTED)
				seeds[failed] = seed;
			failed++;
			printf("FAIL  %s\n", failure);
			fflush(stdout);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / NSTIME_S;
	printf("%llu seeds from %llu, %llu failed, %.1f s, %.1f a second\n", (unsigned long long)count,
	       (unsigned long long)from, (unsigned long long)failed, seconds, (double)count / seconds);
#define SHOW(what) printf("  %-12s %12llu\n", #what, (unsigned long long)totals.what)
	SHOW(steps);
	SHOW(restarts);
	SHOW(connects);
	SHOW(handshakes);
	SHOW(rekeys);
	SHOW(collisions);
	SHOW(retransmits);
	SHOW(again);
	SHOW(replayed);
	SHOW(bad_icv);
	SHOW(auth_failed);
	SHOW(cookies);
	SHOW(moves);
#undef SHOW
	for (unsigned int i = 1; i < IKE_REASONS; i++)
		printf("  down: %-30s %12llu\n", ike_reason_name(i), (unsigned long long)totals.down[i]);
	for (uint64_t i = 0; i < failed && i < FAILED_LISTED; i++)
		printf("%s%llu%s", i ? " " : "  failed: ", (unsigned long long)seeds[i],
		       i + 1 == failed || i + 1 == FAILED_LISTED ? "\n" : "");
	return failed != 0;
}

static bool report(unsigned int number, uint64_t seed, const char *why)
{
	struct totals totals = { 0 };
	char failure[FAILURE_MAX];
	bool good = run_seed(seed, false, &totals, failure);

	printf("%sok %u - seed %llu%s%s\n", good ? "" : "not ", number, (unsigned long long)seed, *why ? ": " : "",
	       why);
	if (!good)
		printf("# %s\n", failure);
	return good;
}

static int check(void)
{
	const char *root = getenv("HF_SRC");
	char path[4096], line[256], why[200];
	unsigned int number = 0, failed = 0;
	unsigned long long seed;
	FILE *kept;

	snprintf(path, sizeof(path), "%s/tests/sim/seeds.txt", root ? root : ".");
	kept = fopen(path, "r");
	if (!kept) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), kept)) {
		why[0] = 0;
		if (line[0] != '#' && sscanf(line, "%llu %199[^\n]", &seed, why) >= 1)
			failed += !report(++number, seed, why);
	}
	fclose(kept);
	for (seed = 1; seed <= CHECK_SEEDS; seed++)
		failed += !report(++number, seed, "");
	printf("1..%u\n", number);
	return failed != 0;
}

static int one(uint64_t seed, bool trace)
{
	struct totals totals = { 0 };
	char failure[FAILURE_MAX];
	bool good = run_seed(seed, trace, &totals, failure);

	if (good)
		printf("seed %llu: all well\n", (unsigned long long)seed);
	else
		printf("FAIL  %s\n", failure);
	return !good;
}

int main(int argc, char **argv)
{
	struct err err = ERR_NONE;

	if (crypto_init(&err)) {
		fprintf(stderr, "%s\n", err.text);
		return 2;
	}
	if (!kex_find(KE_MLKEM768))
		kex_stand_in(&kem_standin);
	if (argc == 1)
		return check();
	if (argc >= 3 && !strcmp(argv[1], "--seed"))
		return one(strtoull(argv[2], NULL, 0), argc > 3 && !strcmp(argv[3], "--trace"));
	if (argc == 4 && !strcmp(argv[1], "--seeds"))
		return campaign(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	fprintf(stderr, "usage: sim | sim --seed N [--trace] | sim --seeds FROM COUNT\n");
	return 2;
}
