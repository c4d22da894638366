// SPDX-License-Identifier: Apache-2.0
/*
 * IKE SAs as objects: making, finding, timing and ending them. Found by our own SPI, by the IKE_SA_INIT request that made
 * them, and by the pair of hosts. Ending one tells the caller once, children first.
 */
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

const char *sa_state_name(enum sa_state state)
{
	static const char *const names[SA_STATES] = {
		[SA_INIT_SENT] = "init sent",	  [SA_INTERMEDIATE_SENT] = "intermediate sent",
		[SA_KEY_AWAITED] = "key awaited", [SA_AUTH_SENT] = "auth sent",
		[SA_HALF_OPEN] = "half open",	  [SA_KEY_ASKED] = "key asked",
		[SA_INSTALLING] = "installing",	  [SA_ESTABLISHED] = "established",
		[SA_REKEYED] = "rekeyed",	  [SA_CLOSING] = "closing",
	};

	return state < SA_STATES ? names[state] : "?";
}

void ike_random(struct ike *ike, void *out, size_t len)
{
	ike->options.host.random(ike->options.host.arg, out, len);
}

uint64_t ike_jitter(struct ike *ike, uint64_t span, unsigned int percent)
{
	uint32_t dice;

	ike_random(ike, &dice, sizeof(dice));
	return span - span / 100 * percent + span / 100 * (dice % (2 * percent + 1));
}

/* ---- references: 1 + index, 0 = none ---- */

struct sa *sa_at(const struct ike *ike, uint32_t ref)
{
	return ref ? pool_at(&ike->sas, ref - 1) : NULL;
}

uint32_t sa_ref(const struct ike *ike, const struct sa *sa)
{
	return pool_handle(&ike->sas, sa).index + 1;
}

struct work *sa_work(const struct ike *ike, const struct sa *sa)
{
	return sa->work ? pool_at(&ike->works, sa->work - 1) : NULL;
}

struct work *sa_peer_work(const struct ike *ike, const struct sa *sa)
{
	return sa->peer_work ? pool_at(&ike->works, sa->peer_work - 1) : NULL;
}

struct work *work_new(struct ike *ike, uint32_t *ref)
{
	struct handle handle = pool_take(&ike->works);

	if (!handle.generation)
		return NULL;
	*ref = handle.index + 1;
	return pool_get(&ike->works, handle);
}

void work_free(struct ike *ike, uint32_t *ref)
{
	struct work *work = *ref ? pool_at(&ike->works, *ref - 1) : NULL;

	*ref = 0;
	if (!work)
		return;
	blob_clear(ike, &work->peer_nonce);
	blob_clear(ike, &work->peer_ke);
	blob_clear(ike, &work->init_i);
	blob_clear(ike, &work->init_r);
	blob_clear(ike, &work->cookie);
	blob_clear(ike, &work->psk);
	blob_clear(ike, &work->peer_id);
	blob_clear(ike, &work->own_id);
	blob_clear(ike, &work->plain);
	blob_clear(ike, &work->link);
	for (size_t i = 0; i < IKE_KEYS_MAX; i++)
		blob_clear(ike, &work->spki[i]);
	secret_wipe(work, sizeof(*work));
	pool_put(&ike->works, pool_handle(&ike->works, work));
}

/* ---- tables ---- */

const uint8_t *sa_own_spi(const struct sa *sa)
{
	return sa->initiator ? sa->spi_i : sa->spi_r;
}

const uint8_t *sa_peer_spi(const struct sa *sa)
{
	return sa->initiator ? sa->spi_r : sa->spi_i;
}

bool sa_is_through(const struct sa *sa)
{
	return !addr_is_none(&sa->behind);
}

struct hf_pair sa_pair(const struct sa *sa)
{
	return (struct hf_pair){ .local = sa->path.local, .remote = sa_is_through(sa) ? sa->behind : sa->path.remote };
}

static struct hf_pair key_of_spi(const uint8_t spi[SPI_LEN])
{
	struct hf_pair key = { 0 };

