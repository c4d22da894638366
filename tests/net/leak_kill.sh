#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# Leak hunt, the agent: kill -9 at 100 random moments (25 in the emulated machine) under `private`, from its first
# instruction on, with senders running and SAs of ever new peers being made after various delays. Nothing leaves in
# clear; the established pair loses no packet; each new agent adopts what stands and takes up what the dead one left,
# so that what was held for unfinished pairs arrives. A packet that an agent had in its hand when it
# died is gone (it goes out once or not at all): one per kill at most.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, fd09::2, and .51 and :: 1:1 on, two for each round
#       fd09::1
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

rounds=${LAB_ROUNDS:-100}
[ "$LAB_TIER" != vm ] || rounds=${LAB_ROUNDS:-25}
RANDOM=${LAB_SEED:-$((SRANDOM % 32768))}
seed=$RANDOM
RANDOM=$seed
echo "seed $seed"

lan a b
many_lanes a b
neighbours a b
peer4() { echo "10.9.1.$1"; }
peer6() { printf 'fd09::1:%x\n' "$1"; }
locals4=() locals6=()
for ((i = 1; i <= rounds * 2; i++)); do locals4+=("$(peer4 $i)") locals6+=("$(peer6 $i)"); done
{
	for p in "${locals4[@]}"; do echo "addr add $p/32 dev eth0"; done
	for p in "${locals6[@]}"; do echo "addr add $p/128 dev eth0 nodad"; done
} | on b ip -batch -
on a ip route add 10.9.1.0/24 dev eth0
fixed_peer b "$(addr a)" "$(addr b)" "${locals4[@]}"
fixed_peer b "$(addr6 a)" "$(addr6 b)" "${locals6[@]}"
configure a private 10.9.0.0/23 fd09::/64
setting a limits 'hold_age_seconds = 60'
serve b --no-echo

capture_start --snaplen 200
agent a --no-esn
on a "$HFPROBE" flood "$(addr b)" --strict >/dev/null
on a "$HFPROBE" flood "$(addr6 b)" --strict >/dev/null
wait_for 5 has_secure a 2
stop agent-a KILL

bg a udp4 "$HFPROBE" flood "$(addr b)" --count 1000000 --rate 100
bg a udp6 "$HFPROBE" flood "$(addr6 b)" --count 1000000 --rate 100
bg a tcp6 "$HFPROBE" tcp "$(addr6 b)" --count 1000000 --interval-ms 2 --bytes 2000 --wait-ms 60000

sent=0
for ((round = 0; round < rounds; round++)); do
	rm -f "$WORK/agent-a.log"
	bg a agent-a "$FIXEDKEY" --no-esn --delay $((RANDOM % 3 * (RANDOM % 120)))
	((RANDOM % 2)) || wait_for 20 agent_runs a
	first=$((round * 2 + 1)) each=$((RANDOM % 5 + 1))
	bg a new4 "$HFPROBE" flood "$(peer4 $first)" --hosts 2 --count $((each * 2)) --sport 4000
	bg a new6 "$HFPROBE" flood "$(peer6 $first)" --hosts 2 --count $((each * 2)) --sport 4000
	sent=$((sent + each * 4))
	nap "0.$(printf %03d $((RANDOM % 250)))"
	stop agent-a KILL
	await new4
	await new6
done
agent a --no-esn

# All that waited is let go, all slots are free again.
wait_for 20 is_calm a
for s in udp4 udp6 tcp6; do
	is_running $s || fail "sender $s ended: $(cat "$WORK/$s.log")"
	stop $s
done
stop serve-b
new=0 running=0 gaps=0 twice=0
while read -r line; do
	[[ $line == *'"from"'* ]] || continue
	unique=$(json "$line" unique) max=$(json "$line" seq_max)
	twice=$((twice + $(json "$line" duplicates)))
	if ((max < 20)); then
		new=$((new + unique))
	else
		running=$((running + unique)) gaps=$((gaps + max + 1 - unique))
	fi
done <"$WORK/serve-b.log"
check "$running" -gt $((rounds * 4)) "datagrams of the established pairs"
# What the lab itself dropped behind the wire, where guests are starved: receive queues of the kernel and of b's sockets.
full=0
while read -r _ dropped _; do full=$((full + 16#$dropped)); done </proc/net/softnet_stat
full=$((full + $(on b nstat -asz UdpRcvbufErrors Udp6RcvbufErrors | awk '/^Udp/ { s += $2 } END { print s + 0 }')))
[ "$gaps" = 0 ] || on b nstat -as
check_eq $((gaps > full ? gaps - full : 0)) 0 "of them lost (beside $full that found a receive queue full)"
check_eq "$twice" 0 "datagrams that arrived twice"
echo "first datagrams to new peers: $sent sent, $new arrived"
check $((sent + 2 - new)) -le "$rounds" "of them lost in the hands of $rounds agents"
check "$(json "$(cat "$WORK/serve-b.log")" tcp_bytes)" -gt $((rounds * 2000)) "octets of the established connection"
capture_stop
judge --expect 'marker=0,clear=0,esp>200,truncated=0'
