// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's face (ike.h): memory and options at start, the caller's orders, time, and what can be seen. The exchanges are
 * in files of their own.
 */
#include <errno.h>
#include <string.h>

#include "ike/auth.h"
#include "ike/internal.h"

/* ---- the profile (docs/PROTOCOL.md, in one table) ---- */

static const uint16_t default_kex[] = { KE_X25519, KE_P256, KE_MODP2048, 0 };
static const uint16_t default_add_kex[] = { KE_MLKEM768, 0 };

/* Only what the library really has is offered (CVE-2016-3071). */
static void add(struct offer_proposal *proposal, uint8_t type, uint16_t id, uint16_t bits)
{
	if (proposal->count < OFFER_TRANSFORMS_MAX)
		proposal->transforms[proposal->count++] = (struct transform){ .type = type, .id = id, .bits = bits };
}

static void add_kex(struct offer_proposal *proposal, uint8_t type, const uint16_t *ids)
{
	for (; *ids; ids++)
		if (kex_find(*ids))
			add(proposal, type, *ids, 0);
}

static bool has_any_kex(const uint16_t *ids)
{
	for (; *ids; ids++)
		if (kex_find(*ids))
			return true;
	return false;
}

static void add_prfs(struct offer_proposal *proposal)
{
	static const uint16_t prfs[] = { PRF_HMAC_SHA2_256, PRF_HMAC_SHA2_512 };

	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++)
		if (prf_find(prfs[i]))
			add(proposal, TRANSFORM_PRF, prfs[i], 0);
}

