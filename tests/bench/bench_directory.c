// SPDX-License-Identifier: Apache-2.0
/*
 * How long the agent's loop stands still when a directory of the largest kind changes under it: 100,000 hosts. A clock
 * ticks in the loop every millisecond; the longest time between two ticks while the new directory is found, verified, read and
 * kept is what packets would have waited: in time of the loop's thread, the worst of some rounds, and on the wall's clock, the best, for a
 * busy machine adds to that. Writes directory.json.
 */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/base64.h"
#include "discover/directory.h"
#include "discover/discover.h"
#include "discover/minisign.h"
#include "discover/stamp.h"

#define HOSTS 100000
#define ROUNDS 5
#define AIM_MS 20.0 /* as long as releasing a burst of one peer's packets takes (core/peer.c) */
#define PATIENCE_S 60

static char folder[300];

static void die(const char *what)
{
	fprintf(stderr, "bench_directory: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void put(const char *name, const void *octets, size_t len)
{
	char path[400], fresh[400];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(fresh, sizeof(fresh), "%s/.%s", folder, name);
	file = fopen(fresh, "w");
	if (!file || fwrite(octets, 1, len, file) != len || fclose(file) != 0 || rename(fresh, path) < 0)
		die(path);
}

/* Host i is 10.0.0.0 + i, with a key that is its number. */
static size_t write_text(char *out, uint64_t serial)
{
	uint64_t now_s = (uint64_t)time(NULL);
	char issued[STAMP_TEXT_MAX], expires[STAMP_TEXT_MAX], key[64];
	size_t len = (size_t)sprintf(out,
				     "holdfast-directory 1\nid bench\nserial %llu\nissued %s\nexpires %s\n"
				     "scope 10.0.0.0/8\n",
				     (unsigned long long)serial, stamp_format(issued, now_s - 60),
				     stamp_format(expires, now_s + 86400));

	for (uint32_t i = 0; i < HOSTS; i++) {
		uint8_t octets[32] = { (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16), 1 };

		base64_encode(key, view_of(octets, sizeof(octets)));
		len += (size_t)sprintf(out + len, "10.%u.%u.%u ed25519:%s name=h%u\n", i >> 16, i >> 8 & 255, i & 255,
				       key, i);
	}
	return len;
}

static struct minisign_secret secret_key(char public_text[64])
{
	struct minisign_secret secret;
	uint8_t octets[2 + MINISIGN_ID_LEN + ED25519_PUBLIC_LEN] = "Ed";

	memset(&secret, 7, sizeof(secret));
	memcpy(octets + 2, secret.id, MINISIGN_ID_LEN);
	if (ed25519_public(octets + 2 + MINISIGN_ID_LEN, secret.seed) < 0)
		die("no Ed25519");
	base64_encode(public_text, VIEW_OF(octets));
	return secret;
}

/* ---- the loop ------------------------------------------------------------------------------------ */

struct loop {
	struct event_base *base;
	double last_ms, gap_ms, last_cpu_ms,
		gap_cpu_ms; /* CPU: of the loop's thread, as if nobody else wanted the machine */
	bool changed;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	double now = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);

	(void)fd;
	(void)what;
	if (now - loop->last_ms > loop->gap_ms)
		loop->gap_ms = now - loop->last_ms;
	if (cpu - loop->last_cpu_ms > loop->gap_cpu_ms)
		loop->gap_cpu_ms = cpu - loop->last_cpu_ms;
	loop->last_ms = now;
	loop->last_cpu_ms = cpu;
}

static void on_change(void *arg)
{
	struct loop *loop = arg;

	loop->changed = true;
	on_tick(-1, 0, loop);
	event_base_loopbreak(loop->base);
}

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	(void)arg;
	(void)question;
	(void)addr;
	(void)answer;
}

/* From a new directory that lies there to its being in force. */
static double run(struct loop *loop)
{
	const struct timeval tick = { .tv_usec = 1000 }, patience = { .tv_sec = PATIENCE_S };
	struct event *clock = event_new(loop->base, -1, EV_PERSIST, on_tick, loop);
	double start = now_ms(CLOCK_MONOTONIC);

	if (!clock || event_add(clock, &tick) < 0)
		die("no timer");
	loop->last_ms = start;
	loop->last_cpu_ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
	loop->gap_ms = loop->gap_cpu_ms = 0;
	loop->changed = false;
	event_base_loopexit(loop->base, &patience);
	event_base_dispatch(loop->base);
	event_free(clock);
	if (!loop->changed) {
		errno = ETIMEDOUT;
		die("the directory was not taken");
	}
	return now_ms(CLOCK_MONOTONIC) - start;
}

static void report(const char *build, size_t octets, double gap, double cpu, double whole)
{
	char path[400];
	json_t *aims = json_array(), *out;

	json_array_append_new(aims, json_pack("{ss ss sf sf sb}", "name", "loop stands still, 100,000 hosts", "unit",
					      "ms", "value", cpu, "aim", AIM_MS, "met", cpu <= AIM_MS));
	out = json_pack("{si sI sf sf sf so}", "hosts", HOSTS, "octets", (json_int_t)octets, "gap_ms", gap,
			"gap_cpu_ms", cpu, "in_force_ms", whole, "aims", aims);
	snprintf(path, sizeof(path), "%s/bench/directory.json", build);
	if (json_dump_file(out, path, JSON_INDENT(2)) < 0)
		die(path);
	json_decref(out);
	printf("directory of %d hosts, %.1f MB: loop works %.1f ms at a time (aim %.0f), stands still %.1f ms, in force after "
	       "%.0f ms\n",
	       HOSTS, (double)octets / 1e6, cpu, AIM_MS, gap, whole);
}

int main(void)
{
	const char *build = getenv("HF_BUILD") ? getenv("HF_BUILD") : "build";
	char *text = malloc(DIRECTORY_OCTETS_MAX + 200), public_text[64], file[400], signature[MINISIGN_FILE_MAX];
	struct loop loop = { .base = event_base_new() };
	struct minisign_secret secret = secret_key(public_text);
	struct discover_options options = { .directory = file, .directory_key = public_text, .state_dir = folder };
	double best_gap = 1e9, worst_cpu = 0, best_whole = 1e9, whole;
	struct discover *discover = NULL;
	struct err err = ERR_NONE;
	size_t len = 0;

	snprintf(folder, sizeof(folder), "%s/bench/directory-XXXXXX", build);
	if (!text || !loop.base || crypto_init(&err) < 0 || !mkdtemp(folder) || !realpath(folder, file))
		die("start");
	strcat(file, "/fleet");
	for (unsigned int round = 0; round <= ROUNDS; round++) {
		len = write_text(text, round + 1);
		if (minisign_sign(signature, &secret, view_of(text, len), "bench", &err) < 0)
			die(err.text);
		put("fleet.minisig", signature, strlen(signature));
		put("fleet", text, len);
		if (!discover) {
			if (discover_open(&discover, &options, loop.base, on_answer, on_change, &loop, &err) < 0)
				die(err.text);
			continue;
		}
		whole = run(&loop);
		best_whole = whole < best_whole ? whole : best_whole;
		worst_cpu = loop.gap_cpu_ms > worst_cpu ? loop.gap_cpu_ms : worst_cpu;
		best_gap = loop.gap_ms < best_gap ? loop.gap_ms : best_gap;
	}
	report(build, len, best_gap, worst_cpu, best_whole);
	discover_close(discover);
	return 0;
}
