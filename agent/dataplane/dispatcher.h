// SPDX-License-Identifier: Apache-2.0
/*
 * The shield beside XDP programs of others: an interface has one XDP program, and libxdp(3) makes that one a dispatcher which calls
 * several in turn. All that changes a dispatcher wants CAP_SYS_ADMIN and CAP_PERFMON, which a running agent has given up: porter.h.
 */
#ifndef DATAPLANE_DISPATCHER_H
#define DATAPLANE_DISPATCHER_H

#include <stdbool.h>

/* What is in the dispatcher of an interface, as libxdp pinned it. */
struct dispatcher_place {
	bool ours;	     /* the shield is one of them */
	unsigned int others; /* programs */
};

/* dispatcher_probe tries with two programs of two instructions whether this kernel and this process can have one. 0 or -errno. */
int dispatcher_probe(void);

/* dispatcher_explain: why there is none, for -errno of dispatcher_probe. */
const char *dispatcher_explain(int error);

/* dispatcher_look needs no capability but CAP_BPF. False when the interface has no dispatcher that libxdp knows. */
bool dispatcher_look(int ifindex, struct dispatcher_place *out);

/*
 * dispatcher_attach puts the shield into the dispatcher of the interface, making one where there is no XDP program, and takes out what
 * earlier agents left there: the new one first, so that there is no moment without. `native`: in the driver, if that can. -EBUSY: the
 * interface has a program of somebody else that came without a dispatcher. -EXDEV: its dispatcher runs in a driver, and
 * `native` is not wanted.
 */
int dispatcher_attach(int ifindex, bool native);

/* dispatcher_detach takes the shield out of the dispatcher of the interface, where others stay; of one that is gone, its pins. */
int dispatcher_detach(int ifindex);

/* dispatcher_remove does so for all interfaces, `gone` only for those that are gone. */
int dispatcher_remove(bool gone);

#endif
