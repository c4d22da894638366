// SPDX-License-Identifier: Apache-2.0
/*
 * What the gate costs a packet: the egress program under BPF_PROG_TEST_RUN beside an empty one in the same run, with 10, 10^4
 * and 10^6 pairs in the gate. Once with the same pair in every run, as a stream has it, and once with another
 * pair in every run, where the memory that holds the gate shows. Best of some rounds, interleaved, so that a busy machine
 * hurts all alike. Prints a table and puts the section "gate" into datapath.json.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <jansson.h>
#include <linux/pkt_cls.h>

#include "egress.skel.h"
#include "empty.skel.h"
#include "holdfast/abi.h"

#define ROUNDS 25
#define REPEAT 20000 /* short enough for most rounds to be left alone by the scheduler */
#define RULES 1000   /* prefixes in the policy besides the defaults */
#define AIM_NS 40.0
#define AIM_FLAT 1.5

enum shape { SHAPE_ESP, SHAPE_CLEAR_HIT, SHAPE_CLEAR_BY_TRIE, SHAPE_COUNT };

static const char *const shape_names[] = { "ESP pass", "CLEAR hit", "clear by trie" };
static const char *const shape_keys[] = { "esp_pass", "clear_hit", "clear_by_trie" };
static const uint32_t sizes[] = { 10, 10000, 1000000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* ns per packet above the empty program: [family][shape][size]. */
struct result {
	double empty[2];
	double same[2][SHAPE_COUNT][SIZES];
	double scattered[2][SHAPE_COUNT][SIZES];
};

static void die(const char *what)
{
	fprintf(stderr, "bench_gate: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- packets and pairs --------------------------------------------------------------------------- */

/* Known peers are 10.0.0.0 + i and 2001:db8:a::i; others, that only the trie knows, are 12.0.0.0 + i, 2001:db8:c::i. */
static struct hf_addr peer_addr(bool v4, bool known, uint32_t i)
{
	struct hf_addr addr = { { 0 } };
	uint32_t low = htonl(v4 ? (known ? 0x0a000000u : 0x0c000000u) + i : i);

	if (v4)
		memset(addr.octet + 10, 0xff, 2);
	else
		memcpy(addr.octet, known ? "\x20\x01\x0d\xb8\0\x0a" : "\x20\x01\x0d\xb8\0\x0c", 6);
	memcpy(addr.octet + 12, &low, 4);
	return addr;
}

static struct hf_addr local_addr(bool v4)
{
	struct hf_addr addr = { { 0 } };

	if (v4)
		memcpy(addr.octet + 10, "\xff\xff\xc0\x00\x02\x01", 6);
	else
		memcpy(addr.octet, "\x20\x01\x0d\xb8\0\x01", 6);
	return addr;
}

static uint32_t build_frame(uint8_t frame[100], bool v4, enum shape shape)
{
	struct hf_addr local = local_addr(v4), remote = peer_addr(v4, shape != SHAPE_CLEAR_BY_TRIE, 1);
	uint8_t proto = shape == SHAPE_ESP ? 50 : 17, *ip = frame + 14;

	memset(frame, 0, 100);
	memcpy(frame + 12, v4 ? "\x08\x00" : "\x86\xdd", 2);
	if (v4) {
		memcpy(ip, "\x45\x00\x00\x56", 4);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, local.octet + 12, 4);
		memcpy(ip + 16, remote.octet + 12, 4);
	} else {
		memcpy(ip, "\x60\x00\x00\x00\x00\x2e", 6);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, local.octet, 16);
		memcpy(ip + 24, remote.octet, 16);
	}
	return 100;
}

/* Half of the gate is IPv4. CLEAR with an end, as the agent writes it, so that the clock is read too. */
static void fill_gate(int gate, uint32_t from, uint32_t to)
{
	struct hf_gate value = { .verdict = HF_VERDICT_CLEAR, .until_ns = UINT64_MAX };

	for (uint32_t i = from; i < to; i++) {
		struct hf_pair pair = { .local = local_addr(i % 2), .remote = peer_addr(i % 2, true, i / 2) };

		value.mark = hf_pair_mark(&pair);
		if (bpf_map_update_elem(gate, &pair, &value, BPF_ANY))
			die("hf_gate");
	}
}

static void fill_policy(int policy)
{
	struct hf_rule rule = { .group = HF_GROUP_CLEAR };
	struct hf_prefix key = { .prefix_len = 0 };

	bpf_map_update_elem(policy, &key, &rule, BPF_ANY); /* ::/0 */
	key.prefix_len = 96;
	memset(key.addr.octet + 10, 0xff, 2);
	bpf_map_update_elem(policy, &key, &rule, BPF_ANY); /* 0.0.0.0/0 */
	for (uint32_t i = 0; i < RULES; i++) {
		key.addr = peer_addr(i % 2, false, i << 16);
		key.prefix_len = 112;
		if (bpf_map_update_elem(policy, &key, &rule, BPF_ANY))
			die("hf_policy");
	}
}

/* ---- measuring ------------------------------------------------------------------------------------ */

/* Time that this thread was running: what others do with the CPU does not count. */
static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* The kernel's own figure is whole nanoseconds; the clock around many runs says more. */
static double run_ns(int prog, const uint8_t *frame, uint32_t len)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .repeat = REPEAT);
	double start = now_ns();

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_TEST_RUN");
	if ((int)opts.retval != TC_ACT_UNSPEC) {
		fprintf(stderr, "bench_gate: action %d: what is measured is not a pass\n", (int)opts.retval);
		exit(1);
	}
	return (now_ns() - start) / REPEAT;
}

