// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of this room share and nobody else sees.
 */
#ifndef DISCOVER_INTERNAL_H
#define DISCOVER_INTERNAL_H

#include "discover/discover.h"
#include "discover/hosts.h"

/* discover_give answers with a host's keys. */
void discover_give(struct discover_answer *answer, const struct host *host, enum discover_trust trust);

#endif
