// SPDX-License-Identifier: Apache-2.0
/*
 * Findings from DNSSEC: who waits is told once, what is remembered is not asked for again while it lives, a key in use is asked for when it ends, and
 * a flood of addresses stays within its numbers. The DNS is played by this file, and so is the clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#include <cmocka.h>
#include <event2/event.h>

#include "discover/record.h"
#include "discover/seek.h"

/* ---- the clock ---------------------------------------------------------------------------------- */

static time_t ahead_s;

int clock_gettime(clockid_t id, struct timespec *now)
{
	int rc = (int)syscall(SYS_clock_gettime, id, now);

	now->tv_sec += ahead_s;
	return rc;
}

/* ---- the DNS ------------------------------------------------------------------------------------ */

#define CALLS_MAX 4096

struct call {
	char name[DNAME_TEXT_MAX];
	uint16_t type;
	dns_callback *callback;
	void *arg;
};

static struct call calls[CALLS_MAX];
static size_t call_count, asked, asked_anew;
static bool is_closed;

struct dns {
	char nothing;
};

int dns_open(struct dns **out, const struct dns_options *options, struct event_base *base, struct err *err)
{
	static struct dns dns;

	(void)options;
	(void)base;
	(void)err;
	call_count = asked = asked_anew = 0;
	is_closed = false;
	*out = &dns;
	return 0;
}

static void answer_one(const struct dns_reply *reply)
{
	struct call call = calls[0];

	memmove(&calls[0], &calls[1], --call_count * sizeof(calls[0]));
	call.callback(call.arg, reply);
}

void dns_close(struct dns *dns)
{
	(void)dns;
	is_closed = true;
	while (call_count)
		answer_one(&(struct dns_reply){ .why = "closed" });
}

int dns_ask(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	(void)dns;
	if (is_closed || call_count == CALLS_MAX)
		return -1;
	snprintf(calls[call_count].name, sizeof(calls[0].name), "%s", name);
	calls[call_count].type = type;
	calls[call_count].callback = callback;
	calls[call_count++].arg = arg;
	asked++;
	return 0;
}

int dns_ask_anew(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	asked_anew++;
	return dns_ask(dns, name, type, callback, arg);
}

/* RDATA of an Ed25519 key made of `fill`. */
static struct view key_of(unsigned int i, int fill)
{
	static uint8_t rdata[2][3 + 32] = { { 10, 0, RECORD_KEY_EDDSA }, { 10, 0, RECORD_KEY_EDDSA } };

	memset(rdata[i] + 3, fill, 32);
	return VIEW_OF(rdata[i]);
}

static const struct dns_reply failed = { .status = DNS_FAILED, .why = "SERVFAIL" };
static const struct dns_reply none = { .status = DNS_NO_NAME, .security = DNS_SECURE, .ttl_s = 600, .why = "" };

/* Answers all questions: a secure key in the reverse tree, `other` as well if it is not 0; fill 0: securely none; -1: failures. */
static void answer_both(int fill, int other, uint32_t ttl_s)
{
	struct dns_reply keys = { DNS_DATA, DNS_SECURE, ttl_s, other ? 2 : 1, { key_of(0, fill), key_of(1, other) },
				  NULL,	    "" };

	while (call_count)
		answer_one(fill < 0 ? &failed : fill && calls[0].type == RECORD_TYPE ? &keys : &none);
}

static void answer_all(int fill, uint32_t ttl_s)
{
	answer_both(fill, 0, ttl_s);
}

/* Nothing in the reverse tree; elsewhere the address, and a key. */
static void answer_name(int fill, const struct hf_addr *addr, uint32_t ttl_s)
{
	size_t len;
	const uint8_t *octets = addr_octets(addr, &len);
	struct dns_reply key = { DNS_DATA, DNS_SECURE, ttl_s, 1, { key_of(0, fill) }, NULL, "" };
	struct dns_reply here = { DNS_DATA, DNS_SECURE, ttl_s, 1, { view_of(octets, len) }, NULL, "" };

	while (call_count)
		answer_one(strstr(calls[0].name, "arpa") ? &none : calls[0].type == RECORD_TYPE ? &key : &here);
}

/* ---- who asks ----------------------------------------------------------------------------------- */

