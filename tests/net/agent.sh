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

agent_runs() { [ -e "$WORK/agent-$1.log" ] && [[ $(<"$WORK/agent-$1.log") == *'is running'* ]]; }

agent_up() { on "$1" "$HOLDFAST" status --json; }

# agent HOST [FIXEDKEY OPTIONS]: an agent whose peers' SAs come from fixed keys; ready when it returns.
agent() {
	local h=$1
	shift
	rm -f "$WORK/agent-$h.log" # of an earlier one
	# A signal to another agent is the driver's; no agent sends one, and the sandbox would end it.
	[[ " $* " != *' --wakes '* ]] || setting "$h" agent 'sandbox = off'
	bg "$h" "agent-$h" "$FIXEDKEY" "$@"
	wait_for 20 agent_runs "$h" || fail "the agent of $h did not start"
}

# status_of HOST: the agent's answer on one line, for several `json` in a row: without the rooms in use, whose names
# are those of counters.
status_of() {
	local all
	all=$(on "$1" "$HOLDFAST" status --json)
	all=${all//[[:space:]]/}
	echo "${all%%\"held\":*}${all#*\"gate\":}"
}

# counter HOST NAME: a counter of hf_count, or of hf_agent when hf_count has none of that name, from the agent.
counter() { json "$(status_of "$1")" "$2"; }

# released HOST NAME: a counter of hf_agent that has a namesake in hf_count.
released() {
	local all
	all=$(status_of "$1")
	json "${all#*\"released\":}" "$2"
}

# held_of HOST: slots, big slots and queues in use, as "1+0+1".
held_of() {
	local all
	all=$(on "$1" "$HOLDFAST" status --json)
	all=${all//[[:space:]]/}
	[[ ${all#*\"held\":} =~ used\":([0-9]+).*used\":([0-9]+).*used\":([0-9]+).*\"gate\" ]]
	echo "${BASH_REMATCH[1]}+${BASH_REMATCH[2]}+${BASH_REMATCH[3]}"
}

# is_calm HOST: no pair is between two states, nothing is held.
is_calm() {
	local all
	all=$(status_of "$1")
	[ "$(json "$all" lookup)$(json "$all" negotiate)$(json "$all" install)$(json "$all" handoff)" = 0000 ] &&
		[ "$(held_of "$1")" = 0+0+0 ]
}

# peers_in HOST STATE: how many pairs of the host are in that state.
peers_in() {
	local all
	all=$(status_of "$1")
	json "${all#*\"peers\":}" "$2"
}

# has_peers HOST STATE N, has_secure HOST N: N pairs of the host are in that state, secure.
has_peers() { [ "$(peers_in "$1" "$2")" = "$3" ]; }
has_secure() { has_peers "$1" secure "$2"; }

# fixed_peer HOST REMOTE LOCAL...: HOST has no agent; SAs and policies stand for its addresses LOCAL towards REMOTE.
# They fit an agent --no-esn, and go on whatever becomes of its SAs.
fixed_peer() {
	local h=$1 t d
	shift
	{
		[ -e "$WORK/$h.xfrm" ] || for t in 135 136; do
			for d in in out; do echo "xfrm policy add src ::/0 dst ::/0 proto ipv6-icmp type $t dir $d priority 1000"; done
		done
		"$FIXEDKEY" --print "$@"
	} >"$WORK/xfrm.new"
	mv "$WORK/xfrm.new" "$WORK/$h.xfrm"
	on "$h" ip -batch "$WORK/$h.xfrm"
}

# private_pair DELAY: hosts a and b, private to each other, fixed keys after DELAY ms, b answering.
private_pair() {
	lan a b
	neighbours a b
	configure a private 10.9.0.0/24 fd09::/64
	configure b private 10.9.0.0/24 fd09::/64
	serve b
	agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
	agent a --delay "$1"
}

# ---- the product itself

# host_key HOST: a private key of its own, where the agent looks for it.
host_key() {
	on "$1" sh -c 'mkdir -p /etc/holdfast/state && umask 077 && openssl genpkey -algorithm ed25519 -out /etc/holdfast/key.pem'
	setting "$1" agent "state = /etc/holdfast/state"
}

# private_hosts HOST...: each has a key and is private to all of the lab; who has which key they are told by pins or a directory.
private_hosts() {
	local h
	for h; do
		host_key "$h"
		configure "$h" private 10.9.0.0/24 fd09::/64
	done
}

# public_key HOST: as pins and directories write it.
public_key() {
	echo "ed25519:$(on "$1" sh -c 'openssl pkey -in /etc/holdfast/key.pem -pubout -outform DER | tail -c 32 | base64')"
}

# pin HOST PEER: HOST knows PEER's key for its addresses.
pin() {
	on "$1" sh -c "echo '$(addr "$2"),$(addr6 "$2") $(public_key "$2") name=$2' >>/etc/holdfast/pins"
}

# product HOST: `holdfast run`; ready when it returns.
product() {
	rm -f "$WORK/agent-$1.log"
	bg "$1" "agent-$1" "$HOLDFAST" run --foreground
	wait_for 20 agent_runs "$1" || fail "the agent of $1 did not start"
}
