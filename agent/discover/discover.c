// SPDX-License-Identifier: Apache-2.0
/*
 * The face of the room, see discover.h: the table of sources, highest trust first, and the question that walks down it. The first source that has
 * anything to say about an address decides, also when it says that its own key is over: a lower one does not override it. DNSSEC comes last and
 * answers later.
 * The wall clock is read here and handed down.
 */
#include "discover/discover.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/nstime.h"
#include "base/own.h"
#include "discover/aside.h"
#include "discover/file.h"
#include "discover/hints.h"
#include "discover/hosts.h"
#include "discover/internal.h"
#include "discover/listing.h"
#include "discover/origin.h"
#include "discover/pins.h"
#include "discover/seek.h"
#include "discover/stamp.h"

#define REASON_MAX 256
#define HOSTS_FILE "/etc/hosts"
#define HOSTS_FILE_OCTETS_MAX (1u << 20)
#define TICK_S 60 /* how late an expiry may be noticed */

struct discover {
	discover_callback *callback;
	void (*changed)(void *arg);
	void (*appeared)(void *arg, const struct hf_addr *addr);
	void *arg;
	char *pins_file, *directory;
	bool is_open;		 /* changes are told from here on */
	struct hosts *pins;	 /* NULL = none */
	struct listing *listing; /* NULL = no directory configured, as the origin */
	struct origin *origin;
	struct aside *aside; /* where a text is examined; NULL without a loop */
	bool brought;	     /* another one came meanwhile */
	struct seek *seek;   /* NULL = DNSSEC is not asked, as the hints */
	struct hints *hints;
	struct event *tick;
	struct discover_counts counts;
	char reason[REASON_MAX]; /* of the answer being given */
};

/* Fills `answer` and returns true when the source has something to say about the address. */
typedef bool source_ask(struct discover *discover, struct discover_answer *answer, const struct hf_addr *addr,
			uint64_t now_s);

static source_ask ask_pins, ask_directory;

/* In the order of enum discover_trust. */
static source_ask *const sources[] = { ask_pins, ask_directory };

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

static uint64_t wall_clock(void)
{
	return (uint64_t)time(NULL);
}

/* ---- sources ---------------------------------------------------------------------------------- */

void discover_give(struct discover_answer *answer, const struct host *host, enum discover_trust trust)
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
	discover_give(answer, host, TRUST_PIN);
	snprintf(discover->reason, sizeof(discover->reason), "pinned on %s:%u", discover->pins_file, host->line);
	return true;
}

static bool ask_directory(struct discover *discover, struct discover_answer *answer, const struct hf_addr *addr,
			  uint64_t now_s)
{
	return discover->listing &&
	       listing_ask(discover->listing, answer, discover->reason, sizeof(discover->reason), addr, now_s);
}

/* ---- questions -------------------------------------------------------------------------------- */

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct discover *discover = arg;

	discover->counts.keys += answer->outcome == DISCOVER_KEYS;
	discover->counts.no_key += answer->outcome == DISCOVER_NO_KEY;
	discover->counts.failed += answer->outcome == DISCOVER_FAILED;
	discover->callback(discover->arg, question, addr, answer);
}

void discover_ask(struct discover *discover, uint64_t question, const struct hf_addr *addr)
{
	struct discover_answer answer = { .outcome = DISCOVER_FAILED, .name = "", .reason = discover->reason };
	uint64_t now_s = wall_clock();
	bool said = false;

	discover->counts.asked++;
	snprintf(discover->reason, sizeof(discover->reason), "no source knows this address");
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && !said; i++)
		said = sources[i](discover, &answer, addr, now_s);
	if (!said && discover->seek)
		seek_ask(discover->seek, question, addr);
	else
		on_answer(discover, question, addr, &answer);
}

/* ---- the directory's life --------------------------------------------------------------------- */

static void tell(struct discover *discover, bool changed)
{
	if (changed && discover->changed && discover->is_open)
		discover->changed(discover->arg);
}

