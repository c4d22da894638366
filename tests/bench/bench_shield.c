// SPDX-License-Identifier: Apache-2.0
/*
 * What the shield costs a frame: its program under BPF_PROG_TEST_RUN beside one that only says XDP_PASS. Frames that it leaves as they are
 * run many times in one call, best of some rounds, interleaved, so that a busy machine hurts all alike. An answer changes the frame, so
 * there a call is one run: the kernel's own figure, the median of many, above the median of the empty program taken the same
 * way. Writes xdp.json and prints a line for each.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>

#include "holdfast/shield.h"
#include "shield.skel.h"
#include "xdp_pass.skel.h"

#define ROUNDS 25
#define REPEAT 20000 /* short enough for most rounds to be left alone by the scheduler */
#define SINGLES 20000
#define FRAME_MAX 512

enum shape {
	SHAPE_TCP,
	SHAPE_ESP,
	SHAPE_UDP,
	SHAPE_KNOWN,
	SHAPE_BELOW,
	SHAPE_DROPPED,
	SHAPE_COOKIE,
	/* TCP and ESP at the program for drivers, which asks the gate */
	SHAPE_DOOR_CLEAR,
	SHAPE_DOOR_TRIE,
	SHAPE_DOOR_STOPPED,
	SHAPE_DOOR_ESP,
	SHAPES
};

static const char *const names[SHAPES] = {
	"tcp",	       "esp",	     "udp",	     "ike_with_spis", "below",	  "dropped",
	"cookie_good", "door_clear", "door_by_trie", "door_stopped",  "door_esp",
};

struct bench {
	struct shield_bpf *skel;
	struct xdp_pass_bpf *pass;
	struct hf_shield_set *set;
	int shield, driver, empty;
	double ns[2][SHAPES], answer[2]; /* above the empty program; by family, IPv4 first */
	double empty_ns;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_shield: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- frames ---- */

static const uint8_t own4[4] = { 192, 0, 2, 1 }, own6[16] = { 0x20, 0x01, 0x0d, 0xb8, 1 };

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* HDR, [N(COOKIE)], SA, KE, Ni of usual sizes. */
static size_t put_init(uint8_t *at, const uint8_t *cookie)
{
	uint8_t *start = at;

	memset(at, 0, 300);
	memcpy(at, "\1\2\3\4\5\6\7\10", 8);
	memcpy(at + 16, cookie ? "\x29\x20\x22\x08" : "\x21\x20\x22\x08", 4);
	at += 28;
	if (cookie) {
		memcpy(at, "\x21\0\0\x14\0\0\x40\x06", 8);
		memcpy(at + 8, cookie, HF_COOKIE_LEN);
		at += 20;
	}
	memcpy(at, "\x22\0\0\x54", 4);
	memcpy(at + 84, "\x28\0\0\x28", 4);
	memcpy(at + 124, "\0\0\0\x24", 4);
	at += 160;
	put16(start + 26, (size_t)(at - start));
	return (size_t)(at - start);
}

static size_t put_udp(uint8_t *at, enum shape shape, const uint8_t *cookie)
{
	size_t len = 8;

	memset(at, 0, 8);
	put16(at, 500);
	put16(at + 2, shape == SHAPE_UDP ? 443 : 500);
	len += put_init(at + 8, cookie);
	if (shape == SHAPE_KNOWN)
		at[8 + 15] = 1;
	if (shape == SHAPE_DROPPED) /* a message id that it cannot have */
		at[8 + 23] = 1;
	put16(at + 4, len);
	return len;
}

static size_t put_frame(uint8_t *frame, bool v6, enum shape shape, const uint8_t *cookie)
{
	bool esp = shape == SHAPE_ESP || shape == SHAPE_DOOR_ESP, tcp = shape == SHAPE_TCP || shape >= SHAPE_DOOR_CLEAR;
	uint8_t *ip = frame + 14, proto = esp ? 50 : tcp ? 6 : 17;
	size_t head = v6 ? 40 : 20, len = 120;

	memset(frame, 0, FRAME_MAX);
	memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	put16(frame + 12, v6 ? 0x86dd : 0x0800);
	if (proto == 17)
		len = put_udp(ip + head, shape, cookie);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, len);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, "\x20\x01\x0d\xb8\2", 5);
		ip[23] = 2;
		memcpy(ip + 24, own6, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, head + len);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, "\xc6\x33\x64\2", 4);
		memcpy(ip + 16, own4, 4);
	}
	return 14 + head + len;
}

