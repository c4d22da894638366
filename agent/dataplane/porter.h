// SPDX-License-Identifier: Apache-2.0
/*
 * The porter: a child of the agent that keeps what dispatcher.h needs and the agent gives up. It is made before any secret is
 * read, hears two requests (put the shield on interface N, take it off), reads nothing else, and ends with the agent.
 */
#ifndef DATAPLANE_PORTER_H
#define DATAPLANE_PORTER_H

#include <stdbool.h>

#include "base/err.h"

struct porter;

/* porter_open makes it. `confine` is called in the child and may be NULL; where it fails there is no porter. NULL with err. */
struct porter *porter_open(int (*confine)(struct err *err), struct err *err);
void porter_close(struct porter *porter);

/* As dispatcher_attach and dispatcher_detach. -EPIPE: there is no porter any more, now or since a request before. */
int porter_attach(struct porter *porter, int ifindex, bool native);
int porter_detach(struct porter *porter, int ifindex);

#endif
