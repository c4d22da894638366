// SPDX-License-Identifier: Apache-2.0
/*
 * The face of the room, see discover.h: the table of sources, highest trust first, and the question that walks down it. The first source that has
 * anything to say about an address decides, also when it says that its own key is over: a lower one does not override it.
 * The wall clock is read here and handed down.
 */
#include "discover/discover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "discover/hosts.h"
#include "discover/pins.h"
#include "discover/stamp.h"

#define REASON_MAX 256

struct discover {
	discover_callback *callback;
	void (*changed)(void *arg);
	void *arg;
	char *pins_file;
	struct hosts *pins; /* NULL = none */
	struct discover_counts counts;
	char reason[REASON_MAX]; /* of the answer being given */
};

/* Fills `answer` and returns true when the source has something to say about the address. */
typedef bool source_ask(struct discover *discover, struct discover_answer *answer, const struct hf_addr *addr,
			uint64_t now_s);

static source_ask ask_pins;

/* In the order of enum discover_trust. */
static source_ask *const sources[] = { ask_pins };

const char *discover_trust_name(enum discover_trust trust)
{
	static const char *const names[TRUST_LEVELS] = {
		[TRUST_PIN] = "pin",
		[TRUST_DIRECTORY] = "directory",
		[TRUST_REVERSE] = "dnssec-reverse",
		[TRUST_FORWARD] = "dnssec-forward",
		[TRUST_OPPORTUNISTIC] = "opportunistic",
	};

	return trust > 0 && trust < TRUST_LEVELS ? names[trust] : "none";
}

/* ---- sources ---------------------------------------------------------------------------------- */

static void give_host(struct discover_answer *answer, const struct host *host, enum discover_trust trust)
{
	answer->outcome = DISCOVER_KEYS;
	answer->trust = trust;
	answer->keys = host->keys;
	memcpy(answer->spki, host->spki, host->keys * sizeof(answer->spki[0]));
	answer->name = host->name;
	answer->until_s = host->until_s;
}

static bool ask_pins(struct discover *discover, struct discover_answer *answer, const struct hf_addr *addr,
		     uint64_t now_s)
{
	const struct host *host = discover->pins ? hosts_find(discover->pins, addr, NULL) : NULL;
	char day[STAMP_TEXT_MAX];

	if (!host)
		return false;
	if (host->until_s && now_s >= host->until_s) {
		snprintf(discover->reason, sizeof(discover->reason), "the pin on %s:%u ended with %s",
			 discover->pins_file, host->line, stamp_format_day(day, host->until_s - 1));
		return true;
	}
	give_host(answer, host, TRUST_PIN);
	snprintf(discover->reason, sizeof(discover->reason), "pinned on %s:%u", discover->pins_file, host->line);
	return true;
}

/* ---- questions -------------------------------------------------------------------------------- */

void discover_ask(struct discover *discover, uint64_t question, const struct hf_addr *addr)
{
	struct discover_answer answer = { .outcome = DISCOVER_FAILED, .name = "", .reason = discover->reason };
	uint64_t now_s = (uint64_t)time(NULL);
	bool said = false;

	discover->counts.asked++;
	snprintf(discover->reason, sizeof(discover->reason), "no source knows this address");
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !said; i++)
		said = sources[i](discover, &answer, addr, now_s);
	discover->counts.keys += answer.outcome == DISCOVER_KEYS;
	discover->counts.no_key += answer.outcome == DISCOVER_NO_KEY;
	discover->counts.failed += answer.outcome == DISCOVER_FAILED;
	discover->callback(discover->arg, question, addr, &answer);
}

/* Every source of today answers from memory, so no answer is ever under way. */
void discover_cancel(struct discover *discover, uint64_t question)
{
	(void)discover;
	(void)question;
}

/* ---- life ------------------------------------------------------------------------------------- */

static int read_pins(struct discover *discover, struct err *err)
{
	struct hosts *pins;
	int rc = discover->pins_file ? pins_read(&pins, discover->pins_file, err) : 0;

	if (!discover->pins_file || rc < 0)
		return rc;
	hosts_free(discover->pins);
	discover->pins = pins;
	return 0;
}

static void own_discover(struct discover **discover)
{
	discover_close(*discover);
}

int discover_open(struct discover **out, const struct discover_options *options, struct event_base *base,
		  discover_callback *callback, void (*changed)(void *arg), void *arg, struct err *err)
{
	OWN(own_discover) struct discover *discover = calloc(1, sizeof(*discover));
	int rc;

	(void)base;
	if (!discover)
		return err_set(err, -ENOMEM, "out of memory");
	discover->callback = callback;
	discover->changed = changed;
	discover->arg = arg;
	if (options->pins && !(discover->pins_file = strdup(options->pins)))
		return err_set(err, -ENOMEM, "out of memory");
	rc = read_pins(discover, err);
	if (rc < 0)
		return rc;
	*out = TAKE(discover);
	return 0;
}

void discover_close(struct discover *discover)
{
	if (!discover)
		return;
	hosts_free(discover->pins);
	free(discover->pins_file);
	free(discover);
}

int discover_reload(struct discover *discover, struct err *err)
{
	int rc = read_pins(discover, err);

	if (rc == 0 && discover->changed)
		discover->changed(discover->arg);
	return rc;
}

const char *discover_problem(const struct discover *discover, size_t index)
{
	(void)discover;
	(void)index;
	return NULL;
}

void discover_count(const struct discover *discover, struct discover_counts *out)
{
	*out = discover->counts;
	out->hosts_pinned = hosts_count(discover->pins);
}
