// SPDX-License-Identifier: Apache-2.0
/*
 * An agent of cardboard, see cardboard.h.
 */
#include "cardboard.h"

#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/answer.h"
#include "control/control.h"
#include "control/status.h"
#include "holdfast/control.h"

#define EVENTS 3

static json_t *tell_status(void)
{
	static const char *const problems[] = { "interface \x1b[31mred\x07 refused" };
	static char names[64][16];
	static const char *interfaces[64];
	static uint64_t sealed = 12345;
	struct status status = { .pid = 4242,
				 .uptime_s = 93784,
				 .kernel = "6.12.107",
				 .attach = "tcx",
				 .interfaces = interfaces,
				 .interface_count = 64,
				 .prefixes = { 0, 0, 7, 3, 0 },
				 .fallback = HF_GROUP_CLEAR,
				 .slots = { 3, 16384 },
				 .problems = problems,
				 .problem_count = 1 };

	for (int i = 0; i < 64; i++) {
		snprintf(names[i], sizeof(names[i]), "interface%d", i);
		interfaces[i] = names[i];
	}
	status.core.by_state[PEER_SECURE] = 17;
	status.packets.out_esp = sealed;
	status.packets.drop_slots_full = 9;
	sealed += 1000;
	return status_json(&status);
}

/* The last one is longer than a row, and not of the program's own making. */
static json_t *tell_events(const json_t *request)
{
	static const char *const whats[EVENTS] = { "held", "secure", "failed" };
	static const char *const remotes[EVENTS] = { "192.0.2.7", "192.0.2.7",
						     "2001:db8:1111:2222:3333:4444:5555:6666" };
	static const char *const texts[EVENTS] = {
		"a first packet", "SAs in 00000001",
		"no \x1b[2J answer, and here is why, at a length that no row of any screen has"
	};
	json_int_t after = json_integer_value(json_object_get(request, CONTROL_AFTER));
	json_t *list = json_array();

	for (json_int_t i = after; json_object_get(request, CONTROL_AFTER) && i < EVENTS; i++)
		json_array_append_new(list, json_pack("{sI sf ss ss ss ss}", "number", i + 1, "time",
						      1700000000.25 + (double)i, "local", "192.0.2.1", "remote",
						      remotes[i], "event", whats[i], "text", texts[i]));
	return json_pack("{si si so}", CONTROL_LAST, EVENTS, CONTROL_LOST, 0, CONTROL_EVENTS, list);
}

static json_t *tell_peers(void)
{
	return json_pack("{s[{ss ss ss si}] sn si}", CONTROL_PEERS, "local", "192.0.2.1", "remote", "192.0.2.7",
			 "state", "secure", "since", 61, CONTROL_NEXT, "total", 1);
}

static json_t *answer(void *arg, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, CONTROL_COMMAND));

	(void)arg;
	if (strcmp(command, CONTROL_PING) == 0)
		return answer_ping(4242);
	if (strcmp(command, CONTROL_STATUS) == 0)
		return tell_status();
	if (strcmp(command, CONTROL_EVENTS) == 0)
		return tell_events(request);
	if (strcmp(command, CONTROL_PEERS) == 0)
		return tell_peers();
	return answer_error("not today");
}

pid_t cardboard_start(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		struct event_base *base = event_base_new();
		struct control *control;

		/* A test that fails or skips leaves by a jump: nobody would stop the child then. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!base || control_open(&control, base, path, answer, NULL, NULL) < 0)
			_exit(1);
		event_base_dispatch(base);
		_exit(0);
	}
	for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
		usleep(10000);
	return child;
}

void cardboard_stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
