// SPDX-License-Identifier: Apache-2.0
/*
 * Decisions into maps: gate entries, policy rules, exempt addresses, and the counters out of them.
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "dataplane/dp.h"

int dataplane_gate_set(struct dataplane *dp, const struct hf_pair *pair, const struct hf_gate *gate)
{
	struct hf_gate value = *gate;

	value.mark = hf_pair_mark(pair);
	return bpf_map_update_elem(dp->map[DP_GATE], pair, &value, BPF_ANY);
}

int dataplane_gate_get(struct dataplane *dp, const struct hf_pair *pair, struct hf_gate *out)
{
	return bpf_map_lookup_elem(dp->map[DP_GATE], pair, out);
}

int dataplane_gate_del(struct dataplane *dp, const struct hf_pair *pair)
{
	int error = bpf_map_delete_elem(dp->map[DP_GATE], pair);

	return error == -ENOENT ? 0 : error;
}

void dataplane_gate_each(struct dataplane *dp, bool (*see)(void *arg, const struct hf_pair *, const struct hf_gate *),
			 void *arg)
{
	struct hf_pair pair, next;
	struct hf_gate gate;
	bool more = bpf_map_get_next_key(dp->map[DP_GATE], NULL, &next) == 0;

	while (more) {
		pair = next;
		/* Before `see`, which may delete the pair and with it the place in the walk. */
		more = bpf_map_get_next_key(dp->map[DP_GATE], &pair, &next) == 0;
		if (bpf_map_lookup_elem(dp->map[DP_GATE], &pair, &gate) == 0 && !see(arg, &pair, &gate))
			return;
	}
}

/* Entries of one system call; some 13 KB of stack. A bucket of the map has to fit. */
#define GATE_BATCH 128

int dataplane_gate_count(struct dataplane *dp, uint32_t by_verdict[DATAPLANE_VERDICTS])
{
	struct hf_pair pairs[GATE_BATCH];
	struct hf_gate gates[GATE_BATCH];
	uint32_t at = 0, count;
	bool more, first = true;

	memset(by_verdict, 0, DATAPLANE_VERDICTS * sizeof(by_verdict[0]));
	do {
		int error;

		count = GATE_BATCH;
		error = bpf_map_lookup_batch(dp->map[DP_GATE], first ? NULL : &at, &at, pairs, gates, &count, NULL);
		if (error < 0 && error != -ENOENT)
			return error;
		for (uint32_t i = 0; i < count; i++)
			by_verdict[gates[i].verdict < DATAPLANE_VERDICTS ? gates[i].verdict : 0]++;
		first = false;
		more = error == 0;
	} while (more);
	return 0;
}

static int compare_rules(const void *a, const void *b)
{
	const struct dataplane_rule *x = a, *y = b;

	if (x->prefix.prefix_len != y->prefix.prefix_len)
		return x->prefix.prefix_len < y->prefix.prefix_len ? -1 : 1;
	return addr_compare(&x->prefix.addr, &y->prefix.addr);
}

/* Removes what is in the trie and not among the sorted rules. */
static int remove_others(struct dataplane *dp, const struct dataplane_rule *rules, size_t count)
{
	struct dataplane_rule found = { 0 };
	struct hf_prefix next;
	bool more = bpf_map_get_next_key(dp->map[DP_POLICY], NULL, &next) == 0;

	while (more) {
		found.prefix = next;
		more = bpf_map_get_next_key(dp->map[DP_POLICY], &found.prefix, &next) == 0;
		if (!bsearch(&found, rules, count, sizeof(*rules), compare_rules) &&
		    bpf_map_delete_elem(dp->map[DP_POLICY], &found.prefix) < 0)
			return -errno;
	}
	return 0;
}

int dataplane_policy_set(struct dataplane *dp, const struct dataplane_rule *rules, size_t count, bool strict,
			 struct err *err)
{
	OWN_FREE struct dataplane_rule *sorted = calloc(count, sizeof(*sorted));
	char text[PREFIX_TEXT_MAX];

