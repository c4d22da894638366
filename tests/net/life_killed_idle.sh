#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# kill -9 of either agent while a pair is in a state in which nothing is under way: remembered as clear because the peer had no key, and
# idle because its SAs were given back. What was decided goes on while there is no agent, what was reached securely is closed, and
# the pair works sealed when there is one again. The states in which something is under way are life_faults'.
#
#     a 10.9.0.1, 10.9.1.1-4 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.2.1-4      private-or-clear to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf

lan a b
for ((i = 1; i <= 4; i++)); do
	on a ip addr add "10.9.1.$i/32" dev eth0
	on b ip addr add "10.9.2.$i/32" dev eth0
done
on a ip route add 10.9.2.0/24 via "$(addr b)"
on b ip route add 10.9.1.0/24 via "$(addr a)"
neighbours a b
for h in a b; do
	host_key $h
	configure $h private-or-clear 10.9.1.0/24 10.9.2.0/24
done
# 1 and 2 get their keys later.
keys() { # NUMBER...
	local i
	for i; do
		on a sh -c "echo '10.9.2.$i $(public_key b)' >>/etc/holdfast/pins"
		on b sh -c "echo '10.9.1.$i $(public_key a)' >>/etc/holdfast/pins"
	done
}
keys 3 4
capture_start
for h in a b; do
	product $h
	serve $h
done
state_of() { # HOST ADDRESS
	local out
	out=$(on "$1" "$HOLDFAST" explain "$2" --json) || true
	[[ $out =~ \"state\":\ *\"([a-z]+)\" ]] && echo "${BASH_REMATCH[1]}"
}
is_in() { [ "$(state_of "$1" "$2")" = "$3" ]; }
send() { on a "$HFPROBE" udp "10.9.2.$1" --src "10.9.1.$1" --count 3 --wait-ms "${2:-20000}" --strict; }

pair=0
for victim in a b; do
	pair=$((pair + 1))
	send $pair || fail "clear: the first packets"
	wait_for 20 is_in a "10.9.2.$pair" clear || fail "clear: is $(state_of a "10.9.2.$pair")"
	stop agent-$victim KILL
	send $pair || fail "clear: what was decided ends with the agent of $victim"
	product $victim
	send $pair || fail "clear: what was decided ends with the next agent of $victim"
	keys $pair
	for h in a b; do kill -HUP "$(pid_of agent-$h)"; done
	for h in a b; do on $h "$HOLDFAST" forget "10.9.$([ $h = a ] && echo 2 || echo 1).$pair" >/dev/null 2>&1 || true; done
	secured() { send $pair 3000 && is_in a "10.9.2.$pair" secure; }
	wait_for 30 secured || fail "clear: no SAs when there is a key: $(state_of a "10.9.2.$pair")"
	ok "$victim killed when the pair was clear: it goes on, and is sealed when there are keys"
done

for victim in a b; do
	pair=$((pair + 1))
	send $pair || fail "idle: the first packets"
	wait_for 20 is_in b "10.9.1.$pair" secure || fail "idle: is $(state_of b "10.9.1.$pair") at b"
	on b "$HOLDFAST" forget "10.9.1.$pair" >/dev/null
	wait_for 20 is_in a "10.9.2.$pair" idle || fail "idle: is $(state_of a "10.9.2.$pair")"
	stop agent-$victim KILL
	if [ $victim = a ]; then
		! send $pair 1500 || fail "idle: passed without an agent"
	fi
	product $victim
	send $pair || fail "idle: $victim was killed, and the pair does not work again"
	wait_for 20 is_in a "10.9.2.$pair" secure || fail "idle: is $(state_of a "10.9.2.$pair") afterwards"
	ok "$victim killed when the pair was idle: closed, then it works"
done
capture_stop
for i in 3 4; do
	judge --pair "10.9.1.$i" "10.9.2.$i" --expect 'marker=0,clear=0,esp>=12,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
done
