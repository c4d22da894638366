#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
#
# Somebody deletes our policies under traffic, one by one or all at once. The SAs stand, so nothing is lost: what comes out
# in clear is a stray, held, sent again sealed, and the policy comes back with it. With no agent it waits.
# Not an octet leaves in clear.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

private_pair 0
capture_start
on a "$HFPROBE" udp "$(addr b)" --strict >/dev/null
on a "$HFPROBE" udp "$(addr6 b)" --strict >/dev/null
policies() { on a ip xfrm policy list | grep -c 'priority 2000' || true; }
has_policies() { [ "$(policies)" = "$1" ]; }
wait_for 5 has_policies 4

bg a udp4 "$HFPROBE" udp "$(addr b)" --count 400 --interval-ms 10 --strict --wait-ms 8000
bg a udp6 "$HFPROBE" udp "$(addr6 b)" --count 400 --interval-ms 10 --strict --wait-ms 8000
bg a tcp6 "$HFPROBE" tcp "$(addr6 b)" --count 200 --interval-ms 10 --bytes 3000 --strict --wait-ms 8000
for ((i = 0; i < 5; i++)); do
	on a ip xfrm policy delete src "$(addr a)" dst "$(addr b)" dir out || true
	on a ip xfrm policy delete src "$(addr6 a)" dst "$(addr6 b)" dir out || true
	wait_for 5 has_policies 4
	# All policies, in both directions, and the allowance for neighbour discovery.
	on a ip xfrm policy flush
	wait_for 5 has_policies 4
done
ok "policies come back"
[ "$(on a ip xfrm policy | grep -c 'proto ipv6-icmp type 135')" = 2 ] || fail "the allowance for neighbour discovery did not come back"
for s in udp4 udp6 tcp6; do
	await $s 60
	out=$(cat "$WORK/$s.log")
	# A stray may be overtaken by the packet that found the policy back.
	[[ $s = tcp6 ]] || check_eq "$(json "$out" lost)$(json "$out" duplicates)$(json "$out" bad)" 000 "$s: lost, twice, broken"
	[[ $s != tcp6 ]] || check_eq "$STOPPED_RC" 0 "$s: $out"
done

# Without an agent: held, and sent by the next one.
stop agent-a KILL
on a ip xfrm policy flush
strays() { on a bpftool map dump pinned /sys/fs/bpf/holdfast/hf_count | grep -o '"held_stray": [0-9]*' | awk '{ s += $2 } END { print s }'; }
have=$(strays)
setting a limits 'hold_age_seconds = 60' # long enough for two agents to start
bg a late "$HFPROBE" udp "$(addr b)" --count 20 --strict --wait-ms 60000
twenty_more() { [ "$(strays)" -ge $((have + 20)) ]; }
wait_for 20 twenty_more || fail "strays held with no agent: $(($(strays) - have)) of 20"
# b forgets its SAs too: an agent that finds SAs without a policy makes the pair anew, with the same fixed keys.
stop agent-b
on b ip xfrm state flush
on b ip xfrm policy flush
agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128"
agent a
await late 90
check_eq "$STOPPED_RC" 0 "late: $(cat "$WORK/late.log")"
check_eq "$(counter a drop_reinjected)" 0 "strays that came out in clear again"
capture_stop
judge --expect 'marker=0,clear=0,esp>200'
