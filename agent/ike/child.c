// SPDX-License-Identifier: Apache-2.0
/*
 * Child SAs: what IKE_AUTH and CREATE_CHILD_SA have in common when they make one (RFC 7296 1.3.1, 2.9, 2.17), and their life as
 * objects. A Child SA covers exactly the two hosts of its IKE SA, in transport mode unless the peer or a NAT wants a tunnel; or this host and the one behind
 * the peer, in a tunnel.
 */
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

struct kid *kid_at(const struct ike *ike, uint32_t ref)
{
	return ref ? pool_at(&ike->kids, ref - 1) : NULL;
}

uint32_t kid_ref(const struct ike *ike, const struct kid *kid)
{
	return pool_handle(&ike->kids, kid).index + 1;
}

uint32_t child_spi(struct ike *ike, const struct sa *sa)
{
	const struct hf_pair pair = { .local = sa->path.local, .remote = sa->path.remote };

	return ike->options.host.spi(ike->options.host.arg, &pair);
}

struct kid *kid_new(struct ike *ike, struct sa *sa, uint32_t spi_in_be, uint64_t now)
{
	struct handle handle = HANDLE_NONE;
	unsigned int have = 0;
	struct kid *kid;
	uint64_t life = ike_jitter(ike, ike->options.child_life_ns, 10);

	for (kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		have++;
	if (spi_in_be && have < IKE_CHILDREN_PER_SA)
		handle = pool_take(&ike->kids);
	if (!handle.generation)
		return NULL;
	kid = pool_get(&ike->kids, handle);
	kid->sa = sa_ref(ike, sa) - 1;
	kid->next = sa->kids;
	sa->kids = handle.index + 1;
	kid->child.spi_in_be = spi_in_be;
	kid->rekey_ns = nstime_add(now, life);
	kid->drop_ns = kid->unproven_ns = NSTIME_NEVER;
	return kid;
}

static void forget_in_work(struct ike *ike, struct sa *sa, uint32_t *work_ref, uint32_t ref)
{
	struct work *work = *work_ref ? pool_at(&ike->works, *work_ref - 1) : NULL;

	if (!work)
		return;
	if (work->kid == ref && sa->established_ns) {
		work_free(ike, work_ref); /* an exchange that has nothing left to make */
		return;
	}
	if (work->kid == ref)
		work->kid = 0;
	if (work->old_kid == ref)
		work->old_kid = 0;
	if (work->rival == ref)
		work->rival = 0;
}

/*
 * Its successor came to nothing: it goes on, and is rekeyed when it would have been dropped; at once if it is not sent with any more,
 * since its keys are forgotten.
 */
static void lose_heir(const struct sa *sa, struct kid *kid)
{
	kid->heir = 0;
	kid->supplanted = false;
	if (kid->state != KID_REPLACED || kid->gone)
		return;
	kid->state = KID_UP;
	kid->rekey_ns = sa->loser ? NSTIME_NEVER : kid->quiet ? 0 : kid->drop_ns;
	kid->drop_ns = NSTIME_NEVER;
}

void kid_unlink(struct ike *ike, struct kid *kid)
{
	struct sa *sa = pool_at(&ike->sas, kid->sa);
	uint32_t *link = &sa->kids, self = kid_ref(ike, kid);

	while (*link && *link != self)
		link = &kid_at(ike, *link)->next;
	if (*link)
		*link = kid->next;
	if (sa->request.kid == self)
		sa->request.kid = 0;
	for (struct kid *other = kid_at(ike, sa->kids); other; other = kid_at(ike, other->next))
		if (other->heir == self)
			lose_heir(sa, other);
	forget_in_work(ike, sa, &sa->work, self);
	forget_in_work(ike, sa, &sa->peer_work, self);
}

void kid_remove(struct ike *ike, struct kid *kid)
{
	bool replaced = kid->heir != 0;

	if (kid->announced)
		output_child(ike, IKE_CHILD_DOWN, kid, true, true, 0, replaced);
	kid_unlink(ike, kid);
	secret_wipe(&kid->child, sizeof(kid->child));
	pool_put(&ike->kids, pool_handle(&ike->kids, kid));
}

struct kid *kid_by_out(const struct ike *ike, const struct sa *sa, uint32_t spi_out_be)
{
	struct kid *kid = kid_at(ike, sa->kids);

