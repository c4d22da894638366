// SPDX-License-Identifier: Apache-2.0
/*
 * What the operator may ask a running agent. Only gathers: the answers' form is control/answer.h's and
 * control/status.h's.
 */
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/nstime.h"
#include "control/answer.h"
#include "control/status.h"
#include "daemon/internal.h"
#include "holdfast/control.h"

#define PROBLEM_MAX 160

/* Enough to see what is wrong first. */
#define PROBLEMS_MAX 16

static size_t attached_names(const struct agent *agent, const char *out[LIMIT_ATTACHED])
{
	size_t count = 0;

	for (size_t i = 0; i < agent->link_count; i++)
		if (agent->links[i].attached)
			out[count++] = agent->links[i].name;
	return count;
}

static size_t unattached(const struct agent *agent, char text[][PROBLEM_MAX], const char *out[], size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < agent->link_count && count < max; i++) {
		const struct host_link *link = &agent->links[i];

		if (link->attached || !config_wants_interface(&agent->config, link->name))
			continue;
		snprintf(text[count], PROBLEM_MAX, "interface %s is not protected: the programs could not be attached",
			 link->name);
		out[count] = text[count];
		count++;
	}
	return count;
}

json_t *agent_status(struct agent *agent)
{
	char problem_text[8][PROBLEM_MAX];
	const char *problems[PROBLEMS_MAX], *names[LIMIT_ATTACHED];
	struct dataplane_usage usage;
	struct utsname kernel;
	struct status status = {
		.pid = (int)getpid(),
		.uptime_s = (agent_now() - agent->started_ns) / NSTIME_S,
		.attach = dataplane_is_tcx(agent->dp) ? "tcx" : "clsact",
		.config = agent->config.file,
		.interfaces = names,
		.interface_count = attached_names(agent, names),
		.fallback = agent->config.policy.fallback,
		.gate_full = agent->gate_full,
		.problems = problems,
	};

	uname(&kernel);
	status.kernel = kernel.release;
	for (size_t i = 0; i < agent->config.policy.count; i++)
		status.prefixes[agent->config.policy.entries[i].group]++;
	core_count(agent->core, &status.core);
	dataplane_usage(agent->dp, &usage);
	status.slots = (struct status_use){ usage.slots, usage.slots_max };
	status.big_slots = (struct status_use){ usage.slots_big, usage.slots_big_max };
	status.queues = (struct status_use){ usage.queues, usage.queues_max };
	status.gate.max = usage.gate_max;
	dataplane_gate_count(agent->dp, status.verdicts);
	for (int verdict = 0; verdict < DATAPLANE_VERDICTS; verdict++)
		status.gate.used += status.verdicts[verdict];
	dataplane_count(agent->dp, &status.packets);
	dataplane_agent_count(agent->dp, &status.released);
	if (agent->keying->report)
		agent->keying->report(agent->keying_arg, &status);
	doorkeeper_status(agent, &status.shield);
	status.problem_count = unattached(agent, problem_text, problems, 8);
	for (size_t i = 0; agent->keying->problem && status.problem_count < PROBLEMS_MAX; i++) {
		problems[status.problem_count] = agent->keying->problem(agent->keying_arg, i);
		if (!problems[status.problem_count])
			break;
		status.problem_count++;
	}
	return status_json(&status);
}

json_t *agent_answer(void *arg, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, CONTROL_COMMAND));

	if (!command)
		return answer_error("field \"%s\" is missing", CONTROL_COMMAND);
	if (strcmp(command, CONTROL_PING) == 0)
		return answer_ping((int)getpid());
	if (strcmp(command, CONTROL_STATUS) == 0)
		return agent_status(arg);
	if (strcmp(command, CONTROL_POLICY_TEST) == 0)
		return inquiry_policy(arg, request);
	if (strcmp(command, CONTROL_POLICY_LIST) == 0)
		return inquiry_policy_list(arg, request);
	if (strcmp(command, CONTROL_PEERS) == 0)
		return inquiry_peers(arg, request);
	if (strcmp(command, CONTROL_EXPLAIN) == 0)
		return inquiry_explain(arg, request);
	if (strcmp(command, CONTROL_EVENTS) == 0)
		return inquiry_events(arg, request);
	if (strcmp(command, CONTROL_CONNECT) == 0)
		return inquiry_connect(arg, request);
	if (strcmp(command, CONTROL_FORGET) == 0)
		return inquiry_forget(arg, request);
	return answer_error("unknown command \"%.64s\"", command);
}
