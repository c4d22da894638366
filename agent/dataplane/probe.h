// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel offers the datapath, found by trying each thing for real. Everything that could leave a
 * trace is tried by a child process in a network namespace of its own, which ends with it.
 */
#ifndef DATAPLANE_PROBE_H
#define DATAPLANE_PROBE_H

#include <stdbool.h>

#include "base/err.h"

#define PROBE_RELEASE_MAX 65

/* An int is 0 when the thing works, else the -errno that trying it gave. */
struct dataplane_probe {
	char release[PROBE_RELEASE_MAX];	    /* kernel release */
	bool release_ok;			    /* 6.1 or newer */
	bool cap_bpf, cap_net_admin, cap_sys_admin; /* effective; CAP_SYS_ADMIN contains CAP_BPF */
	int bpffs;				    /* a BPF file system is mounted at /sys/fs/bpf */
	int pinned;				    /* HF_PIN_DIR exists: programs of an agent may be in force */
	int bpf;				    /* bpf(2): an array map */
	int mmap;				    /* an array map that can be mapped into memory */
	int lpm_trie;				    /* longest prefix match */
	int ring;				    /* ring buffer */
	int sched_cls;				    /* a TC program */
	int xdp;				    /* an XDP program */
	int dispatcher;				    /* several on one interface (dispatcher.h) */
	int jit;				    /* the TC program was compiled; -EOPNOTSUPP: it is interpreted */
	int netns;				    /* a network namespace can be made to try tcx and clsact in */
	int tcx;				    /* TCX links (6.6) */
	int clsact;				    /* the clsact queueing discipline and a filter on it */
	int skb_xfrm_state;			    /* bpf_skb_get_xfrm_state: TC programs see what was decrypted */
	int xdp_xfrm_state;			    /* bpf_xdp_get_xfrm_state (6.8): XDP programs find SAs */
	int btf;				    /* the kernel describes its types */
};

/*
 * dataplane_probe tries everything. Fails only when it cannot try at all (no child, no pipe); whatever the kernel
 * refuses is in `out`.
 */
int dataplane_probe(struct dataplane_probe *out, struct err *err);

#endif
