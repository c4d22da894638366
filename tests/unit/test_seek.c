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
static size_t call_count, asked;
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
	call_count = asked = 0;
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

/* Answers all questions: a secure Ed25519 key made of `fill` in the reverse tree; 0: securely none; -1: failures. */
static void answer_all(int fill, uint32_t ttl_s)
{
	uint8_t rdata[3 + 32] = { 10, 0, RECORD_KEY_EDDSA };
	struct dns_reply key = { DNS_DATA, DNS_SECURE, ttl_s, 1, { VIEW_OF(rdata) }, NULL, "" };
	struct dns_reply none = { .status = DNS_NO_NAME, .security = DNS_SECURE, .ttl_s = ttl_s, .why = "" };
	struct dns_reply failed = { .status = DNS_FAILED, .why = "SERVFAIL" };

	memset(rdata + 3, fill, 32);
	while (call_count)
		answer_one(fill < 0 ? &failed : fill && calls[0].type == RECORD_TYPE ? &key : &none);
}

/* ---- who asks ----------------------------------------------------------------------------------- */

static struct event_base *base;
static struct seek *seek;
static size_t told, changes, refusals;
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

static size_t no_names(void *arg, char (*out)[DISCOVER_NAME_MAX], size_t max, const struct hf_addr *addr)
{
	(void)arg;
	(void)out;
	(void)max;
	(void)addr;
	return 0;
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
	pass(250);
	ask(4, 1);
	assert_int_equal(told, 4);
	assert_in_range(last.left_s, 30, 50);
	assert_int_equal(asked, 2);
	assert_int_equal(changes, 0);
}

/* It is asked for again when it ends, for as long as somebody asks now and then. */
static void a_key_in_use_is_asked_for_again(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	pass(300);
	assert_int_equal(asked, 4);
	answer_all(7, 300);
	assert_int_equal(changes, 0);
	pass(300);
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

static void a_failure_takes_nothing_away(void **state)
{
	(void)state;
	ask(1, 1);
	answer_all(7, 300);
	pass(300);
	answer_all(-1, 0);
	assert_int_equal(changes, 0);
	ask(2, 1);
	assert_int_equal(last.outcome, DISCOVER_FAILED);
	assert_true(last.unsure);
	/* It was not forgotten what to compare with. */
	pass(60);
	answer_all(7, 300);
	assert_int_equal(changes, 0);
	ask(3, 1);
	assert_int_equal(last.fill, 7);
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
	answer_all(7, 300);
	assert_int_equal(told, 2);
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
	ask(1, 100000);
	assert_int_equal(counts().hunts, 1);
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
	const struct seek_options options = { .names = no_names, .callback = on_answer, .changed = on_changed };

	(void)state;
	told = changes = refusals = 0;
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
