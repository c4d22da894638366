// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_AUTH (RFC 7296 1.2, 2.15), what both roles share: whose octets are signed with what, and whether the peer's AUTH is
 * that of a key the caller named. Signatures of method 14 (RFC 7427, 8420), PSK, and NULL where the caller said so
 * (RFC 7619). A good signature of another key than those is a failure, whatever identity came with it.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "ike/auth.h"

/* The work that holds the caller's answer: of a candidate it is its attempt's. */
struct work *auth_answer(const struct ike *ike, const struct sa *sa)
{
	const struct sa *mother = sa_at(ike, sa->mother);

	return sa_work(ike, mother ? mother : sa);
}

void auth_nonces(struct ike *ike, const struct sa *sa, struct auth_nonces *out)
{
	struct work *work = sa_work(ike, sa), *attempt = auth_answer(ike, sa);
	struct view peers = blob_view(ike, &work->peer_nonce, out->memory, sizeof(out->memory));

	out->i = sa->initiator ? VIEW_OF(attempt->nonce) : peers;
	out->r = sa->initiator ? peers : VIEW_OF(work->nonce);
}

/* IntAuth_i | IntAuth_r | message ID of IKE_AUTH (RFC 9242 3.3.2); nothing without IKE_INTERMEDIATE. */
static struct view intauth_of(const struct sa *sa, const struct work *work, uint8_t memory[2 * PRF_LEN_MAX + 4])
{
	size_t len = sa->keys.prf->out_len;
	struct writer writer;

	if (!work->intauth)
		return VIEW_NONE;
	writer_init(&writer, memory, 2 * PRF_LEN_MAX + 4);
	write_octets(&writer, work->intauth_i, len);
	write_octets(&writer, work->intauth_r, len);
	write_u32(&writer,
		  sa->initiator ? sa->request.kind == REQUEST_AUTH ? sa->request.mid : sa->send_mid : sa->recv_mid);
	return writer_view(&writer);
}

static int octets_of(struct ike *ike, const struct sa *sa, bool of_initiator, struct view id_body,
		     struct auth_octets *out)
{
	struct work *work = sa_work(ike, sa);
	const struct blob *message = of_initiator ? &work->init_i : &work->init_r;
	struct view octets = blob_view(ike, message, ike->copies[0], sizeof(ike->copies[0]));

	auth_nonces(ike, sa, &out->nonces);
	return keymat_signed_octets(&out->octets, &sa->keys, of_initiator, octets,
				    of_initiator ? out->nonces.r : out->nonces.i, id_body,
				    intauth_of(sa, work, out->intauth));
}

/* ---- ours ---- */

int auth_keep_id(struct ike *ike)
{
	struct view spki;

	if (ike->options.id.type) {
		if (ike->options.id.data.len > IKE_IDENTITY_MAX)
			return -EMSGSIZE;
		memcpy(ike->own_id, ike->options.id.data.at, ike->options.id.data.len);
		ike->options.id.data.at = ike->own_id;
		return 0;
	}
	if (!ike->options.key)
		return 0;
	spki = sign_key_spki(ike->options.key);
	ike->options.id = (struct ike_identity){ .type = ID_KEY_ID, .data = view_of(ike->own_id, SHA256_LEN) };
	return hash_sha256(ike->own_id, &spki, 1);
}

int ike_use_key(struct ike *ike, const struct sign_key *key)
{
	ike->options.key = key;
	ike->options.id.type = 0;
	return auth_keep_id(ike);
}

/* With what we prove who we are: as the caller wants it of the peer, and in kind. */
static int own_method(const struct ike *ike, const struct work *answer, enum ike_auth peers)
{
	if (peers)
		return peers;
	if (answer->psk.len)
		return IKE_AUTH_PSK;
	if (answer->keys && ike->options.key)
		return IKE_AUTH_SIGNATURE;
	return answer->null ? IKE_AUTH_NULL : -ENOKEY;
}

static struct view own_id_body(struct ike *ike, const struct work *answer, enum ike_auth method,
			       uint8_t memory[4 + IKE_IDENTITY_MAX])
{
	struct ike_identity id = ike->options.id;

	if (answer->own_id_type) {
		id.type = answer->own_id_type;
		id.data = blob_view(ike, &answer->own_id, memory + 4, IKE_IDENTITY_MAX);
	} else if (method == IKE_AUTH_NULL || !id.type) {
		id = (struct ike_identity){ .type = ID_NULL };
	} else {
		memcpy(memory + 4, id.data.at, id.data.len);
	}
	memset(memory, 0, 4);
	memory[0] = id.type;
	return view_of(memory, 4 + id.data.len);
}

