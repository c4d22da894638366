// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Somebody else's XDP program in scenarios: it counts what it is shown, and lets everything pass. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char other_license[] SEC("license") = "Dual BSD/GPL";

struct seen {
	__u64 all;
	__u64 ike; /* to port 500 by IPv4 */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct seen);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} seen SEC(".maps");

struct frame {
	struct ethhdr eth;
	struct iphdr ip; /* without options: the lab's */
	struct udphdr udp;
} __attribute__((packed));

SEC("xdp")
int xdp_other(struct xdp_md *ctx)
{
	const struct frame *frame = (void *)(long)ctx->data;
	struct seen *value;
	__u32 zero = 0;

	value = bpf_map_lookup_elem(&seen, &zero);
	if (!value)
		return XDP_PASS;
	__sync_fetch_and_add(&value->all, 1);
	if ((void *)(frame + 1) <= (void *)(long)ctx->data_end && frame->eth.h_proto == bpf_htons(ETH_P_IP) &&
	    frame->ip.protocol == IPPROTO_UDP && frame->udp.dest == bpf_htons(500))
		__sync_fetch_and_add(&value->ike, 1);
	return XDP_PASS;
}