	memcpy(&key.local, spi, SPI_LEN);
	return key;
}

struct sa *sa_find(const struct ike *ike, const uint8_t own_spi[SPI_LEN])
{
	struct hf_pair key = key_of_spi(own_spi);
	uint32_t index;

	return table_find(&ike->by_spi, &key, &index) ? pool_at(&ike->sas, index) : NULL;
}

int sa_index_spi(struct ike *ike, struct sa *sa)
{
	struct hf_pair key = key_of_spi(sa_own_spi(sa));
	struct sa *first = sa_find(ike, sa_own_spi(sa));

	if (first) {
		sa->sibling = first->sibling;
		first->sibling = sa_ref(ike, sa);
		return 0;
	}
	return table_put(&ike->by_spi, &key, sa_ref(ike, sa) - 1);
}

static void unindex_spi(struct ike *ike, struct sa *sa)
{
	struct hf_pair key = key_of_spi(sa_own_spi(sa));
	struct sa *at = sa_find(ike, sa_own_spi(sa));

	if (at == sa) {
		if (sa->sibling)
			table_put(&ike->by_spi, &key, sa->sibling - 1);
		else
			table_del(&ike->by_spi, &key);
		return;
	}
	for (; at; at = sa_at(ike, at->sibling)) {
		if (at->sibling == sa_ref(ike, sa)) {
			at->sibling = sa->sibling;
			return;
		}
	}
}

struct sa *sa_first_of_pair(const struct ike *ike, const struct hf_pair *pair)
{
	uint32_t index;

	return table_find(&ike->by_pair, pair, &index) ? pool_at(&ike->sas, index) : NULL;
}

void sa_enter_pair(struct ike *ike, struct sa *sa)
{
	struct hf_pair pair = sa_pair(sa);
	struct sa *first = sa_first_of_pair(ike, &pair);

	if (sa->in_pairs)
		return;
	sa->next_of_pair = first ? sa_ref(ike, first) : 0;
	sa->in_pairs = !table_put(&ike->by_pair, &pair, sa_ref(ike, sa) - 1);
}

void sa_leave_pair(struct ike *ike, struct sa *sa)
{
	struct hf_pair pair = sa_pair(sa);
	struct sa *at = sa_first_of_pair(ike, &pair);

	if (!sa->in_pairs)
		return;
	sa->in_pairs = false;
	if (at == sa) {
		if (sa->next_of_pair)
			table_put(&ike->by_pair, &pair, sa->next_of_pair - 1);
		else
			table_del(&ike->by_pair, &pair);
		return;
	}
	for (; at; at = sa_at(ike, at->next_of_pair)) {
		if (at->next_of_pair == sa_ref(ike, sa)) {
			at->next_of_pair = sa->next_of_pair;
			return;
		}
	}
}

/* ---- life ---- */

struct sa *sa_new(struct ike *ike, bool initiator, const struct ike_path *path, uint64_t now)
{
	struct handle handle = pool_take(&ike->sas);
	struct sa *sa;

	if (!handle.generation)
		return NULL;
	sa = pool_get(&ike->sas, handle);
	sa->initiator = initiator;
	sa->path = *path;
	sa->started_ns = now;
	sa->rekey_ns = sa->drop_ns = sa->request.again_ns = NSTIME_NEVER;
	return sa;
}

/*
 * The table finds a retransmitted IKE_SA_INIT request by its octets and where it came from (RFC 7296 2.1), as long as its SA is there: one
 * that was long under way would make a second SA, of which the initiator takes only one.
 */
void sa_leave_init(struct ike *ike, struct sa *sa)
{
	if (sa->in_init)
		table_del(&ike->by_init, &sa->init_key);
	sa->in_init = false;
}

static void free_candidates(struct ike *ike, const struct sa *mother)
{
	struct sa *at = sa_find(ike, sa_own_spi(mother));

	while (at) {
		struct sa *next = sa_at(ike, at->sibling);

		if (at->mother == sa_ref(ike, mother))
			sa_free(ike, at);
		at = next;
	}
}

