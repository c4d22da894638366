// SPDX-License-Identifier: Apache-2.0
/*
 * The directory in force, see listing.h. The order of an offer is the protection: verify, read, compare with the marks, write, use. A directory that
 * ran out stays in force for what it knows, but nobody gets a key from it; so a missing refresh never opens anything.
 */
#include "discover/listing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "discover/file.h"
#include "discover/internal.h"
#include "discover/ledger.h"
#include "discover/minisign.h"
#include "discover/stamp.h"

#define LEDGER_FILE "directory.state"
#define CLOCK_FILE "clock.state"
#define CLOCK_BACK_MAX_S 86400ull /* more is no correction of a drift */
#define CLOCK_WRITE_S 3600ull	  /* the clock is kept this often: small against CLOCK_BACK_MAX_S */

/* What can be wrong, each at most once. */
enum problem {
	PROBLEM_SOURCE,
	PROBLEM_LIFE,
	PROBLEM_CLOCK,
	PROBLEM_MARKS,
	PROBLEM_LEDGER_FILE,
	PROBLEM_CLOCK_FILE,
	PROBLEM_COUNT
};

struct listing {
	struct minisign_keys keys;
	char *id;	   /* NULL = any */
	char *ledger_file; /* NULL = nothing is kept */
	char *clock_file;
	struct ledger ledger; /* marks; its text is dropped after the start */
	struct directory *current;
	uint8_t current_hash[SHA256_LEN];
	uint64_t seen_s, written_s; /* latest time seen, and what of it is on the disk */
	bool usable;		    /* current is, as of the last tick */
	bool unsaved;		    /* current is not on the disk */
	uint64_t rejected;
	struct err problem[PROBLEM_COUNT]; /* "" = none */
};

static void clear_problem(struct listing *listing, enum problem problem)
{
	listing->problem[problem] = ERR_NONE;
}

/* ---- time ------------------------------------------------------------------------------------- */

static bool is_clock_wrong(const struct listing *listing, uint64_t now_s)
{
	return now_s + CLOCK_BACK_MAX_S < listing->seen_s;
}

static bool is_expired(const struct listing *listing, uint64_t now_s)
{
	return now_s >= listing->current->expires_s;
}

static void watch_clock(struct listing *listing, uint64_t now_s)
{
	char seen[STAMP_TEXT_MAX], now[STAMP_TEXT_MAX];

	clear_problem(listing, PROBLEM_CLOCK);
	if (is_clock_wrong(listing, now_s)) {
		err_set(&listing->problem[PROBLEM_CLOCK], -ETIME,
			"the clock says %s, but it was %s before, so nobody knows what has expired: correct the clock; if "
			"it is right now, remove %s and restart the agent",
			stamp_format(now, now_s), stamp_format(seen, listing->seen_s),
			listing->clock_file ? listing->clock_file : "nothing");
		return;
	}
	if (now_s > listing->seen_s)
		listing->seen_s = now_s;
	if (!listing->clock_file || listing->seen_s < listing->written_s + CLOCK_WRITE_S)
		return;
	clear_problem(listing, PROBLEM_CLOCK_FILE);
	if (ledger_write_clock(listing->seen_s, listing->clock_file, &listing->problem[PROBLEM_CLOCK_FILE]) == 0)
		listing->written_s = listing->seen_s;
}

static void watch_life(struct listing *listing, uint64_t now_s)
{
	const struct directory *current = listing->current;
	struct err *problem = &listing->problem[PROBLEM_LIFE];
	char text[STAMP_TEXT_MAX];

	clear_problem(listing, PROBLEM_LIFE);
	if (!current)
		return;
	stamp_format(text, current->expires_s);
	if (is_expired(listing, now_s))
		err_set(problem, -ETIME,
			"directory %s expired at %s: no new connection gets a key from it: sign a new one and bring it here",
			current->id, text);
	else if (now_s >= current->issued_s + (current->expires_s - current->issued_s) / 2)
		err_set(problem, -ETIME,
			"directory %s has lived more than half of its life, it expires at %s: sign a new one",
			current->id, text);
}

bool listing_tick(struct listing *listing, uint64_t now_s)
{
	bool was_usable = listing->usable;

	watch_clock(listing, now_s);
	watch_life(listing, now_s);
	listing->usable = listing->current && !is_expired(listing, now_s) && !is_clock_wrong(listing, now_s);
	return was_usable != listing->usable;
}

/* ---- offers ----------------------------------------------------------------------------------- */

static int check_id(const char *id, const struct directory *directory, const char *name, struct err *err)
{
	if (!id || strcmp(id, directory->id) == 0)
		return 0;
	return err_set(err, -EINVAL,
		       "%s: this is directory %s, and %s is configured: bring the right one, or correct "
		       "directory_id",
		       name, directory->id, id);
}

