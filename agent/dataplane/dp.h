// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of this room share: the maps as descriptors and, where the kernel lets us, as memory.
 */
#ifndef DATAPLANE_DP_H
#define DATAPLANE_DP_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/err.h"
#include "dataplane/dataplane.h"
#include "dataplane/release.h"

/* In the order of bpf/maps.h. */
enum dp_map {
	DP_POLICY,
	DP_GATE,
	DP_HOLD,
	DP_QUEUE,
	DP_SLOT,
	DP_SLOT_BIG,
	DP_EXEMPT,
	DP_CONFIG,
	DP_BUDGET,
	DP_COUNT,
	DP_AGENT,
	DP_RING,
	DP_MAPS
};

/* A mapped array: values `stride` octets apart. */
struct dp_array {
	uint8_t *memory;
	size_t octets, stride;
	uint32_t count;
};

struct egress_bpf;
struct ingress_bpf;

/* Queues that lost their entry in hf_hold to a newer one before they were empty: the instant is short, so they are few. */
#define DP_LOOSE_MAX 16

struct dataplane {
	struct egress_bpf *egress;
	struct ingress_bpf *ingress;
	int map[DP_MAPS]; /* owned by the skeletons */
	uint32_t map_max[DP_MAPS];
	bool made[DP_MAPS];	       /* there was no pin before this start */
	int egress_prog, ingress_prog; /* likewise */
	struct dp_array queues, slots, slots_big;
	struct hf_config *config;
	struct hf_agent *agent;
	struct ring_buffer *ring;
	const struct dataplane_events *events; /* during dataplane_ring_read */
	void *events_arg;
	unsigned int events_left;
	struct release *release;
	uint32_t loose[DP_LOOSE_MAX]; /* indices of such queues, oldest first */
	unsigned int loose_count;
	uint64_t hold_age_ns;
	struct shield *shield; /* NULL = there is none */
	struct porter *porter; /* NULL = the shield goes into no dispatcher */
	struct err no_porter;  /* why */
	bool adopted, tcx;
	bool swept;	       /* at least once */
	uint64_t *audit_seen;  /* first pass of the audit: per slot, 1 + its time where it was suspect */
	uint64_t audit_end_ns; /* until then, what a dead agent had in hand is looked for; 0 = done */
};

static inline void *dp_at(const struct dp_array *array, uint32_t index)
{
	return index < array->count ? array->memory + (size_t)index * array->stride : NULL;
}

extern const char *const dp_map_names[DP_MAPS];

/* gatemap.c: sums the counters of the one value of a per-CPU array, all 64 bits wide; 0 when they cannot be read. */
void dp_sum(int map, void *out, size_t size);

/* load.c: libbpf's last warning; a program that is not loaded yet gets the pinned maps for those of its own that have their names. */
const char *dp_libbpf_said(void);
int dp_adopt_maps(struct dataplane *dp, struct bpf_object *object, struct err *err);

/*
 * shield.c: dp_shield_pins points the maps of its object at their pins; dp_shield_as_guest leaves the object nothing but the program for a
 * dispatcher and what that needs.
 */
#define DP_SHIELD_GUEST "hf_shield_guest"
void dp_shield_close(struct dataplane *dp);
int dp_shield_pins(struct bpf_object *object);
int dp_shield_as_guest(struct bpf_object *object);

/* hold.c: closes the gaps that an agent left which died while it took packets off. */
void dp_hold_recover(struct dataplane *dp);

/* ring.c */
int dp_ring_open(struct dataplane *dp, struct err *err);

/* attach.c: dp_link_attach puts the program on the interface through a pinned link, or into the link that is there. -errno. */
bool dp_probe_tcx(void);
int dp_link_attach(const char *hook, int prog, int ifindex, int type, uint32_t flags);
void dp_link_detach(const char *hook, int ifindex);
bool dp_link_is_there(const char *hook, int ifindex);

/* dp_links_remove takes off all links of a hook, "" for those of every hook. */
void dp_links_remove(const char *hook);
void dp_unload_links(void);

#endif
