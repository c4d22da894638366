// SPDX-License-Identifier: Apache-2.0
/*
 * What must survive a restart so that an old directory cannot come back: the highest serial seen of each signing key, and the last good directory
 * with its signature. One file, replaced as a whole, so that the two never disagree. And beside it the latest time this host ever saw.
 */
#ifndef DISCOVER_LEDGER_H
#define DISCOVER_LEDGER_H

#include "base/err.h"
#include "crypto/crypto.h"
#include "discover/minisign.h"

#define LEDGER_MARKS_MAX 16 /* signing keys ever used; the oldest goes */

struct mark {
	uint8_t id[MINISIGN_ID_LEN];
	uint64_t serial;
	uint8_t sha256[SHA256_LEN]; /* of the text that had it */
};

struct ledger {
	struct mark marks[LEDGER_MARKS_MAX]; /* oldest first */
	size_t mark_count;
	struct view signature, text; /* of the last good directory; text.len is 0 when there is none. In memory */
	uint8_t *memory;
};

/* ledger_read: -ENOENT when there is none, -EINVAL when it is damaged. *out is owned by the caller on success. */
int ledger_read(struct ledger *out, const char *path, struct err *err);
void ledger_clear(struct ledger *ledger);

/* ledger_write replaces the file with these marks and this directory. */
int ledger_write(const struct ledger *ledger, struct view text, struct view signature, const char *path,
		 struct err *err);

/*
 * ledger_admit: may this text of this key be taken? -ESTALE: its serial is lower than one seen before, or equal and the text differs. `file` is for
 * messages. `text_hash` is its SHA-256.
 */
int ledger_admit(const struct ledger *ledger, const uint8_t id[MINISIGN_ID_LEN], uint64_t serial,
		 const uint8_t text_hash[SHA256_LEN], const char *file, struct err *err);

/* ledger_note raises the key's mark. */
void ledger_note(struct ledger *ledger, const uint8_t id[MINISIGN_ID_LEN], uint64_t serial,
		 const uint8_t text_hash[SHA256_LEN]);

/* ledger_read_clock and ledger_write_clock keep a second of the wall clock. read: 0 when there is none. */
uint64_t ledger_read_clock(const char *path);
int ledger_write_clock(uint64_t seen_s, const char *path, struct err *err);

#endif
