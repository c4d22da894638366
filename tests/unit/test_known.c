// SPDX-License-Identifier: Apache-2.0
/*
 * The sticky store: what it remembers and for how long, over restarts, when it is full, damaged, or cannot be written.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "discover/known.h"

#define NOW 1800000000u
#define DAY 86400u

struct place {
	char folder[64], path[96];
};

static const uint8_t seed[16] = { 7 };

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->folder, "/tmp/holdfast-test-known-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->path, sizeof(place->path), "%s/known.db", place->folder);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	struct place *place = *state;
	char path[128];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", place->path, suffixes[i]);
		unlink(path);
	}
	rmdir(place->folder);
	free(place);
	return 0;
}

static struct known *open_at(const char *path, uint64_t now)
{
	struct err err = ERR_NONE;
	struct known *known;

	if (known_open(&known, path, seed, now, &err) < 0)
		fail_msg("%s", err.text);
	return known;
}

static struct hf_addr addr_of(uint32_t number)
{
	return addr_from_v4(__builtin_bswap32(0x0a000000 + number));
}

static void put(struct known *known, uint32_t number, uint64_t until, uint64_t now)
{
	struct known_peer peer = { .addr = addr_of(number), .name = "host.example", .key_until_s = until };

	peer.key[0] = (uint8_t)number;
	known_put(known, &peer, now);
}

static bool has(const struct known *known, uint32_t number, uint64_t now)
{
	struct hf_addr addr = addr_of(number);

	return known_has(known, &addr, now);
}

static void remembers_over_a_restart(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);

	assert_false(has(known, 1, NOW));
	put(known, 1, 0, NOW);
	put(known, 2, NOW + 30 * DAY, NOW);
	assert_true(has(known, 1, NOW + 7 * DAY - 1));
	assert_false(has(known, 1, NOW + 7 * DAY));
	assert_null(known_problem(known));
	known_close(known);

	known = open_at(place->path, NOW + DAY);
	assert_null(known_problem(known));
	assert_int_equal(known_count(known), 2);
	assert_true(has(known, 1, NOW + 7 * DAY - 1));
	assert_false(has(known, 1, NOW + 7 * DAY));
	assert_true(has(known, 2, NOW + 30 * DAY - 1));
	assert_false(has(known, 3, NOW));
	known_close(known);

	/* What is over is not read again, the key's longer life is. */
	known = open_at(place->path, NOW + 8 * DAY);
	assert_int_equal(known_count(known), 1);
	assert_true(has(known, 2, NOW + 8 * DAY));
	known_close(known);
}

static void a_success_begins_the_week_anew(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);

	put(known, 1, 0, NOW);
	put(known, 1, 0, NOW + 5 * DAY);
	known_close(known);
	known = open_at(place->path, NOW + 8 * DAY);
	assert_true(has(known, 1, NOW + 12 * DAY - 1));
	/* A clock that was put back does not shorten it. */
	put(known, 1, 0, NOW - 300 * DAY);
	assert_true(has(known, 1, NOW + 12 * DAY - 1));
	known_close(known);
}

static void forgets_when_told(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);
	struct hf_addr addr = addr_of(1);

	put(known, 1, 0, NOW);
	put(known, 2, 0, NOW);
	assert_true(known_forget(known, &addr));
	assert_false(known_forget(known, &addr));
	assert_false(has(known, 1, NOW));
	known_close(known);
	known = open_at(place->path, NOW);
	assert_false(has(known, 1, NOW));
	assert_true(has(known, 2, NOW));
	known_close(known);
}

static void count_gone(void *arg, const struct hf_addr *addr)
{
	(void)addr;
	++*(int *)arg;
}

static void tells_whose_time_is_over(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);
	int gone = 0;

	for (uint32_t i = 0; i < 10; i++)
		put(known, i, 0, NOW + i * DAY);
	known_expire(known, NOW + 9 * DAY, count_gone, &gone);
	assert_int_equal(gone, 3);
	assert_int_equal(known_count(known), 7);
	known_close(known);
}

