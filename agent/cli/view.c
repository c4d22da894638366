// SPDX-License-Identifier: Apache-2.0
/*
 * The screen of `holdfast watch`, see view.h: pairs by state and packets per second from the agent's status, the pairs of one address
 * when only they are asked for, and below that the latest steps, as many as there is room for.
 */
#include "cli/view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/client.h"
#include "cli/event_line.h"
#include "cli/progress.h"
#include "cli/screen.h"
#include "cli/show.h"
#include "holdfast/control.h"

/* Steps look live at this pace; a status makes the agent read all its maps, so it is asked for less often. */
#define EVENTS_MS 500
#define STATUS_TURNS 2

/* More than any screen has rows. */
#define STEPS_MAX 256

/* ---- packets per second ---- */

/* Counters of hf_count that one column adds up; those that begin with `prefix`, when there is one. */
struct rate {
	const char *label, *prefix, *fields[4];
};

static const struct rate rates[] = {
	{ "sealed out", NULL, { "out_esp" } },
	{ "sealed in", NULL, { "in_esp" } },
	{ "clear out", NULL, { "out_clear", "out_by_policy", "out_exempt" } },
	{ "clear in", NULL, { "in_pass", "in_exempt" } },
	{ "held", NULL, { "held" } },
	{ "dropped", "drop_", { "in_drop_clear", "in_drop_block", "in_drop_malformed" } },
};

#define RATES (sizeof(rates) / sizeof(rates[0]))

struct view {
	const struct cli *cli;
	const struct hf_addr *only;
	char address[ADDR_TEXT_MAX];
	json_t *status, *peers, *steps; /* NULL = not asked yet */
	long long last;
	long long counted[RATES]; /* at the latest status */
	double per_second[RATES]; /* below 0 = not known yet */
	struct timespec counted_at;
	bool away;
};

static long long add_up(const struct rate *rate, json_t *packets)
{
	const char *field;
	long long sum = 0;
	json_t *value;

	for (size_t i = 0; i < 4 && rate->fields[i]; i++)
		sum += client_number(packets, rate->fields[i]);
	json_object_foreach(packets, field, value)
		if (rate->prefix && strncmp(field, rate->prefix, strlen(rate->prefix)) == 0)
			sum += json_integer_value(value);
	return sum;
}

static void count(struct view *view, bool anew)
{
	json_t *packets = json_object_get(view->status, "packets");
	struct timespec now;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds =
		(double)(now.tv_sec - view->counted_at.tv_sec) + (double)(now.tv_nsec - view->counted_at.tv_nsec) / 1e9;
	for (size_t i = 0; i < RATES; i++) {
		long long sum = add_up(&rates[i], packets);

		/* The counters of another agent begin at 0. */
		view->per_second[i] = anew || sum < view->counted[i] || seconds <= 0
					      ? -1
					      : (double)(sum - view->counted[i]) / seconds;
		view->counted[i] = sum;
	}
	view->counted_at = now;
}

/* ---- asking ---- */

static int ask(const struct view *view, json_t **slot, json_t *request, struct err *err)
{
	json_t *answer = NULL;
	int rc = client_ask(view->cli, &answer, request, err);

	if (rc < 0)
		return rc;
	json_decref(*slot);
	*slot = answer;
	return 0;
}

static void keep_steps(struct view *view, const json_t *news)
{
	struct hf_addr addr;
	json_t *step;
	size_t index;

	json_array_foreach(json_object_get(news, CONTROL_EVENTS), index, step)
		if (!view->only ||
		    (addr_parse(&addr, client_text(step, "remote"), NULL) == 0 && addr_equal(&addr, view->only)))
			json_array_append(view->steps, step);
	while (json_array_size(view->steps) > STEPS_MAX)
		json_array_remove(view->steps, 0);
}

/* All steps since the last time: they come in pieces. */
static int ask_steps(struct view *view, struct err *err)
{
	json_t *news = NULL;
	size_t count;
	int rc;

	do {
		json_t *request = client_request(CONTROL_EVENTS);

		json_object_set_new(request, CONTROL_AFTER, json_integer(view->last));
		rc = ask(view, &news, request, err);
		if (rc < 0)
			break;
		count = json_array_size(json_object_get(news, CONTROL_EVENTS));
		view->last = client_number(news, CONTROL_LAST);
		keep_steps(view, news);
	} while (count);
	json_decref(news);
	return rc;
}

static int ask_status(struct view *view, struct err *err)
{
	bool first = !view->status || view->away;
	int rc = ask(view, &view->status, client_request(CONTROL_STATUS), err);

	if (rc == 0)
		count(view, first);
	if (rc == 0 && view->only)
		rc = ask(view, &view->peers, client_request_for(CONTROL_PEERS, view->address), err);
	return rc;
}

/* ---- drawing ---- */

