#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 300
#
# Every host of a mesh sends its first packet to every other at the same instant, so that all pairs cross. Nobody knows anything
# but one signed directory. All first packets and all answers arrive, within 10 s; every pair is secure at both ends and
# has one SA a direction, the same at both. Nothing clear. `make mesh HOSTS=20 RUNS=20`: the size, and how often, each
# time with addresses that were never seen.
#
#     h1 10.9.0.1, 10.9.1.1 .. hN 10.9.0.N, 10.9.1.N ---- [switch lan0, capture]      private to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf cmd:minisign

n=${LAB_HOSTS:-8}
runs=${LAB_ROUNDS:-3}
hold_age=${LAB_HOLD_AGE:-10}
hosts=()
for ((i = 1; i <= n; i++)); do hosts+=("h$i"); done
# All frames of all hosts pass this one queue: what finds it full is lost in the lab.
{ echo 100000 >/proc/sys/net/core/netdev_max_backlog; } 2>/dev/null || true
# And all hosts share the kernel's one table of neighbours: beyond 1,024 a packet whose next hop finds no room is dropped before anything
# of ours has seen it.
for i in 3 2 1; do { echo 65536 >/proc/sys/net/ipv4/neigh/default/gc_thresh$i; } 2>/dev/null || true; done
lan "${hosts[@]}"
# Whose question for a neighbour has no answer in 3 s gives the packet up, before anything of ours has seen it; on one processor all of these
# questions at once may take as long.
for ((i = 1; i <= n; i++)); do
	mac=$(on "h$i" cat /sys/class/net/eth0/address)
	for ((run = 1; run <= runs; run++)); do echo "neigh replace 10.9.$run.$i lladdr $mac nud permanent dev eth0"; done
done >"$WORK/neighbours"