	while (kid && (kid->gone || kid->child.spi_out_be != spi_out_be))
		kid = kid_at(ike, kid->next);
	return kid;
}

static void forget_keys(struct kid *kid)
{
	if (kid->out_installed && kid->state != KID_INSTALLING) {
		secret_wipe(kid->child.key_in, CHILD_KEY_MAX);
		secret_wipe(kid->child.key_out, CHILD_KEY_MAX);
	}
}

void kid_up(struct ike *ike, struct kid *kid, bool out, uint32_t replaces_in_be)
{
	kid->announced = true;
	kid->out_installed = out;
	keylog_child(&ike->options.host, &((struct sa *)pool_at(&ike->sas, kid->sa))->path, &kid->child);
	output_child(ike, IKE_CHILD_UP, kid, true, out, replaces_in_be, false);
}

void kid_installed(struct kid *kid)
{
	if (kid->state == KID_INSTALLING)
		kid->state = kid->heir ? KID_REPLACED : KID_UP;
	forget_keys(kid);
}

void kid_all_proven(struct ike *ike, struct sa *sa)
{
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next)) {
		kid->unproven = false;
		kid->unproven_ns = NSTIME_NEVER;
	}
}

/*
 * Its maker still waits for our answer: whatever our clock says, that one is only over when it asks the next thing, or when it gives the IKE
 * SA up. Dropped here, it would be made there a moment later. DEVIATION: RFC 7296 2.25 has it deleted on CHILD_SA_NOT_FOUND.
 */
void kid_not_known(struct ike *ike, struct sa *sa, struct kid *kid, uint64_t now)
{
	send_later(ike, sa, WANT_REKEY_KID, now);
	kid->rekey_wanted = kid->state == KID_UP;
	kid->unproven_ns = sa->retry_ns;
}

void kid_use(struct ike *ike, struct kid *kid)
{
	if (kid->out_installed)
		return;
	kid->out_installed = true;
	output_child(ike, IKE_CHILD_USE, kid, false, true, 0, false);
	forget_keys(kid);
}

void kid_quiet(struct ike *ike, struct kid *kid)
{
	if (kid->out_installed && kid->announced && !kid->quiet)
		output_child(ike, IKE_CHILD_QUIET, kid, false, true, 0, false);
	kid->quiet = kid->out_installed = true; /* never again: its keys are forgotten */
	forget_keys(kid);
}

void kid_replace(struct ike *ike, struct kid *old, struct kid *heir, uint64_t now)
{
	/* One that still waits for the kernel follows in kid_installed. A Delete that we wanted is its heir's maker's now, and says that he has it. */
	if (old->state != KID_INSTALLING)
		old->state = KID_REPLACED;
	old->heir = kid_ref(ike, heir);
	old->rekey_ns = NSTIME_NEVER;
	old->rekey_wanted = false;
	old->drop_ns = nstime_add(now, IKE_REPLACED_LIFE);
}

void kid_supplant(struct ike *ike, struct kid *old, struct kid *heir, uint64_t now)
{
	kid_quiet(ike, old);
	kid_replace(ike, old, heir, now);
	old->supplanted = true;
}

/* ---- negotiation ---- */

void child_encap(struct child *child, const struct sa *sa)
{
	child->encap = sa->features & FEATURE_ENCAP;
	child->encap_local = child->encap ? sa->path.local_port : 0;
	child->encap_remote = child->encap ? sa->path.remote_port : 0;
}

/* TSi is the initiator's of this exchange, TSr its responder's (RFC 7296 2.9). */
void child_write_ts(struct message *message, const struct sa *sa, bool initiator)
{
	const struct hf_pair pair = sa_pair(sa);

	ts_write(message, PAYLOAD_TSI, initiator ? &pair.local : &pair.remote);
	ts_write(message, PAYLOAD_TSR, initiator ? &pair.remote : &pair.local);
}

