// SPDX-License-Identifier: Apache-2.0
/*
 * What of a signed directory survives: restarts, changed signing keys, lost, damaged and unwritable state, and power cuts, for which the test's own
 * fsync, rename and write end the process at each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "signed_directory.h"

/* ---- restarts, signing keys ---------------------------------------------------------------------- */

static void test_restart(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts older = usual_with_serial(41);

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	/* Known at once, without its source. */
	listing = open_usual();
	assert_null(listing_problem(listing, 0));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	assert_int_equal(offer_signed(listing, &older, 1, NOW), -ESTALE);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 0);
	listing_close(TAKE(listing));
	/* Years later: known, but nobody gets a key. */
	listing = open_usual();
	listing_tick(listing, NOW + 400 * DAY);
	assert_int_equal(listing_current(listing)->serial, 42);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 400 * DAY), DISCOVER_FAILED);
}

/* A stolen signing key signs the highest serial there is; a new signing key starts again at 1. */
static void test_fast_forward(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts highest = usual_with_serial(UINT64_MAX), fresh = usual_with_serial(1);
	char keys[256], key[64];

	(void)state;
	forget_state();
	snprintf(keys, sizeof(keys), "%s\n", public_key(key, 1));
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(offer_signed(listing, &highest, 1, NOW), 1);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), -ESTALE);
	listing_close(TAKE(listing));
	/* Roll-over: both keys are trusted for a while. */
	snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "untrusted comment: new\n%s\n", public_key(key, 2));
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(listing_current(listing)->serial, UINT64_MAX);
	assert_int_equal(offer_signed(listing, &fresh, 2, NOW), 1);
	listing_close(TAKE(listing));
	/* Then only the new one: what the old one signs is nothing any more, and its mark is in nobody's way. */
	listing = open_with(public_key(key, 2), NULL, NOW);
	assert_int_equal(listing_current(listing)->serial, 1);
	assert_int_equal(offer_signed(listing, &highest, 1, NOW), -EBADMSG);
	fresh.serial = 2;
	assert_int_equal(offer_signed(listing, &fresh, 2, NOW), 1);
	listing_close(TAKE(listing));
	/* The old key's mark is still there should it come back. */
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), -ESTALE);
}

/* The copy on the disk is not believed without a signature by a key of today. */
static void test_withdrawn_signer(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char key[64];

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	listing = open_with(public_key(key, 2), NULL, NOW);
	assert_null(listing_current(listing));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_FAILED);
}

/* ---- the disk ------------------------------------------------------------------------------------ */

static void test_state_lost(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char expected[512];

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	assert_int_equal(unlink(in_folder("directory.state")), 0);
	listing = open_usual();
	snprintf(expected, sizeof(expected),
		 "%s/directory.state is gone, so an old directory that is put back would not be noticed: find out who "
		 "removed it",
		 folder);
	assert_problem(listing, 0, expected);
	/* From the first one on it holds again. */
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	assert_int_equal(offer_signed(listing,
				      &(struct facts){ usual.id, 41, usual.issued_s, usual.expires_s, usual.scope, NULL,
						       usual.hosts },
				      1, NOW),
			 -ESTALE);
	listing_close(TAKE(listing));

	write_octets_to(in_folder("directory.state"), view_of("holdfast-ledger 1\nmark 12", 25));
	listing = open_usual();
	snprintf(
		expected, sizeof(expected),
		"%s/directory.state: is damaged: so an old directory that is put back would not be noticed: find out who "
		"changed it",
		folder);
	assert_problem(listing, 0, expected);
	assert_null(listing_current(listing));
}

/* No part of a ledger is read as a whole one, and none crashes the reader. */
static void test_ledger_truncated(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	static char memory[1 << 16];
	FILE *file;
	size_t len;

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	file = fopen(in_folder("directory.state"), "r");
	assert_non_null(file);
	len = fread(memory, 1, sizeof(memory), file);
	fclose(file);
	assert_true(len > 500);
	for (size_t part = 0; part < len; part += 7) {
		write_octets_to(in_folder("directory.state"), view_of(memory, part));
		listing_close(TAKE(listing));
		listing = open_usual();
		assert_null(listing_current(listing));
		assert_non_null(listing_problem(listing, 0));
	}
}