	if (!sorted)
		return err_set(err, -ENOMEM, "no memory for %zu policy rules", count);
	memcpy(sorted, rules, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_rules);
	if (strict)
		dp->config->flags |= HF_CONFIG_STRICT;
	/* The longest prefixes first: a shorter new one must not govern what a longer new one is about to. */
	for (size_t i = count; i-- > 0;) {
		struct hf_rule rule = { .group = sorted[i].group };

		if (bpf_map_update_elem(dp->map[DP_POLICY], &sorted[i].prefix, &rule, BPF_ANY) < 0)
			return err_set(err, -errno, "policy %s cannot be written: %s",
				       prefix_format(text, &sorted[i].prefix), strerror(errno));
	}
	if (remove_others(dp, sorted, count) < 0)
		return err_set(err, -errno, "old policy rules cannot be removed: %s", strerror(errno));
	if (!strict)
		dp->config->flags &= ~HF_CONFIG_STRICT;
	return 0;
}

int dataplane_policy_put(struct dataplane *dp, const struct dataplane_rule *rule)
{
	struct hf_rule value = { .group = rule->group };

	return bpf_map_update_elem(dp->map[DP_POLICY], &rule->prefix, &value, BPF_ANY) < 0 ? -errno : 0;
}

int dataplane_exempt_set(struct dataplane *dp, const struct hf_addr *addr, uint32_t flags)
{
	struct hf_exempt exempt = { .flags = flags };

	if (flags)
		return bpf_map_update_elem(dp->map[DP_EXEMPT], addr, &exempt, BPF_ANY);
	bpf_map_delete_elem(dp->map[DP_EXEMPT], addr);
	return 0;
}

/* The next key is asked for while this one is there: after a key that is gone, the kernel begins anew. */
void dataplane_exempt_each(struct dataplane *dp, void (*see)(void *arg, const struct hf_addr *addr), void *arg)
{
	struct hf_addr addr, next;
	int error = bpf_map_get_next_key(dp->map[DP_EXEMPT], NULL, &next);

	while (error == 0) {
		addr = next;
		error = bpf_map_get_next_key(dp->map[DP_EXEMPT], &addr, &next);
		see(arg, &addr);
	}
}

void dataplane_handoffs(struct dataplane *dp, bool pending)
{
	__atomic_store_n(&dp->config->handoffs, pending, __ATOMIC_SEQ_CST);
}

void dataplane_answers(struct dataplane *dp, bool wanted)
{
	if (wanted)
		dp->config->flags |= HF_CONFIG_ANSWERS;
	else
		dp->config->flags &= ~(uint32_t)HF_CONFIG_ANSWERS;
}

void dp_sum(int map, void *out, size_t size)
{
	int cpus = libbpf_num_possible_cpus();
	size_t words = size / sizeof(uint64_t);
	OWN_FREE uint64_t *values = calloc(cpus > 0 ? (size_t)cpus : 1, size);
	uint64_t *sum = out;
	uint32_t zero = 0;

	memset(out, 0, size);
	if (!values || cpus <= 0 || bpf_map_lookup_elem(map, &zero, values) < 0)
		return;
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			sum[i] += values[(size_t)cpu * words + i];
}

void dataplane_count(struct dataplane *dp, struct hf_count *out)
{
	dp_sum(dp->map[DP_COUNT], out, sizeof(*out));
}

void dataplane_agent_count(struct dataplane *dp, struct hf_agent *out)
{
	*out = *dp->agent;
}

static uint32_t count_slots(const struct dp_array *slots)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < slots->count; i++) {
		const struct hf_slot_head *head = dp_at(slots, i);

		used += __atomic_load_n(&head->owner, __ATOMIC_RELAXED) != 0;
	}
	return used;
}

void dataplane_usage(struct dataplane *dp, struct dataplane_usage *out)
{
	*out = (struct dataplane_usage){
		.slots = count_slots(&dp->slots),
		.slots_max = dp->slots.count,
		.slots_big = count_slots(&dp->slots_big),
		.slots_big_max = dp->slots_big.count,
		.queues_max = dp->queues.count,
		.gate_max = dp->map_max[DP_GATE],
	};
	for (uint32_t i = 0; i < dp->queues.count; i++) {
		const struct hf_queue *queue = dp_at(&dp->queues, i);

		out->queues += __atomic_load_n(&queue->owner, __ATOMIC_RELAXED) != 0;
	}
}
