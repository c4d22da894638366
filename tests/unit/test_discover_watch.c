// SPDX-License-Identifier: Apache-2.0
/*
 * A directory's file through the room's face: found when it comes, read again when it changes, kept when what comes is no good, and without a
 * withdrawn key as soon as the new one lies there. Real files, the real clock, and the event loop, which is waited for until something happened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/own.h"
#include "signed_directory.h"

#define PATIENCE_S 30 /* only a broken test waits so long */

struct heard {
	unsigned int changes;
	enum discover_outcome outcome;
	size_t keys;
	char reason[512];
};

struct fixture {
	struct event_base *base;
	struct discover *discover;
	struct heard heard;
	struct err err;
};

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct heard *heard = &((struct fixture *)arg)->heard;

	(void)question;
	(void)addr;
	heard->outcome = answer->outcome;
	heard->keys = answer->keys;
	snprintf(heard->reason, sizeof(heard->reason), "%s", answer->reason);
}

static void on_change(void *arg)
{
	((struct fixture *)arg)->heard.changes++;
}

static void ask_face(struct fixture *fixture, const char *address)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, address, NULL), 0);
	discover_ask(fixture->discover, 1, &addr);
}

static void open_fixture(struct fixture *fixture)
{
	char key[64];
	const struct discover_options options = { .directory = in_folder("dir"),
						  .directory_key = public_key(key, 1),
						  .directory_id = "test.example",
						  .state_dir = folder };

	*fixture = (struct fixture){ .base = event_base_new() };
	assert_non_null(fixture->base);
	if (discover_open(&fixture->discover, &options, fixture->base, on_answer, on_change, fixture, &fixture->err) <
	    0)
		fail_msg("%s", fixture->err.text);
}

static void close_fixture(struct fixture *fixture)
{
	discover_close(fixture->discover);
	event_base_free(fixture->base);
}

static struct facts facts_now(uint64_t serial, const char *hosts)
{
	uint64_t now_s = (uint64_t)time(NULL);

	return (struct facts){ "test.example", serial, now_s - 60, now_s + 7 * DAY, "192.0.2.0/24", NULL, hosts };
}

static void put(const struct facts *facts, size_t cut)
{
	static char memory[4096], signature[MINISIGN_FILE_MAX];
	struct view text = directory_text(memory, sizeof(memory), facts);

	write_octets_to(in_folder("dir.minisig"), signature_of(signature, 1, text));
	text.len -= cut;
	write_octets_to(in_folder("dir"), text);
}

static uint64_t rejected(const struct fixture *fixture)
{
	struct discover_counts counts;

	discover_count(fixture->discover, &counts);
	return counts.rejected;
}

/* Runs the loop until the number of changes or of refusals is the wanted one. */
static void wait_for(struct fixture *fixture, unsigned int changes, uint64_t refused)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (fixture->heard.changes < changes || rejected(fixture) < refused) {
		const struct timeval slice = { .tv_usec = 100000 };

		assert_true(time(NULL) < end);
		event_base_loopexit(fixture->base, &slice);
		event_base_dispatch(fixture->base);
	}
}