static void keep_least(double *best, double ns)
{
	if (*best == 0 || ns < *best)
		*best = ns;
}

static void set_next(const struct empty_bpf *empty, int prog)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(empty->maps.bench_next), &zero, &prog, BPF_ANY))
		die("bench_next");
}

struct bench {
	struct empty_bpf *empty;
	int egress;
};

static void measure(struct result *result, const struct bench *bench, size_t size, bool v4, enum shape shape)
{
	int nothing = bpf_program__fd(bench->empty->progs.bench_empty);
	int scatter = bpf_program__fd(bench->empty->progs.bench_scatter);
	double floor = 0, same = 0, scattered_floor = 0, scattered = 0;
	uint8_t frame[100];
	uint32_t len = build_frame(frame, v4, shape);

	bench->empty->bss->bench_first = v4 ? (shape == SHAPE_CLEAR_BY_TRIE ? 0x0c000000 : 0x0a000000) : 0;
	bench->empty->data->bench_offset = v4 ? 30 : 14 + 36;
	bench->empty->data->bench_peers = sizes[size] / 2;
	for (int round = 0; round < ROUNDS; round++) {
		keep_least(&floor, run_ns(nothing, frame, len));
		keep_least(&same, run_ns(bench->egress, frame, len));
		set_next(bench->empty, nothing);
		keep_least(&scattered_floor, run_ns(scatter, frame, len));
		set_next(bench->empty, bench->egress);
		keep_least(&scattered, run_ns(scatter, frame, len));
	}
	keep_least(&result->empty[v4], floor);
	result->same[v4][shape][size] = same - floor;
	result->scattered[v4][shape][size] = scattered - scattered_floor;
}

static void measure_size(struct result *result, struct empty_bpf *empty, size_t size)
{
	struct egress_bpf *skel = egress_bpf__open();
	struct bench bench = { .empty = empty };

	if (!skel)
		die("egress program");
	bpf_map__set_max_entries(skel->maps.hf_gate, sizes[size] > HF_GATE_DEFAULT ? sizes[size] : HF_GATE_DEFAULT);
	if (egress_bpf__load(skel))
		die("egress program");
	bench.egress = bpf_program__fd(skel->progs.hf_egress);
	fill_policy(bpf_map__fd(skel->maps.hf_policy));
	fill_gate(bpf_map__fd(skel->maps.hf_gate), 0, sizes[size]);
	for (int shape = 0; shape < SHAPE_COUNT; shape++)
		for (int v4 = 0; v4 < 2; v4++)
			measure(result, &bench, size, v4, shape);
	egress_bpf__destroy(skel);
}