/* A disk that takes nothing: the directory is used, which may withdraw a key, and the operator hears of it. */
static void test_state_unwritable(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char expected[512];

	(void)state;
	forget_state();
	/* Root may write anywhere, but not into a folder of the same name. */
	assert_int_equal(mkdir(in_folder("directory.state.new"), 0700), 0);
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	snprintf(expected, sizeof(expected),
		 "%s/directory.state.new: cannot be written (Is a directory): make room or correct the permissions",
		 folder);
	assert_problem(listing, 0, expected);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	assert_true(listing_wants_more(listing));
	assert_int_equal(offer_signed(listing,
				      &(struct facts){ usual.id, 41, usual.issued_s, usual.expires_s, usual.scope, NULL,
						       usual.hosts },
				      1, NOW),
			 -ESTALE);
	/* Written as soon as it can be. */
	assert_int_equal(rmdir(in_folder("directory.state.new")), 0);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 0);
	assert_null(listing_problem(listing, 0));
	assert_false(listing_wants_more(listing));
	assert_int_equal(access(in_folder("directory.state"), F_OK), 0);
}

/* ---- power cuts ---------------------------------------------------------------------------------- */

static int steps_left = -1; /* calls of fsync, rename and write until the power goes; negative = never */

static void step(void)
{
	if (steps_left == 0)
		_exit(9);
	steps_left -= steps_left > 0;
}

/* A file may not take another's place before its octets are on the disk. */
static bool is_unflushed;

/* These stand before libc's. */
int fsync(int fd)
{
	step();
	is_unflushed = false;
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	step();
	if (is_unflushed)
		abort();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

ssize_t write(int fd, const void *octets, size_t len)
{
	/* Half of it reaches the disk. */
	if (steps_left == 0)
		syscall(SYS_write, fd, octets, len / 2);
	step();
	is_unflushed = true;
	return syscall(SYS_write, fd, octets, len);
}

static void test_power_cuts(void **state)
{
	struct facts newer = usual_with_serial(43);
	unsigned int old = 0, fresh = 0;
	bool finished = false;

	(void)state;
	for (int steps = 0; steps < 50 && !finished; steps++) {
		struct listing *listing;
		uint64_t serial;
		int status;
		pid_t pid;

		forget_state();
		listing = open_usual();
		assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
		listing_close(listing);
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			listing = open_usual();
			steps_left = steps;
			offer_signed(listing, &newer, 1, NOW + 7200);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		finished = WEXITSTATUS(status) == 0;
		listing = open_usual();
		if (listing_problem(listing, 0))
			fail_msg("after %d steps: %s", steps, listing_problem(listing, 0));
		serial = listing_current(listing)->serial;
		assert_true(serial == 42 || serial == 43);
		old += serial == 42;
		fresh += serial == 43;
		/* The mark and the copy are of one instant: what is in force cannot be undercut. */
		assert_int_equal(offer_signed(listing,
					      &(struct facts){ usual.id, serial - 1, usual.issued_s, usual.expires_s,
							       usual.scope, NULL, usual.hosts },
					      1, NOW),
				 -ESTALE);
		assert_int_equal(offer_signed(listing, &newer, 1, NOW + 7200), serial == 42);
		listing_close(listing);
	}
	assert_true(finished);
	assert_true(old >= 3 && fresh >= 2);
}

static int start(void **state)
{
	struct err err = ERR_NONE;

	return crypto_init(&err) < 0 ? -1 : make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart),		 cmocka_unit_test(test_fast_forward),
		cmocka_unit_test(test_withdrawn_signer), cmocka_unit_test(test_state_lost),
		cmocka_unit_test(test_ledger_truncated), cmocka_unit_test(test_state_unwritable),
		cmocka_unit_test(test_power_cuts),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
