// SPDX-License-Identifier: Apache-2.0
/* Loads the programs on maps of their own and runs them on single packets. See run_prog.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run_prog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "egress.skel.h"
#include "ingress.skel.h"

#define SLOTS 512
#define SLOTS_BIG 4
#define QUEUES 64
#define GATES 64
#define RING_BYTES 65536

/* Ingress has no maps to hold packets in. */
static void set_size(struct bpf_object *object, const char *name, uint32_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (map && bpf_map__set_max_entries(map, entries))
		fail_msg("map %s cannot have %u entries", name, entries);
}

static struct run_sizes with_defaults(const struct run_sizes *size)
{
	struct run_sizes out = size ? *size : (struct run_sizes){ 0 };

	out.slots = out.slots ? out.slots : SLOTS;
	out.slots_big = out.slots_big ? out.slots_big : SLOTS_BIG;
	out.queues = out.queues ? out.queues : QUEUES;
	out.holds = out.holds ? out.holds : out.queues;
	out.gates = out.gates ? out.gates : GATES;
	out.ring_bytes = out.ring_bytes ? out.ring_bytes : RING_BYTES;
	return out;
}

static void set_sizes(struct run *run)
{
	set_size(run->object, "hf_slot", run->size.slots);
	set_size(run->object, "hf_slot_big", run->size.slots_big);
	set_size(run->object, "hf_queue", run->size.queues);
	set_size(run->object, "hf_hold", run->size.holds);
	set_size(run->object, "hf_gate", run->size.gates);
	set_size(run->object, "hf_ring", run->size.ring_bytes);
}

static int map_fd(struct run *run, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(run->object, name);

	if (fd < 0)
		fail_msg("no map %s", name);
	return fd;
}

/* Values of an mmapable array lie 8 octets aligned, one after the other. */
static void *map_memory(struct run *run, const char *name, size_t value, uint32_t entries)
{
	void *memory = mmap(NULL, value * entries, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(run, name), 0);

	if (memory == MAP_FAILED)
		fail_msg("%s cannot be mapped: %s", name, strerror(errno));
	return memory;
}

static int on_event(void *arg, void *data, size_t len)
{
	struct run *run = arg;

	run->events++;
	memcpy(&run->event, data, sizeof(run->event));
	if (len == sizeof(run->denied))
		memcpy(&run->denied, data, len);
	if (run->event.type == HF_EVENT_ANSWER && len == sizeof(run->answer))
		memcpy(&run->answer, data, len);
	return 0;
}

/* A closed default, as the agent writes it, and the ABI version that makes the programs believe the flags. */
static void attach_maps(struct run *run)
{
	run->policy = map_fd(run, "hf_policy");
	run->gate = map_fd(run, "hf_gate");
	run->exempt = map_fd(run, "hf_exempt");
	run->count = map_fd(run, "hf_count");
	run->config = map_memory(run, "hf_config", sizeof(*run->config), 1);
	run->ring = ring_buffer__new(map_fd(run, "hf_ring"), on_event, run, NULL);
	if (!run->ring)
		fail_msg("the ring cannot be read");
	run->config->abi_version = HF_ABI_VERSION;
	run_rule(run, "0.0.0.0/0", HF_GROUP_CLEAR);
	run_rule(run, "::/0", HF_GROUP_CLEAR);
}

static void destroy_egress(struct run *run)
{
	egress_bpf__destroy(run->skel);
}

static void destroy_ingress(struct run *run)
{
	ingress_bpf__destroy(run->skel);
}