/* ---- telling -------------------------------------------------------------------------------------- */

static void print_part(const char *title, double part[2][SHAPE_COUNT][SIZES])
{
	printf("%s\n", title);
	for (int shape = 0; shape < SHAPE_COUNT; shape++)
		for (int v4 = 1; v4 >= 0; v4--) {
			const double *ns = part[v4][shape];

			printf("  %-15s IPv%d %9.1f %9.1f %9.1f   x%.2f\n", shape_names[shape], v4 ? 4 : 6, ns[0],
			       ns[1], ns[2], ns[2] / ns[0]);
		}
}

static void print_aim(const struct result *result)
{
	for (int v4 = 1; v4 >= 0; v4--) {
		const double *ns = result->same[v4][SHAPE_CLEAR_HIT];
		double worst = ns[0];

		for (size_t i = 1; i < SIZES; i++)
			worst = ns[i] > worst ? ns[i] : worst;
		printf("aim: CLEAR hit IPv%d <= %.0f ns: %s (%.1f); 10^6 <= %.1f x 10: %s (%.2f)\n", v4 ? 4 : 6, AIM_NS,
		       worst <= AIM_NS ? "met" : "MISSED", worst, AIM_FLAT,
		       ns[SIZES - 1] <= ns[0] * AIM_FLAT ? "met" : "MISSED", ns[SIZES - 1] / ns[0]);
	}
}

static json_t *part_json(double part[2][SHAPE_COUNT][SIZES])
{
	json_t *out = json_object();
	char key[40];

	for (int shape = 0; shape < SHAPE_COUNT; shape++)
		for (int v4 = 0; v4 < 2; v4++) {
			json_t *by_size = json_object();

			for (size_t i = 0; i < SIZES; i++) {
				snprintf(key, sizeof(key), "%u", sizes[i]);
				json_object_set_new(by_size, key, json_real(part[v4][shape][i]));
			}
			snprintf(key, sizeof(key), "%s_ipv%d", shape_keys[shape], v4 ? 4 : 6);
			json_object_set_new(out, key, by_size);
		}
	return out;
}

/* Other benchmarks keep their sections in the same file. */
static int write_json(struct result *result)
{
	const char *build = getenv("HF_BUILD") ? getenv("HF_BUILD") : "build";
	char path[4096];
	json_t *root, *gate = json_object();
	int rc;

	snprintf(path, sizeof(path), "%s/bench", build);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/bench/datapath.json", build);
	root = json_load_file(path, 0, NULL);
	if (!json_is_object(root))
		root = json_object();
	json_object_set_new(gate, "unit", json_string("ns per packet above the empty program"));
	json_object_set_new(gate, "empty_ns", json_real(result->empty[1]));
	json_object_set_new(gate, "same_pair", part_json(result->same));
	json_object_set_new(gate, "another_pair_each_time", part_json(result->scattered));
	json_object_set_new(root, "gate", gate);
	rc = json_dump_file(root, path, JSON_INDENT(2));
	json_decref(root);
	if (rc)
		fprintf(stderr, "bench_gate: %s cannot be written\n", path);
	return rc ? 1 : 0;
}

int main(void)
{
	struct empty_bpf *empty = empty_bpf__open_and_load();
	static struct result result;

	if (!empty)
		die("empty program");
	for (size_t size = 0; size < SIZES; size++)
		measure_size(&result, empty, size);
	empty_bpf__destroy(empty);

	printf("gate: ns per packet above an empty TC program (%.1f ns, with BPF_PROG_TEST_RUN's own work)\n",
	       result.empty[1]);
	printf("  %-20s %9s %9s %9s\n", "pairs in the gate", "10", "10^4", "10^6");
	print_part("the same pair in every run", result.same);
	print_part("another pair in every run", result.scattered);
	print_aim(&result);
	return write_json(&result);
}
