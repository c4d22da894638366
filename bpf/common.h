/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every program needs: the kernel's UAPI types, libbpf's helpers, the shared layouts. No kernel
 * type is touched through CO-RE, so that the programs load on a kernel without BTF.
 */
#ifndef HF_COMMON_H
#define HF_COMMON_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "holdfast/abi.h"

/* Atomics on shared maps. All are fully ordered (BPF_FETCH), on arm64 too. -mcpu=v3, kernel 5.12. */
#define xchg(pointer, value) __sync_lock_test_and_set(pointer, value)
#define cmpxchg(pointer, expected, value) __sync_val_compare_and_swap(pointer, expected, value)
#define fetch_add(pointer, value) __sync_fetch_and_add(pointer, value)
#define read_once(object) (*(const volatile __typeof__(object) *)&(object))
#define write_once(object, value) (*(volatile __typeof__(object) *)&(object) = (value))

#endif
