// SPDX-License-Identifier: Apache-2.0
/*
 * Held packets, seen from the agent: the queues and slots that bpf/hold.h fills, as shared memory. All moves between
 * the two sides are the exchanges abi.h describes; no system call is needed to look, take or free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/nstime.h"
#include "dataplane/dp.h"

/* A program that took a position publishes its slot within nanoseconds, unless its (virtual) CPU was stopped. */
#define PUBLISH_SPINS 1000

/* A program that was stopped in the middle of a push is given this long before its place counts as a dead agent's. */
#define GAP_US 10000

/* Rounds of draining before an order to close gives up on a sender without pause. */
#define CLOSE_TRIES 8

/* What a program has in hand is in hand for microseconds; a slot that nobody knows of for this long is lost. */
#define ORPHAN_NS 1000000000ull

/* How long after an adoption orphans are looked for: until everything a dead agent had in hand is older than that. */
#define AUDIT_NS 4000000000ull

static struct hf_slot_head *slot_head(const struct dataplane *dp, uint32_t ref)
{
	uint32_t index = (ref & ~HF_REF_BIG) - 1;

	return dp_at(ref & HF_REF_BIG ? &dp->slots_big : &dp->slots, index);
}

static uint8_t *slot_data(struct hf_slot_head *head)
{
	return (uint8_t *)head + sizeof(*head);
}

static uint32_t slot_room(uint32_t ref)
{
	return ref & HF_REF_BIG ? HF_SLOT_BIG_DATA : HF_SLOT_DATA;
}

static void slot_free(struct hf_slot_head *head)
{
	__atomic_store_n(&head->owner, 0, __ATOMIC_RELEASE);
}

static uint64_t queue_state(const struct hf_queue *queue)
{
	return __atomic_load_n(&queue->state, __ATOMIC_ACQUIRE);
}

static bool queue_is_empty(const struct hf_queue *queue)
{
	return (uint32_t)queue_state(queue) == queue->taken;
}

static struct hf_queue *queue_of(struct dataplane *dp, const struct hf_pair *pair, uint32_t *index)
{
	struct hf_queue *queue;
	struct hf_hold hold;

	if (bpf_map_lookup_elem(dp->map[DP_HOLD], pair, &hold) < 0)
		return NULL;
	*index = hold.queue;
	queue = dp_at(&dp->queues, hold.queue);
	return queue && pair_equal(&queue->pair, pair) ? queue : NULL;
}

static void pass_place(struct hf_queue *queue)
{
	__atomic_add_fetch(&queue->taken, 1, __ATOMIC_ACQ_REL);
}

/*
 * Takes the oldest packet off: its slot is then ours to free. NULL when nothing waits, or when what waits is not
 * published yet. Its place counts as waiting until `pass_place`: a newer packet that finds the queue empty overtakes what
 * is not on its way by then.
 */
static struct hf_slot_head *take(struct dataplane *dp, struct hf_queue *queue, uint32_t *ref)
{
	uint32_t *place = &queue->slot[queue->taken % HF_QUEUE_SLOTS];
	struct hf_slot_head *head;

	if (queue_is_empty(queue))
		return NULL;
	*ref = 0;
	for (int i = 0; i < PUBLISH_SPINS && !*ref; i++)
		*ref = __atomic_exchange_n(place, 0, __ATOMIC_ACQ_REL);
	if (!*ref)
		return NULL;
	head = slot_head(dp, *ref);
	/* The bytes leave before the place is free, so that a program never believes in more room than there is. */
	__atomic_sub_fetch(&queue->bytes, head ? head->len : 0, __ATOMIC_ACQ_REL);
	if (!head)
		pass_place(queue);
	return head;
}

static void let_go(struct dataplane *dp, struct hf_queue *queue, struct hf_slot_head *head, uint32_t ref,
		   const struct dataplane_drain *order, uint64_t now)
{
	uint32_t len = head->len;

	if (len > slot_room(ref)) {
		dp->agent->drop_malformed++;
	} else if (!pair_equal(&head->pair, &queue->pair)) {
		/* Queued by a program that was stopped while its queue went to another pair (bpf/hold.h). */
		dp->agent->drop_changed++;
	} else if (order->how == DATAPLANE_DENY) {
		dp->agent->drop_denied++;
		release_denied(dp->release, slot_data(head), len, head->mark);
	} else if (now > head->time_ns && now - head->time_ns > dp->hold_age_ns) {
		dp->agent->drop_expired++;
	} else {
		release_packet(dp->release, head, slot_data(head));
	}
	pass_place(queue);
	slot_free(head);
}

