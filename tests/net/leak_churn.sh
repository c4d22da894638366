#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# Leak hunt, the SAs: 10,000 times (200 in the emulated machine) a pair's SAs and policies are taken away and made again,
# half of them IPv4, half IPv6, while four senders (UDP, TCP, ping; both families) send without pause. Not one of their packets may be on
# the wire in clear, whatever the instant it was made in. The peer's SAs stand all the time, so what is sealed
# arrives and the conversations go on.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     a private, agent; b fixed SAs and policies
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

rounds=${LAB_ROUNDS:-10000}
[ "$LAB_TIER" != vm ] || rounds=${LAB_ROUNDS:-200}
rounds=$((rounds / 2))

lan a b
many_lanes a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
serve b
fixed_peer b "$(addr a)" "$(addr b)"
fixed_peer b "$(addr6 a)" "$(addr6 b)"
capture_start --snaplen 200
agent a --no-esn --churn "$rounds"
# One processor is shared by all: the agent gets half of it.
renice -n -8 -p "$(pid_of agent-a)" >/dev/null
# The rounds of the two families may end seconds apart: the senders outlive both, and are ended then.
bg a udp4 "$HFPROBE" udp "$(addr b)" --count 4000000 --interval-ms 1
bg a udp6 "$HFPROBE" udp "$(addr6 b)" --count 4000000 --interval-ms 1
bg a tcp6 "$HFPROBE" tcp "$(addr6 b)" --count 4000000 --interval-ms 1 --bytes 4000 --wait-ms 60000
bg a ping4 "$HFPROBE" ping "$(addr b)" --count 65000 --interval-ms 2
churned() { [ "$(grep -c 'rounds done' "$WORK/agent-a.log")" = 2 ]; }
wait_for 350 churned
for s in udp4 udp6 tcp6 ping4; do
	is_running $s || fail "sender $s ended early: $(cat "$WORK/$s.log")"
	stop $s
done
stop serve-b
arrived=$(grep -o '"unique":[0-9]*' "$WORK/serve-b.log" | awk -F: '{ n += $2 } END { print n + 0 }')
capture_stop
check "$arrived" -gt 100 "datagrams that arrived"
check "$(json "$(cat "$WORK/serve-b.log")" tcp_bytes)" -gt 10000 "octets of TCP that arrived"
check "$(counter a secured_ever)" -gt $((rounds * 2)) "times the pairs became secure"
check "$(counter a held)" -gt 10 "packets held in between"
check_eq "$(counter a out_clear)" 0 "packets let out in clear"
judge --expect 'marker=0,clear=0,esp>200,truncated=0'
