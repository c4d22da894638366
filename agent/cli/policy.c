// SPDX-License-Identifier: Apache-2.0
/*
 * `holdfast policy list`: every prefix, its group, and where that is written. `holdfast policy test ADDRESS`: what would happen to
 * packets of an address, and why. The running agent is asked; without one the files are read, and the answer says so.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/suggest.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "cli/print.h"
#include "holdfast/control.h"

#define COLUMN 12
#define PATH_ROOM 4200

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

static const char *asked_of(const json_t *answer)
{
	return strcmp(client_text(answer, "source"), "agent") == 0 ? "the running agent"
								   : "the policy files; no agent is running";
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
	print_item(PRINT_PLAIN, COLUMN, "asked", "%s", asked_of(answer));
	json_array_foreach(json_object_get(answer, CONTROL_PAIRS), index, pair)
		show_pair(pair);
}

/* ---- list ---- */

/* Of the table: what is longer gets a line of its own. */
#define GROUP_WIDTH 17
#define PREFIX_WIDTH 40

/* The files are named after their groups, so the table only says the folder when it is not the same for all. */
static const char *common_folder(char out[PATH_ROOM], const json_t *prefixes)
{
	const char *first = client_text(json_array_get(prefixes, 0), CONTROL_FILE);
	const char *slash = strrchr(first, '/');
	const json_t *entry;
	size_t index;

	snprintf(out, PATH_ROOM, "%.*s", slash ? (int)(slash - first) + 1 : 0, first);
	json_array_foreach(prefixes, index, entry)
		if (strncmp(client_text(entry, CONTROL_FILE), out, strlen(out)) != 0)
			*out = '\0';
	return out;
}

static void show_entry(const json_t *entry, size_t folder_len)
{
	const char *prefix = client_text(entry, CONTROL_PREFIX), *file = client_text(entry, CONTROL_FILE);

	print_text(PRINT_PLAIN, "%-*s %-*s", GROUP_WIDTH, client_text(entry, CONTROL_GROUP), PREFIX_WIDTH, prefix);
	if (strlen(prefix) > PREFIX_WIDTH)
		print_text(PRINT_PLAIN, "\n%*s", GROUP_WIDTH + 1 + PREFIX_WIDTH, "");
	print_text(PRINT_PLAIN, " %s:%lld\n", file + folder_len, client_number(entry, CONTROL_LINE));
}

static void show_list(const json_t *answer)
{
	const json_t *prefixes = json_object_get(answer, CONTROL_PREFIXES), *entry;
	char folder[PATH_ROOM];
	size_t index;

	common_folder(folder, prefixes);
	print_item(PRINT_PLAIN, COLUMN, "asked", "%s", asked_of(answer));
	if (*folder)
		print_item(PRINT_PLAIN, COLUMN, "files in", "%s", folder);
	print_item(PRINT_PLAIN, COLUMN, "order", "the first line that covers an address decides about it");
	print_text(PRINT_BOLD, "\n%-*s %-*s %s\n", GROUP_WIDTH, "GROUP", PREFIX_WIDTH, "PREFIX", "WRITTEN IN");
	json_array_foreach(prefixes, index, entry)
		show_entry(entry, strlen(folder));
	print_text(PRINT_PLAIN, "%-*s %-*s %s\n", GROUP_WIDTH, client_text(answer, CONTROL_DEFAULT), PREFIX_WIDTH,
		   "all else", "[policy] default");
}

/* ---- the command ---- */

/* Nobody listens: the files are the next best. Anything else that went wrong must not look like an answer. */
static bool no_agent(int rc)
{
	return rc == -ENOENT || rc == -ECONNREFUSED;
}

/* Says who answered, and shows it. Takes over the answer. */
static int tell(const struct cli *cli, json_t *answer, const char *source, void (*show)(const json_t *))
{
	json_object_set_new(answer, "source", json_string(source));
	if (cli->json) {
		print_json(answer);
		return EXIT_DONE;
	}
	show(answer);
	json_decref(answer);
	return EXIT_DONE;
}

static int list_command(const struct cli *cli, int argc)
{
	struct err err = ERR_NONE, unheard = ERR_NONE;
	json_t *answer = NULL;
	int rc;

	if (argc)
		return cli_usage("policy", "policy list takes no words behind it");
	rc = client_ask_all(cli, &answer, client_request(CONTROL_POLICY_LIST), CONTROL_PREFIXES, &unheard);
	if (rc == 0)
		return tell(cli, answer, "agent", show_list);
	if (!no_agent(rc))
		return cli_fail(cli, &unheard);
	if (offline_policy_list(cli, &answer, &err) < 0)
		return cli_fail(cli, &err);
	return tell(cli, answer, "files", show_list);
}

static int test_command(const struct cli *cli, int argc, char **argv)
{
	struct err err = ERR_NONE, unheard = ERR_NONE;
	struct hf_addr address;
	json_t *answer = NULL;
	int rc;

	if (argc != 1)
		return cli_usage("policy", "policy test takes one address");
	if (addr_parse(&address, argv[0], &err) < 0)
		return cli_usage("policy", "%s", err.text);
	rc = client_ask(cli, &answer, client_request_for(CONTROL_POLICY_TEST, argv[0]), &unheard);
	if (rc == 0)
		return tell(cli, answer, "agent", show_answer);
	if (!no_agent(rc))
		return cli_fail(cli, &unheard);
	if (offline_policy_test(cli, &answer, &address, &err) < 0)
		return cli_fail(cli, &err);
	return tell(cli, answer, "files", show_answer);
}

int policy_command(const struct cli *cli, int argc, char **argv)
{
	static const char *const verbs[] = { "list", "test" };
	const char *meant;

	if (!argc)
		return cli_usage("policy", "policy needs to know what to do: list or test");
	if (strcmp(argv[0], "list") == 0)
		return list_command(cli, argc - 1);
	if (strcmp(argv[0], "test") == 0)
		return test_command(cli, argc - 1, argv + 1);
	meant = suggest_nearest(argv[0], verbs, 2);
	if (meant)
		return cli_usage("policy", "policy cannot \"%s\": did you mean %s?", argv[0], meant);
	return cli_usage("policy", "policy cannot \"%s\": it can list and test", argv[0]);
}
