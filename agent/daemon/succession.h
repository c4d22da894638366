// SPDX-License-Identifier: Apache-2.0
/*
 * Further Child SAs of a pair that has some, made by the peer: it can read with them when our answer has arrived and its kernel has
 * them, not before. Until then the pair goes on sending with the old ones; their other half waits here.
 */
#ifndef DAEMON_SUCCESSION_H
#define DAEMON_SUCCESSION_H

#include "daemon/agent.h"

struct succession;

/* succession_new: NULL without memory. */
struct succession *succession_new(struct agent *agent);
void succession_free(struct succession *succession);

/* succession_add keeps the outbound half; false when it should be used at once, because nothing else is or there is no room. */
bool succession_add(struct succession *succession, const struct hf_pair *pair, const struct child *child);

/* succession_use brings what waits for the pair into use now: its other SAs go. */
void succession_use(struct succession *succession, const struct hf_pair *pair);

/* succession_forget: nothing of the pair is wanted any more. */
void succession_forget(struct succession *succession, const struct hf_pair *pair);

#endif