static void loose_forget(struct dataplane *dp, uint32_t index)
{
	unsigned int i = 0;

	while (i < dp->loose_count && dp->loose[i] != index)
		i++;
	if (i < dp->loose_count)
		memmove(&dp->loose[i], &dp->loose[i + 1], (--dp->loose_count - i) * sizeof(dp->loose[0]));
}

static struct hf_queue *loose_of(struct dataplane *dp, const struct hf_pair *pair, uint32_t *index)
{
	for (unsigned int i = 0; i < dp->loose_count; i++) {
		struct hf_queue *queue = dp_at(&dp->queues, dp->loose[i]);

		*index = dp->loose[i];
		if (queue && pair_equal(&queue->pair, pair))
			return queue;
	}
	return NULL;
}

/*
 * Gives an empty queue back. The pair's entry goes first: a program that looks now opens a new queue and reports it.
 * One that had found this queue may still fill it, which the compare and exchange sees. False when it did: then the
 * queue has lost its entry, and the caller goes on with it or enters it again.
 */
static bool close_empty(struct dataplane *dp, struct hf_queue *queue, uint32_t index)
{
	struct hf_hold hold;
	__u64 state = queue_state(queue);

	if ((uint32_t)state != queue->taken)
		return false;
	if (bpf_map_lookup_elem(dp->map[DP_HOLD], &queue->pair, &hold) == 0 && hold.queue == index)
		bpf_map_delete_elem(dp->map[DP_HOLD], &queue->pair);
	if (!__atomic_compare_exchange_n(&queue->state, &state, state | HF_QUEUE_CLOSED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return false;
	/* Nothing is left by now; a slot that still stood here would be lost for good. */
	for (int i = 0; i < HF_QUEUE_SLOTS; i++) {
		uint32_t ref = __atomic_exchange_n(&queue->slot[i], 0, __ATOMIC_ACQ_REL);
		struct hf_slot_head *head = ref ? slot_head(dp, ref) : NULL;

		if (head) {
			dp->agent->drop_changed++;
			slot_free(head);
		}
	}
	loose_forget(dp, index);
	__atomic_store_n(&queue->owner, 0, __ATOMIC_RELEASE);
	return true;
}

/*
 * A queue that lost its entry and was not closed, because an agent died in between or packets came without end, is
 * entered again, or nobody would find it. Where the pair has a new queue by now, the old one is remembered: what it holds
 * goes first. Without room to remember it is left to the next sweep.
 */
static void reenter(struct dataplane *dp, struct hf_queue *queue, uint32_t index)
{
	struct hf_hold hold = { .queue = index, .opening = (uint32_t)(queue_state(queue) >> 32) };
	uint32_t other;

	if (bpf_map_lookup_elem(dp->map[DP_HOLD], &queue->pair, &hold) < 0)
		bpf_map_update_elem(dp->map[DP_HOLD], &queue->pair, &hold, BPF_NOEXIST);
	if (bpf_map_lookup_elem(dp->map[DP_HOLD], &queue->pair, &hold) < 0 || hold.queue == index)
		return;
	loose_forget(dp, index);
	if (!loose_of(dp, &queue->pair, &other) && dp->loose_count < DP_LOOSE_MAX)
		dp->loose[dp->loose_count++] = index;
}

/*
 * While a handoff lasts the queue stays, empty or not: in the instant between its two steps a program could queue a packet
 * into it, and the same sender's next one would find no queue to wait in.
 */
static bool is_in_handoff(struct dataplane *dp, const struct hf_pair *pair, uint64_t now)
{
	struct hf_gate gate;

	return __atomic_load_n(&dp->config->handoffs, __ATOMIC_RELAXED) &&
	       bpf_map_lookup_elem(dp->map[DP_GATE], pair, &gate) == 0 && gate.handoff_until_ns > now;
}

static int begin(struct dataplane *dp, const struct hf_pair *pair, const struct dataplane_drain *order, struct err *err)
{
	struct release_how how = {
		.sealed = order->how == DATAPLANE_SEALED,
		.tunnel = order->tunnel,
		.gateway = order->gateway,
		.reqid = order->reqid,
		.policy_later = order->policy_later,
	};

	return order->how == DATAPLANE_DENY ? 0 : release_begin(dp->release, pair, &how, err);
}

/* Takes off and lets go what waits now, HF_QUEUE_SLOTS packets at most. */
static int drain_once(struct dataplane *dp, struct hf_queue *queue, const struct dataplane_drain *order, uint64_t now,
		      struct dataplane_drained *out, struct err *err)
{
	struct hf_slot_head *head;
	uint32_t ref;
	int error;

	if (queue_is_empty(queue))
		return 0;
	error = begin(dp, &queue->pair, order, err);
	if (error < 0)
		return error;
	for (int i = 0; i < HF_QUEUE_SLOTS && (head = take(dp, queue, &ref)); i++) {
		let_go(dp, queue, head, ref, order, now);
		out->packets++;
	}
	if (order->how != DATAPLANE_DENY)
		release_end(dp->release);
	return 0;
}

static int drain_queue(struct dataplane *dp, struct hf_queue *queue, uint32_t index,
		       const struct dataplane_drain *order, bool close, uint64_t now, struct dataplane_drained *out,
		       struct err *err)
{
	for (int i = 0; i < CLOSE_TRIES; i++) {
		int error = drain_once(dp, queue, order, now, out, err);

		if (error < 0)
			return error;
		/* A new packet is news again. Said before emptiness is asked, or one that comes in between is forgotten. */
		__atomic_store_n(&queue->reported, 0, __ATOMIC_SEQ_CST);
		out->empty = queue_is_empty(queue);
		if (!close || (out->empty && close_empty(dp, queue, index)))
			return 0;
	}
	reenter(dp, queue, index);
	return 0;
}

int dataplane_drain(struct dataplane *dp, const struct hf_pair *pair, const struct dataplane_drain *order, uint64_t now,
		    struct dataplane_drained *out, struct err *err)
{
	bool close = order->close && (order->how == DATAPLANE_DENY || !is_in_handoff(dp, pair, now));
	struct hf_queue *queue;
	uint32_t index = 0;
	int error = 0;

	*out = (struct dataplane_drained){ .empty = true };
	if (!order->policy_later)
		release_tell_late(dp->release);
	queue = loose_of(dp, pair, &index);
	if (queue)
		error = drain_queue(dp, queue, index, order, true, now, out, err);
	if (error < 0 || !out->empty)
		return error;
	queue = queue_of(dp, pair, &index);
	return queue ? drain_queue(dp, queue, index, order, close, now, out, err) : 0;
}

/* Drops from the head of the queue what is too old. */
static void expire(struct dataplane *dp, struct hf_queue *queue, uint64_t now)
{
	while (!queue_is_empty(queue)) {
		uint32_t ref = __atomic_load_n(&queue->slot[queue->taken % HF_QUEUE_SLOTS], __ATOMIC_ACQUIRE);
		struct hf_slot_head *head = ref ? slot_head(dp, ref) : NULL;

		if (!head || now < head->time_ns || now - head->time_ns <= dp->hold_age_ns)
			return;
		head = take(dp, queue, &ref);
		if (!head)
			return;
		dp->agent->drop_expired++;
		pass_place(queue);
		slot_free(head);
	}
}

static bool is_listed(const struct dataplane *dp, const struct hf_slot_head *head, uint32_t ref)
{
	const struct hf_queue *queue = dp_at(&dp->queues, head->owner - 1);

	if (!queue || !queue->owner)
		return false;
	for (int i = 0; i < HF_QUEUE_SLOTS; i++)
		if (__atomic_load_n(&queue->slot[i], __ATOMIC_ACQUIRE) == ref)
			return true;
	return false;
}

/* A slot in use that no queue lists. One that a program has just claimed still shows the time it was last used. */
static bool is_suspect(const struct dataplane *dp, const struct hf_slot_head *head, uint32_t ref, uint64_t now)
{
	return __atomic_load_n(&head->owner, __ATOMIC_ACQUIRE) && now >= nstime_add(head->time_ns, ORPHAN_NS) &&
	       !is_listed(dp, head, ref);
}

/*
 * Frees slots that a dead agent took off a queue and did not get to free: those that are suspect in two passes that
 * lie ORPHAN_NS apart, with the same time in them. `seen` is the first pass's, one time per slot.
 */
static void audit_slots(struct dataplane *dp, struct dp_array *slots, uint32_t flag, uint64_t *seen, bool first,
			uint64_t now)
{
	for (uint32_t i = 0; i < slots->count; i++) {
		struct hf_slot_head *head = dp_at(slots, i);
		bool suspect = is_suspect(dp, head, (i + 1) | flag, now);

		if (first) {
			seen[i] = suspect ? head->time_ns + 1 : 0;
		} else if (suspect && seen[i] == head->time_ns + 1) {
			dp->agent->drop_changed++;
			slot_free(head);
		}
	}
}

/* The oldest place of the queue is counted and shows no slot: a program is about to publish it, or an agent died taking it. */
static bool has_gap(const struct hf_queue *queue)
{
	return __atomic_load_n(&queue->owner, __ATOMIC_ACQUIRE) && !queue_is_empty(queue) &&
	       !__atomic_load_n(&queue->slot[queue->taken % HF_QUEUE_SLOTS], __ATOMIC_ACQUIRE);
}

static bool any_gap(const struct dataplane *dp)
{
	for (uint32_t i = 0; i < dp->queues.count; i++)
		if (has_gap(dp_at(&dp->queues, i)))
			return true;
	return false;
}

void dp_hold_recover(struct dataplane *dp)
{
	if (!any_gap(dp))
		return;
	usleep(GAP_US);
	for (uint32_t i = 0; i < dp->queues.count; i++) {
		struct hf_queue *queue = dp_at(&dp->queues, i);

		/* One packet was in the dead agent's hand: its slot is an orphan, which the audit frees. */
		if (has_gap(queue))
			__atomic_add_fetch(&queue->taken, 1, __ATOMIC_ACQ_REL);
	}
}

/* One queue: what is too old goes, what waits is told, what is empty is given back. */
static bool sweep_queue(struct dataplane *dp, struct hf_queue *queue, uint32_t index, uint64_t now)
{
	bool settled = now >= nstime_add(queue->first_ns, ORPHAN_NS), empty;

	expire(dp, queue, now);
	empty = queue_is_empty(queue);
	if (!settled || (empty && is_in_handoff(dp, &queue->pair, now)))
		return !empty;
	if (empty && close_empty(dp, queue, index))
		return false;
	reenter(dp, queue, index);
	return !queue_is_empty(queue);
}

/* Without memory for the first pass's result nothing is freed: lost room is better than a packet freed under a program. */
static void audit_all_slots(struct dataplane *dp, bool first, uint64_t now)
{
	if (first && !dp->audit_seen)
		dp->audit_seen = calloc((size_t)dp->slots.count + dp->slots_big.count, sizeof(*dp->audit_seen));
	if (!dp->audit_seen)
		return;
	audit_slots(dp, &dp->slots, 0, dp->audit_seen, first, now);
	audit_slots(dp, &dp->slots_big, HF_REF_BIG, dp->audit_seen + dp->slots.count, first, now);
}

static void audit(struct dataplane *dp, uint64_t now)
{
	bool last = now >= dp->audit_end_ns;

	if (!dp->audit_seen && now + 2 * ORPHAN_NS >= dp->audit_end_ns)
		audit_all_slots(dp, true, now);
	if (!last)
		return;
	audit_all_slots(dp, false, now);
	free(dp->audit_seen);
	dp->audit_seen = NULL;
	dp->audit_end_ns = 0;
}

void dataplane_sweep(struct dataplane *dp, uint64_t now, void (*waiting)(void *arg, const struct hf_pair *pair),
		     void *arg)
{
	struct hf_pair first;

	if (dp->adopted && !dp->swept)
		dp->audit_end_ns = nstime_add(now, AUDIT_NS);
	dp->swept = true;
	/* On a quiet host nothing waits, which one question to the map tells. */
	if (!dp->audit_end_ns && bpf_map_get_next_key(dp->map[DP_HOLD], NULL, &first) < 0)
		return;
	for (uint32_t i = 0; i < dp->queues.count; i++) {
		struct hf_queue *queue = dp_at(&dp->queues, i);

		if (__atomic_load_n(&queue->owner, __ATOMIC_ACQUIRE) && sweep_queue(dp, queue, i, now))
			waiting(arg, &queue->pair);
	}
	if (dp->audit_end_ns)
		audit(dp, now);
}
