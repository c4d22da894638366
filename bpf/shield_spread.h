/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ESP over processors, by SPI: the stack decrypts on the one that it is handed to, so that a host's SAs are not all opened by the
 * processor that the device interrupts. One SA is always one processor's, which keeps its order.
 *
 * Only where the driver runs the program. The kernel has made a packet otherwise, and loses count of its link header when a program that knows of
 * fragments hands it on (seen with 6.12 and 6.18): no such packet arrives.
 */
#ifndef HF_SHIELD_SPREAD_H
#define HF_SHIELD_SPREAD_H

#include "shield_maps.h"

/* Passes where there is nothing to spread over, and where the processor is gone. */
static __always_inline int spread(__be32 spi)
{
	const struct hf_shield_set *set;
	__u32 zero = 0, over, cpu;

	set = bpf_map_lookup_elem(&hf_shield_set, &zero);
	if (!set || read_once(set->version) != HF_SHIELD_VERSION)
		return XDP_PASS;
	over = read_once(set->spread);
	if (over < 2 || over > HF_SHIELD_SPREAD_MAX)
		return XDP_PASS;
	cpu = set->spread_cpu[((__u64)(spi * 0x9e3779b1u) * over >> 32) & (HF_SHIELD_SPREAD_MAX - 1)];
	SHIELD_COUNT(esp_spread);
	return (int)bpf_redirect_map(&hf_shield_cpu, cpu, XDP_PASS);
}

#endif
