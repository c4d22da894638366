// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_SA_INIT (RFC 7296 1.2), both roles. Nothing here is authenticated: the initiator believes no answer before IKE_AUTH and follows up
 * several (2.4); the responder keeps no state for a stranger under load (2.6) and does the costly half of the key
 * exchange only when the first protected message comes.
 *
 *   HDR, [N(COOKIE)], SAi1, KEi, Ni, N(NAT_DETECTION_*), N(FRAGMENTATION_SUPPORTED), N(SIGNATURE_HASH_ALGORITHMS),
 *        [N(INTERMEDIATE_EXCHANGE_SUPPORTED)]  -->
 *                                          <--  HDR, SAr1, KEr, Nr, the same notifies
 *                                          <--  HDR, N(COOKIE)  |  HDR, N(INVALID_KE_PAYLOAD)
 */
#include <errno.h>
#include <string.h>

#include "ike/internal.h"

/* ---- what both sides write ---- */

static void write_natd(struct message *message, uint16_t type, const struct header *header, const struct hf_addr *addr,
		       uint16_t port)
{
	uint8_t hash[SHA1_LEN];

	if (!keymat_natd(hash, header->spi_i, header->spi_r, addr, port))
		message_notify(message, PROTOCOL_NONE, type, VIEW_NONE, VIEW_OF(hash));
	else
		message->out.failed = true;
}

void init_write_common(struct ike *ike, struct message *message, const struct header *header,
		       const struct ike_path *path, bool intermediate)
{
	static const uint8_t hashes[] = { 0, SIGN_HASH_SHA2_256, 0, SIGN_HASH_SHA2_384,
					  0, SIGN_HASH_SHA2_512, 0, SIGN_HASH_IDENTITY };
	struct hf_addr nowhere = { 0 };

	/* A wrong source makes the peer see a NAT and take to port 4500 (RFC 7296 2.23). */
	write_natd(message, NOTIFY_NAT_DETECTION_SOURCE_IP, header, ike->options.force_encap ? &nowhere : &path->local,
		   path->local_port);
	write_natd(message, NOTIFY_NAT_DETECTION_DESTINATION_IP, header, &path->remote, path->remote_port);
	message_notify(message, PROTOCOL_NONE, NOTIFY_FRAGMENTATION_SUPPORTED, VIEW_NONE, VIEW_NONE);
	message_notify(message, PROTOCOL_NONE, NOTIFY_SIGNATURE_HASH_ALGORITHMS, VIEW_NONE, VIEW_OF(hashes));
	if (intermediate)
		message_notify(message, PROTOCOL_NONE, NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, VIEW_NONE, VIEW_NONE);
}

/* ---- what both sides read ---- */

static unsigned int hashes_of(const struct notify *notify)
{
	struct reader reader;
	unsigned int hashes = 0;

	reader_init(&reader, notify->data);
	while (reader_left(&reader) >= 2) {
		uint16_t hash = read_u16(&reader);

		if (hash < 32)
			hashes |= 1u << hash;
	}
	return hashes & SIGN_HASHES;
}

/* There is a NAT where no hash of the peer's fits the address we see (RFC 7296 2.23). Without such notifies nothing is known: none. */
static bool is_natted(const struct chain *chain, uint16_t type, const struct header *header, const struct hf_addr *addr,
		      uint16_t port)
{
	uint8_t hash[SHA1_LEN];
	bool any = false;

	if (keymat_natd(hash, header->spi_i, header->spi_r, addr, port))
		return false;
	for (size_t i = 0; i < chain->notify_count; i++) {
		if (chain->notifies[i].type != type)
			continue;
		any = true;
		if (view_equal(chain->notifies[i].data, VIEW_OF(hash)))
			return false;
	}
	return any;
}

void init_read_common(struct ike *ike, struct sa *sa, const struct chain *chain, const struct header *header,
		      const struct ike_path *path)
{
	const struct notify *hashes = chain_notify(chain, NOTIFY_SIGNATURE_HASH_ALGORITHMS);

	if (hashes) {
		sa->features |= FEATURE_HASHES;
		sa->hashes = hashes_of(hashes);
	}
	if (chain_notify(chain, NOTIFY_FRAGMENTATION_SUPPORTED))
		sa->features |= FEATURE_FRAGMENTATION;
	if (chain_notify(chain, NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED))
		sa->features |= FEATURE_INTERMEDIATE;
	if (is_natted(chain, NOTIFY_NAT_DETECTION_SOURCE_IP, header, &path->remote, path->remote_port))
		sa->features |= FEATURE_NAT_REMOTE;
	if (is_natted(chain, NOTIFY_NAT_DETECTION_DESTINATION_IP, header, &path->local, path->local_port) ||
	    ike->options.force_encap)
		sa->features |= FEATURE_NAT_LOCAL;
	if (sa->features & (FEATURE_NAT_LOCAL | FEATURE_NAT_REMOTE) || path->local_port == ike->options.encap_port)
		sa->features |= FEATURE_ENCAP;
}

int init_set_suite(struct sa *sa, const struct suite *suite)
{
	sa->suite = *suite;
	sa->keys.prf = prf_find(suite->prf);
	sa->keys.cipher = cipher_find(suite->encr, suite->encr_bits, suite->integ);
	return sa->keys.prf && sa->keys.cipher ? 0 : -ENOTSUP;
}

int init_derive(struct ike *ike, struct sa *sa, struct view ni, struct view nr, struct view shared)
{
	struct keymat_input input = { .ni = ni, .nr = nr, .spi_i = sa->spi_i, .spi_r = sa->spi_r };
	int rc = keymat_initial(&sa->keys, &input, shared);

	if (rc)
		return rc;
	sa->have_keys = true;
	nonce_low(sa->low_nonce, ni, nr);
	memcpy(sa->origin_nonce, sa->low_nonce, NONCE_LEN);
	keylog_ike(&ike->options.host, sa->spi_i, sa->spi_r, &sa->keys);
	return 0;
}
