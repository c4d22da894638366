// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_SA_INIT, the initiator's side (see sa_init.c). An attempt is an SA that waits for answers; each plausible answer becomes a
 * candidate, an SA of its own with the same SPI of ours. The first that proves itself takes the attempt's place, the
 * others are forgotten.
 */
#include <errno.h>
#include <string.h>

#include "ike/internal.h"

/* Longer than IKE_AUTH takes with a retransmission or two. */
#define CANDIDATE_WAIT (4 * NSTIME_S)

static int write_request(struct ike *ike, struct sa *sa, struct work *work, uint64_t now)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_INITIATOR };
	const struct kex *kex = kex_find(work->kex);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;
	struct view all;
	int rc;

	if (!kex)
		return -ENOTSUP;
	rc = kex_start(kex, value, &work->private);
	if (rc)
		return rc;
	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	message_start(&message, ike->out_plain, sizeof(ike->out_plain), &header);
	if (work->cookie.len)
		message_notify(&message, PROTOCOL_NONE, NOTIFY_COOKIE, VIEW_NONE,
			       blob_view(ike, &work->cookie, ike->copies[0], sizeof(ike->copies[0])));
	proposal_write(&message, &ike->offer_init, VIEW_NONE);
	message_ke(&message, kex->id, view_of(value, kex->start_len));
	message_nonce(&message, VIEW_OF(work->nonce));
	init_write_common(ike, &message, &header, &sa->path,
			  proposal_offers(&ike->offer_init, TRANSFORM_ADDKE1, KE_MLKEM768));
	all = message_finish(&message);
	rc = all.len ? blob_set(ike, &work->init_i, all) : -EMSGSIZE;
	return rc ? rc : send_init(ike, sa, all, now);
}

int init_start(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct work *work = sa_work(ike, sa);

	work->kex = ike->options.profile.kex[0];
	ike_random(ike, &work->private, sizeof(work->private));
	ike_random(ike, work->nonce, sizeof(work->nonce));
	return write_request(ike, sa, work, now);
}

/* N(COOKIE): the same request once more, the cookie in front (RFC 7296 2.6). */
static void on_cookie(struct ike *ike, struct sa *sa, struct work *work, const struct notify *cookie, uint64_t now)
{
	uint8_t memory[64];

	if (cookie->data.len < 1 || cookie->data.len > 64 || work->cookie_rounds >= IKE_COOKIE_ROUNDS ||
	    view_equal(cookie->data, blob_view(ike, &work->cookie, memory, sizeof(memory))))
		return; /* the last: the network said it twice, or the peer did for a request sent twice */
	work->cookie_rounds++;
	if (!blob_set(ike, &work->cookie, cookie->data))
		write_request(ike, sa, work, now);
}

/* N(INVALID_KE_PAYLOAD): the same offer with another group of it (RFC 7296 1.2); never one that we did not offer. */
static void on_other_group(struct ike *ike, struct sa *sa, struct work *work, const struct notify *notify, uint64_t now)
{
	uint16_t group = notify->data.len == 2 ? (uint16_t)(notify->data.at[0] << 8 | notify->data.at[1]) : KE_NONE;

	if (group == KE_NONE || group == work->kex || work->ke_rounds >= IKE_KE_ROUNDS ||
	    !proposal_offers(&ike->offer_init, TRANSFORM_KE, group) || !kex_find(group))
		return;
	work->ke_rounds++;
	work->kex = group;
	/* A new group wants a new key; the nonce and the SPI stay (RFC 7296 2.6.1). */
	ike_random(ike, &work->private, sizeof(work->private));
	write_request(ike, sa, work, now);
}

/*
 * An SPI of the responder's is followed up once. Two candidates with the same one could have the same keys, and take each other's IKE_AUTH
 * response; if its first answer was changed on the way, it makes a new SA for the next IKE_SA_INIT.
 */
static bool was_tried(const struct work *work, const uint8_t spi_r[SPI_LEN])
{
	for (unsigned int i = 0; i < work->followed && i < IKE_TRIED_MAX; i++)
		if (memcmp(work->tried[i], spi_r, SPI_LEN) == 0)
			return true;
	return false;
}

/* Everything of an answer that makes it one to follow up. */
struct init_response {
	struct suite suite;
	struct ke ke;
	struct view nonce;
};