static void offer_ike(struct offer *offer, const struct ike_profile *profile, bool with_add_kex)
{
	struct offer_proposal *proposal = &offer->proposals[offer->count++];

	proposal->protocol = PROTOCOL_IKE;
	if (cipher_find(ENCR_AES_GCM_16, 256, INTEG_NONE))
		add(proposal, TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	if (cipher_find(ENCR_CHACHA20_POLY1305, 0, INTEG_NONE))
		add(proposal, TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0);
	add_prfs(proposal);
	add_kex(proposal, TRANSFORM_KE, profile->kex);
	if (with_add_kex)
		add_kex(proposal, TRANSFORM_ADDKE1, profile->add_kex);
}

/* DEVIATION: RFC 8247 2.1 has AES-CBC mandatory; it is offered only when the profile says so. */
static void offer_ike_cbc(struct offer *offer, const struct ike_profile *profile)
{
	struct offer_proposal *proposal = &offer->proposals[offer->count++];

	proposal->protocol = PROTOCOL_IKE;
	if (cipher_find(ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_256_128))
		add(proposal, TRANSFORM_ENCR, ENCR_AES_CBC, 256);
	if (cipher_find(ENCR_AES_CBC, 128, INTEG_HMAC_SHA2_256_128))
		add(proposal, TRANSFORM_ENCR, ENCR_AES_CBC, 128);
	add_prfs(proposal);
	add(proposal, TRANSFORM_INTEG, INTEG_HMAC_SHA2_256_128, 0);
	add_kex(proposal, TRANSFORM_KE, profile->kex);
}

static void offer_esp(struct offer *offer, const struct ike_profile *profile, bool rekey, bool with_add_kex)
{
	struct offer_proposal *proposal = &offer->proposals[offer->count++];

	proposal->protocol = PROTOCOL_ESP;
	add(proposal, TRANSFORM_ENCR, ENCR_AES_GCM_16, 256);
	add(proposal, TRANSFORM_ENCR, ENCR_AES_GCM_16, 128);
	add(proposal, TRANSFORM_ENCR, ENCR_CHACHA20_POLY1305, 0);
	/* DEVIATION: RFC 8221 5 has ENCR_NULL and AES-CBC mandatory: nothing is sealed without being encrypted, and no more than needed. */
	/* No key exchange in IKE_AUTH's offer (RFC 7296 1.2). */
	if (rekey) {
		add_kex(proposal, TRANSFORM_KE, profile->kex);
		if (with_add_kex)
			add_kex(proposal, TRANSFORM_ADDKE1, profile->add_kex);
		else if (!profile->child_pfs_required)
			add(proposal, TRANSFORM_KE, KE_NONE, 0);
	}
	add(proposal, TRANSFORM_ESN, 1, 0);
	add(proposal, TRANSFORM_ESN, 0, 0);
}

static void make_offers(struct ike *ike)
{
	struct ike_profile *profile = &ike->options.profile;

	if (!profile->kex)
		profile->kex = default_kex;
	if (!profile->add_kex)
		profile->add_kex = default_add_kex;
	/* A proposal of its own: who does not know RFC 9370 refuses one with a transform type it does not know (RFC 7296 3.3.6). */
	if (has_any_kex(profile->add_kex))
		offer_ike(&ike->offer_init, profile, true);
	if (!ike->offer_init.count || !profile->add_kex_required)
		offer_ike(&ike->offer_init, profile, false);
	/* Without one as well, whatever is required: the first secret is in all later keys. */
	if (has_any_kex(profile->add_kex))
		offer_ike(&ike->offer_rekey, profile, true);
	offer_ike(&ike->offer_rekey, profile, false);
	if (profile->cbc) {
		offer_ike_cbc(&ike->offer_init, profile);
		offer_ike_cbc(&ike->offer_rekey, profile);
	}
	offer_esp(&ike->offer_child, profile, false, false);
	if (has_any_kex(profile->add_kex))
		offer_esp(&ike->offer_child_rekey, profile, true, true);
	offer_esp(&ike->offer_child_rekey, profile, true, false);
}

/* ---- memory ---- */

static size_t aligned(size_t octets)
{
	return (octets + 63) / 64 * 64;
}

static struct ike_options with_defaults(const struct ike_options *given)
{
	struct ike_options options = *given;

	if (!options.children_max)
		options.children_max = options.sas_max + options.sas_max / 8 + 4;
	if (!options.port)
		options.port = 500;
	if (!options.encap_port)
		options.encap_port = 4500;
	if (!options.cookie_half_open)
		options.cookie_half_open = IKE_COOKIE_HALF_OPEN;
	if (!options.fragment_size)
		options.fragment_size = 1280;
	if (!options.child_life_ns)
		options.child_life_ns = IKE_CHILD_LIFE;
	if (!options.sa_life_ns)
		options.sa_life_ns = IKE_SA_LIFE;
	return options;
}

/* Half-open SAs, our own attempts with their candidates, and exchanges that make keys. */
static uint32_t works_max(const struct ike_options *options)
{
	uint32_t busy = options->sas_max < 2 * IKE_HALF_OPEN_MAX ? options->sas_max : 2 * IKE_HALF_OPEN_MAX;

	return busy + 64;
}

/* An established SA keeps one response of two blocks; an IKE_SA_INIT under way some ten, and the outputs not fetched. */
static uint32_t blocks_max(const struct ike_options *options)
{
	return options->sas_max * 2 + works_max(options) * 12 + 2 * IKE_OUTPUTS;
}

/* One layout for ike_memory and ike_init: with `ike` NULL it only counts. */
static size_t lay_out(struct ike *ike, const struct ike_options *options)
{
	uint32_t sas = options->sas_max, works = works_max(options), kids = options->children_max;
	uint32_t half_open = sas / 2 < IKE_HALF_OPEN_MAX ? (sas + 1) / 2 : IKE_HALF_OPEN_MAX,
		 blocks = blocks_max(options);
	const uint8_t *seed = options->table_seed;
	uint8_t *base = (uint8_t *)ike;
	size_t at = aligned(sizeof(*ike));

#define PLACE(size, init)            \
	do {                         \
		if (ike) {           \
			init;        \
		}                    \
		at += aligned(size); \
	} while (0)
	PLACE(pool_memory(sas, sizeof(struct sa)), pool_init(&ike->sas, base + at, sas, sizeof(struct sa)));
	PLACE(pool_memory(works, sizeof(struct work)), pool_init(&ike->works, base + at, works, sizeof(struct work)));
	PLACE(pool_memory(kids, sizeof(struct kid)), pool_init(&ike->kids, base + at, kids, sizeof(struct kid)));
	PLACE(pool_memory(IKE_REASSEMBLIES, sizeof(struct assembling)),
	      pool_init(&ike->reassemblies, base + at, IKE_REASSEMBLIES, sizeof(struct assembling)));
	PLACE(table_memory(sas), table_init(&ike->by_spi, base + at, sas, seed));
	PLACE(table_memory(sas), table_init(&ike->by_init, base + at, sas, seed));
	PLACE(table_memory(sas), table_init(&ike->by_pair, base + at, sas, seed));
	PLACE(table_memory(2 * half_open), table_init(&ike->sources, base + at, 2 * half_open, seed));
	PLACE(table_memory(sas), table_init(&ike->nulls, base + at, sas, seed));
	PLACE(timers_memory(sas), timers_init(&ike->timers, base + at, sas));
	PLACE(blocks * sizeof(struct block), ike->blocks.all = (struct block *)(base + at));
#undef PLACE
	if (ike) {
		ike->half_open_max = half_open;
		ike->blocks.max = blocks;
	}
	return at;
}

size_t ike_memory(const struct ike_options *given)
{
	struct ike_options options = with_defaults(given);

	return lay_out(NULL, &options);
}

struct ike *ike_init(void *memory, const struct ike_options *given, struct err *err)
{
	struct ike_options options = with_defaults(given);
	struct ike *ike = memory;

	if (options.sas_max < 2 || options.sas_max > 1u << 24 || !options.host.random || !options.host.spi) {
		err_set(err, -EINVAL, "IKE: room for %u SAs, a random source and an SPI source are needed",
			options.sas_max);
		return NULL;
	}
	if (options.fragment_size < 576 || options.port == options.encap_port) {
		err_set(err, -EINVAL, "IKE: fragments of at least 576 octets and two different ports are needed");
		return NULL;
	}
	memset(ike, 0, sizeof(*ike));
	ike->options = options;
	lay_out(ike, &options);
	make_offers(ike);
	if (!has_any_kex(ike->options.profile.kex) || states_check()) {
		err_set(err, -EINVAL,
			"IKE: the library has none of the key exchanges, or the table of states is not sound");
		return NULL;
	}
	if (auth_keep_id(ike)) {
		err_set(err, -EINVAL, "IKE: our identity has more than %d octets", IKE_IDENTITY_MAX);
		return NULL;
	}
	ike->counts.sas_max = options.sas_max;
	return ike;
}

void ike_clear(struct ike *ike)
{
	for (uint32_t i = pool_first(&ike->sas), next; i != POOL_NONE; i = next) {
		struct sa *sa = pool_at(&ike->sas, i);

		next = pool_next(&ike->sas, i);
		if (sa->mother || sa->ancestor)
			continue; /* goes with the other */
		sa_free(ike, sa);
		/* Freeing one may have freed the next: start over, the list only gets shorter. */
		next = pool_first(&ike->sas);
	}
	secret_wipe(ike->blocks.all, ike->blocks.fresh * sizeof(struct block));
	secret_wipe(ike, sizeof(*ike));
}

/* ---- orders ---- */

void engine_refresh(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct ike_connect connect = { .path = sa->path, .tag = sa->tag, .behind = sa->behind };

	if (sa->refreshing)
		return;
	sa->refreshing = true;
	if (!ike_connect(ike, &connect, now).generation) {
		sa->down_reason = IKE_REFUSED;
		sa->wants |= WANT_CLOSE;
	}
}

struct handle ike_connect(struct ike *ike, const struct ike_connect *connect, uint64_t now)
{
	struct ike_path path = connect->path;
	struct handle handle = HANDLE_NONE;
	struct sa *sa;

	if (!path.local_port)
		path.local_port = ike->options.port;
	if (!path.remote_port)
		path.remote_port = ike->options.port;
	sa = sa_new(ike, true, &path, now);
	if (!sa)
		return handle;
	sa->tag = connect->tag;
	sa->fail_open = connect->fail_open;
	sa->behind = connect->behind;
	sa->initial_contact = connect->initial_contact && !sa_is_through(sa);
	sa->state = SA_INIT_SENT;
	do
		ike_random(ike, sa->spi_i, SPI_LEN);
	while (sa_find(ike, sa->spi_i));
	if (!work_new(ike, &sa->work) || sa_index_spi(ike, sa) || init_start(ike, sa, now)) {
		sa_free(ike, sa);
		return handle;
	}
	sa_enter_pair(ike, sa);
	sa->known = true;
	sa->answer_awaited = true;
	output_ask(ike, sa, false, (struct ike_identity){ 0 }, VIEW_NONE, false);
	return pool_handle(&ike->sas, sa);
}

/* One that the peer has replaced is left to the peer, whose Delete says when to send with its heir. */
static void close_kid(struct kid *kid)
{
	if (kid->state == KID_REPLACED && !kid->supplanted)
		return;
	kid->state = KID_DELETING;
	kid->rekey_ns = kid->drop_ns = NSTIME_NEVER;
}

void ike_installed(struct ike *ike, struct handle child, int error, uint64_t now)
{
	struct kid *kid = pool_get(&ike->kids, child);
	struct sa *sa = kid ? pool_at(&ike->sas, kid->sa) : NULL;
	struct handle self;

	if (!sa || kid->state != KID_INSTALLING)
		return;
	self = pool_handle(&ike->sas, sa);
	if (kid->in_auth) {
		auth_on_installed(ike, sa, kid, error, now);
	} else if (!create_on_installed(ike, sa, kid, error, now)) {
		/* Of IKE_AUTH, as initiator: the peer has it already. */
		kid_installed(kid);
		if (error) {
			sa->down_reason = IKE_OUR_TROUBLE;
			sa->wants |= WANT_CLOSE;
		}
	}
	kid = pool_get(&ike->kids, child);
	if (kid && kid->unwanted)
		close_kid(kid);
	sa = pool_get(&ike->sas, self);
	if (sa)
		send_next(ike, sa, now);
	sa = pool_get(&ike->sas, self);
	if (sa)
		sa_schedule(ike, sa);
}

static void want(struct ike *ike, struct sa *sa, unsigned int wants, uint64_t now)
{
	struct handle self = pool_handle(&ike->sas, sa);

	sa->wants |= wants;
	send_next(ike, sa, now);
	sa = pool_get(&ike->sas, self);
	if (sa)
		sa_schedule(ike, sa);
}

static struct sa *established(const struct ike *ike, struct handle handle)
{
	struct sa *sa = pool_get(&ike->sas, handle);

	return sa && sa->state == SA_ESTABLISHED ? sa : NULL;
}

void ike_rekey_child(struct ike *ike, struct handle child, uint64_t now)
{
	struct kid *kid = pool_get(&ike->kids, child);

	if (!kid || kid->state != KID_UP || ((const struct sa *)pool_at(&ike->sas, kid->sa))->loser)
		return;
	kid->rekey_wanted = true;
	kid->rekey_ns = NSTIME_NEVER;
	want(ike, pool_at(&ike->sas, kid->sa), WANT_REKEY_KID, now);
}

void ike_close_child(struct ike *ike, struct handle child, uint64_t now)
{
	struct kid *kid = pool_get(&ike->kids, child);

	if (!kid || kid->state == KID_DELETING || kid->gone)
		return;
	if (kid->state == KID_INSTALLING) {
		kid->unwanted = true; /* the exchange that makes it goes on to its end */
		return;
	}
	close_kid(kid);
	want(ike, pool_at(&ike->sas, kid->sa), 0, now);
}

void ike_rekey(struct ike *ike, struct handle handle, uint64_t now)
{
	struct sa *sa = established(ike, handle);

	if (sa && !sa->loser)
		want(ike, sa, WANT_REKEY_SA, now);
}

void ike_probe(struct ike *ike, struct handle handle, uint64_t now)
{
	struct sa *sa = established(ike, handle);

	/* A request under way is as good a question. */
	if (sa && sa->request.kind == REQUEST_NONE)
		want(ike, sa, WANT_PROBE, now);
}

void ike_probe_pair(struct ike *ike, const struct hf_pair *pair, bool soon, uint64_t now)
{
	struct sa *next;

	for (struct sa *sa = sa_first_of_pair(ike, pair); sa; sa = next) {
		next = sa_at(ike, sa->next_of_pair);
		if (sa->state != SA_ESTABLISHED || sa->request.kind != REQUEST_NONE)
			continue;
		sa->short_probe |= soon;
		want(ike, sa, WANT_PROBE, now);
	}
}

static bool has_sent_auth(const struct ike *ike, const struct sa *mother)
{
	for (const struct sa *at = sa_find(ike, mother->spi_i); at; at = sa_at(ike, at->sibling))
		if (at->state == SA_AUTH_SENT)
			return true;
	return false;
}

void ike_close(struct ike *ike, struct handle handle, uint64_t now)
{
	struct sa *sa = pool_get(&ike->sas, handle);

	if (!sa)
		return;
	if (sa->state == SA_ESTABLISHED)
		want(ike, sa, WANT_CLOSE, now);
	else if (sa->state == SA_INIT_SENT && has_sent_auth(ike, sa))
		sa->wants |= WANT_CLOSE; /* the peer may have an SA by now: it is told when we know */
	else if (sa->state != SA_CLOSING)
		sa_drop(ike, sa, IKE_CLOSED, now);
}

void ike_close_pair(struct ike *ike, const struct hf_pair *pair, uint64_t now)
{
	struct sa *sa = sa_first_of_pair(ike, pair), *next;

	for (; sa; sa = next) {
		next = sa_at(ike, sa->next_of_pair);
		ike_close(ike, pool_handle(&ike->sas, sa), now);
	}
}

void ike_forget(struct ike *ike, struct handle handle, uint64_t now)
{
	struct sa *sa = pool_get(&ike->sas, handle);

	if (sa)
		sa_drop(ike, sa, IKE_CLOSED, now);
}

/* ---- time ---- */

void ike_expire(struct ike *ike, uint64_t now)
{
	for (unsigned int i = 0; i < IKE_EXPIRE_MAX; i++) {
		struct timer *timer = timers_pop_expired(&ike->timers, now);

		if (!timer)
			return;
		sa_expire(ike, TIMER_OWNER(timer, struct sa, timer), now);
	}
}

uint64_t ike_deadline(const struct ike *ike)
{
	return timers_next(&ike->timers);
}

/* ---- what can be seen ---- */

const char *ike_reason_name(enum ike_reason reason)
{
	static const char *const names[IKE_REASONS] = {
		[IKE_REASON_NONE] = "none",
		[IKE_TIMEOUT] = "no answer",
		[IKE_REFUSED] = "refused",
		[IKE_AUTH_FAILED] = "authentication failed",
		[IKE_NO_KEY] = "no key",
		[IKE_CLOSED] = "closed",
		[IKE_CLOSED_BY_PEER] = "closed by the peer",
		[IKE_SUPERSEDED] = "superseded",
		[IKE_PEER_RESTARTED] = "the peer restarted",
		[IKE_BROKEN] = "protocol broken by the peer",
		[IKE_OUR_TROUBLE] = "local trouble",
	};

	return reason < IKE_REASONS && names[reason] ? names[reason] : "?";
}

const char *ike_notify_name(uint16_t type)
{
	return notify_name(type);
}

void ike_count(const struct ike *ike, struct ike_counts *out)
{
	*out = ike->counts;
	out->sas = pool_count(&ike->sas);
	out->children = pool_count(&ike->kids);
	out->half_open = ike->half_open;
	out->blocks = ike->blocks.used;
	out->blocks_max = ike->blocks.max;
}

static void fill_view(const struct ike *ike, struct ike_view *out, const struct sa *sa)
{
	const struct kex *kex = sa->have_keys ? kex_find(sa->suite.ke) : NULL;

	*out = (struct ike_view){
		.sa = pool_handle(&ike->sas, sa),
		.tag = sa->tag,
		.path = sa->path,
		.pair = sa_pair(sa),
		.state = sa_state_name(sa->state),
		.responder = !sa->initiator,
		.heard = sa->heard,
		.established = sa->state == SA_ESTABLISHED,
		.cipher = sa->keys.cipher ? sa->keys.cipher->name : NULL,
		.prf = sa->keys.prf ? sa->keys.prf->name : NULL,
		.kex = kex ? kex->name : NULL,
	};
	if (out->established && sa->auth == IKE_AUTH_SIGNATURE)
		memcpy(out->key, sa->key, sizeof(out->key));
	memcpy(out->spi_i, sa->spi_i, SPI_LEN);
	memcpy(out->spi_r, sa->spi_r, SPI_LEN);
	for (const struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next)) {
		out->children++;
		if (kid->state == KID_UP && kid->out_installed && !kid->quiet) {
			out->spi_in_be = kid->child.spi_in_be;
			out->spi_out_be = kid->child.spi_out_be;
		}
	}
}

