// SPDX-License-Identifier: Apache-2.0
/*
 * What the three files of IKE_AUTH share (auth.c, auth_initiator.c, auth_responder.c).
 */
#ifndef IKE_AUTH_H
#define IKE_AUTH_H

#include "ike/internal.h"

/* Ni and Nr of IKE_SA_INIT. */
struct auth_nonces {
	struct view i, r;
	uint8_t memory[NONCE_MAX];
};

void auth_nonces(struct ike *ike, const struct sa *sa, struct auth_nonces *out);

struct auth_octets {
	struct signed_octets octets;
	struct auth_nonces nonces;
	uint8_t intauth[2 * PRF_LEN_MAX + 4];
};

/* auth_answer is the work that holds the caller's answer. */
struct work *auth_answer(const struct ike *ike, const struct sa *sa);

/* auth_keep_id: our identity is the options', or the ID_KEY_ID of the options' key. */
int auth_keep_id(struct ike *ike);

/* auth_write writes our ID and AUTH payloads; in the peer's manner unless `peers_method` is 0. -ENOKEY: we cannot. */
int auth_write(struct ike *ike, struct sa *sa, struct message *message, enum ike_auth peers_method);

/*
 * auth_verify checks the peer's ID and AUTH payloads against the caller's answer. 0: sa->auth and sa->key say who it is; -EBADMSG: it did not
 * prove it; else our trouble.
 */
int auth_verify(struct ike *ike, struct sa *sa, const struct chain *chain, struct id *id);

void auth_write_crash_token(struct ike *ike, const struct sa *sa, struct message *message);
void auth_read_crash_token(struct sa *sa, const struct chain *chain);

/* The caller has no key for this peer. */
void auth_no_key(struct ike *ike, struct sa *sa, uint64_t now);
void auth_on_initiator_answer(struct ike *ike, struct sa *sa, uint64_t now);
void auth_on_responder_answer(struct ike *ike, struct sa *sa, uint64_t now);

#endif