/* While the agent starts nobody waits for it, and it should know its directory when it is up. */
static void on_text(void *arg, struct view text, struct view signature, const struct err *err)
{
	struct discover *discover = arg;
	struct offer *offer = NULL;

	if (discover->aside && aside_is_busy(discover->aside)) {
		discover->brought = true;
		return;
	}
	if (err) {
		listing_fail(discover->listing, err);
		return;
	}
	if (discover->aside && discover->is_open)
		offer = offer_new(discover->listing, text, signature, discover->directory, wall_clock());
	if (offer)
		aside_start(discover->aside, offer);
	else
		tell(discover,
		     listing_offer(discover->listing, text, signature, discover->directory, wall_clock()) > 0);
}

static void work(void *job)
{
	offer_work(job);
}

static void on_worked(void *arg, void *job)
{
	struct discover *discover = arg;
	int rc = listing_finish(discover->listing, job, wall_clock());

	offer_free(job);
	tell(discover, rc > 0);
	if (discover->brought && discover->is_open) {
		discover->brought = false;
		origin_poll(discover->origin, true);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct discover *discover = arg;

	(void)fd;
	(void)what;
	tell(discover, listing_tick(discover->listing, wall_clock()));
	origin_poll(discover->origin, listing_wants_more(discover->listing));
}

static int open_directory(struct discover *discover, const struct discover_options *options, struct event_base *base,
			  struct err *err)
{
	const struct origin_options origin = { options->directory, options->directory_ca, options->refresh_s };
	const struct timeval minute = { .tv_sec = TICK_S };
	int rc;

	if (!options->directory)
		return 0;
	discover->directory = strdup(options->directory);
	if (!discover->directory)
		return err_set(err, -ENOMEM, "out of memory");
	rc = listing_open(&discover->listing, options, wall_clock(), err);
	if (rc == 0 && base)
		rc = aside_open(&discover->aside, base, work, on_worked, discover, err);
	if (rc == 0)
		rc = origin_open(&discover->origin, &origin, base, on_text, discover, err);
	if (rc < 0)
		return rc;
	if (base)
		discover->tick = event_new(base, -1, EV_PERSIST, on_tick, discover);
	if (base && (!discover->tick || event_add(discover->tick, &minute) < 0))
		return err_set(err, -ENOMEM, "out of memory");
	origin_poll(discover->origin, true);
	return 0;
}

/* ---- DNSSEC ----------------------------------------------------------------------------------- */

static void on_lost(void *arg)
{
	tell(arg, true);
}

static void on_appeared(void *arg, const struct hf_addr *addr)
{
	const struct discover *discover = arg;

	if (discover->appeared)
		discover->appeared(discover->arg, addr);
}

static uint64_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSTIME_S + (uint64_t)now.tv_nsec;
}

static void on_hint(void *arg, const struct hf_addr *addr)
{
	const struct discover *discover = arg;

	if (discover->seek)
		seek_hint(discover->seek, addr, NULL);
}

void discover_hear(struct discover *discover, const struct hf_addr *resolver, struct view message)
{
	if (discover->hints)
		hints_hear(discover->hints, resolver, message, monotonic());
}

void discover_hint(struct discover *discover, const struct hf_addr *addr, struct view name)
{
	uint8_t wire[DNAME_WIRE_MAX];
	char text[DISCOVER_NAME_MAX];
	size_t len;

	if (!discover->seek || name.len >= sizeof(text))
		return;
	memcpy(text, name.at, name.len);
	text[name.len] = '\0';
	if (strlen(text) == name.len && dname_parse(wire, &len, text) == 0 && hints_is_host(view_of(wire, len)))
		seek_hint(discover->seek, addr, text);
}

