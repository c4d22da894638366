// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_SA_INIT, the responder's side (see sa_init.c). Checks come in the order of their cost; before a stranger's address is proven by a
 * cookie nothing is answered that is longer than the question, and under load nothing is remembered. The Diffie-Hellman result is
 * not computed before the first protected message asks for it.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

/* The half of an answer that needs no SA. */
static void answer_start(struct ike *ike, struct message *message, const struct header *request)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_RESPONSE };

	memcpy(header.spi_i, request->spi_i, SPI_LEN);
	message_start(message, ike->out_plain, sizeof(ike->out_plain), &header);
}

void init_refuse(struct ike *ike, const struct ike_path *path, const struct header *header, uint16_t type,
		 struct view data, uint64_t now)
{
	struct message message;

	ike->counts.dropped++;
	if (!quota_error(ike, &path->remote, now))
		return;
	answer_start(ike, &message, header);
	message_notify(&message, PROTOCOL_NONE, type, VIEW_NONE, data);
	/* A bare header of another version is shorter than what we would say to it. */
	if (message_finish(&message).len <= header->length)
		send_bare(ike, NULL, path, message_finish(&message));
}

static void demand_cookie(struct ike *ike, const struct ike_path *path, const struct header *header, struct view ni,
			  uint64_t now)
{
	uint8_t cookie[COOKIE_LEN];
	struct message message;

	cookie_rotate(&ike->jar, &ike->options.host, now);
	if (cookie_make(cookie, &ike->jar, path, header->spi_i, ni, now))
		return;
	answer_start(ike, &message, header);
	message_notify(&message, PROTOCOL_NONE, NOTIFY_COOKIE, VIEW_NONE, VIEW_OF(cookie));
	ike->counts.cookies_sent++;
	send_bare(ike, NULL, path, message_finish(&message));
}

static bool is_cookie_good(struct ike *ike, const struct chain *chain, const struct ike_path *path,
			   const struct header *header, struct view ni, uint64_t now)
{
	const struct notify *cookie = chain_notify(chain, NOTIFY_COOKIE);

	if (!cookie)
		return false;
	cookie_rotate(&ike->jar, &ike->options.host, now);
	if (!cookie_check(cookie->data, &ike->jar, path, header->spi_i, ni, now))
		return true;
	ike->counts.cookies_bad++;
	return false;
}

/* A request is known by all its octets and its sender, not by SPIi alone (RFC 7296 2.1). */
static struct hf_pair request_key(const struct ike *ike, const struct ike_path *path, struct view datagram)
{
	struct hf_pair key = { .local = path->remote };
	uint64_t hash = siphash_of(ike->options.table_seed, datagram.at, datagram.len);

	memcpy(&key.remote, datagram.at, SPI_LEN);
	memcpy((uint8_t *)&key.remote + SPI_LEN, &hash, sizeof(hash));
	return key;
}

/* What a stranger's request holds, as far as it is needed. */
struct init_request {
	struct suite suite;
	struct ke ke;
	struct view nonce;
	const struct kex *kex;
	bool cookie_good;
};

/* True when the request is worth an SA; else it was answered or dropped. */
static bool judge(struct ike *ike, struct init_request *out, const struct ike_path *path, const struct header *header,
		  const struct chain *chain, uint64_t now)
{
	struct view spi;
	int rc = proposal_choose(&out->suite, &spi, chain->payload[SLOT_SA], &ike->offer_init, out->ke.group, 0);

	if (rc == NOTIFY_NO_PROPOSAL_CHOSEN ||
	    (!rc && out->suite.addke != KE_NONE && !chain_notify(chain, NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED))) {
		init_refuse(ike, path, header, NOTIFY_NO_PROPOSAL_CHOSEN, VIEW_NONE, now);
		return false;
	}
	if (rc) {
		ike->counts.bad_syntax++;
		return false;
	}
	if (out->suite.ke != out->ke.group) {
		uint8_t group[2] = { (uint8_t)(out->suite.ke >> 8), (uint8_t)out->suite.ke };

		init_refuse(ike, path, header, NOTIFY_INVALID_KE_PAYLOAD, VIEW_OF(group), now);
		return false;
	}
	out->kex = kex_find(out->suite.ke);
	if (!out->kex || out->ke.data.len != out->kex->start_len) {
		ike->counts.bad_syntax++;
		return false;
	}
	return quota_work(ike, 2 * out->kex->cost, now);
}

static int fill(struct ike *ike, struct sa *sa, const struct init_request *request, const struct header *header,
		struct view datagram)
{
	struct work *work = work_new(ike, &sa->work);
	int rc;

	if (!work)
		return -ENOBUFS;
	work->kex = request->kex->id;
	work->rounds_left = request->suite.addke != KE_NONE;
	ike_random(ike, &work->private, sizeof(work->private));
	ike_random(ike, work->nonce, sizeof(work->nonce));
	memcpy(sa->spi_i, header->spi_i, SPI_LEN);
	do
		ike_random(ike, sa->spi_r, SPI_LEN);
	while (sa_find(ike, sa->spi_r));
	rc = init_set_suite(sa, &request->suite);
	if (!rc)
		rc = blob_set(ike, &work->init_i, datagram);
	if (!rc)
		rc = blob_set(ike, &work->peer_nonce, request->nonce);
	if (!rc)
		rc = blob_set(ike, &work->peer_ke, request->ke.data);
	if (!rc)
		rc = sa_index_spi(ike, sa);
	return rc ? rc : quota_enter(ike, sa);
}

