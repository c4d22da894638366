/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel types that are not UAPI, for CO-RE: only what vmlinux/types names, relocated when a program is loaded.
 * Made by vmlinux/make from the BTF of Linux 6.18; do not edit. See vmlinux/README.md.
 */
#ifndef HOLDFAST_VMLINUX_H
#define HOLDFAST_VMLINUX_H

#include <linux/types.h>

/* clang-format off */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr___hf {
	union {
		__u8 u6_addr8[16];
		__u16 u6_addr16[8];
		__u32 u6_addr32[4];
	} in6_u;
};

struct xfrm_id___hf {
	union {
		__u32 a4;
		__u32 a6[4];
		struct in6_addr___hf in6;
	} daddr;
	__u32 spi;
	__u8 proto;
};

struct xfrm_state___hf {
	struct xfrm_id___hf id;
};

struct bpf_xfrm_state_opts___hf {
	__s32 error;
	__s32 netns_id;
	__u32 mark;
	union {
		__u32 a4;
		__u32 a6[4];
		struct in6_addr___hf in6;
	} daddr;
	__u32 spi;
	__u8 proto;
	__u16 family;
};

#pragma clang attribute pop
/* clang-format on */

#endif