desk=$WORK/desk
mkdir -p "$desk/policies"
echo 10.9.0.0/16 >"$desk/policies/private"
minisign -G -W -p "$desk/fleet.pub" -s "$desk/fleet.key" >/dev/null
{
	echo "holdfast-directory 1"
	echo "id mesh"
	echo "serial 1"
	date -u +'issued %Y-%m-%dT%H:%M:%SZ'
	date -u -d '+1 day' +'expires %Y-%m-%dT%H:%M:%SZ'
	echo "scope 10.9.0.0/16"
	for ((i = 1; i <= n; i++)); do
		mkdir "$desk/h$i"
		openssl genpkey -algorithm ed25519 -out "$desk/h$i/key.pem"
		key=$(openssl pkey -in "$desk/h$i/key.pem" -pubout) # one line of base64: 12 octets that are always the same, 32 of key
		key=${key#*$'\n'????????????????}
		for ((run = 1; run <= runs; run++)); do printf '%s10.9.%d.%d' "$([ $run = 1 ] || echo ,)" $run $i; done
		echo " ed25519:${key%%$'\n'*} name=h$i.mesh"
	done
} >"$desk/fleet"
"$HOLDFAST" directory sign "$desk/fleet" --key "$desk/fleet.key" >"$WORK/signed" 2>&1 || fail "$(<"$WORK/signed")"

for ((i = 1; i <= n; i++)); do
	for ((run = 1; run <= runs; run++)); do echo "addr add 10.9.$run.$i/24 dev eth0"; done | on "h$i" ip -batch -
	on "h$i" ip -batch "$WORK/neighbours"
	# Small maps: dozens of hosts share this machine's memory.
	cat >"$desk/h$i/holdfast.conf" <<-END
		[agent]
		key = $desk/h$i/key.pem
		state = $desk/h$i
		policies = $desk/policies
		[discovery]
		directory = $desk/fleet
		directory_key = $desk/fleet.pub
		[limits]
		hold_slots = 256
		hold_big_slots = 1
		hold_queues = 256
		gate_entries = 2048
		peers = 2048
		hold_age_seconds = $hold_age
	END
	bg "h$i" "serve-h$i" "$HFPROBE" serve
	bg "h$i" "agent-h$i" "$HOLDFAST" run --foreground --config "$desk/h$i/holdfast.conf"
done
for h in "${hosts[@]}"; do wait_for 60 agent_runs "$h" || fail "the agent of $h did not start"; done
capture_start

states() { on "$1" ip xfrm state | grep -c '^src'; }
has_states() { [ "$(states "$1")" = "$2" ]; }
# blame RUN I: what both ends say of each pair with which host I lost something.
blame() {
	local j lost
	lost=$(sed -n 's/.*"missing":\[\([0-9,]*\)\].*/\1/p' "$WORK/first-h$2.log")
	for j in ${lost//,/ }; do
		echo "h$2 of h$((j + 1)): $(on "h$2" "$HOLDFAST" explain "10.9.$1.$((j + 1))" 2>&1)"
		echo "h$((j + 1)) of h$2: $(on "h$((j + 1))" "$HOLDFAST" explain "10.9.$1.$2" 2>&1)"
		for h in "h$2" "h$((j + 1))"; do echo "$h: $(on "$h" "$HOLDFAST" status 2>&1)"; done
	done
}
waiting() { grep -q waiting "$WORK/first-$1.log"; }
worst_of_all=0
for ((run = 1; run <= runs; run++)); do
	exec 7>"$WORK/start"
	flock 7
	for ((i = 1; i <= n; i++)); do
		bg "h$i" "first-h$i" "$HFPROBE" udp "10.9.$run.1" --src "10.9.$run.$i" --hosts "$n" --count "$n" --after "$WORK/start" --wait-ms $((2000 * hold_age)) --complete 7>&-
	done
	for h in "${hosts[@]}"; do wait_for 20 waiting "$h"; done
	exec 7>&- # all of them at this instant
	worst=0 lost=0
	for ((i = 1; i <= n; i++)); do
		await "first-h$i" $((20 + 4 * hold_age))
		out=$(<"$WORK/first-h$i.log")
		[ "$STOPPED_RC" = 0 ] || { lost=$((lost + $(json "$out" lost))) && echo "h$i: $out" && blame $run $i; }
		out=$(json "$out" max_us)
		((worst >= ${out%%.*})) || worst=${out%%.*}
	done
	check_eq "$lost" 0 "run $run: lost of $((n * (n - 1))) first packets and their answers"
	check "$worst" -lt $((hold_age * 1000000)) "run $run: microseconds until the last answer"
	((worst_of_all >= worst)) || worst_of_all=$worst
	for h in "${hosts[@]}"; do
		wait_for 30 has_states "$h" $((2 * run * (n - 1))) || fail "run $run: $h has $(states "$h") SAs, not $((2 * run * (n - 1)))"
	done
	for h in "${hosts[@]}"; do [ "$(peers_in "$h" secure)" = $((run * (n - 1))) ] || fail "run $run: $(peers_in "$h" secure) pairs of $h are secure"; done
done
capture_stop
judge --expect "marker=0,clear=0,esp>=$((2 * runs * n * (n - 1))),truncated=0" >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
# What one end sends with is what the other reads.
for h in "${hosts[@]}"; do on "$h" ip xfrm state; done | sed -n 's/.*spi \(0x[0-9a-f]*\).*/\1/p' | sort | uniq -c | awk '$1 != 2 { exit 1 }' ||
	fail "an SA stands at one end only"
# For tests/bench/run.
pairs=$((n * (n - 1) / 2))
ticks=0
for h in "${hosts[@]}"; do
	read -r line <"/proc/$(pid_of "agent-$h")/stat"
	read -ra stat <<<"${line##*) }"
	ticks=$((ticks + stat[11] + stat[12]))
done
echo "BENCH mesh.hosts$n {\"pairs\":$pairs,\"runs\":$runs,\"lost\":$lost,\"last_ms\":$((worst_of_all / 1000)),\"hold_age_s\":$hold_age,\"agents_ms_per_pair\":$((ticks * 1000 / $(getconf CLK_TCK) / (pairs * runs)))}"
ok "$runs runs, $pairs pairs each: all secure, the last answer after $((worst_of_all / 1000)) ms at most"
