#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Two hosts that talk in clear, one as private-or-clear, one as clear-or-private, become secure without losing a packet
# of what flows both ways: SAs first, out-policies next, and clear packets are accepted until the peer is
# known to seal. From then on nothing clear is accepted any more, whoever sends it with the peer's address.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     a: private-or-clear, begins when its memory of
#             \--------- c 10.9.0.3 ----------/                  a failure ends; b: clear-or-private; c: a liar
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c
neighbours a b
configure a private-or-clear 10.9.0.0/24 fd09::/64
configure b clear-or-private 10.9.0.0/24 fd09::/64
for h in a b; do setting $h limits 'hold_age_seconds = 60'; done # what waits while agents are exchanged is not too old
serve a
serve b
capture_start

# a cannot look b up yet: clear, and remembered.
agent b
agent a --fail lookup
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --strict)
out=$(on a "$HFPROBE" udp "$(addr6 b)" --count 5 --strict)
check "$(counter a released_clear)" -ge 2 "first packets held, then released in clear"

# Both ways, both families, UDP and TCP, from now on without pause.
for f in addr addr6; do
	bg a ab-$f "$HFPROBE" udp "$($f b)" --count 5000 --interval-ms 150 --connected --strict --wait-ms 60000
	bg b ba-$f "$HFPROBE" udp "$($f a)" --count 5000 --interval-ms 150 --strict --wait-ms 60000
	bg a tcp-$f "$HFPROBE" tcp "$($f b)" --count 5000 --interval-ms 150 --bytes 3000 --strict --wait-ms 60000
done
nap 0.5

# a forgets the failure and negotiates: first b has the SAs, then a, as responder and initiator would.
stop agent-b
agent b --on-signal --wakes "$WORK/agent-a.pid" --respond "$(addr a)/32" --respond "$(addr6 a)/128"
stop agent-a
agent a --on-signal
wait_for 10 has_peers a negotiate 2
pid_of agent-a >"$WORK/agent-a.pid"
kill -STOP "$(pid_of agent-a)" # b's answer is on its way, or a has no time for it
kill -USR1 "$(pid_of agent-b)"
nap 0.5
now=$(status_of b)
kill -CONT "$(pid_of agent-a)"
check_eq "$(json "$now" out_esp)" 0 "ESP packets of b while a cannot read"
wait_for 10 has_secure a 2
wait_for 10 has_secure b 2
# Once each has seen ESP of the other, clear is over: in-policies, and gates without the exception.
closed() { [ "$(on "$1" ip xfrm policy list dir in | grep -c 'priority 2000')" = 2 ]; }
wait_for 10 closed a
wait_for 10 closed b
sealed_ns=$(mono_ns)
esp=$(counter a out_esp)
more_esp() { [ "$(counter a out_esp)" -gt $((esp + 60)) ]; }
wait_for 60 more_esp
enough {ab,ba,tcp}-{addr,addr6}
for f in addr addr6; do
	for flow in ab ba tcp; do
		await $flow-$f 90
		check_eq "$STOPPED_RC" 0 "$flow-$f: $(cat "$WORK/$flow-$f.log")"
	done
done
capture_stop
judge --after "$sealed_ns" --expect 'marker=0,clear=0,esp>20'
check_eq "$(counter a drop_pair_full)$(counter b drop_pair_full)" 00 "packets displaced while held"

# The liar has b's addresses. Who is a neighbour of whom is kept by hand.
dropped=$(counter a in_drop_clear)
mac=$(on b cat /sys/class/net/eth0/address)
on a ip neigh replace "$(addr b)" lladdr "$mac" dev eth0 nud permanent
on a ip neigh replace "$(addr6 b)" lladdr "$mac" dev eth0 nud permanent
on c ip neigh replace "$(addr6 a)" lladdr "$(on a cat /sys/class/net/eth0/address)" dev eth0 nud permanent
on c ip addr add "$(addr b)/32" dev eth0
on c ip addr add "$(addr6 b)/128" dev eth0 nodad
capture_start
on c "$HFPROBE" udp "$(addr a)" --src "$(addr b)" --count 10 --wait-ms 300 >"$WORK/lie4"
on c "$HFPROBE" udp "$(addr6 a)" --src "$(addr6 b)" --count 10 --wait-ms 300 >"$WORK/lie6"
capture_stop
check_eq "$(json "$(cat "$WORK/lie4")" received)$(json "$(cat "$WORK/lie6")" received)" 00 "answers to the liar"
check_eq $(($(counter a in_drop_clear) - dropped)) 20 "clear packets of the liar dropped"
check "$(wire clear)" -ge 20 "of them on the wire"
stop serve-a
[[ $(<"$WORK/serve-a.log") != *'"unique":10,'* ]] || fail "the liar was heard"