static void test_life_of_a_file(void **state)
{
	struct discover_counts counts;
	struct fixture fixture;
	struct facts facts;
	char expected[512];

	(void)state;
	open_fixture(&fixture);
	snprintf(expected, sizeof(expected),
		 "%s/dir: cannot be read (No such file or directory): correct the path or its permissions", folder);
	assert_string_equal(discover_problem(fixture.discover, 0), expected);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_FAILED);
	assert_non_null(strstr(fixture.heard.reason, "the directory is not there: "));

	facts = facts_now(1, "192.0.2.1 " KEY_A "\n192.0.2.2 " KEY_B "\n");
	put(&facts, 0);
	wait_for(&fixture, 1, 0);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	assert_null(discover_problem(fixture.discover, 0));
	discover_count(fixture.discover, &counts);
	assert_int_equal(counts.hosts_listed, 2);
	assert_int_equal(counts.directory_serial, 1);

	/* Half-written: what was known stays. */
	facts.serial = 2;
	put(&facts, 30);
	wait_for(&fixture, 1, 1);
	assert_non_null(strstr(discover_problem(fixture.discover, 0), "dir.minisig: the signature is wrong"));
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);

	/* 192.0.2.1's key was stolen, and is withdrawn. */
	facts = facts_now(3, "192.0.2.2 " KEY_B "\n");
	put(&facts, 0);
	wait_for(&fixture, 2, 0);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_FAILED);
	assert_string_equal(fixture.heard.reason, "no source knows this address");
	ask_face(&fixture, "192.0.2.2");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);

	/* The thief puts the old one back, and takes the file away; neither helps, nor does a restart. */
	facts = facts_now(2, "192.0.2.1 " KEY_A "\n");
	put(&facts, 0);
	wait_for(&fixture, 2, 2);
	unlink(in_folder("dir"));
	discover_reload(fixture.discover, NULL);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_FAILED);
	close_fixture(&fixture);
	open_fixture(&fixture);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_FAILED);
	ask_face(&fixture, "192.0.2.2");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	close_fixture(&fixture);
}

/* Texts are examined beside the loop: what was in force answers meanwhile, the last of several that come is taken, and nobody waits at the end. */
static void test_beside_the_loop(void **state)
{
	struct facts facts = facts_now(10, "192.0.2.1 " KEY_A "\n");
	struct fixture fixture;

	(void)state;
	put(&facts, 0);
	open_fixture(&fixture);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	facts = facts_now(11, "192.0.2.2 " KEY_A "\n");
	put(&facts, 0);
	discover_reload(fixture.discover, NULL);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	facts = facts_now(12, "192.0.2.3 " KEY_A "\n");
	put(&facts, 0);
	fixture.heard.changes = 0; /* a reload is one */
	discover_reload(fixture.discover, NULL);
	wait_for(&fixture, 3, 0);
	ask_face(&fixture, "192.0.2.3");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	facts = facts_now(13, "192.0.2.4 " KEY_A "\n");
	put(&facts, 0);
	discover_reload(fixture.discover, NULL);
	close_fixture(&fixture);
	/* It was verified and kept before the end. */
	open_fixture(&fixture);
	ask_face(&fixture, "192.0.2.4");
	assert_int_equal(fixture.heard.outcome, DISCOVER_KEYS);
	close_fixture(&fixture);
}

/* A pin is above the directory, whatever their prefixes. */
static void test_pin_above_directory(void **state)
{
	static const char pins[] = "192.0.2.0/24 " KEY_A " " KEY_B " name=pinned\n";
	char key[64];
	struct discover_options options = { .directory = in_folder("dir"),
					    .pins = in_folder("pins"),
					    .directory_key = public_key(key, 1),
					    .state_dir = folder };
	struct facts facts = facts_now(20, "192.0.2.1 " KEY_A " name=listed\n");
	struct fixture fixture = { .base = NULL };

	(void)state;
	put(&facts, 0);
	write_octets_to(in_folder("pins"), view_of(pins, sizeof(pins) - 1));
	assert_int_equal(discover_open(&fixture.discover, &options, NULL, on_answer, NULL, &fixture, &fixture.err), 0);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.keys, 2);
	assert_non_null(strstr(fixture.heard.reason, "pinned on "));
	discover_close(fixture.discover);
	options.pins = NULL;
	assert_int_equal(discover_open(&fixture.discover, &options, NULL, on_answer, NULL, &fixture, &fixture.err), 0);
	ask_face(&fixture, "192.0.2.1");
	assert_int_equal(fixture.heard.keys, 1);
	discover_close(fixture.discover);
}

static int start(void **state)
{
	struct err err = ERR_NONE;

	return crypto_init(&err) < 0 ? -1 : make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_file),
		cmocka_unit_test(test_beside_the_loop),
		cmocka_unit_test(test_pin_above_directory),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