void child_write_spi(struct message *message, const struct offer *offer, const struct suite *suite, uint32_t spi_in_be)
{
	struct view spi = view_of(&spi_in_be, sizeof(spi_in_be));

	if (offer)
		proposal_write(message, offer, spi);
	else
		proposal_write_choice(message, suite, spi);
}

/*
 * Whether the peer's selectors are for our two hosts. Behind a NAT a host names itself by an address that only it knows: one
 * single address is taken for the one its packets come from (RFC 7296 2.23.1), which is the only one it gets.
 */
static int check_ts(struct view body, const struct hf_addr *addr, bool natted, bool exactly)
{
	struct hf_addr named;
	int rc = exactly ? ts_is_exactly(body, addr) : ts_covers(body, addr);

	if (rc == NOTIFY_TS_UNACCEPTABLE && natted)
		rc = ts_single(&named, body);
	return rc;
}

static int algorithm_of(enum child_algorithm *out, const struct suite *suite)
{
	if (suite->encr == ENCR_AES_GCM_16 && suite->encr_bits == 256)
		*out = CHILD_AES_GCM_16_256;
	else if (suite->encr == ENCR_AES_GCM_16 && suite->encr_bits == 128)
		*out = CHILD_AES_GCM_16_128;
	else if (suite->encr == ENCR_CHACHA20_POLY1305)
		*out = CHILD_CHACHA20_POLY1305;
	else
		return NOTIFY_NO_PROPOSAL_CHOSEN;
	return 0;
}

/*
 * DEVIATION: where a NAT is seen RFC 7296 2.23.1 leaves transport mode to those who can substitute addresses, and advises tunnels. We
 * substitute, and keep transport mode: the pair of hosts is what the policy is about.
 */
int child_agree(struct ike *ike, struct sa *sa, struct child *child, struct suite *suite, const struct chain *chain,
		bool responder, const struct offer *offer, uint16_t ke_hint)
{
	const struct notify *transport = chain_notify(chain, NOTIFY_USE_TRANSPORT_MODE);
	bool local_first = !responder; /* TSi is ours when we started the exchange */
	bool nat_local = sa->features & FEATURE_NAT_LOCAL, nat_remote = sa->features & FEATURE_NAT_REMOTE;
	const struct hf_pair pair = sa_pair(sa);
	enum child_algorithm algorithm;
	struct view spi;
	int rc;

	(void)ike;
	if (!chain_has(chain, SLOT_SA) || !chain_has(chain, SLOT_TSI) || !chain_has(chain, SLOT_TSR))
		return NOTIFY_INVALID_SYNTAX;
	rc = responder ? proposal_choose(suite, &spi, chain->payload[SLOT_SA], offer, ke_hint, 4)
		       : proposal_accept(suite, &spi, chain->payload[SLOT_SA], offer, 4);
	if (!rc)
		rc = algorithm_of(&algorithm, suite);
	if (!rc)
		rc = check_ts(chain->payload[local_first ? SLOT_TSI : SLOT_TSR], &pair.local, nat_local, !responder);
	if (!rc)
		rc = check_ts(chain->payload[local_first ? SLOT_TSR : SLOT_TSI], &pair.remote,
			      nat_remote && !sa_is_through(sa), !responder);
	/* Nobody asked for that: what is in it would be the gateway's own packets. */
	if (!rc && transport && !responder && sa_is_through(sa))
		rc = NOTIFY_NO_PROPOSAL_CHOSEN;
	if (rc)
		return rc;
	memcpy(&child->spi_out_be, spi.at, sizeof(child->spi_out_be));
	/* 1 to 255 are reserved, 0 is not sent (RFC 4303 2.1). */
	if (__builtin_bswap32(child->spi_out_be) < 256)
		return NOTIFY_INVALID_SYNTAX;
	child->algorithm = algorithm;
	child->esn = suite->esn;
	child->tunnel = !transport || sa_is_through(sa);
	child_encap(child, sa);
	return 0;
}