static int no_log(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void run_open_egress(struct run *run, const struct run_sizes *size)
{
	struct egress_bpf *skel = egress_bpf__open();

	libbpf_set_print(no_log);
	assert_non_null(skel);
	*run = (struct run){ .skel = skel, .destroy = destroy_egress, .size = with_defaults(size) };
	run->object = skel->obj;
	set_sizes(run);
	skel->rodata->hf_slots = run->size.slots;
	skel->rodata->hf_slots_big = run->size.slots_big;
	skel->rodata->hf_queues = run->size.queues;
	skel->rodata->hf_tcx = run->size.tcx;
	if (egress_bpf__load(skel))
		fail_msg("the kernel refuses the egress program");
	run->prog = bpf_program__fd(skel->progs.hf_egress);
	attach_maps(run);
	run->hold = map_fd(run, "hf_hold");
	run->queue = map_memory(run, "hf_queue", sizeof(*run->queue), run->size.queues);
	run->slot = map_memory(run, "hf_slot", sizeof(*run->slot), run->size.slots);
	run->slot_big = map_memory(run, "hf_slot_big", sizeof(*run->slot_big), run->size.slots_big);
}

void run_open_ingress(struct run *run, const struct run_sizes *size)
{
	struct ingress_bpf *skel = ingress_bpf__open();

	libbpf_set_print(no_log);
	assert_non_null(skel);
	*run = (struct run){ .skel = skel, .destroy = destroy_ingress, .size = with_defaults(size) };
	run->object = skel->obj;
	set_sizes(run);
	if (ingress_bpf__load(skel))
		fail_msg("the kernel refuses the ingress program");
	run->prog = bpf_program__fd(skel->progs.hf_ingress);
	attach_maps(run);
}

void run_close(struct run *run)
{
	ring_buffer__free(run->ring);
	if (run->queue) {
		munmap(run->queue, sizeof(*run->queue) * run->size.queues);
		munmap(run->slot, sizeof(*run->slot) * run->size.slots);
		munmap(run->slot_big, sizeof(*run->slot_big) * run->size.slots_big);
	}
	munmap(run->config, sizeof(*run->config));
	run->destroy(run);
}

int run_bytes(struct run *run, const void *data, size_t len, const struct run_mark *mark)
{
	struct __sk_buff ctx = { 0 };
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = (uint32_t)len, .repeat = 1);

	if (mark) {
		ctx.mark = mark->mark;
		ctx.priority = mark->priority;
		ctx.gso_size = mark->gso_size;
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	if (bpf_prog_test_run_opts(run->prog, &opts))
		return -errno - 1000;
	return (int)opts.retval;
}

int run_packet(struct run *run, const struct packet_bytes *packet, const struct run_mark *mark)
{
	return run_bytes(run, packet->data, packet->len, mark);
}

bool run_is_pass(int action)
{
	return action == TC_ACT_UNSPEC;
}

bool run_is_drop(int action)
{
	return action == TC_ACT_SHOT;
}

bool run_is_stolen(const struct run *run, int action)
{
	return action == (run->size.tcx ? TC_ACT_REDIRECT : TC_ACT_STOLEN);
}

struct hf_count run_counts(const struct run *run)
{
	int cpus = libbpf_num_possible_cpus();
	struct hf_count sum = { 0 }, each[256];
	uint64_t *total = (uint64_t *)&sum;
	uint32_t zero = 0;

	assert_in_range(cpus, 1, 256);
	assert_int_equal(bpf_map_lookup_elem(run->count, &zero, each), 0);
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < sizeof(sum) / sizeof(uint64_t); i++)
			total[i] += ((uint64_t *)&each[cpu])[i];
	return sum;
}

/* held_stray, held_sealed and drop_pair_full say more about packets that `held` has already counted. */
uint64_t run_fates(const struct hf_count *count)
{
	return count->out_esp + count->out_clear + count->out_by_policy + count->out_released + count->out_exempt +
	       count->out_not_ip + count->held + count->drop_block + count->drop_slots_full + count->drop_queues_full +
	       count->drop_too_big + count->drop_copy + count->drop_reinjected + count->drop_race +
	       count->drop_malformed + count->in_esp + count->in_decrypted + count->in_pass + count->in_exempt +
	       count->in_not_ip + count->in_drop_clear + count->in_drop_block + count->in_drop_malformed +
	       count->malformed_passed;
}

struct hf_pair run_pair(const char *local, const char *remote)
{
	struct hf_pair pair;

