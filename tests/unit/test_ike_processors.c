// SPDX-License-Identifier: Apache-2.0
/*
 * Child SAs for single processors (RFC 9611): who is told of them and makes them, how many there are, and that they keep their part through all
 * that happens to the first one and to themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"

static struct duo duo;
static uint32_t processors[2];

static void with_processors(struct ike_options *options, unsigned int i)
{
	options->processors = processors[i];
}

static void prepare(uint32_t ours, uint32_t theirs)
{
	processors[0] = ours;
	processors[1] = theirs;
	duo_start(&duo, with_processors);
}

static void begin(uint32_t ours, uint32_t theirs)
{
	prepare(ours, theirs);
	duo_connect(&duo, 0);
	duo_run(&duo);
}

static struct hf_pair pair_of(unsigned int i)
{
	struct ike_path path = duo_path(&duo, i);

	return (struct hf_pair){ .local = path.local, .remote = path.remote };
}

/* False: nothing was said to the peer. */
static bool ask(unsigned int i, uint32_t processor)
{
	struct hf_pair pair = pair_of(i);
	unsigned int sent = duo.sent[i];

	ike_further(duo.host[i].ike, &pair, processor, duo.now);
	duo_drain(&duo, i);
	return duo.sent[i] > sent;
}

static unsigned int count(unsigned int i, bool bound)
{
	unsigned int found = 0;

	for (size_t k = 0; k < duo.host[i].kid_count; k++)
		found += duo.host[i].kids[k].out && duo.host[i].kids[k].keys.bound == bound;
	return found;
}

/* What is for a processor at one end is so at the other. */
static void assert_alike(void)
{
	for (size_t k = 0; k < duo.host[0].kid_count; k++)
		for (size_t j = 0; j < duo.host[1].kid_count; j++)
			if (duo.host[0].kids[k].keys.spi_out_be == duo.host[1].kids[j].keys.spi_in_be)
				assert_int_equal(duo.host[0].kids[k].keys.bound, duo.host[1].kids[j].keys.bound);
}

/* Both ends send with one for everybody and so many for processors, and read what the other sends. */
static void assert_stand(unsigned int bound)
{
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(count(i, false), 1);
		assert_int_equal(count(i, true), bound);
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
	}
	assert_true(duo_agree(&duo));
	assert_alike();
}

static struct handle first(unsigned int i, bool bound)
{
	for (size_t k = 0; k < duo.host[i].kid_count; k++)
		if (duo.host[i].kids[k].out && duo.host[i].kids[k].keys.bound == bound)
			return duo.host[i].kids[k].handle;
	fail_msg("host %u has none", i);
	return HANDLE_NONE;
}

static void rekey(unsigned int i, bool bound)
{
	ike_rekey_child(duo.host[i].ike, first(i, bound), duo.now);
	duo_drain(&duo, i);
	duo_run(&duo);
	duo_pass(&duo, 6 * NSTIME_S);
}

/* Beside the first, which goes on; whoever asks, up to the number of processors. */
static void further_ones_stand_beside_the_first(void **state)
{
	(void)state;
	for (unsigned int from = 0; from < 2; from++) {
		begin(3, 3);
		assert_stand(0);
		for (unsigned int i = 0; i < 3; i++) {
			assert_true(ask(i == 1 ? !from : from, i));
			duo_run(&duo);
			assert_stand(i + 1);
		}
		assert_false(ask(0, 3));
		assert_false(ask(1, 3));
		duo_pass(&duo, 60 * NSTIME_S);
		assert_stand(3);
		assert_int_equal(duo_counts(&duo, 0).further, 3);
		assert_int_equal(duo_counts(&duo, 1).further_refused, 0);
		duo_end(&duo);
	}
}

/* Who answers at the end of a burst is not made to wait for the eighth. */
static void eight_come_without_a_pause(void **state)
{
	(void)state;
	begin(99, 8);
	for (unsigned int i = 0; i < 8; i++) {
		assert_true(ask(0, i));
		duo_run(&duo);
	}
	assert_stand(8);
	assert_false(ask(0, 8));
	duo_end(&duo);
}