static void draw_head(const struct view *view)
{
	char left[64], span[PRINT_SPAN_MAX], clock[16] = "";
	time_t now = time(NULL);
	struct tm at;

	if (localtime_r(&now, &at))
		strftime(clock, sizeof(clock), "%H:%M:%S", &at);
	snprintf(left, sizeof(left), "holdfast %s, pid %lld, running for %s",
		 client_text(view->status, CONTROL_VERSION), client_number(view->status, CONTROL_PID),
		 print_span(span, (uint64_t)client_number(view->status, "uptime")));
	screen_row(PRINT_BOLD, "%-*s%8s", PRINT_COLUMNS - 8, left, clock);
	if (view->away)
		screen_row(PRINT_BAD, "the agent has ended; waiting for another");
}

static void draw_pairs(const struct view *view)
{
	char list[SHOW_LIST_MAX], span[PRINT_SPAN_MAX];
	const json_t *pair;
	size_t index;

	if (!view->only) {
		show_states(list, json_object_get(view->status, "peers"));
		screen_row(PRINT_PLAIN, "%-11s %s", "pairs", *list ? list : "none yet");
		return;
	}
	json_array_foreach(json_object_get(view->peers, CONTROL_PEERS), index, pair)
		screen_row(show_state_colour(client_text(pair, "state")), "%s -> %s: %s for %s",
			   client_text(pair, "local"), view->address, client_text(pair, "state"),
			   print_span(span, (uint64_t)client_number(pair, "since")));
	if (!index)
		screen_row(PRINT_PLAIN, "%s is no peer now", view->address);
}

static void draw_rates(const struct view *view)
{
	const json_t *waiting = json_object_get(json_object_get(view->status, "held"), "packets");
	char labels[PRINT_COLUMNS + 1] = "", numbers[PRINT_COLUMNS + 1] = "", one[32];

	for (size_t i = 0; i < RATES; i++) {
		snprintf(one, sizeof(one), view->per_second[i] < 0 ? "-" : "%.0f", view->per_second[i]);
		snprintf(labels + strlen(labels), sizeof(labels) - strlen(labels), " %10s", rates[i].label);
		snprintf(numbers + strlen(numbers), sizeof(numbers) - strlen(numbers), " %10s", one);
	}
	screen_row(PRINT_PLAIN, "%-11s %lld of %lld packets", "waiting", client_number(waiting, "used"),
		   client_number(waiting, "max"));
	screen_row(PRINT_BOLD, "%-11s%s", "", labels);
	screen_row(PRINT_PLAIN, "%-11s%s", "per second", numbers);
}

static void draw_trouble(const struct view *view)
{
	const json_t *limits = json_object_get(view->status, "limits"), *limit, *problem;
	size_t index;

	json_array_foreach(limits, index, limit)
		screen_row(PRINT_WARN, "limit %s: %lld %s", client_text(limit, "limit"), client_number(limit, "times"),
			   client_text(limit, "effect"));
	json_array_foreach(json_object_get(view->status, "problems"), index, problem)
		screen_row(PRINT_BAD, "problem: %s", json_string_value(problem) ? json_string_value(problem) : "?");
}

/* The latest ones, the newest last, in the rows that are left but the last one. */
static void draw_steps(const struct view *view)
{
	size_t count = json_array_size(view->steps), room;
	char at[PRINT_SPAN_MAX];

	screen_row(PRINT_PLAIN, "%s", "");
	screen_row(PRINT_BOLD, "Latest steps%s", count ? "" : ": none yet");
	room = screen_left() > 1 ? (size_t)screen_left() - 1 : 0;
	for (size_t i = count > room ? count - room : 0; i < count; i++) {
		const json_t *step = json_array_get(view->steps, i);
		const char *what = client_text(step, "event");

		screen_row(event_line_colour(what), "%s %s%s%s: %s",
			   print_clock(at, json_real_value(json_object_get(step, "time"))),
			   view->only ? "" : client_text(step, "remote"), view->only ? "" : " ", what,
			   client_text(step, "text"));
	}
	while (screen_left() > 1)
		screen_row(PRINT_PLAIN, "%s", "");
	screen_row(PRINT_PLAIN, "q ends this");
}

static void draw(const struct view *view)
{
	screen_begin();
	draw_head(view);
	draw_pairs(view);
	draw_rates(view);
	draw_trouble(view);
	draw_steps(view);
	screen_end();
}

/* ---- the loop ---- */

static int refresh(struct view *view, bool with_status, struct err *err)
{
	int rc = ask_steps(view, err);

	if (rc == 0 && (with_status || view->away))
		rc = ask_status(view, err);
	return rc;
}

static void watch(struct view *view)
{
	for (unsigned int turn = 0; screen_wait(turn ? EVENTS_MS : 0); turn++) {
		struct err ignored = ERR_NONE;

		view->away = refresh(view, turn && turn % STATUS_TURNS == 0, &ignored) < 0;
		draw(view);
	}
}

int view_run(const struct cli *cli, const struct hf_addr *only, struct err *err)
{
	struct view view = { .cli = cli, .only = only, .steps = json_array() };
	int rc;

	if (only)
		addr_format(view.address, only);
	rc = refresh(&view, true, err);
	if (rc == 0) {
		progress_quiet(true);
		screen_open();
		watch(&view);
		screen_close();
	}
	json_decref(view.status);
	json_decref(view.peers);
	json_decref(view.steps);
	return rc;
}
