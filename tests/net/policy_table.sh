#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 200
#
# DESIGN 4's table, a row for each group and a column for each kind of peer, with the product itself: what leaves towards a peer,
# what is taken from it in clear, whether its IKE is answered. And nothing that anybody can forge ends an attempt early.
#
#     a 10.9.0.1 ---- [switch lan0, capture] -+- b 10.9.2.1-5: an agent, key known, private to a
#                                             '- c 10.9.3.1-5 key proved not to exist; .4. not known to anybody;
#                                                  .5. key known, answers IKE with forged refusals; .6. key known, no IKE: ICMP
# The last octet is the group that a has for the address.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf cmd:minisign

groups=(- clear clear-or-private private-or-clear private block)
lan a b c
for ((g = 1; g <= 5; g++)); do
	configure a "${groups[g]}" 10.9.{2,3,4,5,6}."$g/32"
	echo "addr add 10.9.2.$g/32 dev eth0"
done | on b ip -batch -
for x in 3 4 5 6; do for ((g = 1; g <= 5; g++)); do echo "addr add 10.9.$x.$g/32 dev eth0"; done; done | on c ip -batch -
on a ip route add 10.9.0.0/16 dev eth0
for h in a b; do host_key $h; done
configure b private 10.9.0.1/32

desk=$WORK/desk
mkdir -p "$desk"
minisign -G -W -p "$desk/fleet.pub" -s "$desk/fleet.key" >/dev/null
{
	echo "holdfast-directory 1"
	echo "id table"
	echo "serial 1"
	date -u +'issued %Y-%m-%dT%H:%M:%SZ'
	date -u -d '+1 day' +'expires %Y-%m-%dT%H:%M:%SZ'
	echo "scope 10.9.0.0/16"
	echo "complete 10.9.3.0/24"
	echo "10.9.0.1 $(public_key a) name=a.table"
	echo "10.9.2.0/24,10.9.5.0/24,10.9.6.0/24 $(public_key b) name=b.table"
} >"$desk/fleet"
"$HOLDFAST" directory sign "$desk/fleet" --key "$desk/fleet.key" >"$WORK/signed" 2>&1 || fail "$(<"$WORK/signed")"
for h in a b; do setting $h discovery "$(printf 'directory = %s\ndirectory_key = %s' "$desk/fleet" "$desk/fleet.pub")"; done
for h in a b c; do serve $h; done
for g in 2 3 4; do
	bg c "forge-$g" "$HFPROBE" forge --src "10.9.5.$g"
	wait_for 5 grep -q forging "$WORK/forge-$g.log"
done
product a
product b
capture_start

# wants WANT WHAT HOST ADDRESS [OPTIONS]: what becomes of one datagram: answered, refused, nothing.
wants() {
	local out have ms=1000
	[ "$1" != answered ] || ms=6000 # it may take as long as it likes
	out=$(on "$3" "$HFPROBE" udp "$4" --recverr --wait-ms $ms "${@:5}")
	case $(json "$out" received)$(json "$out" error_count) in
	1*) have=answered ;;
	00) have=nothing ;;
	*) have=refused ;;
	esac
	check_eq "$have" "$1" "$2"
}

# Attempts that end by their time limit run while the rest of the table is looked at.
slow=(10.9.5.3 10.9.6.3 10.9.5.4 10.9.6.4)
for at in "${slow[@]}"; do bg a "slow-$at" "$HFPROBE" udp "$at" --recverr --count 1 --wait-ms 14000; done

# ---- out
table='clear             answered answered nothing
clear-or-private  answered answered nothing
private-or-clear  answered answered answered
private           refused  refused  answered
block             refused  refused  refused'
g=0
while read -r group nokey unknown known; do
	g=$((g + 1))
	wants "$nokey" "$group, proved that there is no key" a 10.9.3.$g
	wants "$unknown" "$group, not known to anybody" a 10.9.4.$g
	wants "$known" "$group, a peer with an agent that takes nothing clear" a 10.9.2.$g # clear to it: dropped there
done <<<"$table"
check_eq "$(peers_in a secure)" 2 "pairs that a has secured: private-or-clear and private"
wants answered "clear-or-private starts nothing" a 10.9.5.2

# ---- IKE from the peer, clear packets from anybody
for ((g = 1; g <= 5; g++)); do
	want=answered
	case ${groups[g]} in clear | block) want=nothing ;; esac
	wants $want "IKE from the peer, ${groups[g]}" b 10.9.0.1 --src 10.9.2.$g
	want=answered
	case ${groups[g]} in private | block) want=nothing ;; esac
	wants $want "clear packet in, ${groups[g]}" c 10.9.0.1 --src 10.9.4.$g
done
check_eq "$(peers_in a secure)" 3 "pairs secure: clear-or-private is, since the peer started"

# ---- whatever was forged, no attempt ended before its time: 7.5 s, give or take a tenth,
# and a minute where nothing passes anyway
for at in "${slow[@]}"; do
	await "slow-$at" 30
	out=$(<"$WORK/slow-$at.log")
	if [[ $at == *.3 ]]; then
		check_eq "$(json "$out" received)" 1 "$at, private-or-clear: answers after the attempt"
		took=$(json "$out" first_reply_us)
		check "${took%%.*}" -ge 6700000 "microseconds until it left in clear"
	else
		check_eq "$(json "$out" received)" 0 "$at, private: answers"
	fi
done
check_eq "$(peers_in a negotiate)" 2 "attempts of private that still go on"
capture_stop
for g in 3 4; do
	stop forge-$g
	check "$(json "$(<"$WORK/forge-$g.log")" forged)" -ge 18 "forged answers to the attempt of 10.9.5.$g"
done
stop forge-2
check_eq "$(json "$(<"$WORK/forge-2.log")" asked)" 0 "IKE of clear-or-private, which starts none"

# On the wire: no payload of a in clear where there must be none; .4. holds the one that c itself sent.
for g in 4 5; do
	for x in 2 3 4 5 6; do check_eq "$(wire marker --pair 10.9.0.1 10.9.$x.$g)" $((x == 4)) "clear payloads, ${groups[g]}, 10.9.$x.$g"; done
done
check_eq "$(wire marker --pair 10.9.0.1 10.9.2.3)" 0 "clear payloads of private-or-clear with a peer that has a key"