/* In memory only: 65,537 writes would test the disk. */
static void the_oldest_success_makes_room(void **state)
{
	struct known *known = open_at("/nonexistent/known.db", NOW);

	(void)state;
	for (uint32_t i = 0; i < KNOWN_MAX; i++)
		put(known, i, 0, NOW);
	put(known, 0, 0, NOW + 1); /* not the oldest any more */
	put(known, KNOWN_MAX, 0, NOW + 1);
	assert_int_equal(known_count(known), KNOWN_MAX);
	assert_true(has(known, 0, NOW + 1));
	assert_false(has(known, 1, NOW + 1));
	assert_true(has(known, 2, NOW + 1));
	assert_true(has(known, KNOWN_MAX, NOW + 1));
	known_close(known);
}

static void without_a_folder_memory_is_enough(void **state)
{
	struct known *known = open_at("/nonexistent/known.db", NOW);

	(void)state;
	assert_string_equal(
		known_problem(known),
		"/nonexistent/known.db: the store of known peers cannot be used (unable to open database "
		"file): peers that are reached now are forgotten at the next restart; see to the folder and "
		"restart");
	assert_false(known_is_damaged(known));
	put(known, 1, 0, NOW);
	assert_true(has(known, 1, NOW));
	known_close(known);
}

static void spoil(const char *path, long at, const char *with)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, with, strlen(with), at), (ssize_t)strlen(with));
	close(fd);
}

static void what_is_no_store_is_left_alone(void **state)
{
	struct place *place = *state;
	struct known *known;
	char text[32] = "";
	int fd;

	spoil(place->path, 0, "these are not the octets you look for");
	known = open_at(place->path, NOW);
	assert_true(known_is_damaged(known));
	assert_non_null(strstr(known_problem(known), "cannot be read (file is not a database): who has a key"));
	put(known, 1, 0, NOW);
	assert_true(has(known, 1, NOW));
	assert_non_null(known_problem(known));
	known_close(known);
	fd = open(place->path, O_RDONLY);
	assert_int_equal(read(fd, text, 14), 14);
	close(fd);
	assert_string_equal(text, "these are not ");
}

/* The rows that can be read still count, and whoever is not among them may have been. */
static void damage_in_the_middle_is_noticed(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);
	struct stat st;

	for (uint32_t i = 0; i < 500; i++)
		put(known, i, 0, NOW);
	known_close(known);
	assert_int_equal(stat(place->path, &st), 0);
	for (long at = 4096 * 3; at + 4096 <= st.st_size; at += 4096 * 4)
		spoil(place->path, at, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	known = open_at(place->path, NOW);
	assert_true(known_is_damaged(known));
	assert_non_null(strstr(known_problem(known), "cannot be read"));
	known_close(known);
}

static void a_folder_in_its_place_may_hide_one(void **state)
{
	struct place *place = *state;
	struct known *known;

	assert_int_equal(mkdir(place->path, 0700), 0);
	known = open_at(place->path, NOW);
	assert_true(known_is_damaged(known));
	assert_non_null(strstr(known_problem(known), "cannot be read"));
	known_close(known);
	assert_int_equal(rmdir(place->path), 0);
}

/* A file that may not grow is as good as a disk that is full. */
static void a_full_disk_is_a_problem_until_it_takes_again(void **state)
{
	struct place *place = *state;
	struct known *known = open_at(place->path, NOW);
	struct rlimit none = { 1, RLIM_INFINITY }, before;
	struct hf_addr gone = addr_of(3);

	signal(SIGXFSZ, SIG_IGN);
	put(known, 1, 0, NOW);
	put(known, 3, 0, NOW);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	put(known, 2, 0, NOW);
	assert_true(known_forget(known, &gone));
	known_catch_up(known, NOW);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(known_problem(known), "cannot be written"));
	assert_true(has(known, 2, NOW));
	/* That another row goes through does not bring those that did not. */
	put(known, 4, 0, NOW);
	assert_non_null(known_problem(known));
	known_catch_up(known, NOW);
	assert_null(known_problem(known));
	known_close(known);
	known = open_at(place->path, NOW);
	assert_true(has(known, 1, NOW) && has(known, 2, NOW) && has(known, 4, NOW));
	assert_false(has(known, 3, NOW));
	known_close(known);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(remembers_over_a_restart),
		STORY(a_success_begins_the_week_anew),
		STORY(forgets_when_told),
		STORY(tells_whose_time_is_over),
		STORY(the_oldest_success_makes_room),
		STORY(without_a_folder_memory_is_enough),
		STORY(what_is_no_store_is_left_alone),
		STORY(damage_in_the_middle_is_noticed),
		STORY(a_folder_in_its_place_may_hide_one),
		STORY(a_full_disk_is_a_problem_until_it_takes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