/* TS_MAX_QUEUE: that is all, also after the IKE SA was rekeyed. */
static void peer_with_fewer_processors_says_so(void **state)
{
	(void)state;
	begin(4, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ask(0, i);
		duo_run(&duo);
	}
	assert_true(ask(0, 2));
	duo_deliver(&duo, 0);
	assert_true(hostile_answered(&duo, hostile_only(&duo, 0), NOTIFY_TS_MAX_QUEUE));
	duo_end(&duo);

	begin(4, 2);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(ask(0, i));
		duo_run(&duo);
	}
	assert_stand(2);
	assert_int_equal(duo_counts(&duo, 1).further_refused, 1);
	assert_false(ask(0, 2));
	ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[0].replaced, 1);
	assert_false(ask(0, 2));
	assert_stand(2);
	duo_end(&duo);
}

/* Who does not spread neither says nor hears of it. */
static void nothing_without_both(void **state)
{
	(void)state;
	for (unsigned int without = 0; without < 2; without++) {
		begin(without ? 2 : 0, without ? 0 : 2);
		for (unsigned int i = 0; i < 2; i++) {
			assert_false(hostile_only(&duo, i)->features & FEATURE_PROCESSORS);
			assert_false(ask(i, 0));
		}
		assert_stand(0);
		duo_end(&duo);
	}
}

/* One that never said so, or has proved nothing, asks all the same: refused, and the first goes on. */
static void refused_to_who_may_not(void **state)
{
	(void)state;
	for (unsigned int null = 0; null < 2; null++) {
		prepare(2, 2);
		for (unsigned int i = 0; i < 2 && null; i++)
			duo.host[i].answer = (struct ike_answer){ .null = true };
		duo_connect(&duo, 0);
		duo_run(&duo);
		if (null)
			assert_false(ask(0, 0) || ask(1, 0));
		hostile_only(&duo, 0)->features |= FEATURE_PROCESSORS;
		hostile_only(&duo, 1)->features &= ~(unsigned int)FEATURE_PROCESSORS;
		assert_true(ask(0, 0));
		duo_run(&duo);
		duo_pass(&duo, 100 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 1).further_refused, 1);
		assert_stand(0);
		duo_end(&duo);
	}
}

/* A NULL peer that says SA_RESOURCE_INFO from the beginning gets no more of it. */
static void null_peer_is_not_believed(void **state)
{
	const struct chain chain = { .notifies = { { .type = NOTIFY_SA_RESOURCE_INFO } }, .notify_count = 1 };
	struct sa sa = { .auth = IKE_AUTH_NULL };

	(void)state;
	begin(2, 2);
	child_read_bound(duo.host[0].ike, &sa, &chain);
	assert_int_equal(sa.features, 0);
	sa.auth = IKE_AUTH_SIGNATURE;
	child_read_bound(duo.host[0].ike, &sa, &chain);
	assert_int_equal(sa.features, FEATURE_PROCESSORS);
	duo_end(&duo);
}

/* Rekeyed by either end, by its time, or both at once: each keeps its part. */
static void rekeys_keep_the_part(void **state)
{
	(void)state;
	begin(2, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ask(0, i);
		duo_run(&duo);
	}
	for (unsigned int i = 0; i < 2; i++) {
		rekey(i, true);
		assert_stand(2);
		rekey(i, false);
		assert_stand(2);
	}
	ike_rekey_child(duo.host[0].ike, first(0, true), duo.now);
	duo_drain(&duo, 0);
	ike_rekey_child(duo.host[1].ike, first(1, true), duo.now);
	duo_drain(&duo, 1);
	duo_run(&duo);
	duo_pass(&duo, 100 * NSTIME_S);
	assert_stand(2);
	assert_false(ask(0, 2));
	duo_pass(&duo, 5 * IKE_CHILD_LIFE);
	assert_stand(2);
	assert_true(duo.host[0].replaced);
	duo_end(&duo);
}

/* Both ask at the same moment, with room for one more: at most one too many, and no other is touched. */
static void both_ask_at_once(void **state)
{
	(void)state;
	begin(2, 2);
	assert_true(ask(0, 0));
	assert_true(ask(1, 0));
	duo_run(&duo);
	duo_pass(&duo, 30 * NSTIME_S);
	assert_stand(2);
	assert_false(ask(0, 1) || ask(1, 1));
	duo_end(&duo);
}