static int read_response(struct ike *ike, struct init_response *out, const struct work *work, const struct chain *chain)
{
	struct view spi;

	if (!chain_has(chain, SLOT_SA) || !chain_has(chain, SLOT_KE) || !chain_has(chain, SLOT_NONCE))
		return -EBADMSG;
	if (proposal_accept(&out->suite, &spi, chain->payload[SLOT_SA], &ike->offer_init, 0) ||
	    ke_parse(&out->ke, chain->payload[SLOT_KE]) || nonce_parse(&out->nonce, chain->payload[SLOT_NONCE]))
		return -EBADMSG;
	if (out->ke.group != work->kex || out->suite.ke != work->kex)
		return -EBADMSG;
	/* Our own nonce coming back is a mirror, not a peer. */
	return view_equal(out->nonce, VIEW_OF(work->nonce)) ? -EBADMSG : 0;
}

static int fill_candidate(struct ike *ike, struct sa *sa, const struct sa *mother, const struct work *mothers,
			  const struct init_response *response, struct view datagram)
{
	const struct kex *kex = kex_find(mothers->kex);
	uint8_t shared[KEX_SHARED_MAX];
	struct work *work = work_new(ike, &sa->work);
	int rc;

	if (!work)
		return -ENOBUFS;
	sa->mother = sa_ref(ike, mother);
	sa->tag = mother->tag;
	sa->fail_open = mother->fail_open;
	sa->initial_contact = mother->initial_contact;
	rc = init_set_suite(sa, &response->suite);
	if (!rc)
		rc = blob_set(ike, &work->peer_nonce, response->nonce);
	if (!rc)
		rc = blob_set(ike, &work->init_r, datagram);
	/* What was asked: the attempt may ask otherwise later, on a stranger's word, but this is what was answered. */
	if (!rc)
		rc = blob_set(ike, &work->init_i,
			      blob_view(ike, &mothers->init_i, ike->copies[0], sizeof(ike->copies[0])));
	if (!rc)
		rc = kex_finish(kex, shared, response->ke.data, &mothers->private);
	if (!rc)
		rc = init_derive(ike, sa, VIEW_OF(mothers->nonce), response->nonce, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	work->rounds_left = sa->suite.addke != KE_NONE;
	sa->send_mid = 1;
	return rc;
}

/*
 * The candidate whose place the next answer may have: of those that had their chance the one that had it first. None before that: who
 * floods us after the real answer does not drive that one out.
 */
static struct sa *find_vain(const struct ike *ike, const struct sa *mother)
{
	struct sa *vain = NULL;

	for (struct sa *at = sa_find(ike, mother->spi_i); at; at = sa_at(ike, at->sibling))
		if (at->mother == sa_ref(ike, mother) && at->request.tries >= IKE_CANDIDATE_TRIES &&
		    (!vain || at->started_ns < vain->started_ns))
			vain = at;
	return vain;
}

static void follow_up(struct ike *ike, struct sa *mother, const struct ike_path *path, const struct header *header,
		      struct view datagram, const struct chain *chain, uint64_t now)
{
	struct work *mothers = sa_work(ike, mother);
	const struct bucket answers = mothers->answers;
	const unsigned int others = sa_candidates(ike, mother);
	struct sa *vain = others < IKE_CANDIDATES_MAX ? NULL : find_vain(ike, mother);
	struct init_response response;
	struct sa *sa;

	if ((others >= IKE_CANDIDATES_MAX && !vain) || was_tried(mothers, header->spi_r) ||
	    read_response(ike, &response, mothers, chain) ||
	    !bucket_take(&mothers->answers, IKE_ANSWER_SPAN, IKE_CANDIDATES_MAX, now)) {
		ike->counts.dropped++;
		return;
	}
	sa = sa_new(ike, true, &mother->path, now);
	if (!sa) {
		mothers->answers = answers;
		return;
	}
	sa->behind = mother->behind;
	memcpy(sa->spi_i, mother->spi_i, SPI_LEN);
	memcpy(sa->spi_r, header->spi_r, SPI_LEN);
	sa->state = SA_KEY_AWAITED;
	init_read_common(ike, sa, chain, header, path);
	/* A key that is none makes no candidate: it neither takes a place nor stops the clock. */
	if (sa_index_spi(ike, sa) || fill_candidate(ike, sa, mother, mothers, &response, datagram)) {
		ike->counts.dropped++;
		mothers->answers = answers;
		sa_free(ike, sa);
		return;
	}
	if (vain)
		sa_free(ike, vain);
	memcpy(mothers->tried[mothers->followed++ % IKE_TRIED_MAX], header->spi_r, SPI_LEN);
	/*
	 * It came from somewhere: ask again only if it leads nowhere for a while, or a loaded peer makes two of one. Counted from when we
	 * asked: answers that go on coming may be there to keep us from asking.
	 */
	if (mother->request.again_ns < nstime_add(mother->sent_ns, CANDIDATE_WAIT))
		mother->request.again_ns = nstime_add(mother->sent_ns, CANDIDATE_WAIT);
	sa_schedule(ike, mother);
	/* From the next message on both ports are the encapsulation port (RFC 7296 2.23). */
	if (sa->features & FEATURE_ENCAP && sa->path.local_port == ike->options.port) {
		sa->path.local_port = ike->options.encap_port;
		if (sa->path.remote_port == ike->options.port)
			sa->path.remote_port = ike->options.encap_port;
	}
	if (sa_work(ike, sa)->rounds_left)
		intermediate_start(ike, sa, now);
	else
		auth_start(ike, sa, now);
}

void init_on_response(struct ike *ike, struct sa *mother, const struct ike_path *path, const struct header *header,
		      struct view datagram, uint64_t now)
{
	struct work *work = sa_work(ike, mother);
	static const uint8_t zero[SPI_LEN];
	const struct notify *notify;
	struct chain chain;

	/* From somebody else's address it is not an answer to us. */
	if (mother->state != SA_INIT_SENT || header->mid != 0 ||
	    memcmp(&path->remote, &mother->path.remote, sizeof(path->remote)) ||
	    chain_parse(&chain, header->next, view_of(datagram.at + HEADER_LEN, datagram.len - HEADER_LEN), false)) {
		ike->counts.dropped++;
		return;
	}
	notify = chain_notify(&chain, NOTIFY_COOKIE);
	if (notify) {
		on_cookie(ike, mother, work, notify, now);
		return;
	}
	notify = chain_error(&chain);
	if (notify) {
		mother->notify = notify->type;
		if (notify->type == NOTIFY_INVALID_KE_PAYLOAD)
			on_other_group(ike, mother, work, notify, now);
		else
			ike->counts.dropped++; /* it proves nothing: only time ends the attempt (RFC 7296 2.4) */
		return;
	}
	if (memcmp(header->spi_r, zero, SPI_LEN) == 0 || memcmp(header->spi_r, header->spi_i, SPI_LEN) == 0) {
		ike->counts.dropped++;
		return;
	}
	follow_up(ike, mother, path, header, datagram, &chain, now);
}

struct sa *init_promote(struct ike *ike, struct sa *candidate)
{
	struct sa *mother = sa_at(ike, candidate->mother);

	if (!mother)
		return candidate;
	send_done(ike, mother);
	mother->state = candidate->state;
	mother->features = candidate->features;
	mother->hashes = candidate->hashes;
	memcpy(mother->spi_r, candidate->spi_r, SPI_LEN);
	/* A NAT may have given the peer another address since. */
	sa_leave_pair(ike, mother);
	mother->path = candidate->path;
	sa_enter_pair(ike, mother);
	mother->suite = candidate->suite;
	mother->keys = candidate->keys;
	mother->have_keys = true;
	mother->iv = candidate->iv;
	mother->send_mid = candidate->send_mid;
	mother->recv_mid = candidate->recv_mid;
	mother->auth = candidate->auth;
	memcpy(mother->key, candidate->key, sizeof(mother->key));
	memcpy(mother->low_nonce, candidate->low_nonce, sizeof(mother->low_nonce));
	memcpy(mother->origin_nonce, candidate->origin_nonce, sizeof(mother->origin_nonce));
	memcpy(mother->crash_token, candidate->crash_token, sizeof(mother->crash_token));
	mother->notify = 0;
	for (struct sa *at = sa_find(ike, mother->spi_i), *next; at; at = next) {
		next = sa_at(ike, at->sibling);
		if (at->mother == sa_ref(ike, mother))
			sa_free(ike, at);
	}
	return mother;
}