static struct event_base *base;
static struct seek *seek;
static size_t told, changes, refusals, appearances;
static const char *hint; /* a name that every address may have */
static struct {
	uint64_t question;
	enum discover_outcome outcome;
	enum discover_trust trust;
	bool unsure;
	size_t keys;
	uint8_t fill;
	uint64_t left_s;
	char reason[256];
} last;

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	(void)arg;
	(void)addr;
	told++;
	refusals += strstr(answer->reason, "too many") != NULL;
	last.question = question;
	last.outcome = answer->outcome;
	last.trust = answer->trust;
	last.unsure = answer->unsure;
	last.keys = answer->keys;
	last.fill = answer->keys ? answer->spki[0].at[answer->spki[0].len - 1] : 0;
	last.left_s = answer->until_s - (uint64_t)time(NULL);
	snprintf(last.reason, sizeof(last.reason), "%s", answer->reason);
}

static void on_changed(void *arg)
{
	(void)arg;
	changes++;
}

static void on_appeared(void *arg, const struct hf_addr *addr)
{
	(void)arg;
	(void)addr;
	appearances++;
}

static size_t names(void *arg, char (*out)[DISCOVER_NAME_MAX], size_t max, const struct hf_addr *addr)
{
	(void)arg;
	(void)addr;
	if (hint && max)
		snprintf(out[0], DISCOVER_NAME_MAX, "%s", hint);
	return hint && max;
}