/* Names that are worth asking about. One that is too long as text is left out. */
static size_t name_hints(void *arg, char (*out)[DISCOVER_NAME_MAX], size_t max, const struct hf_addr *addr)
{
	const struct discover *discover = arg;
	struct view names[HINTS_NAMES_MAX];
	size_t count = hints_names(discover->hints, addr, monotonic(), names), used = 0;
	char text[DNAME_TEXT_MAX];

	for (size_t i = 0; i < count && used < max; i++)
		if (strlen(dname_format(text, names[i])) < DISCOVER_NAME_MAX)
			strcpy(out[used++], text);
	return used;
}

/* No such file, no names. */
static void read_hosts(struct discover *discover)
{
	OWN_FREE uint8_t *octets = NULL;
	size_t len = 0;

	if (file_read(&octets, &len, HOSTS_FILE, HOSTS_FILE_OCTETS_MAX, NULL) == 0)
		hints_file(discover->hints, view_of(octets, len));
}

static int open_dnssec(struct discover *discover, const struct discover_options *options, struct event_base *base,
		       struct err *err)
{
	const struct seek_options seek = {
		.dns = { options->resolvers, options->resolver_count, options->dnssec_anchors, options->dnssec_roots },
		.names = name_hints,
		.callback = on_answer,
		.changed = on_lost,
		.appeared = on_appeared,
		.arg = discover,
	};
	uint8_t seed[SIPHASH_KEY];

	if (!options->dnssec || !base)
		return 0;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, "no random numbers from the kernel");
	if (hints_new(&discover->hints, seed) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	read_hosts(discover);
	hints_watch(discover->hints, on_hint, discover);
	return seek_open(&discover->seek, &seek, base, err);
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

	if (!discover)
		return err_set(err, -ENOMEM, "out of memory");
	discover->callback = callback;
	discover->changed = changed;
	discover->appeared = options->appeared;
	discover->arg = arg;
	if (options->pins && !(discover->pins_file = strdup(options->pins)))
		return err_set(err, -ENOMEM, "out of memory");
	rc = read_pins(discover, err);
	if (rc == 0)
		rc = open_directory(discover, options, base, err);
	if (rc == 0)
		rc = open_dnssec(discover, options, base, err);
	if (rc < 0)
		return rc;
	discover->is_open = true;
	*out = TAKE(discover);
	return 0;
}

void discover_close(struct discover *discover)
{
	if (!discover)
		return;
	discover->is_open = false; /* nobody is told any more */
	if (discover->tick)
		event_free(discover->tick);
	seek_close(discover->seek);
	hints_free(discover->hints);
	aside_close(discover->aside);
	origin_close(discover->origin);
	listing_close(discover->listing);
	hosts_free(discover->pins);
	free(discover->directory);
	free(discover->pins_file);
	free(discover);
}

/* The directory says for itself what is wrong with it; a reload fails only for what keeps the earlier content. */
int discover_reload(struct discover *discover, struct err *err)
{
	int rc = read_pins(discover, err);

	if (discover->hints)
		read_hosts(discover);
	if (discover->origin)
		origin_poll(discover->origin, true);
	tell(discover, rc == 0);
	return rc;
}

const char *discover_problem(const struct discover *discover, size_t index)
{
	return discover->listing ? listing_problem(discover->listing, index) : NULL;
}

void discover_count(const struct discover *discover, struct discover_counts *out)
{
	const struct directory *current = discover->listing ? listing_current(discover->listing) : NULL;

	*out = discover->counts;
	if (discover->seek) {
		struct seek_counts seek;

		seek_count(discover->seek, &seek);
		out->dns_findings = seek.findings;
		out->dns_hunts = seek.hunts;
		out->dns_refused = seek.refused;
	}
	if (discover->hints) {
		struct hints_counts hints;

		hints_count(discover->hints, &hints);
		out->hints = hints.used + hints.file;
		out->hints_refused = hints.refused;
	}
	out->hosts_pinned = hosts_count(discover->pins);
	out->hosts_listed = current ? hosts_count(current->hosts) : 0;
	out->directory_serial = current ? current->serial : 0;
	out->directory_expires_s = current ? current->expires_s : 0;
	out->rejected = discover->listing ? listing_rejected(discover->listing) : 0;
}