/* ---- measuring ---- */

/* Time that this thread was running: what others do with the CPU does not count. */
static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double run_many(int prog, const uint8_t *frame, size_t len, uint32_t verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = REPEAT);
	double start = now_ns(), ns;

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_TEST_RUN");
	ns = (now_ns() - start) / REPEAT;
	if (opts.retval != verdict) {
		fprintf(stderr, "bench_shield: verdict %u where %u was meant\n", opts.retval, verdict);
		exit(1);
	}
	return ns;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double run_single(int prog, const uint8_t *frame, size_t len, uint32_t verdict, uint8_t *out, size_t *out_len)
{
	static uint32_t took[SINGLES];

	for (int i = 0; i < SINGLES; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len, .data_out = out,
			    .data_size_out = FRAME_MAX, .repeat = 1);

		if (bpf_prog_test_run_opts(prog, &opts) || opts.retval != verdict)
			die("BPF_PROG_TEST_RUN of one frame");
		took[i] = opts.duration;
		*out_len = opts.data_size_out;
	}
	qsort(took, SINGLES, sizeof(took[0]), by_value);
	return took[SINGLES / 2];
}

static void least(double *best, double value)
{
	if (*best == 0 || value < *best)
		*best = value;
}

static void addr_of(struct hf_addr *addr, const uint8_t *octets, bool v6)
{
	memset(addr, 0, sizeof(*addr));
	if (v6) {
		memcpy(addr, octets, 16);
	} else {
		memset(addr->octet + 10, 0xff, 2);
		memcpy(addr->octet + 12, octets, 4);
	}
}

/* What the gate says of the frames' pair; by the trie it may be clear. */
static void decide(struct bench *bench, bool v6, enum shape shape)
{
	struct hf_gate gate = { .verdict = shape == SHAPE_DOOR_STOPPED ? HF_VERDICT_SECURE : HF_VERDICT_CLEAR };
	static const uint8_t from4[4] = { 0xc6, 0x33, 0x64, 2 };
	static const uint8_t from6[16] = { 0x20, 0x01, 0x0d, 0xb8, 2, [15] = 2 };
	int map = bpf_map__fd(bench->skel->maps.hf_gate);
	struct hf_pair pair;

	addr_of(&pair.local, v6 ? own6 : own4, v6);
	addr_of(&pair.remote, v6 ? from6 : from4, v6);
	gate.mark = hf_pair_mark(&pair);
	bpf_map_delete_elem(map, &pair);
	if ((shape == SHAPE_DOOR_CLEAR || shape == SHAPE_DOOR_STOPPED) &&
	    bpf_map_update_elem(map, &pair, &gate, BPF_ANY))
		die("hf_gate");
}

