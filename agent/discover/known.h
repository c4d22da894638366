// SPDX-License-Identifier: Apache-2.0
/*
 * The sticky store (DESIGN 6, "known peers"): addresses that were once reached with a verified key stay as private until max(key
 * lifetime, 7 days) after the last success. On disk (SQLite, WAL) so that a restart forgets none, in memory so that a
 * packet's question costs no disk. What the disk refuses stays in memory: a bad store never opens anything.
 */
#ifndef DISCOVER_KNOWN_H
#define DISCOVER_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/crypto.h"
#include "holdfast/abi.h"

/* Addresses; the one whose last success is the oldest makes room. Some 8 MB in memory and on disk. */
#define KNOWN_MAX 65536

/* After the last success, and never less. */
#define KNOWN_SPAN_S (7 * 86400u)

struct known;

struct known_peer {
	struct hf_addr addr;
	uint8_t key[SHA256_LEN]; /* of the SubjectPublicKeyInfo that verified last */
	const char *name;	 /* as discovery calls it; "" = nothing. Longer than 253 octets it is cut */
	uint64_t key_until_s;	 /* end of the key's own life, wall clock; 0 = none is known */
};

/*
 * known_open reads the store at `path`, or makes it. Only a lack of memory fails; a store that is damaged or cannot be
 * written is a line of known_problem. `seed` must be unpredictable.
 */
int known_open(struct known **out, const char *path, const uint8_t seed[16], uint64_t now_s, struct err *err);
void known_close(struct known *known);

/* known_put notes a success. On disk at once, but not more often than hourly for one address and key. */
void known_put(struct known *known, const struct known_peer *peer, uint64_t now_s);

/*
 * known_catch_up writes what the disk refused before, for as long as it takes it. Costs nothing when there is nothing of the kind. The
 * problem line goes when all is there.
 */
void known_catch_up(struct known *known, uint64_t now_s);

/* known_key is the key that the address proved last. False when it is not known; -> out untouched. */
bool known_key(const struct known *known, uint8_t out[SHA256_LEN], const struct hf_addr *addr);

bool known_has(const struct known *known, const struct hf_addr *addr, uint64_t now_s);

/* known_forget says whether the address was known. */
bool known_forget(struct known *known, const struct hf_addr *addr);

/* known_expire forgets those whose time is over, and calls `gone` for each before. `gone` may be NULL. */
void known_expire(struct known *known, uint64_t now_s, void (*gone)(void *arg, const struct hf_addr *addr), void *arg);

/* known_each calls `see` for every address, the one with the oldest success first. */
void known_each(const struct known *known, void (*see)(void *arg, const struct hf_addr *addr), void *arg);

size_t known_count(const struct known *known);

/*
 * known_is_damaged: what the file held could not be read, or not all, so that whoever is not known may have been. The file is
 * left as it is, for the operator; what is learnt from now on lives in memory only.
 */
bool known_is_damaged(const struct known *known);

/* known_problem is one line for the operator, NULL when all is well. */
const char *known_problem(const struct known *known);

#endif
