// SPDX-License-Identifier: Apache-2.0
/*
 * The product's keying: keys from the discover room, Child SAs from the IKE engine, datagrams by the net room. It carries facts and
 * answers between them and the core; what they mean is decided there.
 */
#ifndef DAEMON_NEGOTIATOR_H
#define DAEMON_NEGOTIATOR_H

#include "daemon/keying.h"

struct negotiator;

extern const struct keying negotiator_keying;

/* negotiator_new makes what negotiator_keying's functions take as `arg`; NULL without memory. */
struct negotiator *negotiator_new(void);
void negotiator_free(struct negotiator *negotiator);

#endif