static void measure(struct bench *bench, bool v6)
{
	uint8_t frame[FRAME_MAX], cookie[HF_COOKIE_LEN], out[FRAME_MAX];
	double best[SHAPES] = { 0 }, empty = 0, single;
	size_t len, out_len;

	len = put_frame(frame, v6, SHAPE_BELOW, NULL);
	bench->set->demand = 1;
	bench->answer[v6] = run_single(bench->shield, frame, len, XDP_TX, out, &out_len);
	single = run_single(bench->empty, frame, len, XDP_PASS, frame, &len);
	bench->answer[v6] -= single;
	memcpy(cookie, out + out_len - sizeof(cookie), sizeof(cookie));
	for (int round = 0; round < ROUNDS; round++) {
		for (int shape = 0; shape < SHAPES; shape++) {
			len = put_frame(frame, v6, (enum shape)shape, shape == SHAPE_COOKIE ? cookie : NULL);
			bench->set->demand = shape == SHAPE_COOKIE;
			decide(bench, v6, (enum shape)shape);
			least(&best[shape],
			      run_many(shape >= SHAPE_DOOR_CLEAR ? bench->driver : bench->shield, frame, len,
				       shape == SHAPE_DROPPED || shape == SHAPE_DOOR_STOPPED ? XDP_DROP : XDP_PASS));
		}
		least(&empty, run_many(bench->empty, frame, len, XDP_PASS));
	}
	for (int shape = 0; shape < SHAPES; shape++)
		bench->ns[v6][shape] = best[shape] - empty;
	least(&bench->empty_ns, empty);
}

/* ---- set-up and report ---- */

static void own(int map, const uint8_t *octets, bool v6)
{
	struct hf_exempt exempt = { .flags = HF_EXEMPT_OWN };
	struct hf_addr addr;

	addr_of(&addr, octets, v6);
	if (bpf_map_update_elem(map, &addr, &exempt, BPF_ANY))
		die("hf_exempt");
}

static void set_up(struct bench *bench)
{
	const struct hf_shield_rate rate = { .span_ns = 1, .burst_ns = 1000000000 };
	const struct hf_prefix any = { 0 };
	const struct hf_rule clear = { .group = HF_GROUP_CLEAR };

	bench->skel = shield_bpf__open_and_load();
	bench->pass = xdp_pass_bpf__open_and_load();
	if (!bench->skel || !bench->pass)
		die("the programs cannot be loaded");
	bench->shield = bpf_program__fd(bench->skel->progs.hf_shield);
	bench->driver = bpf_program__fd(bench->skel->progs.hf_shield_driver);
	bench->empty = bpf_program__fd(bench->pass->progs.bench_xdp_pass);
	bench->set =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bench->skel->maps.hf_shield_set), 0);
	if (bench->set == MAP_FAILED)
		die("hf_shield_set");
	bench->set->source = bench->set->site = bench->set->all = rate;
	bench->set->proven_source = bench->set->proven_site = bench->set->odd = rate;
	bench->set->version = HF_SHIELD_VERSION;
	if (bpf_map_update_elem(bpf_map__fd(bench->skel->maps.hf_policy), &any, &clear, BPF_ANY))
		die("hf_policy");
	own(bpf_map__fd(bench->skel->maps.hf_exempt), own4, false);
	own(bpf_map__fd(bench->skel->maps.hf_exempt), own6, true);
}

static json_t *family_json(const struct bench *bench, bool v6)
{
	json_t *out = json_object();

	for (int shape = 0; shape < SHAPES; shape++)
		json_object_set_new(out, names[shape], json_real(bench->ns[v6][shape]));
	json_object_set_new(out, "answered", json_real(bench->answer[v6]));
	return out;
}

static int report(const struct bench *bench)
{
	const char *build = getenv("HF_BUILD");
	char path[4096];
	json_t *json;
	int rc;

	json = json_pack("{s{sf so so}}", "shield", "empty_ns", bench->empty_ns, "ipv4", family_json(bench, false),
			 "ipv6", family_json(bench, true));
	json_dumpf(json, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(4));
	printf("\n");
	snprintf(path, sizeof(path), "%s/bench", build ? build : "build");
	if (mkdir(path, 0777) && errno != EEXIST)
		die(path);
	snprintf(path, sizeof(path), "%s/bench/xdp.json", build ? build : "build");
	rc = json_dump_file(json, path, JSON_INDENT(1) | JSON_REAL_PRECISION(4));
	json_decref(json);
	return rc;
}

int main(void)
{
	static struct bench bench;

	set_up(&bench);
	for (int v6 = 0; v6 < 2; v6++)
		measure(&bench, v6);
	return report(&bench) ? 1 : 0;
}
