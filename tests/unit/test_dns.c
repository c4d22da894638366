// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to libunbound, which waits where its socket is full: no more are given to it than find room, each is answered once, and servers that do not answer
 * hold up nobody. libunbound is played by this file: its thread reads and answers when a test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <unbound.h>

#include "base/addr.h"
#include "discover/dns.h"

/* ---- libunbound --------------------------------------------------------------------------------- */

/* What a socket as Linux makes it takes of questions with names as long as can be. */
#define ROOM 104

struct given {
	char name[300];
	void *arg;
	ub_callback_type callback;
	bool answered;
};

struct ub_ctx {
	int fd[2];
	struct given given[4096];
	size_t count, read;
	int refuse; /* what ub_resolve_async says */
	bool local; /* the thread runs: it reads, and answers what it knows itself */
};

static struct ub_ctx *thread_of;

struct ub_ctx *ub_ctx_create(void)
{
	struct ub_ctx *ctx = calloc(1, sizeof(*ctx));

	assert_non_null(ctx);
	assert_int_equal(pipe(ctx->fd), 0);
	thread_of = ctx;
	return ctx;
}

void ub_ctx_delete(struct ub_ctx *ctx)
{
	close(ctx->fd[0]);
	close(ctx->fd[1]);
	free(ctx);
}

int ub_ctx_set_option(struct ub_ctx *ctx, const char *option, const char *value)
{
	(void)ctx;
	(void)option;
	(void)value;
	return 0;
}

int ub_ctx_set_fwd(struct ub_ctx *ctx, const char *addr)
{
	(void)ctx;
	(void)addr;
	return 0;
}

int ub_ctx_add_ta(struct ub_ctx *ctx, const char *anchor)
{
	(void)ctx;
	(void)anchor;
	return 0;
}

int ub_ctx_zone_remove(struct ub_ctx *ctx, const char *zone)
{
	(void)ctx;
	(void)zone;
	return 0;
}

int ub_ctx_async(struct ub_ctx *ctx, int thread)
{
	(void)ctx;
	(void)thread;
	return 0;
}

int ub_fd(struct ub_ctx *ctx)
{
	return ctx->fd[0];
}

const char *ub_strerror(int error)
{
	return error == UB_NOMEM ? "out of memory" : "played error";
}

void ub_resolve_free(struct ub_result *result)
{
	free(result);
}

int ub_resolve_async(struct ub_ctx *ctx, const char *name, int type, int class, void *arg, ub_callback_type callback,
		     int *id)
{
	struct given *given = &ctx->given[ctx->count];

	(void)type;
	(void)class;
	(void)id;
	if (ctx->refuse)
		return ctx->refuse;
	/* The real one would wait here, and the loop with it. */
	assert_true(ctx->count - ctx->read < ROOM);
	snprintf(given->name, sizeof(given->name), "%s", name);
	given->arg = arg;
	given->callback = callback;
	ctx->count++;
	return 0;
}

static void answer(struct given *given)
{
	struct ub_result *result = calloc(1, sizeof(*result));

	assert_non_null(result);
	assert_false(given->answered);
	given->answered = true;
	result->nxdomain = result->secure = 1;
	given->callback(given->arg, 0, result);
}

/* What the thread answers itself. The rest is left to servers. */
int ub_process(struct ub_ctx *ctx)
{
	char octet;

	assert_int_equal(read(ctx->fd[0], &octet, 1), 1);
	while (ctx->read < ctx->count) {
		struct given *given = &ctx->given[ctx->read++];

		if (strcmp(given->name, "localhost.") == 0)
			answer(given);
	}
	return 0;
}

/* The thread has its turn, once; then the loop. */
static void turn(struct event_base *base)
{
	assert_int_equal(write(thread_of->fd[1], "", 1), 1);
	event_base_loop(base, EVLOOP_ONCE);
}

/* ---- tests -------------------------------------------------------------------------------------- */

#define QUESTIONS 1000

struct world {
	struct event_base *base;
	struct dns *dns;
	unsigned int none, failed; /* answers */
	unsigned int more;	   /* to be asked from inside answers */
};

