#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 600
#
# An agent is killed in the moment in which it replaces the SAs that it adopted, again and again, on either side, while datagrams
# flow both ways in both families each 5 ms; and once what replaces them is slow to come. The peer then asks after IKE SAs that
# died, and must not hear that they are gone while the Child SAs they made are in use: no packet meets a host without its SA, and
# none is clear.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2      private to each other, the product itself
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

rounds=${LAB_ROUNDS:-5}
[ "$LAB_TIER" != vm ] || rounds=${LAB_ROUNDS:-3}
lan a b
neighbours a b
for h in a b; do
	host_key "$h"
	configure "$h" private 10.9.0.0/24 fd09::/64
done
pin a b
pin b a
for h in a b; do
	product "$h"
	serve "$h" --no-echo
done
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
on a "$HFPROBE" ping "$(addr6 b)" --count 3 --strict >/dev/null
for h in a b; do wait_for 15 has_secure $h 2; done
# As in life_restart: what piles up behind transport-mode ESP while programs are loaded must find room.
{ echo 100000 >/proc/sys/net/core/netdev_max_backlog; } 2>/dev/null || true
capture_start --snaplen 200
declare -A before
for h in a b; do before[$h]=$(counter $h in_esp); done
for family in '' 6; do
	bg a "to-b$family" "$HFPROBE" flood "$("addr$family" b)" --count 10000000 --rate 200
	bg b "to-a$family" "$HFPROBE" flood "$("addr$family" a)" --count 10000000 --rate 200
done

# Packets that met no SA. (XfrmInTmplMismatch says nothing here: it counts IKE that comes while no agent has a socket for it.)
unknown() {
	local h what all=0
	for h in a b; do
		for what in XfrmInNoStates XfrmInStateInvalid XfrmOutNoStates; do
			all=$((all + $(on $h awk -v w=$what '$1 == w { print $2 }' /proc/net/xfrm_stat)))
		done
	done
	echo $all
}
# The first pair's successor is there, the second one's is being made: 20 ms lie between them.
successors() { [ "$(grep -c 'has proved its key' "$WORK/agent-$1.log")" -ge "$2" ]; }

# ---- the answer to its successor's IKE_AUTH is lost for three seconds: the peer has it, and asks whether the old one lives
on switch tc qdisc add dev a clsact
on switch tc filter add dev a egress protocol ip u32 match ip dport 500 0xffff match u16 0x2320 0xffff at 46 action drop
stop agent-a KILL
product a
wait_for 20 successors a 1 || fail "no successor over IPv6"
nap 3
[ "$(grep -c '^holdfast: 10.* has proved its key' "$WORK/agent-a.log")" = 0 ] || fail "nothing was lost"
check_eq "$(unknown)" 0 "packets without an SA, the successor's IKE_AUTH under way"
on switch tc qdisc del dev a clsact
wait_for 20 successors a 2 || fail "no successor when nothing is lost any more"

# ---- killed while SAs are being replaced
for ((round = 0; round < rounds; round++)); do
	victim=a
	((round % 4 < 3)) || victim=b
	for kill in 1 2; do
		stop agent-$victim KILL
		product $victim
		# Each of the dead left a pair of SAs more: four inbound ones are kept, and the one that packets leave with.
		sas=$(on $victim ip xfrm state | grep -c '^src')
		[ "$sas" -le 14 ] || fail "SAs of the dead pile up at $victim: $sas"
		wait_for 20 successors $victim $kill || fail "no successors to what $victim adopted: $(<"$WORK/agent-$victim.log")"
	done
	check_eq "$(unknown)" 0 "packets without an SA, $victim killed while it replaced them ($((round + 1)))"
done
one_each() { [ "$(on "$1" ip xfrm state | grep -c '^src')" = 4 ]; }
# The last to go are those that the peer was asked about and kept for a minute, and losers whose maker died, kept for 70 s and asked to go
# for another minute (COLLISIONS.md, U11 and U6).
for h in a b; do wait_for 300 one_each $h || fail "SAs of earlier agents stay at $h: $(on $h ip xfrm state | grep -c '^src')"; done
for h in a b; do
	for family in '' 6; do stop "to-$h$family"; done
done
nap 2
# Each datagram left its host, once and sealed: none was refused to its sender.
declare -A sent=([a]=0 [b]=0)
for h in a b; do
	for family in '' 6; do
		line=$(<"$WORK/to-$h$family.log")
		check_eq "$(json "$line" error_count)" 0 "refused to the sender, IPv${family:-4} to $h"
		sent[$h]=$((sent[$h] + $(json "$line" sent)))
	done
done
capture_stop
check_eq "$(wire esp)" $((sent[a] + sent[b])) "datagrams on the wire"
judge --expect 'marker=0,clear=0,espdup=0,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
# And what came as far as the host's ingress program arrived. A starved guest loses one now and then between the switch and that program, counted
# by nobody; and what is late is delivered at once (tests/lab/README.md), then a receive queue may be full, which is counted.
full() { # HOST
	local all=0 dropped
	while read -r _ dropped _; do all=$((all + 16#$dropped)); done </proc/net/softnet_stat
	echo $((all + $(on "$1" nstat -asz UdpRcvbufErrors UdpMemErrors Udp6RcvbufErrors Udp6MemErrors | awk '/^Udp/ { s += $2 } END { print s + 0 }')))
}
arrived() { # HOST: of both families, as `serve` says now
	kill -s USR1 "$(pid_of "serve-$1")"
	nap 0.5
	grep '"from"' "$WORK/serve-$1.log" | tail -2 | sed 's/.*"unique":\([0-9]*\).*/\1/' | awk '{ s += $1 } END { print s + 0 }'
}
has_arrived() { [ "$(arrived "$1")" -ge "$2" ]; }
for h in a b; do
	came=$(($(counter $h in_esp) - before[$h])) full=$(full $h)
	check $((sent[$h] - came)) -lt 10 "lost in the lab, before any program of $h"
	wait_for 60 has_arrived $h $((came - full)) || {
		on $h sh -c "nstat -asz | awk '\$2 > 0'; cat /proc/net/xfrm_stat; ip -s link; tc -s qdisc show dev eth0"
		fail "lost at $h, of $came that came: $((came - $(arrived $h))), $full of them found a queue full"
	}
	stop "serve-$h"
	lines=0
	while read -r line; do
		check_eq "$(json "$line" duplicates)" 0 "twice at $h, of $(json "$line" unique)"
		lines=$((lines + 1))
	done < <(grep '"from"' "$WORK/serve-$h.log" | tail -2)
	check_eq $lines 2 "senders that $h heard"
done
check_eq "$(unknown)" 0 "packets without an SA, in all"