static void own_directory(struct directory **directory)
{
	directory_free(*directory);
}

/*
 * A text on its way: what it is compared with, taken from the listing when it was brought, and what came of it. Whoever works on it may
 * be another thread, so that nothing of the listing is in it but what never changes.
 */
struct offer {
	uint8_t *memory; /* of text and signature; NULL = they are somebody else's */
	struct view text, signature;
	char *name;
	const struct minisign_keys *keys;
	const char *id, *ledger_file; /* the listing's */
	uint64_t now_s;
	bool clock_wrong, has_current, unsaved;
	uint64_t current_serial;
	uint8_t current_hash[SHA256_LEN];
	struct ledger ledger; /* its marks */
	/* What came of it. */
	int rc; /* as listing_offer's */
	struct err err, keep_err;
	const struct minisign_key *key;
	uint8_t hash[SHA256_LEN];
	struct directory *directory;
};

static int verify(struct offer *offer, struct err *err)
{
	char name[512];
	int rc;

	if (offer->text.len > DIRECTORY_OCTETS_MAX)
		return err_set(err, -EFBIG, "%s: is larger than %u octets: make several directories", offer->name,
			       DIRECTORY_OCTETS_MAX);
	snprintf(name, sizeof(name), "%s.minisig", offer->name);
	rc = minisign_verify(&offer->key, offer->keys, offer->text, offer->signature, name, err);
	if (rc == 0 && hash_sha256_apart(offer->hash, offer->text) < 0)
		rc = err_set(err, -EIO, "%s: SHA-256 failed", offer->name);
	return rc;
}

/* Everything that does not depend on the time. */
static int examine(struct directory **out, const struct offer *offer, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	int rc = directory_parse(&directory, offer->text, offer->name, err);

	if (rc == 0)
		rc = check_id(offer->id, directory, offer->name, err);
	if (rc == 0)
		rc = ledger_admit(&offer->ledger, offer->key->id, directory->serial, offer->hash, offer->name, err);
	if (rc == 0)
		*out = TAKE(directory);
	return rc;
}

static void put_in_force(struct listing *listing, struct directory *directory, const uint8_t hash[SHA256_LEN])
{
	directory_free(listing->current);
	listing->current = directory;
	memcpy(listing->current_hash, hash, SHA256_LEN);
}

/*
 * DEVIATION from "write, then use" when the disk refuses: the directory is used all the same, because it may withdraw a key, and the operator hears that a
 * restart would forget it.
 */
static void keep(struct offer *offer)
{
	if (offer->ledger_file)
		offer->unsaved = ledger_write(&offer->ledger, offer->text, offer->signature, offer->ledger_file,
					      &offer->keep_err) < 0;
}

static int take(struct offer *offer, struct err *err)
{
	OWN(own_directory) struct directory *directory = NULL;
	int rc = verify(offer, err);

	if (rc < 0)
		return rc;
	if (offer->has_current && memcmp(offer->current_hash, offer->hash, SHA256_LEN) == 0) {
		/* It has been read before. */
		rc = ledger_admit(&offer->ledger, offer->key->id, offer->current_serial, offer->hash, offer->name, err);
		if (rc == 0 && offer->unsaved)
			keep(offer);
		return rc;
	}
	rc = examine(&directory, offer, err);
	if (rc < 0)
		return rc;
	if (offer->clock_wrong)
		return err_set(err, -ETIME, "%s: is not taken while the clock is wrong", offer->name);
	rc = directory_check_time(directory, offer->name, offer->now_s, err);
	if (rc < 0)
		return rc;
	ledger_note(&offer->ledger, offer->key->id, directory->serial, offer->hash);
	keep(offer);
	offer->directory = TAKE(directory);
	return 1;
}

void offer_work(struct offer *offer)
{
	offer->rc = take(offer, &offer->err);
}

static void fill(struct offer *offer, const struct listing *listing, uint64_t now_s)
{
	offer->keys = &listing->keys;
	offer->id = listing->id;
	offer->ledger_file = listing->ledger_file;
	offer->now_s = now_s;
	offer->clock_wrong = is_clock_wrong(listing, now_s);
	offer->has_current = listing->current != NULL;
	offer->current_serial = listing->current ? listing->current->serial : 0;
	memcpy(offer->current_hash, listing->current_hash, SHA256_LEN);
	offer->unsaved = listing->unsaved;
	offer->ledger = listing->ledger;
}

