// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast watch [ADDRESS]` and `holdfast connect ADDRESS`: steps as they happen, a line each; on a terminal `watch` is view.c's. The agent is asked a few times a second and keeps the
 * latest steps of all pairs for that; what was too much for it is said, not hidden.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "cli/client.h"
#include "cli/event_line.h"
#include "cli/print.h"
#include "cli/progress.h"
#include "cli/view.h"
#include "holdfast/control.h"

/* Fast enough to look live, and one small answer each. */
#define POLL_MS 200

/* An attempt under `private` takes a minute, and some lookup before it. */
#define CONNECT_SECONDS 75

/* Steps of before that `watch` begins with. */
#define WATCH_BEFORE 10

#define COLUMN 13

static void nap(void)
{
	const struct timespec span = { .tv_nsec = POLL_MS * 1000000L };

	nanosleep(&span, NULL);
}

static void show_event(const struct cli *cli, const json_t *event, const struct hf_addr *only)
{
	const char *remote = client_text(event, "remote");
	struct hf_addr addr = { { 0 } };
	bool known = addr_parse(&addr, remote, NULL) == 0;

	if (only && !(known && addr_equal(&addr, only)))
		return;
	if (cli->json) {
		json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(13));
		putchar('\n');
	} else {
		/* What is no one peer's doing has none: a shield that went up for too many half-open SAs. */
		event_line_show(event, only || (known && addr_is_none(&addr)) ? "" : remote);
	}
}

/* Shows what came after *last, and moves it on. *last < 0: only finds out where to begin. */
static int show_news(const struct cli *cli, long long *last, const struct hf_addr *only, struct err *err)
{
	json_t *request = client_request(CONTROL_EVENTS), *answer;
	const json_t *event;
	size_t index;
	int rc;

	if (*last >= 0)
		json_object_set_new(request, CONTROL_AFTER, json_integer(*last));
	rc = client_ask(cli, &answer, request, err);
	if (rc < 0)
		return rc;
	*last = client_number(answer, CONTROL_LAST);
	if (client_number(answer, CONTROL_LOST) && !cli->json)
		print_text(PRINT_WARN, "  (%lld steps came too fast to be shown)\n",
			   client_number(answer, CONTROL_LOST));
	json_array_foreach(json_object_get(answer, CONTROL_EVENTS), index, event)
		show_event(cli, event, only);
	json_decref(answer);
	fflush(stdout);
	return 0;
}

/* Goes on when the agent is started anew. */
static int watch(const struct cli *cli, const struct hf_addr *only, struct err *err)
{
	bool away = false;
	long long last = -1;
	int rc = show_news(cli, &last, only, err);

	last = last > WATCH_BEFORE ? last - WATCH_BEFORE : 0;
	while (rc == 0 && !ferror(stdout)) {
		rc = show_news(cli, &last, only, err);
		nap();
		if (rc == -ENOENT || rc == -ECONNREFUSED || rc == -EPROTO) {
			if (!away)
				fprintf(stderr, "holdfast: the agent has ended; waiting for another\n");
			away = true;
			*err = ERR_NONE;
			rc = 0;
		} else if (away) {
			fprintf(stderr, "holdfast: an agent is there again\n");
			away = false;
		}
	}
	return rc;
}

int watch_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE;
	struct hf_addr only;

	if (argc > 1)
		return cli_usage("watch", "watch takes one address, or none");
	if (argc && addr_parse(&only, argv[0], &err) < 0)
		return cli_usage("watch", "%s", err.text);
	if (!cli->json && print_is_screen(STDOUT_FILENO))
		return view_run(cli, argc ? &only : NULL, &err) < 0 ? cli_fail(cli, &err) : EXIT_DONE;
	return watch(cli, argc ? &only : NULL, &err) < 0 ? cli_fail(cli, &err) : EXIT_FAILED;
}

/* ---- connect ---- */

