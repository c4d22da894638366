// SPDX-License-Identifier: Apache-2.0
/*
 * What a running agent gives up once it has started: capabilities, new privileges through files it executes, and system calls that it
 * has no use for. Whoever takes it over gets no more than it needs itself.
 */
#ifndef DAEMON_CONFINE_H
#define DAEMON_CONFINE_H

#include "base/err.h"

/*
 * confine_process gives them up for good, in all threads. What this kernel cannot do is said in the log and left out; it fails only
 * when what the kernel can do does not succeed. A system call that is not on the list then ends the process with a line in the log.
 */
int confine_process(struct err *err);

/* confine_porter is for the child that puts the shield beside XDP programs of others: other capabilities, the same system calls. */
int confine_porter(struct err *err);

#endif