static void on_reply(void *arg, const struct dns_reply *reply)
{
	struct world *world = arg;

	if (reply->status == DNS_NO_NAME)
		world->none++;
	else
		world->failed++;
	if (world->more && dns_ask(world->dns, "more.example.", DNS_TYPE_A, on_reply, world) == 0)
		world->more--;
}

static int set_up(void **state)
{
	static struct world world;
	static const struct hf_addr resolver = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 53 } };
	char anchors[] = "/tmp/holdfast-test-XXXXXX";
	const struct dns_options options = { .resolvers = &resolver, .resolver_count = 1, .anchors = anchors };
	struct err err = ERR_NONE;
	int fd = mkstemp(anchors), rc;

	world = (struct world){ .base = event_base_new() };
	if (fd < 0 || write(fd, ". DS 1 8 2 00\n", 14) != 14)
		return -1;
	close(fd);
	rc = dns_open(&world.dns, &options, world.base, &err);
	unlink(anchors);
	*state = &world;
	return rc;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	dns_close(world->dns);
	event_base_free(world->base);
	return 0;
}

static void ask_many(struct world *world)
{
	char name[32];

	for (unsigned int i = 0; i < QUESTIONS; i++) {
		snprintf(name, sizeof(name), "h%u.example.", i);
		assert_int_equal(dns_ask(world->dns, name, DNS_TYPE_A, on_reply, world), 0);
	}
}

/* All of them get there, in order, while no server answers any. */
static void test_no_room(void **state)
{
	struct world *world = *state;
	unsigned int next = 0;
	char name[32];

	ask_many(world);
	assert_true(thread_of->count < QUESTIONS / 2);
	for (unsigned int i = 0; i < QUESTIONS / 10; i++)
		turn(world->base);
	for (size_t i = 0; i < thread_of->count; i++) {
		snprintf(name, sizeof(name), "h%u.example.", next);
		if (strcmp(thread_of->given[i].name, name) == 0)
			next++;
		else
			assert_string_equal(thread_of->given[i].name, "localhost.");
	}
	assert_int_equal(next, QUESTIONS);
	assert_int_equal(world->none + world->failed, 0);
	for (size_t i = 0; i < thread_of->count; i++)
		if (!thread_of->given[i].answered)
			answer(&thread_of->given[i]);
	assert_int_equal(world->none, QUESTIONS);
}

/* An answer to one is room for others, and asks for more. */
static void test_answers(void **state)
{
	struct world *world = *state;

	ask_many(world);
	world->more = QUESTIONS;
	while (world->none < 2 * QUESTIONS) {
		turn(world->base);
		for (size_t i = 0; i < thread_of->read; i++)
			if (!thread_of->given[i].answered)
				answer(&thread_of->given[i]);
	}
	turn(world->base);
	assert_int_equal(world->none, 2 * QUESTIONS);
	assert_int_equal(world->failed, 0);
}

/* Whom libunbound refuses later hears it; who asks it meanwhile, at once. */
static void test_refused(void **state)
{
	struct world *world = *state;
	size_t given;

	ask_many(world);
	given = thread_of->count;
	thread_of->refuse = UB_NOMEM;
	turn(world->base);
	assert_int_equal(thread_of->count, given);
	assert_in_range(world->failed, QUESTIONS - given, QUESTIONS - given + 4);
	assert_true(dns_ask(world->dns, "h.example.", DNS_TYPE_A, on_reply, world) < 0);
	thread_of->refuse = 0;
	turn(world->base);
	assert_int_equal(dns_ask(world->dns, "h.example.", DNS_TYPE_A, on_reply, world), 0);
}

/* The end answers those that wait here and those that were given, and nobody can ask again. */
static void test_close(void **state)
{
	struct world *world = *state;

	ask_many(world);
	world->more = 1;
	dns_close(world->dns);
	assert_int_equal(world->failed, QUESTIONS);
	assert_int_equal(world->more, 1);
	world->dns = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_close, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