static bool is_settled(const char *state)
{
	return strcmp(state, "secure") == 0 || strcmp(state, "denied") == 0 || strcmp(state, "clear") == 0 ||
	       strcmp(state, "idle") == 0;
}

/* The pair that was begun, as `peers` tells it; NULL when it is gone. The caller owns it. */
static int find_pair(const struct cli *cli, json_t **out, const char *local, const char *remote, struct err *err)
{
	json_t *answer, *pair;
	size_t index;
	int rc = client_ask(cli, &answer, client_request_for(CONTROL_PEERS, remote), err);

	*out = NULL;
	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(answer, CONTROL_PEERS), index, pair)
		if (strcmp(client_text(pair, "local"), local) == 0)
			*out = json_incref(pair);
	json_decref(answer);
	return 0;
}

/* Waits until the attempt has come to an end, telling its steps. *pair is how it ended. */
static int wait_for_end(const struct cli *cli, json_t **pair, const json_t *begun, long long last,
			const struct hf_addr *remote, struct err *err)
{
	const struct cli silent = { .config = cli->config, .socket = cli->socket };
	int rc = 0;

	for (int i = 0; i < CONNECT_SECONDS * 1000 / POLL_MS; i++) {
		if (!cli->json)
			rc = show_news(&silent, &last, remote, err);
		json_decref(*pair);
		*pair = NULL;
		if (rc == 0)
			rc = find_pair(cli, pair, client_text(begun, "local"), client_text(begun, "remote"), err);
		if (rc < 0 || !*pair || is_settled(client_text(*pair, "state")))
			break;
		if (i * POLL_MS >= 1000)
			progress_show("  %s for %d s, %d s at most ...", client_text(*pair, "state"),
				      i * POLL_MS / 1000, CONNECT_SECONDS);
		nap();
	}
	if (rc == 0 && !cli->json)
		rc = show_news(&silent, &last, remote, err);
	return rc;
}

static int tell_end(const struct cli *cli, json_t *pair, const char *address)
{
	const char *state = client_text(pair, "state");
	bool secure = strcmp(state, "secure") == 0;
	char left[PRINT_SPAN_MAX];

	if (cli->json) {
		print_json(pair ?: json_object());
		return secure ? EXIT_DONE : EXIT_FAILED;
	}
	if (secure)
		print_text(PRINT_GOOD, "%s is secure\n", address);
	else
		print_text(PRINT_BAD, "%s is not secure\n", address);
	if (!secure && *client_text(pair, "failure"))
		print_item(PRINT_PLAIN, COLUMN, "reason", "%s", client_text(pair, "failure"));
	if (!secure && client_number(pair, "seconds_left"))
		print_item(PRINT_PLAIN, COLUMN, "next try", "in %s at the earliest",
			   print_span(left, (uint64_t)client_number(pair, "seconds_left")));
	if (!secure)
		print_item(PRINT_PLAIN, COLUMN, "see also", "holdfast explain %s", address);
	json_decref(pair);
	return secure ? EXIT_DONE : EXIT_FAILED;
}

int connect_command(const struct cli *cli, int argc, char **argv)
{
	json_t *begun = NULL, *pair = NULL;
	struct err err = ERR_NONE;
	struct hf_addr remote;
	long long last = -1;
	int rc;

	if (argc != 1)
		return cli_usage("connect", "connect takes one address");
	if (addr_parse(&remote, argv[0], &err) < 0)
		return cli_usage("connect", "%s", err.text);
	rc = show_news(cli, &last, &remote, &err);
	if (rc == 0)
		rc = client_ask(cli, &begun, client_request_for(CONTROL_CONNECT, argv[0]), &err);
	if (rc == 0)
		rc = wait_for_end(cli, &pair, begun, last, &remote, &err);
	json_decref(begun);
	if (rc < 0) {
		json_decref(pair);
		return cli_fail(cli, &err);
	}
	return tell_end(cli, pair, argv[0]);
}