bool ike_find(const struct ike *ike, struct ike_view *out, struct handle handle)
{
	const struct sa *sa = pool_get(&ike->sas, handle);

	if (!sa)
		return false;
	fill_view(ike, out, sa);
	return true;
}

void ike_each(const struct ike *ike, bool (*see)(void *arg, const struct ike_view *view), void *arg)
{
	for (uint32_t i = pool_first(&ike->sas); i != POOL_NONE; i = pool_next(&ike->sas, i)) {
		struct ike_view view;

		fill_view(ike, &view, pool_at(&ike->sas, i));
		if (!see(arg, &view))
			return;
	}
}

void ike_each_of_pair(const struct ike *ike, const struct hf_pair *pair,
		      bool (*see)(void *arg, const struct ike_view *view), void *arg)
{
	const struct sa *sa = sa_first_of_pair(ike, pair);
	struct ike_view view;

	for (bool more = true; sa && more; sa = sa_at(ike, sa->next_of_pair)) {
		fill_view(ike, &view, sa);
		more = see(arg, &view);
	}
}

bool ike_after(const struct ike *ike, struct ike_view *out, uint32_t *place)
{
	const struct sa *sa = NULL;

	while (!sa && *place < ike->sas.max)
		sa = pool_at(&ike->sas, (*place)++);
	if (sa)
		fill_view(ike, out, sa);
	return sa != NULL;
}
