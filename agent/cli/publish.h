// SPDX-License-Identifier: Apache-2.0
/*
 * The records that make a host findable, one for each name: its addresses' in the reverse tree, and its own.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include "cli/self.h"
#include "discover/dname.h"

#define PUBLISH_RECORDS_MAX (SELF_ADDRESSES_MAX + 1)
#define PUBLISH_TTL_S 3600 /* a new key is seen after an hour; half of the SAs' life is longer */

struct publish_record {
	char name[DNAME_TEXT_MAX];  /* with its last dot */
	const struct hf_addr *addr; /* NULL = the host's own name */
};

struct publish {
	struct self self;
	struct publish_record record[PUBLISH_RECORDS_MAX];
	size_t count; /* addresses first, in the order of self */
};

struct cli;

/* publish_check looks whether others see the records, says what is missing, and returns the exit code. */
int publish_check(const struct cli *cli, const struct publish *publish);

#endif