struct offer *offer_new(struct listing *listing, struct view text, struct view signature, const char *name,
			uint64_t now_s)
{
	struct offer *offer = calloc(1, sizeof(*offer));

	if (!offer)
		return NULL;
	offer->memory = malloc(text.len + signature.len + 1);
	offer->name = strdup(name);
	if (!offer->memory || !offer->name) {
		offer_free(offer);
		return NULL;
	}
	listing_tick(listing, now_s);
	fill(offer, listing, now_s);
	memcpy(offer->memory, text.at, text.len);
	if (signature.len)
		memcpy(offer->memory + text.len, signature.at, signature.len);
	offer->text = view_of(offer->memory, text.len);
	offer->signature = view_of(offer->memory + text.len, signature.len);
	return offer;
}

void offer_free(struct offer *offer)
{
	if (!offer)
		return;
	directory_free(offer->directory);
	free(offer->memory);
	free(offer->name);
	free(offer);
}

int listing_finish(struct listing *listing, struct offer *offer, uint64_t now_s)
{
	struct err before = listing->problem[PROBLEM_SOURCE];

	listing->problem[PROBLEM_SOURCE] = offer->err;
	/* The same one is offered again and again while it lies there. */
	listing->rejected += offer->rc < 0 && strcmp(before.text, offer->err.text) != 0;
	if (offer->rc < 0)
		return offer->rc;
	if (offer->rc > 0 || listing->unsaved)
		listing->problem[PROBLEM_LEDGER_FILE] = offer->keep_err;
	listing->unsaved = offer->unsaved;
	if (offer->rc > 0) {
		memcpy(listing->ledger.marks, offer->ledger.marks, sizeof(listing->ledger.marks));
		listing->ledger.mark_count = offer->ledger.mark_count;
		put_in_force(listing, TAKE(offer->directory), offer->hash);
	}
	listing_tick(listing, now_s);
	return offer->rc;
}

static void own_offer(struct offer **offer)
{
	offer_free(*offer);
}

int listing_offer(struct listing *listing, struct view text, struct view signature, const char *name, uint64_t now_s)
{
	OWN(own_offer) struct offer *offer = offer_new(listing, text, signature, name, now_s);

	if (!offer)
		return err_set(&listing->problem[PROBLEM_SOURCE], -ENOMEM, "%s: out of memory", name);
	offer_work(offer);
	return listing_finish(listing, offer, now_s);
}

bool listing_wants_more(const struct listing *listing)
{
	return *listing->problem[PROBLEM_SOURCE].text || listing->unsaved;
}

void listing_fail(struct listing *listing, const struct err *err)
{
	listing->problem[PROBLEM_SOURCE] = *err;
}

/* ---- life ------------------------------------------------------------------------------------- */

static int read_keys(struct listing *listing, const char *key, struct err *err)
{
	OWN_FREE uint8_t *text = NULL;
	size_t len;
	int rc;

	if (!key)
		return err_set(err, -EINVAL,
			       "a directory needs directory_key, the minisign public key that signs it: set it");
	if (*key != '/')
		return minisign_keys_parse(&listing->keys, view_of(key, strlen(key)), "directory_key", err);
	rc = file_read(&text, &len, key, MINISIGN_FILE_MAX, err);
	return rc < 0 ? rc : minisign_keys_parse(&listing->keys, view_of(text, len), key, err);
}

/* The copy is as good as its signature: what is not signed by a key of today is no directory. */
static void bring_back(struct listing *listing, uint64_t now_s)
{
	OWN(own_directory) struct directory *directory = NULL;
	struct offer offer = { .text = listing->ledger.text,
			       .signature = listing->ledger.signature,
			       .name = listing->ledger_file };

	fill(&offer, listing, now_s);
	if (offer.text.len && verify(&offer, NULL) == 0 && examine(&directory, &offer, NULL) == 0)
		put_in_force(listing, TAKE(directory), offer.hash);
}

static void read_state(struct listing *listing, uint64_t now_s)
{
	struct err err = ERR_NONE;
	int rc = ledger_read(&listing->ledger, listing->ledger_file, &err);

	listing->seen_s = listing->written_s = ledger_read_clock(listing->clock_file);
	if (rc == 0) {
		bring_back(listing, now_s);
		/* The text has been read; only the marks are wanted from here on. */
		free(TAKE(listing->ledger.memory));
		listing->ledger.text = listing->ledger.signature = VIEW_NONE;
	} else if (rc != -ENOENT) {
		err_set(&listing->problem[PROBLEM_MARKS], rc,
			"%s: so an old directory that is put back would not be noticed: find out who changed it",
			err.text);
	} else if (listing->seen_s) {
		err_set(&listing->problem[PROBLEM_MARKS], rc,
			"%s is gone, so an old directory that is put back would not be noticed: find out who removed it",
			listing->ledger_file);
	}
}