int auth_write(struct ike *ike, struct sa *sa, struct message *message, enum ike_auth peers_method)
{
	struct work *answer = auth_answer(ike, sa);
	int method = own_method(ike, answer, peers_method);
	uint8_t id_memory[4 + IKE_IDENTITY_MAX], data[SIGN_AUTH_MAX], psk[SECRET_MAX];
	struct auth_octets octets;
	size_t len = sizeof(data);
	struct view id_body;
	int rc;

	if (method < 0)
		return method;
	id_body = own_id_body(ike, answer, (enum ike_auth)method, id_memory);
	rc = octets_of(ike, sa, sa->initiator, id_body, &octets);
	if (rc)
		return rc;
	switch (method) {
	case IKE_AUTH_PSK:
		rc = keymat_auth_psk(data, &sa->keys, blob_view(ike, &answer->psk, psk, sizeof(psk)), &octets.octets);
		len = sa->keys.prf->out_len;
		secret_wipe(psk, sizeof(psk));
		break;
	case IKE_AUTH_NULL:
		rc = keymat_auth_null(data, &sa->keys, sa->initiator, &octets.octets);
		len = sa->keys.prf->out_len;
		break;
	default:
		if (!ike->options.key || !(sa->features & FEATURE_HASHES))
			return -ENOKEY;
		rc = sign_auth(data, &len, ike->options.key, sa->hashes, octets.octets.parts, octets.octets.count);
	}
	if (rc)
		return rc;
	message_id(message, sa->initiator ? PAYLOAD_IDI : PAYLOAD_IDR, id_body.at[0],
		   view_of(id_body.at + 4, id_body.len - 4));
	message_auth(message, (uint8_t)method, view_of(data, len));
	return 0;
}

void auth_write_crash_token(struct ike *ike, const struct sa *sa, struct message *message)
{
	static const uint8_t none[sizeof(ike->options.crash_secret)];
	uint8_t token[CRASH_TOKEN_LEN];

	/* RFC 6290 4.1: after a restart this SA's token is made again from the secret that outlives us. */
	if (memcmp(ike->options.crash_secret, none, sizeof(none)) &&
	    !crash_token_make(token, ike->options.crash_secret, sa->spi_i, sa->spi_r))
		message_notify(message, PROTOCOL_IKE, NOTIFY_QUICK_CRASH_DETECTION, VIEW_NONE, VIEW_OF(token));
}

void auth_read_crash_token(struct sa *sa, const struct chain *chain)
{
	const struct notify *token = chain_notify(chain, NOTIFY_QUICK_CRASH_DETECTION);

	if (token && token->data.len >= 16 && token->data.len <= 128)
		hash_sha256(sa->crash_token, &token->data, 1);
}

/* ---- the peer's ---- */

/* An identity is a hint, but it may not say what is not so: an address other than the packets', the name of another key. */
static bool id_is_consistent(const struct ike *ike, const struct sa *sa, const struct work *answer, const struct id *id)
{
	uint8_t wanted[IKE_IDENTITY_MAX];
	size_t len;
	const uint8_t *octets = addr_octets(&sa->path.remote, &len);

	if (answer->peer_id_type)
		return id->type == answer->peer_id_type &&
		       view_equal(id->data, blob_view(ike, &answer->peer_id, wanted, sizeof(wanted)));
	if ((id->type == ID_IPV4_ADDR || id->type == ID_IPV6_ADDR) && !(sa->features & FEATURE_NAT_REMOTE))
		return view_equal(id->data, view_of(octets, len));
	if (id->type == ID_KEY_ID && sa->auth == IKE_AUTH_SIGNATURE)
		return view_equal(id->data, VIEW_OF(sa->key));
	return true;
}

static int verify_signature(struct ike *ike, struct sa *sa, const struct work *answer, const struct auth *auth,
			    const struct signed_octets *octets)
{
	uint8_t memory[SPKI_MAX];

	if (!(sa->features & FEATURE_HASHES))
		return -EBADMSG;
	for (size_t i = 0; i < answer->keys; i++) {
		struct view spki = blob_view(ike, &answer->spki[i], memory, sizeof(memory));
		int rc = sign_verify(spki, SIGN_HASHES, auth->data, octets->parts, octets->count);

		if (rc == 0)
			return hash_sha256(sa->key, &spki, 1);
		if (rc != -EBADMSG)
			return rc;
	}
	return -EBADMSG;
}