/* The peer deletes the first one alone: a rekey of it finds nothing, and another first one is made, beside those for processors. */
static void the_first_is_made_anew(void **state)
{
	struct handle old;

	(void)state;
	begin(2, 2);
	ask(0, 0);
	duo_run(&duo);
	old = first(0, false);
	/* Forgotten at the other end, without a word. */
	kid_remove(duo.host[1].ike, pool_get(&duo.host[1].ike->kids, first(1, false)));
	duo_drain(&duo, 1);
	assert_int_equal(count(1, false), 0);
	ike_rekey_child(duo.host[0].ike, old, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 30 * NSTIME_S);
	assert_stand(1);
	duo_end(&duo);
}

/* A Child SA without a word takes the place of the first one (docs/COLLISIONS.md R16), of no other. */
static void only_the_first_is_supplanted(void **state)
{
	struct sa *sa;

	(void)state;
	begin(2, 2);
	for (unsigned int i = 0; i < 2; i++) {
		ask(0, i);
		duo_run(&duo);
	}
	rekey(0, false); /* now it is not the oldest */
	sa = hostile_only(&duo, 0);
	sa->wants |= WANT_NEW_KID;
	send_next(duo.host[0].ike, sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(count(1, false), 1);
	assert_int_equal(count(1, true), 2);
	assert_int_equal(count(0, true), 2);
	assert_alike();
	duo_end(&duo);
}

/* Our kernel refuses: the peer's half is deleted, nothing is tried again by itself, the first is untouched. */
static void kernel_refuses(void **state)
{
	(void)state;
	for (unsigned int who = 0; who < 2; who++) {
		begin(2, 2);
		duo.host[who].install_error = -12;
		ask(0, 0);
		duo_run(&duo);
		duo_pass(&duo, 30 * NSTIME_S);
		duo.host[who].install_error = 0;
		assert_stand(0);
		assert_true(ask(0, 0));
		duo_run(&duo);
		assert_stand(1);
		duo_end(&duo);
	}
}

/* The answer is lost, or the question: once more of the same. */
static void lost_messages(void **state)
{
	(void)state;
	for (unsigned int answer = 0; answer < 2; answer++) {
		begin(2, 2);
		ask(0, 0);
		if (answer)
			duo_deliver(&duo, 0);
		duo_drop(&duo, 0);
		duo_pass(&duo, 30 * NSTIME_S);
		assert_stand(1);
		duo_end(&duo);
	}
}

/* A crossing's loser makes none, and takes those it has with it. */
static void crossing_leaves_the_winners(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 4; seed++) {
		prepare(2, 2);
		duo.host[0].random += seed * 1000;
		duo_connect(&duo, 0);
		duo_connect(&duo, 1);
		duo_run(&duo);
		ask(0, 0);
		ask(1, 0);
		duo_run(&duo);
		duo_pass(&duo, 100 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 0).sas, 1);
		assert_stand(count(0, true));
		while (ask(0, 1))
			duo_run(&duo);
		assert_stand(2);
		duo_end(&duo);
	}
}

/* All go with their IKE SA. */
static void all_end_together(void **state)
{
	(void)state;
	begin(2, 2);
	ask(0, 0);
	duo_run(&duo);
	ike_close(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo.host[i].kid_count, 0);
		hostile_empty(&duo, i);
	}
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(further_ones_stand_beside_the_first),
		cmocka_unit_test(eight_come_without_a_pause),
		cmocka_unit_test(peer_with_fewer_processors_says_so),
		cmocka_unit_test(nothing_without_both),
		cmocka_unit_test(refused_to_who_may_not),
		cmocka_unit_test(null_peer_is_not_believed),
		cmocka_unit_test(rekeys_keep_the_part),
		cmocka_unit_test(both_ask_at_once),
		cmocka_unit_test(the_first_is_made_anew),
		cmocka_unit_test(only_the_first_is_supplanted),
		cmocka_unit_test(kernel_refuses),
		cmocka_unit_test(lost_messages),
		cmocka_unit_test(crossing_leaves_the_winners),
		cmocka_unit_test(all_end_together),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
