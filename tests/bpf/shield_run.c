// SPDX-License-Identifier: Apache-2.0
/* See shield_run.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "shield_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <bpf/bpf.h>

#include "base/nstime.h"
#include "run_prog.h"
#include "shield.skel.h"

static void *map_memory(int map)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

	if (memory == MAP_FAILED)
		fail_msg("a map of the shield cannot be mapped: %s", strerror(errno));
	return memory;
}

static void draw(void *arg, void *out, size_t len)
{
	(void)arg;
	if (getrandom(out, len, 0) != (ssize_t)len)
		memset(out, 0xa5, len);
}

static const struct ike_host host = { .random = draw };

static int no_log(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void own(struct shield *shield, const char *text)
{
	struct hf_exempt exempt = { .flags = HF_EXEMPT_OWN };
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, text, NULL), 0);
	assert_int_equal(bpf_map_update_elem(shield->exempt, &addr, &exempt, BPF_ANY), 0);
}

static void show_secrets(struct shield *shield)
{
	memcpy(shield->set->secret, shield->jar.secret, sizeof(shield->set->secret));
	shield->set->secret_version = shield->jar.version;
}

void shield_free_rates(struct shield *shield)
{
	const struct hf_shield_rate rate = { .span_ns = 1, .burst_ns = 1000000000 };

	shield->set->source = shield->set->site = shield->set->all = rate;
	shield->set->proven_source = shield->set->proven_site = shield->set->odd = rate;
}

static void share(struct bpf_object *object, const struct run *run)
{
	static const char *const names[] = { "hf_policy", "hf_gate",   "hf_exempt", "hf_config",
					     "hf_count",  "hf_budget", "hf_ring" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(bpf_map__reuse_fd(bpf_object__find_map_by_name(object, names[i]),
						   bpf_object__find_map_fd_by_name(run->object, names[i])),
				 0);
}

void shield_open(struct shield *shield)
{
	shield_open_beside(shield, NULL);
}

void shield_open_beside(struct shield *shield, const struct run *run)
{
	struct shield_bpf *skel = shield_bpf__open();

	libbpf_set_print(no_log);
	assert_non_null(skel);
	if (run)
		share(skel->obj, run);
	assert_int_equal(bpf_map__set_max_entries(skel->maps.hf_shield_cpu, (uint32_t)libbpf_num_possible_cpus()), 0);
	if (shield_bpf__load(skel))
		fail_msg("the kernel refuses the shield");
	*shield = (struct shield){
		.skel = skel,
		.prog = bpf_program__fd(skel->progs.hf_shield),
		.prog_driver = bpf_program__fd(skel->progs.hf_shield_driver),
		.guest = bpf_program__fd(skel->progs.hf_shield_guest),
		.cpus = bpf_map__fd(skel->maps.hf_shield_cpu),
		.source = bpf_map__fd(skel->maps.hf_shield_source),
		.site = bpf_map__fd(skel->maps.hf_shield_site),
		.exempt = bpf_map__fd(skel->maps.hf_exempt),
		.count = bpf_map__fd(skel->maps.hf_shield_count),
		.set = map_memory(bpf_map__fd(skel->maps.hf_shield_set)),
		.state = map_memory(bpf_map__fd(skel->maps.hf_shield_state)),
	};
	if (!run) {
		own(shield, SHIELD_OWN4);
		own(shield, SHIELD_OWN6);
	}
	cookie_rotate(&shield->jar, &host, 0);
	show_secrets(shield);
	shield_free_rates(shield);
	shield->set->version = HF_SHIELD_VERSION;
}

void shield_close(struct shield *shield)
{
	munmap(shield->set, 4096);
	munmap(shield->state, 4096);
	shield_bpf__destroy(shield->skel);
}

void shield_rotate(struct shield *shield)
{
	shield->jar.rotate_ns = 1;
	cookie_rotate(&shield->jar, &host, 1);
	show_secrets(shield);
}

static void empty(int map)
{
	struct hf_addr key;

	while (bpf_map_get_next_key(map, NULL, &key) == 0)
		bpf_map_delete_elem(map, &key);
}

void shield_forget(struct shield *shield)
{
	struct hf_shield_count none[256] = { { 0 } };
	uint32_t zero = 0;

	empty(shield->source);
	empty(shield->site);
	memset(shield->state, 0, sizeof(*shield->state));
	bpf_map_update_elem(shield->count, &zero, none, BPF_ANY);
}

int shield_run(const struct shield *shield, const uint8_t *frame, size_t len, uint8_t out[FRAME_MAX], size_t *out_len)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len, .data_out = out,
			    .data_size_out = FRAME_MAX, .repeat = 1);

	if (bpf_prog_test_run_opts(shield->as_guest ? shield->guest : shield->prog, &opts))
		return -errno - 1000;
	*out_len = opts.data_size_out;
	return (int)opts.retval;
}

int shield_run_driver(const struct shield *shield, const uint8_t *frame, size_t len)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (uint32_t)len, .repeat = 1);

	if (bpf_prog_test_run_opts(shield->prog_driver, &opts))
		return -errno - 1000;
	return (int)opts.retval;
}

struct hf_shield_count shield_counts(const struct shield *shield)
{
	struct hf_shield_count sum = { 0 }, each[256];
	int cpus = libbpf_num_possible_cpus();
	uint64_t *total = (uint64_t *)&sum;
	uint32_t zero = 0;

	assert_in_range(cpus, 1, 256);
	assert_int_equal(bpf_map_lookup_elem(shield->count, &zero, each), 0);
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < sizeof(sum) / sizeof(uint64_t); i++)
			total[i] += ((uint64_t *)&each[cpu])[i];
	return sum;
}

unsigned int shield_entries(int map)
{
	struct hf_addr key, *at = NULL;
	unsigned int count = 0;

	while (bpf_map_get_next_key(map, at, &key) == 0) {
		at = &key;
		count++;
	}
	return count;
}

/* ---- frames ---- */