/* The n-th address, each /24 full before the next. */
static struct hf_addr address(uint32_t n)
{
	uint8_t octets[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	return addr_from_octets(octets, sizeof(octets));
}

static void ask(uint64_t question, uint32_t n)
{
	struct hf_addr addr = address(n);

	seek_ask(seek, question, &addr);
}

/* Time passes, and timers run; all findings are looked at. */
static void pass(time_t seconds)
{
	ahead_s += seconds;
	for (int i = 0; i < 9; i++) {
		ahead_s += 1;
		event_base_loop(base, EVLOOP_NONBLOCK);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

static struct seek_counts counts(void)
{
	struct seek_counts now;

	seek_count(seek, &now);
	return now;
}

/* ---- stories ------------------------------------------------------------------------------------ */

static void a_finding_lives_as_long_as_its_record(void **state)
{
	(void)state;
	ask(1, 1);
	ask(2, 1);
	assert_int_equal(told, 0);
	assert_int_equal(asked, 2);
	answer_all(7, 300);
	assert_int_equal(told, 2);
	assert_int_equal(last.outcome, DISCOVER_KEYS);
	assert_int_equal(last.trust, TRUST_REVERSE);
	assert_int_equal(last.fill, 7);
	assert_in_range(last.left_s, 299, 300);
	ask(3, 1);
	assert_int_equal(told, 3);
	assert_int_equal(last.question, 3);
	pass(220);
	ask(4, 1);
	assert_int_equal(told, 4);
	assert_in_range(last.left_s, 60, 80);
	assert_int_equal(asked, 2);
	assert_int_equal(changes, 0);
}

/* It is asked for again before it ends, and not of what is remembered elsewhere, for as long as somebody asks now and then. */
static void a_key_in_use_is_asked_for_again(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	pass(220);
	assert_int_equal(asked, 2);
	assert_int_equal(asked_anew, 0);
	pass(20);
	assert_int_equal(asked, 4);
	assert_int_equal(asked_anew, 2);
	/* Meanwhile it is what it was. */
	ask(2, 1);
	assert_int_equal(told, 2);
	answer_all(7, 300);
	assert_int_equal(changes, 0);
	pass(240);
	assert_int_equal(asked, 6);
	/* The next key: whoever used the one before must look. */
	answer_all(8, 300);
	assert_int_equal(changes, 1);
	ask(2, 1);
	assert_int_equal(last.fill, 8);
	/* Nobody has asked for so long that nobody can use it. */
	pass(10000);
	assert_int_equal(asked, 6);
	pass(1);
	assert_int_equal(counts().findings, 0);
}

/* What two keys are now one was among has not changed for who used it. */
static void a_key_in_company_is_still_there(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	pass(240);
	answer_both(8, 7, 300);
	assert_int_equal(changes, 0);
	ask(2, 1);
	assert_int_equal(last.keys, 2);
	pass(240);
	answer_all(8, 300);
	assert_int_equal(changes, 1);
	ask(3, 1);
	assert_int_equal(last.keys, 1);
	assert_int_equal(last.fill, 8);
}

/* Nobody can be asked before it ends: it is what it was until then, and asked for with growing patience. */
static void what_cannot_be_asked_again_lives_on(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 1000);
	pass(800);
	answer_all(-1, 0);
	pass(20);
	assert_int_equal(asked, 4);
	ask(2, 1);
	assert_int_equal(last.outcome, DISCOVER_KEYS);
	pass(10);
	assert_int_equal(asked, 6);
	answer_all(-1, 0);
	pass(150);
	assert_int_equal(changes, 0);
	ask(3, 1);
	assert_int_equal(asked, 8);
	answer_all(-1, 0);
	assert_int_equal(last.outcome, DISCOVER_FAILED);
	assert_true(last.unsure);
}

/* The SAs go on for an hour, and who is asked after that says so once. */
static void nobody_knows_for_an_hour(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	for (int i = 0; i < 12; i++) {
		ask(2, 1);
		pass(291);
		answer_all(-1, 0);
	}
	assert_int_equal(changes, 0);
	ask(3, 1);
	assert_int_equal(last.outcome, DISCOVER_FAILED);
	assert_true(last.unsure);
	pass(600);
	answer_all(-1, 0);
	assert_int_equal(changes, 1);
	pass(0);
	ask(4, 1);
	assert_int_equal(last.outcome, DISCOVER_FAILED);
	assert_false(last.unsure);
	assert_non_null(strstr(last.reason, "an hour ago"));
	pass(600);
	answer_all(7, 300);
	assert_int_equal(changes, 1);
	assert_int_equal(appearances, 1);
	ask(5, 1);
	assert_int_equal(last.outcome, DISCOVER_KEYS);
}

/* "No" was said before somebody said a name: it is asked again, but not for each of a flood. */
static void a_hint_makes_a_no_doubtful(void **state)
{
	struct hf_addr addr = address(1), other = address(2);

	(void)state;
	ask(1, 1);
	answer_all(0, 600);
	assert_int_equal(last.outcome, DISCOVER_NO_KEY);
	assert_int_equal(asked, 2);
	hint = "one.example";
	seek_hint(seek, &addr, NULL);
	seek_hint(seek, &other, NULL); /* of whom nobody has asked */
	assert_int_equal(asked, 6);
	/* Who asks now waits. */
	ask(2, 1);
	assert_int_equal(told, 1);
	answer_name(7, &addr, 600);
	assert_int_equal(told, 2);
	assert_int_equal(last.outcome, DISCOVER_KEYS);
	assert_int_equal(last.trust, TRUST_OPPORTUNISTIC);
	assert_int_equal(appearances, 1);
	/* It may have been somebody's lie, and the next one the truth. With proved keys a hint says nothing. */
	pass(20);
	seek_hint(seek, &addr, NULL);
	assert_int_equal(asked, 10);
	answer_all(7, 600);
	pass(20);
	seek_hint(seek, &addr, NULL);
	assert_int_equal(asked, 10);
	ask(3, 1);
	assert_int_equal(last.trust, TRUST_REVERSE);
}

/* What the peer says of itself is one more name to ask, now and as long as there are keys at it. */
static void a_peer_says_its_name(void **state)
{
	struct hf_addr addr = address(1);

	(void)state;
	seek_hint(seek, &addr, "one.example");
	assert_int_equal(asked, 0);
	ask(1, 1);
	assert_int_equal(asked, 4);
	assert_string_equal(calls[2].name, "one.example");
	answer_name(7, &addr, 300);
	assert_int_equal(last.trust, TRUST_OPPORTUNISTIC);
	pass(240);
	assert_int_equal(asked, 8);
	assert_string_equal(calls[2].name, "one.example");
	answer_all(0, 300);
	assert_int_equal(changes, 1);
	/* Said again it is no news, but it may be another name each time. */
	pass(20);
	seek_hint(seek, &addr, "One.example");
	assert_int_equal(asked, 8);
	seek_hint(seek, &addr, "two.example");
	assert_int_equal(asked, 12);
	assert_string_equal(calls[2].name, "two.example");
	ask(2, 1);
	assert_int_equal(told, 1);
	answer_name(7, &addr, 300);
	assert_int_equal(told, 2);
}

static void a_hint_waits_for_its_turn(void **state)
{
	struct hf_addr addr = address(1);

	(void)state;
	ask(1, 1);
	seek_hint(seek, &addr, NULL); /* too late for the hunt that is under way */
	assert_int_equal(asked, 2);
	hint = "one.example";
	answer_one(&none);
	answer_one(&none);
	/* Whoever waits does so until the names are asked for, too. */
	assert_int_equal(asked, 6);
	assert_int_equal(told, 0);
	answer_all(0, 600);
	assert_int_equal(told, 1);
	for (int i = 0; i < 1000; i++) {
		seek_hint(seek, &addr, NULL);
		answer_all(0, 600);
	}
	assert_int_equal(asked, 2 + 4 * 4);
	pass(5);
	assert_int_equal(asked, 2 + 5 * 4);
	answer_all(0, 600);
	call_count = asked = 0;
	/* And all together have their number. */
	for (uint32_t n = 2; n < 102; n++) {
		ask(n, n);
		answer_all(0, 600);
	}
	assert_int_equal(asked, 4 * 100);
	for (uint32_t n = 2; n < 102; n++) {
		addr = address(n);
		seek_hint(seek, &addr, NULL);
	}
	assert_in_range(asked, 400 + 4, 400 + 4 * 2 * 16);
}

static void a_failure_takes_nothing_away(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	pass(240);
	answer_all(-1, 0);
	ask(2, 1);
	assert_int_equal(last.outcome, DISCOVER_KEYS);
	pass(60);
	answer_all(-1, 0);
	assert_int_equal(changes, 0);
	ask(2, 1);
	assert_int_equal(last.outcome, DISCOVER_FAILED);
	assert_true(last.unsure);
	/* It was not forgotten what to compare with. */
	pass(60);
	answer_all(7, 300);
	assert_int_equal(changes, 0);
	pass(300);
	answer_all(-1, 0);
	pass(60);
	answer_all(0, 300);
	assert_int_equal(changes, 1);
	ask(4, 1);
	assert_int_equal(last.outcome, DISCOVER_NO_KEY);
}

static void nobody_waits_for_ever(void **state)
{
	(void)state;
	ask(1, 1);
	pass(0);
	assert_int_equal(told, 1);
	assert_true(last.unsure);
	assert_non_null(strstr(last.reason, "no answer within"));
	/* Who comes now hears so at once; the answer is kept when it comes. */
	ask(2, 1);
	assert_int_equal(told, 2);
	assert_int_equal(asked, 2);
	assert_int_equal(appearances, 0);
	answer_all(7, 300);
	assert_int_equal(told, 2);
	assert_int_equal(appearances, 1);
	ask(3, 1);
	assert_int_equal(last.fill, 7);
}

static void a_network_has_its_share(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 256; n++)
		ask(n, n);
	assert_int_equal(counts().hunts, SEEK_NETWORK_MAX);
	assert_int_equal(refusals, 256 - SEEK_NETWORK_MAX);
	assert_true(last.unsure);
	/* Others have theirs, up to the number for all. */
	for (uint32_t n = 256; n < 256 * 40; n += 8)
		ask(n, n);
	assert_int_equal(counts().hunts, SEEK_HUNTS_MAX);
	assert_true(counts().refused > 0);
	answer_all(0, 300);
	assert_int_equal(counts().hunts, 0);
}

static void a_flood_finds_an_end(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 3 * SEEK_FINDINGS_MAX / 2; n++) {
		ask(n, n);
		answer_all(n & 1 ? 7 : 0, 300);
	}
	assert_int_equal(told, 3 * SEEK_FINDINGS_MAX / 2);
	assert_int_equal(counts().findings, SEEK_FINDINGS_MAX);
	assert_int_equal(counts().refused, 0);
}