void sa_free(struct ike *ike, struct sa *sa)
{
	struct sa *heir = sa_at(ike, sa->heir), *ancestor = sa_at(ike, sa->ancestor);

	if (sa->state == SA_INIT_SENT)
		free_candidates(ike, sa);
	if (ancestor)
		ancestor->heir = 0;
	if (heir) {
		heir->ancestor = 0;
		sa_free(ike, heir);
	}
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, sa->kids))
		kid_remove(ike, kid);
	timers_cancel(&ike->timers, &sa->timer);
	unindex_spi(ike, sa);
	sa_leave_pair(ike, sa);
	sa_leave_init(ike, sa);
	quota_leave(ike, sa);
	quota_null_leave(ike, sa);
	work_free(ike, &sa->work);
	work_free(ike, &sa->peer_work);
	blob_clear(ike, &sa->request.message);
	blob_clear(ike, &sa->response);
	input_forget_fragments(ike, sa);
	if (sa->established_ns)
		ike->counts.established--;
	secret_wipe(&sa->keys, sizeof(sa->keys));
	pool_put(&ike->sas, pool_handle(&ike->sas, sa));
}

unsigned int sa_candidates(const struct ike *ike, const struct sa *mother)
{
	unsigned int count = 0;

	for (const struct sa *at = sa_find(ike, sa_own_spi(mother)); at; at = sa_at(ike, at->sibling))
		count += at->mother == sa_ref(ike, mother);
	return count;
}

/* An answer that led nowhere says nothing about the peer: it may have been a forger's. The attempt goes on (RFC 7296 2.4). */
static void drop_candidate(struct ike *ike, struct sa *sa, enum ike_reason reason, uint64_t now)
{
	struct sa *mother = sa_at(ike, sa->mother);

	if (sa->notify)
		mother->notify = sa->notify;
	mother->down_reason = reason; /* what to say if time ends it: the last thing that happened */
	sa_free(ike, sa);
	if (mother->request.again_ns == NSTIME_NEVER && !sa_candidates(ike, mother))
		sa_drop(ike, mother, mother->superseded ? IKE_SUPERSEDED : reason, now);
}

void sa_drop(struct ike *ike, struct sa *sa, enum ike_reason reason, uint64_t now)
{
	if (sa->mother) {
		drop_candidate(ike, sa, reason, now);
		return;
	}
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, sa->kids))
		kid_remove(ike, kid);
	if (sa->known)
		output_down(ike, sa, pool_handle(&ike->sas, sa), reason);
	if (reason != IKE_CLOSED && reason != IKE_SUPERSEDED)
		crossing_gone(ike, sa, now);
	sa_free(ike, sa);
}

void sa_established(struct ike *ike, struct sa *sa, uint64_t now)
{
	uint64_t life = ike_jitter(ike, ike->options.sa_life_ns, 10);

	if (!sa->initiator)
		life += ike->options.sa_life_ns / IKE_RESPONDER_LATER;
	sa->state = SA_ESTABLISHED;
	sa->established_ns = now ? now : 1;
	sa->rekey_ns = nstime_add(now, life);
	sa->drop_ns = NSTIME_NEVER;
	sa->temporary = 0;
	ike->counts.established++;
	quota_leave(ike, sa);
	work_free(ike, &sa->work);
	input_forget_fragments(ike, sa);
}

/* ---- time ---- */

/* Not while a crossing rekey may still decide against it: what came out of it would outlive it. */
static bool is_rekeyed_by_time(const struct sa *sa)
{
	return sa->state == SA_ESTABLISHED && !sa->ancestor;
}