struct pen {
	uint8_t *at, *start;
};

static void put(struct pen *pen, const void *octets, size_t len)
{
	memcpy(pen->at, octets, len);
	pen->at += len;
}

static void put_number(struct pen *pen, uint64_t value, size_t len)
{
	while (len-- > 0)
		*pen->at++ = (uint8_t)(value >> (8 * len));
}

static void put_fill(struct pen *pen, size_t len, uint8_t seed)
{
	while (len-- > 0)
		*pen->at++ = seed++;
}

static size_t here(const struct pen *pen)
{
	return (size_t)(pen->at - pen->start);
}

static void patch16(struct pen *pen, size_t at, size_t value)
{
	pen->start[at] = (uint8_t)(value >> 8);
	pen->start[at + 1] = (uint8_t)value;
}

static void put_payload(struct pen *pen, uint8_t next, size_t body)
{
	put_number(pen, next, 1);
	put_number(pen, 0, 1);
	put_number(pen, body + 4, 2);
}

/* HDR, [N(COOKIE)], SA, KE, Ni, [V]: only the form of what the shield reads. */
static void put_ike(struct pen *pen, struct asked *out, const struct question *question)
{
	bool cookie = question->cookie.len, more = question->more;
	unsigned int ni_len = question->ni_len ? question->ni_len : 32;
	uint64_t spi = question->spi ? question->spi : 0x1122334455667788;

	out->ike = here(pen);
	put_number(pen, spi, 8);
	memcpy(out->spi_i, pen->at - 8, 8);
	put_number(pen, 0, 8);
	put_number(pen, cookie ? 41 : 33, 1);
	put_number(pen, 0x202208, 3);
	put_number(pen, 0, 8);
	if (cookie) {
		put_payload(pen, 33, 4 + question->cookie.len);
		put_number(pen, 16390, 4);
		put(pen, question->cookie.at, question->cookie.len);
	}
	put_payload(pen, 34, 80);
	put_fill(pen, 80, 3);
	put_payload(pen, 40, 36);
	put_number(pen, 31 << 16, 4);
	put_fill(pen, 32, 77);
	out->nonce = here(pen);
	put_payload(pen, more ? 43 : 0, ni_len);
	out->ni = view_of(pen->at, ni_len);
	put_fill(pen, ni_len, question->ni_seed);
	if (more) {
		put_payload(pen, 0, question->more);
		put_fill(pen, question->more, 9);
	}
	patch16(pen, out->ike + 26, here(pen) - out->ike);
}

static void put_ip(struct pen *pen, struct asked *out, const struct question *question, bool v4)
{
	out->l3 = here(pen);
	if (v4) {
		put_number(pen, 0x45 + question->words, 1);
		put_number(pen, 0, 7);
		put_number(pen, 64, 1);
		put_number(pen, 17, 1);
		put_number(pen, 0, 2);
		put(pen, &out->path.remote.octet[12], 4);
		put(pen, &out->path.local.octet[12], 4);
		for (unsigned int i = 0; i < question->words; i++)
			put_number(pen, 0x01010101, 4);
		return;
	}
	put_number(pen, 0x60, 1);
	put_number(pen, 0, 5);
	put_number(pen, question->words ? 60 : 17, 1);
	put_number(pen, 64, 1);
	put(pen, &out->path.remote, 16);
	put(pen, &out->path.local, 16);
	for (unsigned int i = 0; i < question->words; i++)
		put_number(pen, (i + 1 < question->words ? 60ull : 17ull) << 56 | 0x0104ull << 32, 8);
}

void question_write(struct asked *out, const struct question *question)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	struct pen pen = { out->frame, out->frame };
	bool v4;

	assert_int_equal(addr_parse(&out->path.remote, question->src ? question->src : "198.51.100.2", NULL), 0);
	v4 = addr_is_v4(&out->path.remote);
	assert_int_equal(addr_parse(&out->path.local, v4 ? SHIELD_OWN4 : SHIELD_OWN6, NULL), 0);
	out->path.remote_port = question->port ? question->port : 500;
	out->path.local_port = question->encap ? 4500 : 500;
	put(&pen, macs, sizeof(macs));
	for (unsigned int i = 0; i < question->tags; i++)
		put_number(&pen, 0x81000000 + 10 + i, 4);
	put_number(&pen, v4 ? 0x0800 : 0x86dd, 2);
	put_ip(&pen, out, question, v4);
	out->l4 = here(&pen);
	put_number(&pen, out->path.remote_port, 2);
	put_number(&pen, out->path.local_port, 2);
	put_number(&pen, 0, 4);
	if (question->encap)
		put_number(&pen, 0, 4);
	put_ike(&pen, out, question);
	out->len = here(&pen);
	patch16(&pen, out->l4 + 4, out->len - out->l4);
	patch16(&pen, out->l3 + (v4 ? 2 : 4), out->len - out->l3 - (v4 ? 0 : 40));
}