/* The response, written to ike->out_plain; empty when something of ours failed. */
static struct view write_response(struct ike *ike, const struct sa *sa, const struct init_request *request)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_RESPONSE };
	struct work *work = sa_work(ike, sa);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;

	if (kex_start(request->kex, value, &work->private))
		return VIEW_NONE;
	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	memcpy(header.spi_r, sa->spi_r, SPI_LEN);
	message_start(&message, ike->out_plain, sizeof(ike->out_plain), &header);
	proposal_write_choice(&message, &request->suite, VIEW_NONE);
	message_ke(&message, request->kex->id, view_of(value, request->kex->start_len));
	message_nonce(&message, VIEW_OF(work->nonce));
	init_write_common(ike, &message, &header, &sa->path, request->suite.addke != KE_NONE);
	return message_finish(&message);
}

static void respond(struct ike *ike, const struct init_request *request, const struct ike_path *path,
		    const struct header *header, struct view datagram, const struct chain *chain,
		    const struct hf_pair *key, uint64_t now)
{
	struct sa *sa = sa_new(ike, false, path, now);
	struct view response;
	uint8_t len[2];

	if (!sa) {
		ike->counts.refused_full++;
		return;
	}
	sa->state = SA_HALF_OPEN;
	if (fill(ike, sa, request, header, datagram)) {
		ike->counts.refused_full++;
		sa_free(ike, sa);
		return;
	}
	init_read_common(ike, sa, chain, header, path);
	response = write_response(ike, sa, request);
	if (response.len > datagram.len && !request->cookie_good) {
		sa_free(ike, sa);
		demand_cookie(ike, path, header, request->nonce, now);
		return;
	}
	len[0] = (uint8_t)(response.len >> 8);
	len[1] = (uint8_t)response.len;
	if (!response.len || blob_set(ike, &sa_work(ike, sa)->init_r, response) ||
	    blob_set(ike, &sa->response, VIEW_OF(len)) || blob_append(ike, &sa->response, response) ||
	    table_put(&ike->by_init, key, sa_ref(ike, sa) - 1)) {
		sa_free(ike, sa);
		return;
	}
	sa->in_init = true;
	sa->init_key = *key;
	sa->recv_mid = 1;
	sa->drop_ns = nstime_add(now, quota_half_open_life(ike));
	send_again(ike, sa, &sa->response, now);
	sa_schedule(ike, sa);
}

void init_on_request(struct ike *ike, const struct ike_path *path, const struct header *header, struct view datagram,
		     uint64_t now)
{
	struct hf_pair key = request_key(ike, path, datagram);
	struct init_request request = { 0 };
	struct chain chain;
	uint32_t index;

	if (header->mid != 0 || datagram.len < IKE_INIT_MIN || sa_find(ike, header->spi_i)) {
		ike->counts.dropped++; /* the last: one of our own coming back */
		return;
	}
	if (table_find(&ike->by_init, &key, &index)) {
		struct sa *sa = pool_at(&ike->sas, index);

		if (sa->state == SA_HALF_OPEN && sa->recv_mid == 1) {
			ike->counts.answered_again++;
			send_again(ike, sa, &sa->response, now);
		}
		return;
	}
	/* DEVIATION: RFC 7296 2.5 answers an unknown critical payload; a stranger gets no answer for a broken request. */
	if (chain_parse(&chain, header->next, view_of(datagram.at + HEADER_LEN, datagram.len - HEADER_LEN), false) ||
	    !chain_has(&chain, SLOT_SA) || !chain_has(&chain, SLOT_KE) || !chain_has(&chain, SLOT_NONCE) ||
	    chain_has(&chain, SLOT_SK) || nonce_parse(&request.nonce, chain.payload[SLOT_NONCE]) ||
	    ke_parse(&request.ke, chain.payload[SLOT_KE])) {
		ike->counts.bad_syntax++;
		ike->counts.dropped++;
		return;
	}
	request.cookie_good = is_cookie_good(ike, &chain, path, header, request.nonce, now);
	switch (quota_ask(ike, path, request.cookie_good)) {
	case QUOTA_COOKIE:
		demand_cookie(ike, path, header, request.nonce, now);
		return;
	case QUOTA_REFUSE:
		ike->counts.dropped++;
		return;
	case QUOTA_PASS:
		break;
	}
	if (judge(ike, &request, path, header, &chain, now))
		respond(ike, &request, path, header, datagram, &chain, &key, now);
}

int init_keys(struct ike *ike, struct sa *sa)
{
	struct work *work = sa_work(ike, sa);
	const struct kex *kex = kex_find(work->kex);
	uint8_t shared[KEX_SHARED_MAX];
	struct view theirs = blob_view(ike, &work->peer_ke, ike->copies[0], sizeof(ike->copies[0]));
	struct view ni = blob_view(ike, &work->peer_nonce, ike->copies[1], sizeof(ike->copies[1]));
	int rc = kex_finish(kex, shared, theirs, &work->private);

	if (!rc)
		rc = init_derive(ike, sa, ni, VIEW_OF(work->nonce), view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	return rc;
}