static void closing_with_questions_open(void **state)
{
	(void)state;
	ask(1, 1);
	ask(2, 2);
	seek_close(seek);
	seek = NULL;
	assert_int_equal(told, 0);
}

static int set_up(void **state)
{
	const struct seek_options options = {
		.names = names, .callback = on_answer, .changed = on_changed, .appeared = on_appeared
	};

	(void)state;
	told = changes = refusals = appearances = 0;
	hint = NULL;
	memset(&last, 0, sizeof(last));
	return seek_open(&seek, &options, base, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	seek_close(seek);
	seek = NULL;
	return 0;
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_finding_lives_as_long_as_its_record),
		STORY(a_key_in_use_is_asked_for_again),
		STORY(a_key_in_company_is_still_there),
		STORY(what_cannot_be_asked_again_lives_on),
		STORY(nobody_knows_for_an_hour),
		STORY(a_hint_makes_a_no_doubtful),
		STORY(a_peer_says_its_name),
		STORY(a_hint_waits_for_its_turn),
		STORY(a_failure_takes_nothing_away),
		STORY(nobody_waits_for_ever),
		STORY(a_network_has_its_share),
		STORY(a_flood_finds_an_end),
		STORY(closing_with_questions_open),
	};
	int rc;

	base = event_base_new();
	if (!base || crypto_init(NULL) < 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	return rc;
}
