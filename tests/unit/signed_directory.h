// SPDX-License-Identifier: Apache-2.0
/*
 * Signed directories for tests: keys out of a number, texts out of a few facts, files in a folder of their own.
 */
#ifndef TESTS_SIGNED_DIRECTORY_H
#define TESTS_SIGNED_DIRECTORY_H

#include "discover/listing.h"
#include "discover/minisign.h"

#define KEY_A "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define DAY 86400ull
#define NOW 1795358389ull /* 2026-11-22T14:39:49Z */

extern char folder[64];

int make_folder(void **state);
int remove_folder(void **state);
/* A path in the folder; good until the fourth call after this. */
const char *in_folder(const char *name);
void write_octets_to(const char *path, struct view octets);

/* The secret key number `number`, and its public key as minisign writes it. */
struct minisign_secret secret_key(uint8_t number);
const char *public_key(char out[64], uint8_t number);

struct facts {
	const char *id;
	uint64_t serial, issued_s, expires_s;
	const char *scope, *complete, *hosts; /* complete may be NULL */
};

/* What is fine at NOW. */
extern const struct facts usual;

/* Writes the text; returns it as a view of `out`. */
struct view directory_text(char *out, size_t max, const struct facts *facts);

/* Signs in the prehashed form; or in the legacy form. */
struct view signature_of(char out[MINISIGN_FILE_MAX], uint8_t number, struct view text);
struct view legacy_signature_of(char out[MINISIGN_FILE_MAX], uint8_t number, struct view text);

/* ---- a listing under test ---- */

void own_listing(struct listing **listing);
/* Opens with state in the folder; fails the test if it cannot. open_usual trusts key 1 and the usual id. */
struct listing *open_with(const char *keys, const char *id, uint64_t now_s);
struct listing *open_usual(void);
void forget_state(void);
/* Signs and offers. */
int offer_signed(struct listing *listing, const struct facts *facts, uint8_t key, uint64_t now_s);
struct facts usual_with_serial(uint64_t serial);
/* The reason is good until the next call. */
struct discover_answer ask(const struct listing *listing, bool *said, const char *address, uint64_t now_s);
enum discover_outcome outcome_of(const struct listing *listing, const char *address, uint64_t now_s);

#define assert_problem(listing, index, text)                                \
	do {                                                                \
		assert_non_null(listing_problem(listing, index));           \
		assert_string_equal(listing_problem(listing, index), text); \
	} while (0)

#endif
