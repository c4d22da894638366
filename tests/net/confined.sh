#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# The main job by an agent that has the capabilities of dist/holdfast.service and no other, and that has given up what it needs no
# more: capabilities, new privileges, system calls. Everything that happens after the start works confined: first packets, a pair that
# ends, a directory that changes, interfaces that come, a reload, an end and a new agent. Each of the unit's capabilities is needed.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, c 10.9.0.3
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:setpriv cmd:minisign

unit_caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$REPO/dist/holdfast.service" | tr 'A-Z' 'a-z' | sed 's/cap_//g')
[ -n "$unit_caps" ] || fail "the unit names no capabilities"
only() { # CAP...: as setpriv has it
	local cap list=-all
	for cap; do list+=,+$cap; done
	echo "--bounding-set=$list"
}

lan a b c
neighbours a b
neighbours a c
private_hosts a b c
pin b a
pin c a
# a knows the others from a signed directory: b first, c is added while it runs.
publish() { # HOST: one more in the directory
	on a sh -c 'cd /etc/holdfast && "$1" directory add fleet "$2" "$3" name="$4" && "$1" directory sign fleet --key fleet.key' \
		sh "$HOLDFAST" "$(addr "$1"),$(addr6 "$1")" "$(public_key "$1")" "$1" >>"$WORK/publish.log" 2>&1 ||
		fail "publish: $(cat "$WORK/publish.log")"
}
on a sh -c 'cd /etc/holdfast && minisign -G -W -p fleet.pub -s fleet.key >/dev/null'
publish b
setting a discovery 'directory = /etc/holdfast/fleet
directory_key = /etc/holdfast/fleet.pub'
capture_start

confined_agent() { # HOST: `holdfast run` with the unit's capabilities only
	rm -f "$WORK/agent-$1.log"
	# shellcheck disable=SC2046,SC2086
	bg "$1" "agent-$1" setpriv $(only $unit_caps) "$HOLDFAST" run --foreground
	wait_for 20 agent_runs "$1" || fail "the agent of $1 did not start"
}
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$(pid_of "agent-$1")/status"; }

for h in a b c; do confined_agent "$h"; done
serve b
serve c

# ---- what it gave up

for h in a b; do
	check_eq "$(field $h NoNewPrivs)" 1 "$h: no_new_privs"
	for set in CapInh CapAmb; do check_eq "$(field $h $set)" 0000000000000000 "$h: $set"; done
	# CAP_NET_ADMIN (12), CAP_NET_RAW (13), CAP_BPF (39)
	for set in CapPrm CapEff; do check_eq "$(field $h $set)" 0000008000003000 "$h: $set"; done
	if [ -n "$(field $h Seccomp)" ]; then
		check_eq "$(field $h Seccomp)" 2 "$h: filter of system calls"
	else
		wait_for 1 grep -q 'this kernel has no seccomp' "$WORK/agent-$h.log"
		echo "this kernel has no seccomp"
	fi
done

# ---- and what it can do all the same

out=$(on a "$HFPROBE" ping "$(addr b)" --count 3 --strict) || fail "ping: $out"
out=$(on a "$HFPROBE" udp "$(addr6 b)" --count 20 --complete) || fail "udp: $out"
out=$(on a "$HFPROBE" tcp "$(addr b)" --count 2 --bytes 3000 --strict) || fail "tcp: $out"
publish c
listed() { [ "$(on a "$HOLDFAST" status --json | sed -n 's/.*"listed": *\([0-9]*\).*/\1/p')" = 2 ]; }
wait_for 10 listed
out=$(on a "$HFPROBE" udp "$(addr c)" --count 5 --complete) || fail "udp to c: $out"
on a "$HOLDFAST" forget "$(addr b)"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --complete) || fail "udp after forget: $out"
# An interface comes, is attached, goes; an address as well.
on a ip link add hf9 type dummy
on a ip link set hf9 up
wait_for 5 grep -q 'interface hf9: attached' "$WORK/agent-a.log"
on a ip addr add 10.9.0.91/32 dev hf9
on a ip link del hf9
setting a policy 'default = clear'
kill -HUP "$(pid_of agent-a)"
wait_for 5 grep -q 'configuration read again' "$WORK/agent-a.log"
out=$(on a "$HFPROBE" udp "$(addr c)" --count 5 --complete) || fail "udp after the reload: $out"

# Killed, and a new one: what it finds it adopts, confined too.
stop agent-a KILL
confined_agent a
check_eq "$(field a CapEff)" 0000008000003000 "the new one: CapEff"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --complete) || fail "udp with the new agent: $out"
stop agent-a
check_eq "$STOPPED_RC" 0 "exit code of an orderly end"
on a "$HOLDFAST" unload --force
capture_stop
judge --expect 'marker=0,clear=0,esp>40,truncated=0'
! grep -h 'system call' "$WORK"/agent-*.log || fail "a system call was refused"

# ---- each of the unit's capabilities is needed

for cap in $unit_caps; do
	rest=
	for other in $unit_caps; do [ "$other" = "$cap" ] || rest="$rest $other"; done
	rc=0
	# shellcheck disable=SC2046,SC2086
	on a timeout 30 setpriv $(only $rest) "$HOLDFAST" run --foreground >"$WORK/without" 2>&1 || rc=$?
	[ "$rc" != 0 ] && [ "$rc" != 124 ] || fail "it runs without $cap (exit code $rc): the unit does not need it"
	ok "without $cap: $(tail -n 1 "$WORK/without")"
done
