# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For scenarios with agents: configuration, start, and what the maps say. Sourced after lab/lib.sh.

# configure HOST GROUP PREFIX...: appends to the host's policy file of that group.
configure() {
	local h=$1 group=$2
	shift 2
	on "$h" mkdir -p /etc/holdfast/policies
	printf '%s\n' "$@" | on "$h" tee -a "/etc/holdfast/policies/$group" >/dev/null
}

# setting HOST SECTION LINE: into holdfast.conf.
setting() {
	printf '[%s]\n%s\n' "$2" "$3" | on "$1" tee -a /etc/holdfast/holdfast.conf >/dev/null
}

agent_up() { on "$1" "$HOLDFAST" status --json; }

# agent HOST [FIXEDKEY OPTIONS]: an agent whose peers' SAs come from fixed keys; ready when it returns.
agent() {
	local h=$1
	shift
	bg "$h" "agent-$h" "$FIXEDKEY" "$@"
	wait_for 20 grep -q 'is running' "$WORK/agent-$h.log" || fail "the agent of $h did not start"
}

# counter HOST NAME: a counter of hf_count or hf_agent, from the agent.
counter() {
	local all
	all=$(on "$1" "$HOLDFAST" status --json)
	json "$all" "$2"
}

# private_pair DELAY: hosts a and b, private to each other, fixed keys after DELAY ms, b answering.
private_pair() {
	lan a b
	# The neighbours are known: what is measured is the first packet's way through the gate, not ND's.
	on a "$HFPROBE" ping "$(addr b)" --strict >/dev/null
	on a "$HFPROBE" ping "$(addr6 b)" --strict >/dev/null
	on b "$HFPROBE" ping "$(addr6 a)" --strict >/dev/null
	configure a private 10.9.0.0/24 fd09::/64
	configure b private 10.9.0.0/24 fd09::/64
	serve b
	agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
	agent a --delay "$1"
}
