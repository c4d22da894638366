// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the gate is measured against: a TC program that does nothing, and one that gives each packet another destination
 * before it goes on to the program under test (or to the empty one), so that no two runs find their pair in the cache.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char bench_license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} bench_next SEC(".maps");

/* How many destinations, where in the frame their last four octets lie, and the first one in host order. */
__u32 bench_peers = 1;
__u32 bench_offset = 30;
__u32 bench_first = 0;

SEC("tc")
int bench_empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bench_scatter(struct __sk_buff *skb)
{
	__u32 peers = bench_peers ? bench_peers : 1;
	__be32 addr = bpf_htonl(bench_first + bpf_get_prandom_u32() % peers);

	bpf_skb_store_bytes(skb, bench_offset, &addr, sizeof(addr), 0);
	bpf_tail_call(skb, &bench_next, 0);
	return TC_ACT_UNSPEC;
}