void sa_schedule(struct ike *ike, struct sa *sa)
{
	uint64_t when = nstime_min(sa->request.again_ns, sa->drop_ns);

	if (sa->state == SA_ESTABLISHED) {
		if (is_rekeyed_by_time(sa))
			when = nstime_min(when, sa->rekey_ns);
		/* Behind an exchange nothing is due before the kernel has answered: ike_installed comes back to it. */
		if (sa->wants && sa->request.kind == REQUEST_NONE && !sa->peer_work && !sa->work)
			when = nstime_min(when, sa->retry_ns);
		if (sa->features & FEATURE_NAT_LOCAL)
			when = nstime_min(when, sa->sent_ns + IKE_KEEPALIVE);
	}
	if (followup_awaited(ike, sa))
		when = nstime_min(when, sa_peer_work(ike, sa)->drop_ns);
	when = nstime_min(when, input_fragments_end(ike, sa));
	for (const struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		when = nstime_min(when, nstime_min(nstime_min(kid->rekey_ns, kid->drop_ns), kid->unproven_ns));
	timers_set(&ike->timers, &sa->timer, when);
}

/* The end of an SA that somebody else was to end, or that nobody came back to. False: it is gone. */
static bool expire_drop(struct ike *ike, struct sa *sa, uint64_t now)
{
	if (now < sa->drop_ns)
		return true;
	sa->drop_ns = NSTIME_NEVER;
	if (sa->loser && sa->state == SA_ESTABLISHED) {
		sa->wants |= WANT_CLOSE;
		return true;
	}
	sa_drop(ike, sa, sa->superseded ? IKE_SUPERSEDED : IKE_TIMEOUT, now);
	return false;
}

static void expire_kids(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct kid *next;

	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = next) {
		next = kid_at(ike, kid->next);
		if (now >= kid->unproven_ns)
			kid->unproven_ns = NSTIME_NEVER;
		if (now >= kid->drop_ns && kid->state == KID_INSTALLING) {
			kid->drop_ns = nstime_add(now, IKE_REPLACED_LIFE); /* an exchange waits for it */
		} else if (now >= kid->drop_ns && kid->supplanted && !kid->gone) {
			kid->drop_ns = NSTIME_NEVER;
			kid->state = KID_DELETING;
		} else if (now >= kid->drop_ns) {
			/* The peer's Delete would have said when to switch; it did not come. After one of ours nobody is late. */
			if (kid->heir && !kid->gone)
				kid_use(ike, kid_at(ike, kid->heir));
			kid_remove(ike, kid);
		} else if (now >= kid->rekey_ns) {
			sa->wants |= WANT_REKEY_KID;
			kid->rekey_ns = NSTIME_NEVER;
			kid->rekey_wanted = true;
		}
	}
}

void sa_expire(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct handle self = pool_handle(&ike->sas, sa);

	if (!expire_drop(ike, sa, now))
		return;
	expire_kids(ike, sa, now);
	if (now >= input_fragments_end(ike, sa))
		input_forget_fragments(ike, sa);
	if (followup_awaited(ike, sa) && now >= sa_peer_work(ike, sa)->drop_ns)
		followup_forget(ike, sa);
	if (is_rekeyed_by_time(sa) && now >= sa->rekey_ns) {
		sa->wants |= WANT_REKEY_SA;
		sa->rekey_ns = NSTIME_NEVER;
	}
	if (now >= sa->request.again_ns)
		send_retransmit(ike, sa, now);
	else
		send_next(ike, sa, now);
	sa = pool_get(&ike->sas, self);
	if (!sa)
		return;
	if (sa->state == SA_ESTABLISHED && sa->features & FEATURE_NAT_LOCAL && now >= sa->sent_ns + IKE_KEEPALIVE) {
		static const uint8_t keepalive = 0xff; /* RFC 3948 2.3 */

		output_send(ike, sa, &sa->path, view_of(&keepalive, 1));
		sa->sent_ns = now;
	}
	sa_schedule(ike, sa);
}

void nonce_low(uint8_t out[NONCE_LEN], struct view a, struct view b)
{
	struct view low = view_compare(a, b) < 0 ? a : b;

	memset(out, 0, NONCE_LEN);
	memcpy(out, low.at, low.len < NONCE_LEN ? low.len : NONCE_LEN);
}
