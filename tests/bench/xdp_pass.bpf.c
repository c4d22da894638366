// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the shield is measured against: an XDP program that lets everything pass. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char bench_license[] SEC("license") = "Dual BSD/GPL";

SEC("xdp")
int bench_xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
