#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Sockets that were connected while the pair was clear, with a cached route and no policy in it, go on without loss when
# the pair becomes secure: UDP and TCP, both families. The policy reaches them; what raced with it is a
# stray and is sent sealed.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private-or-clear to each other, sealed later
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
configure a private-or-clear 10.9.0.0/24 fd09::/64
configure b private-or-clear 10.9.0.0/24 fd09::/64
for h in a b; do setting $h limits 'hold_age_seconds = 60'; done # what waits while agents are exchanged is not too old
serve b
agent b --fail lookup
agent a --fail lookup
capture_start
for f in addr addr6; do
	bg a udp-$f "$HFPROBE" udp "$($f b)" --count 5000 --interval-ms 150 --connected --strict --wait-ms 60000
	bg a tcp-$f "$HFPROBE" tcp "$($f b)" --count 5000 --interval-ms 150 --bytes 2000 --strict --wait-ms 60000
done
in_clear() { has_peers a clear 2 && has_peers b clear 2 && [ "$(counter a out_clear)" -gt 20 ]; }
wait_for 10 in_clear
ok "all flows run in clear"

# New agents that can: they forget what failed. First b has the SAs, then a, as responder and initiator would.
stop agent-a
stop agent-b
agent b --on-signal --wakes "$WORK/agent-a.pid" --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a --on-signal
wait_for 10 has_peers a negotiate 2
pid_of agent-a >"$WORK/agent-a.pid"
kill -USR1 "$(pid_of agent-b)"
wait_for 10 has_secure a 2
wait_for 10 has_secure b 2
nap 0.3
sealed_ns=$(mono_ns)
esp=$(counter a out_esp)
more_esp() { [ "$(counter a out_esp)" -gt $((esp + 60)) ]; }
wait_for 60 more_esp
enough udp-addr udp-addr6 tcp-addr tcp-addr6
for s in udp-addr udp-addr6 tcp-addr tcp-addr6; do
	await $s 90
	check_eq "$STOPPED_RC" 0 "$s: $(cat "$WORK/$s.log")"
done
capture_stop
judge --after "$sealed_ns" --expect 'marker=0,clear=0,esp>20'
