// SPDX-License-Identifier: Apache-2.0
/*
 * The table of findings, see finding.h.
 */
#include "discover/finding.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>

bool finding_is_free(const struct finding *finding)
{
	return !finding->hunted && !finding->waiters && !finding->busy;
}

void findings_drop(struct findings *findings, struct finding *finding)
{
	const struct hf_pair key = { .remote = finding->addr };
	struct finding *last = findings->finding[--findings->count];
	const struct hf_pair moved = { .remote = last->addr };

	table_del(&findings->table, &key);
	if (last != finding) {
		last->place = finding->place;
		findings->finding[last->place] = last;
		table_put(&findings->table, &moved, last->place);
	}
	if (finding->limit)
		event_free(finding->limit);
	free(finding->keys);
	free(finding->name);
	free(finding->hint);
	free(finding);
}

/* One that nobody can foresee: who fills the table must not choose what goes. */
static size_t random_below(struct findings *findings, size_t bound)
{
	findings->chance ^= findings->chance << 13;
	findings->chance ^= findings->chance >> 7;
	findings->chance ^= findings->chance << 17;
	return (size_t)(findings->chance % bound);
}

#define ROOM_TRIES 16

static bool make_room(struct findings *findings)
{
	for (int tries = 0; findings->count == SEEK_FINDINGS_MAX && tries < ROOM_TRIES; tries++) {
		struct finding *finding = findings->finding[random_below(findings, findings->count)];

		/* Those with keys last: there may be SAs that depend on them. */
		if (finding_is_free(finding) && (!finding->keys || tries >= ROOM_TRIES / 2))
			findings_drop(findings, finding);
	}
	return findings->count < SEEK_FINDINGS_MAX;
}

struct finding *findings_find(const struct findings *findings, const struct hf_addr *addr)
{
	const struct hf_pair key = { .remote = *addr };
	uint32_t place;

	return table_find(&findings->table, &key, &place) ? findings->finding[place] : NULL;
}

struct finding *findings_add(struct findings *findings, const struct hf_addr *addr)
{
	const struct hf_pair key = { .remote = *addr };
	struct finding *finding = findings_find(findings, addr);

	if (finding)
		return finding;
	if (!make_room(findings))
		return NULL;
	finding = calloc(1, sizeof(*finding));
	if (!finding)
		return NULL;
	if (table_put(&findings->table, &key, (uint32_t)findings->count) < 0) {
		free(finding);
		return NULL;
	}
	finding->seek = findings->seek;
	finding->addr = *addr;
	finding->place = (uint32_t)findings->count;
	findings->finding[findings->count++] = finding;
	return finding;
}

void findings_clear(struct findings *findings)
{
	while (findings->count)
		findings_drop(findings, findings->finding[findings->count - 1]);
	free(findings->memory);
	findings->memory = NULL;
}

int findings_init(struct findings *findings, struct seek *seek, struct err *err)
{
	uint8_t seed[SIPHASH_KEY];

	findings->seek = seek;
	findings->memory = calloc(1, table_memory(SEEK_FINDINGS_MAX));
	if (!findings->memory)
		return err_set(err, -ENOMEM, "out of memory");
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
	    getrandom(&findings->chance, sizeof(findings->chance), 0) != sizeof(findings->chance))
		return err_set(err, -EIO, "no random numbers from the kernel");
	findings->chance |= 1;
	table_init(&findings->table, findings->memory, SEEK_FINDINGS_MAX, seed);
	return 0;
}
