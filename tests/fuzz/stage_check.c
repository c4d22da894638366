// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold in an engine after any call, seen from inside: each object has exactly one owner, each count is that of what is counted,
 * and nothing waits for ever.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage.h"

void stage_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* Everything that owns something, counted. */
struct sum {
	size_t blocks, works, kids, announced, reassemblies;
	uint32_t half_open, nulls, established, in_init;
};

static void count_blob(const struct ike *ike, struct sum *sum, const struct blob *blob)
{
	size_t want = (blob->len + IKE_BLOCK - 1) / IKE_BLOCK, have = 0;

	for (uint32_t ref = blob->first; ref; ref = ike->blocks.all[ref - 1].next)
		stage_demand(++have <= want && ref <= ike->blocks.max);
	stage_demand(have == want);
	sum->blocks += have;
}

static void count_work(const struct ike *ike, struct sum *sum, const struct work *work)
{
	if (!work)
		return;
	sum->works++;
	count_blob(ike, sum, &work->peer_nonce);
	count_blob(ike, sum, &work->peer_ke);
	count_blob(ike, sum, &work->init_i);
	count_blob(ike, sum, &work->init_r);
	count_blob(ike, sum, &work->cookie);
	count_blob(ike, sum, &work->psk);
	count_blob(ike, sum, &work->peer_id);
	count_blob(ike, sum, &work->own_id);
	count_blob(ike, sum, &work->plain);
	count_blob(ike, sum, &work->link);
	for (size_t i = 0; i < IKE_KEYS_MAX; i++)
		count_blob(ike, sum, &work->spki[i]);
	for (int i = 0; i < 3; i++) {
		uint32_t ref = i == 0 ? work->kid : i == 1 ? work->old_kid : work->rival;

		stage_demand(!ref || kid_at(ike, ref));
	}
}

static void count_kids(const struct ike *ike, struct sum *sum, const struct sa *sa)
{
	size_t have = 0;

	for (const struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next)) {
		stage_demand(++have <= 2 * IKE_CHILDREN_PER_SA && kid->sa + 1 == sa_ref(ike, sa));
		stage_demand(!kid->next || kid_at(ike, kid->next));
		stage_demand(!kid->heir || kid_at(ike, kid->heir));
		stage_demand(!kid->child.encap || kid->child.encap_remote == sa->path.remote_port);
		sum->announced += kid->announced;
	}
	stage_demand(!sa->kids || have);
	stage_demand(!sa->request.kid || kid_at(ike, sa->request.kid));
	sum->kids += have;
}

static bool is_found(const struct ike *ike, const struct sa *sa)
{
	const struct sa *at = sa_find(ike, sa_own_spi(sa));

	while (at && at != sa)
		at = sa_at(ike, at->sibling);
	return at;
}

static bool is_in_pair(const struct ike *ike, const struct sa *sa)
{
	struct hf_pair pair = sa_pair(sa);
	const struct sa *at = sa_first_of_pair(ike, &pair);

	while (at && at != sa)
		at = sa_at(ike, at->next_of_pair);
	return at;
}

/* An SA that is not established goes by time, or an attempt with those who answered it. */
static bool has_end(const struct ike *ike, const struct sa *sa)
{
	if (sa->state == SA_ESTABLISHED)
		return true;
	return timer_is_set(&sa->timer) || (sa->state == SA_INIT_SENT && sa_candidates(ike, sa));
}

static void check_sa(const struct ike *ike, struct sum *sum, const struct sa *sa)
{
	stage_demand(sa->state < SA_STATES && is_found(ike, sa));
	stage_demand(has_end(ike, sa));
	stage_demand(!sa->in_pairs || is_in_pair(ike, sa));
	stage_demand(!sa->work || sa_work(ike, sa));
	stage_demand(!sa->peer_work || sa_peer_work(ike, sa));
	stage_demand(!sa->mother || (sa_at(ike, sa->mother) && sa_at(ike, sa->mother)->state == SA_INIT_SENT));
	stage_demand(!sa->heir || sa_at(ike, sa->heir)->ancestor == sa_ref(ike, sa));
	stage_demand(!sa->ancestor || sa_at(ike, sa->ancestor)->heir == sa_ref(ike, sa));
	stage_demand((sa->state == SA_HALF_OPEN) <= sa->half_open_counted);
	/* Nobody gets so far without having proved who he is. */
	stage_demand(sa->state < SA_INSTALLING || (sa->auth && sa->have_keys));
	count_blob(ike, sum, &sa->request.message);
	count_blob(ike, sum, &sa->response);
	count_work(ike, sum, sa_work(ike, sa));
	count_work(ike, sum, sa_peer_work(ike, sa));
	count_kids(ike, sum, sa);
	sum->reassemblies += sa->reassembly != 0;
	sum->half_open += sa->half_open_counted;
	sum->nulls += sa->null_counted;
	sum->established += sa->established_ns != 0;
	sum->in_init += sa->in_init;
}