	assert_int_equal(addr_parse(&pair.local, local, NULL), 0);
	assert_int_equal(addr_parse(&pair.remote, remote, NULL), 0);
	return pair;
}

void run_rule(struct run *run, const char *prefix, enum hf_group group)
{
	struct hf_rule rule = { .group = group };
	struct hf_prefix key;

	assert_int_equal(prefix_parse(&key, prefix, NULL), 0);
	assert_int_equal(bpf_map_update_elem(run->policy, &key, &rule, BPF_ANY), 0);
}

void run_verdict(struct run *run, const struct hf_pair *pair, const struct hf_gate *gate)
{
	struct hf_gate value = *gate;

	value.mark = hf_pair_mark(pair);
	assert_int_equal(bpf_map_update_elem(run->gate, pair, &value, BPF_ANY), 0);
}

void run_verdict_remove(struct run *run, const struct hf_pair *pair)
{
	bpf_map_delete_elem(run->gate, pair);
}

void run_exempt(struct run *run, const char *addr, uint32_t flags)
{
	struct hf_exempt exempt = { .flags = flags };
	struct hf_addr key;

	assert_int_equal(addr_parse(&key, addr, NULL), 0);
	assert_int_equal(bpf_map_update_elem(run->exempt, &key, &exempt, BPF_ANY), 0);
}

uint64_t run_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

unsigned int run_events(struct run *run)
{
	unsigned int before = run->events;

	ring_buffer__consume(run->ring);
	return run->events - before;
}

int run_queue(const struct run *run, const struct hf_pair *pair)
{
	struct hf_hold hold;

	return bpf_map_lookup_elem(run->hold, pair, &hold) ? -1 : (int)hold.queue;
}

static struct hf_slot_head *slot_head(struct run *run, uint32_t ref)
{
	uint32_t index = (ref & ~HF_REF_BIG) - 1;

	return ref & HF_REF_BIG ? &run->slot_big[index].head : &run->slot[index].head;
}

bool run_take(struct run *run, uint32_t index, struct hf_slot_head *head, uint8_t *data)
{
	struct hf_queue *queue = &run->queue[index];
	uint32_t taken = __atomic_load_n(&queue->taken, __ATOMIC_SEQ_CST);
	struct hf_slot_head *slot;
	uint32_t ref;

	if (taken == (uint32_t)__atomic_load_n(&queue->state, __ATOMIC_SEQ_CST))
		return false;
	ref = __atomic_exchange_n(&queue->slot[taken % HF_QUEUE_SLOTS], 0, __ATOMIC_SEQ_CST);
	if (!ref)
		return false;
	slot = slot_head(run, ref);
	*head = *slot;
	if (data)
		memcpy(data, slot + 1, head->len);
	__atomic_fetch_sub(&queue->bytes, head->len, __ATOMIC_SEQ_CST);
	__atomic_store_n(&queue->taken, taken + 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&slot->owner, 0, __ATOMIC_SEQ_CST);
	return true;
}

bool run_queue_close(struct run *run, uint32_t index)
{
	struct hf_queue *queue = &run->queue[index];
	struct hf_pair pair = queue->pair;
	__u64 state;

	/* Asked a second time, the pair may have another queue by now, which stays. */
	if (run_queue(run, &pair) == (int)index)
		bpf_map_delete_elem(run->hold, &pair);
	state = __atomic_load_n(&queue->state, __ATOMIC_SEQ_CST);
	if ((uint32_t)state != queue->taken)
		return false;
	if (!__atomic_compare_exchange_n(&queue->state, &state, state | HF_QUEUE_CLOSED, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	__atomic_store_n(&queue->owner, 0, __ATOMIC_SEQ_CST);
	return true;
}

uint32_t run_slots_used(const struct run *run)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < run->size.slots; i++)
		used += run->slot[i].head.owner != 0;
	for (uint32_t i = 0; i < run->size.slots_big; i++)
		used += run->slot_big[i].head.owner != 0;
	return used;
}
