// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast policy test ADDRESS`: what would happen to packets of an address, and why. The running agent is asked;
 * without one the files are read, and the answer says so.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "cli/print.h"
#include "holdfast/control.h"

#define COLUMN 12

static const char *group_meaning(const char *name)
{
	static const char *const meanings[HF_GROUP_COUNT] = {
		[HF_GROUP_CLEAR] = "packets pass in clear; IKE from there is refused",
		[HF_GROUP_CLEAR_OR_PRIVATE] = "packets pass in clear until the other host starts an SA",
		[HF_GROUP_PRIVATE_OR_CLEAR] = "packets wait until an SA stands; without one they pass in clear",
		[HF_GROUP_PRIVATE] = "packets wait until an SA stands; nothing leaves or arrives in clear",
		[HF_GROUP_BLOCK] = "nothing leaves or arrives",
	};
	enum hf_group group;

	return group_parse(&group, name) < 0 ? "" : meanings[group];
}

static void show_pair(const json_t *pair)
{
	const json_t *left = json_object_get(pair, "seconds_left");
	const char *state = client_text(pair, "state"), *verdict = client_text(pair, "verdict");
	char since[PRINT_SPAN_MAX], until[PRINT_SPAN_MAX] = "";

	print_item(PRINT_PLAIN, COLUMN, "now", "%s -> %s: %s%s%s", client_text(pair, "local"),
		   client_text(pair, "remote"), *state ? state : "not known to the agent", *state ? " since " : "",
		   *state ? print_span(since, (uint64_t)json_integer_value(json_object_get(pair, "since"))) : "");
	if (json_is_integer(left))
		print_span(until, (uint64_t)json_integer_value(left));
	if (*verdict)
		print_item(PRINT_PLAIN, COLUMN, "", "gate: %s%s%s", verdict, *until ? ", for another " : "", until);
	if (*client_text(pair, "failure"))
		print_item(PRINT_PLAIN, COLUMN, "", "last try: %s (%lld in a row)", client_text(pair, "failure"),
			   (long long)json_integer_value(json_object_get(pair, "failures")));
}

static void show_answer(const json_t *answer)
{
	const char *group = client_text(answer, CONTROL_GROUP), *prefix = client_text(answer, CONTROL_PREFIX);
	const json_t *pair;
	size_t index;

	print_text(PRINT_BOLD, "%s: %s\n", client_text(answer, CONTROL_ADDRESS), group);
	print_item(PRINT_PLAIN, COLUMN, "meaning", "%s", group_meaning(group));
	if (*prefix)
		print_item(PRINT_PLAIN, COLUMN, "reason", "%s, %s:%lld", prefix, client_text(answer, CONTROL_FILE),
			   (long long)json_integer_value(json_object_get(answer, CONTROL_LINE)));
	else
		print_item(PRINT_PLAIN, COLUMN, "reason", "no prefix covers it, so the default group does");
	print_item(PRINT_PLAIN, COLUMN, "asked", "%s",
		   strcmp(client_text(answer, "source"), "agent") == 0 ? "the running agent"
								       : "the policy files; no agent is running");
	json_array_foreach(json_object_get(answer, CONTROL_PAIRS), index, pair)
		show_pair(pair);
}

/* Nobody listens: the files are the next best. Anything else that went wrong must not look like an answer. */
static bool no_agent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

int policy_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE, unheard = ERR_NONE;
	struct hf_addr address;
	json_t *request, *answer = NULL;
	const char *source = "agent";
	int rc;

	if (argc < 1 || strcmp(argv[0], "test") != 0)
		return cli_usage("policy", "policy knows one thing to do: holdfast policy test ADDRESS");
	if (argc != 2)
		return cli_usage("policy", "policy test takes one address");
	if (addr_parse(&address, argv[1], &err) < 0)
		return cli_usage("policy", "%s", err.text);
	request = client_request(CONTROL_POLICY_TEST);
	json_object_set_new(request, CONTROL_ADDRESS, json_string(argv[1]));
	rc = client_ask(cli, &answer, request, &unheard);
	if (no_agent(rc)) {
		source = "files";
		rc = offline_policy_test(cli, &answer, &address, &err);
	} else if (rc < 0) {
		err = unheard;
	}
	if (rc < 0)
		return cli_fail(cli, &err);
	json_object_set_new(answer, "source", json_string(source));
	if (cli->json) {
		print_json(answer);
		return EXIT_DONE;
	}
	show_answer(answer);
	json_decref(answer);
	return EXIT_DONE;
}