/* PSK and NULL: the peer computed what we compute. */
static int verify_mac(struct ike *ike, struct sa *sa, const struct work *answer, const struct auth *auth,
		      const struct signed_octets *octets)
{
	uint8_t expected[PRF_LEN_MAX], psk[SECRET_MAX];
	struct view secret = blob_view(ike, &answer->psk, psk, sizeof(psk));
	int rc;

	if (auth->method == IKE_AUTH_PSK ? !secret.len : !answer->null)
		return -EBADMSG;
	rc = auth->method == IKE_AUTH_PSK ? keymat_auth_psk(expected, &sa->keys, secret, octets)
					  : keymat_auth_null(expected, &sa->keys, !sa->initiator, octets);
	secret_wipe(psk, sizeof(psk));
	if (rc)
		return rc;
	return crypto_equal(view_of(expected, sa->keys.prf->out_len), auth->data) ? 0 : -EBADMSG;
}

int auth_verify(struct ike *ike, struct sa *sa, const struct chain *chain, struct id *id)
{
	struct work *answer = auth_answer(ike, sa);
	struct auth_octets octets;
	struct auth auth;
	int rc;

	if (!chain_has(chain, SLOT_AUTH) || !chain_has(chain, sa->initiator ? SLOT_IDR : SLOT_IDI) ||
	    auth_parse(&auth, chain->payload[SLOT_AUTH]) ||
	    id_parse(id, chain->payload[sa->initiator ? SLOT_IDR : SLOT_IDI]) || id->data.len > IKE_IDENTITY_MAX)
		return -EBADMSG;
	rc = octets_of(ike, sa, !sa->initiator, id->body, &octets);
	if (rc)
		return rc;
	memset(sa->key, 0, sizeof(sa->key));
	switch (auth.method) {
	case IKE_AUTH_SIGNATURE:
		rc = verify_signature(ike, sa, answer, &auth, &octets.octets);
		break;
	case IKE_AUTH_PSK:
	case IKE_AUTH_NULL:
		rc = verify_mac(ike, sa, answer, &auth, &octets.octets);
		break;
	default:
		/* DEVIATION: RFC 7296 4 has method 1 mandatory. SHA-1 RSA and everything else is not spoken. */
		return -EBADMSG;
	}
	if (rc)
		return rc;
	sa->auth = (enum ike_auth)auth.method;
	return id_is_consistent(ike, sa, answer, id) ? 0 : -EBADMSG;
}

/* ---- the caller's answer ---- */

static int keep_answer(struct ike *ike, struct work *work, const struct ike_answer *answer)
{
	int rc = 0;

	work->null = answer->null;
	work->keys = answer->keys < IKE_KEYS_MAX ? answer->keys : IKE_KEYS_MAX;
	for (size_t i = 0; i < work->keys && !rc; i++)
		rc = answer->spki[i].len <= SPKI_MAX ? blob_set(ike, &work->spki[i], answer->spki[i]) : -EMSGSIZE;
	if (!rc)
		rc = answer->psk.len <= SECRET_MAX ? blob_set(ike, &work->psk, answer->psk) : -EMSGSIZE;
	work->peer_id_type = answer->peer.type;
	work->own_id_type = answer->own.type;
	if (!rc)
		rc = answer->peer.data.len <= IKE_IDENTITY_MAX ? blob_set(ike, &work->peer_id, answer->peer.data)
							       : -EMSGSIZE;
	if (!rc)
		rc = answer->own.data.len <= IKE_IDENTITY_MAX ? blob_set(ike, &work->own_id, answer->own.data)
							      : -EMSGSIZE;
	return rc;
}

void ike_answer(struct ike *ike, struct handle handle, const struct ike_answer *answer, uint64_t now)
{
	struct sa *sa = pool_get(&ike->sas, handle);
	struct work *work = sa ? sa_work(ike, sa) : NULL;

	if (!work || !sa->answer_awaited)
		return;
	sa->answer_awaited = false;
	sa->tag = answer->tag;
	if (!answer->keys && !answer->psk.len && !answer->null) {
		auth_no_key(ike, sa, now);
		return;
	}
	if (keep_answer(ike, work, answer)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	work->answered = true;
	if (sa->initiator)
		auth_on_initiator_answer(ike, sa, now);
	else
		auth_on_responder_answer(ike, sa, now);
}