/* What the caller was told last of each Child SA's way is what is so. */
static void check_told(const struct stage_end *end)
{
	for (size_t i = 0; i < end->kid_count; i++) {
		const struct kid *kid = pool_get(&end->ike->kids, end->kids[i].handle);

		stage_demand(kid && kid->child.encap_remote == end->kids[i].keys.encap_remote);
	}
}

static void check_end(const struct stage_end *end)
{
	const struct ike *ike = end->ike;
	struct sum sum = { 0 };

	for (uint32_t at = pool_first(&ike->sas); at != POOL_NONE; at = pool_next(&ike->sas, at))
		check_sa(ike, &sum, pool_at(&ike->sas, at));
	check_told(end);
	stage_demand(ike->output_count == 0 && ike->counts.outputs_lost == 0);
	stage_demand(ike->blocks.used == sum.blocks);
	stage_demand(pool_count(&ike->works) == sum.works);
	stage_demand(pool_count(&ike->kids) == sum.kids);
	stage_demand(end->kid_count == sum.announced);
	stage_demand(pool_count(&ike->reassemblies) == sum.reassemblies);
	stage_demand(ike->half_open == sum.half_open && ike->nulls_count == sum.nulls);
	stage_demand(ike->counts.established == sum.established);
	stage_demand(table_count(&ike->by_init) == sum.in_init);
}

void stage_check(void)
{
	for (unsigned int i = 0; i < 2; i++)
		check_end(&stage->end[i]);
}

void stage_agree(void)
{
	const struct stage_end *a = &stage->end[0], *b = &stage->end[1];

	for (size_t i = 0; i < a->kid_count; i++) {
		for (size_t j = 0; j < b->kid_count; j++) {
			const struct child *x = &a->kids[i].keys, *y = &b->kids[j].keys;

			if (x->spi_out_be != y->spi_in_be)
				continue;
			stage_demand(x->spi_in_be == y->spi_out_be && x->algorithm == y->algorithm);
			/* Not their encapsulation: whoever changes ports on the way decides what each end sees. */
			stage_demand(x->tunnel == y->tunnel && x->esn == y->esn);
			stage_demand(!memcmp(x->key_in, y->key_out, CHILD_KEY_MAX));
			stage_demand(!memcmp(x->key_out, y->key_in, CHILD_KEY_MAX));
		}
	}
}

static void demand_empty(const struct stage_end *end)
{
	const struct ike *ike = end->ike;

	stage_demand(pool_count(&ike->sas) == 0 && pool_count(&ike->works) == 0 && pool_count(&ike->kids) == 0);
	stage_demand(pool_count(&ike->reassemblies) == 0 && ike->blocks.used == 0 && ike->half_open == 0);
	stage_demand(table_count(&ike->by_spi) == 0 && table_count(&ike->by_init) == 0);
	stage_demand(table_count(&ike->by_pair) == 0 && table_count(&ike->sources) == 0);
	stage_demand(table_count(&ike->nulls) == 0 && ike_deadline(ike) == NSTIME_NEVER);
	stage_demand(end->known_count == 0 && end->kid_count == 0);
}

void stage_forget(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct stage_end *end = &stage->end[i];
		uint32_t at;

		for (unsigned int n = 0; (at = pool_first(&end->ike->sas)) != POOL_NONE; n++) {
			stage_demand(n < 100);
			ike_forget(end->ike, pool_handle(&end->ike->sas, pool_at(&end->ike->sas, at)), stage->now);
			stage_drain(i);
		}
		demand_empty(end);
	}
}

void stage_settle(void)
{
	for (unsigned int i = 0; i < 2; i++)
		stage_release(i);
	/* An attempt that comes through only now is closed the next time. */
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 2; i++) {
			struct stage_end *end = &stage->end[i];
			struct handle known[STAGE_LIST];
			size_t count = end->known_count;

			memcpy(known, end->known, sizeof(known));
			for (size_t n = 0; n < count; n++) {
				ike_close(end->ike, known[n], stage->now);
				stage_drain(i);
			}
		}
		stage_live(120 * NSTIME_S);
		stage_check();
	}
	for (unsigned int i = 0; i < 2; i++)
		demand_empty(&stage->end[i]);
}