static int set_strings(struct listing *listing, const struct discover_options *options)
{
	if (options->directory_id && !(listing->id = strdup(options->directory_id)))
		return -ENOMEM;
	if (!options->state_dir)
		return 0;
	if (asprintf(&listing->ledger_file, "%s/" LEDGER_FILE, options->state_dir) < 0)
		listing->ledger_file = NULL;
	if (asprintf(&listing->clock_file, "%s/" CLOCK_FILE, options->state_dir) < 0)
		listing->clock_file = NULL;
	return listing->ledger_file && listing->clock_file ? 0 : -ENOMEM;
}

static void own_listing(struct listing **listing)
{
	listing_close(*listing);
}

int listing_open(struct listing **out, const struct discover_options *options, uint64_t now_s, struct err *err)
{
	OWN(own_listing) struct listing *listing = calloc(1, sizeof(*listing));
	int rc;

	if (!listing || set_strings(listing, options) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	rc = read_keys(listing, options->directory_key, err);
	if (rc < 0)
		return rc;
	if (listing->ledger_file)
		read_state(listing, now_s);
	listing_tick(listing, now_s);
	*out = TAKE(listing);
	return 0;
}

void listing_close(struct listing *listing)
{
	if (!listing)
		return;
	directory_free(listing->current);
	ledger_clear(&listing->ledger);
	free(listing->id);
	free(listing->ledger_file);
	free(listing->clock_file);
	free(listing);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void answer_unusable(const struct listing *listing, char *reason, size_t max, uint64_t now_s)
{
	const struct directory *current = listing->current;
	char text[STAMP_TEXT_MAX];

	if (is_clock_wrong(listing, now_s))
		snprintf(reason, max, "directory %s: the clock went back, so nobody knows whether it has expired",
			 current->id);
	else
		snprintf(reason, max, "directory %s expired at %s", current->id,
			 stamp_format(text, current->expires_s));
}

static void answer_host(struct discover_answer *answer, const struct host *host, const struct directory *current,
			char *reason, size_t max, uint64_t now_s)
{
	char day[STAMP_TEXT_MAX];

	if (host->until_s && now_s >= host->until_s) {
		snprintf(reason, max, "its line %u in directory %s (serial %" PRIu64 ") ended with %s", host->line,
			 current->id, current->serial, stamp_format_day(day, host->until_s - 1));
		return;
	}
	discover_give(answer, host, TRUST_DIRECTORY);
	if (!answer->until_s || answer->until_s > current->expires_s)
		answer->until_s = current->expires_s;
	snprintf(reason, max, "listed on line %u of directory %s (serial %" PRIu64 ")", host->line, current->id,
		 current->serial);
}

bool listing_ask(const struct listing *listing, struct discover_answer *answer, char *reason, size_t reason_max,
		 const struct hf_addr *addr, uint64_t now_s)
{
	const struct directory *current = listing->current;
	const struct host *host = current ? hosts_find(current->hosts, addr, NULL) : NULL;
	const struct hf_prefix *complete = current ? directory_is_complete(current, addr) : NULL;
	char text[PREFIX_TEXT_MAX];

	if (!current) {
		/* Whether it would list this address is not known, so nobody below may speak in its place. */
		answer->unsure = true;
		snprintf(reason, reason_max, "the directory is not there: %s",
			 *listing->problem[PROBLEM_SOURCE].text ? listing->problem[PROBLEM_SOURCE].text
								: "it was not read yet");
		return true;
	}
	if (!host && !complete)
		return false;
	if (is_expired(listing, now_s) || is_clock_wrong(listing, now_s)) {
		answer->unsure = true;
		answer_unusable(listing, reason, reason_max, now_s);
		return true;
	}
	if (host) {
		answer_host(answer, host, current, reason, reason_max, now_s);
		return true;
	}
	answer->outcome = DISCOVER_NO_KEY;
	answer->until_s = current->expires_s;
	snprintf(reason, reason_max, "directory %s (serial %" PRIu64 ") is complete for %s and does not list it",
		 current->id, current->serial, prefix_format(text, complete));
	return true;
}

/* ---- for people ------------------------------------------------------------------------------- */

const char *listing_problem(const struct listing *listing, size_t index)
{
	for (size_t i = 0; i < PROBLEM_COUNT; i++)
		if (*listing->problem[i].text && index-- == 0)
			return listing->problem[i].text;
	return NULL;
}

const struct directory *listing_current(const struct listing *listing)
{
	return listing->current;
}

uint64_t listing_rejected(const struct listing *listing)
{
	return listing->rejected;
}
