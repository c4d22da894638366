#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Security is per pair of addresses. Packets from a second and a third own address get SAs of their own pair, whether an
# application bound the address or an address was deprecated; none ever leaves in clear or under another pair's
# SA, not even when only the other pair has one. A source that is removed takes its pairs along.
#
#     a 10.9.0.1, .11, 10.9.7.1 ---- [switch lan0, capture] ---- b 10.9.0.2, .12     private to each other
#       fd09::1, ::11, fd09:7::1                                   fd09::2, ::12
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
on a ip -batch - <<-EOT
	addr add 10.9.0.11/24 dev eth0
	addr add 10.9.7.1/32 dev eth0
	addr add fd09::11/64 dev eth0 nodad
	addr add fd09:7::1/128 dev eth0 nodad
EOT
on b ip -batch - <<-EOT
	addr add 10.9.0.12/24 dev eth0
	addr add fd09::12/64 dev eth0 nodad
	route add 10.9.7.1 via 10.9.0.1
	route add fd09:7::1 via fd09::1
EOT
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/16 fd09::/64 fd09:7::/64
serve b
agent b --respond 10.9.0.1/32 --respond 10.9.0.11/32 --respond 10.9.7.1/32 \
	--respond fd09::1/128 --respond fd09::11/128 --respond fd09:7::1/128
agent a --delay 30
capture_start

sources4=(10.9.0.11 10.9.0.1 10.9.7.1) sources6=(fd09:7::1 fd09::11 fd09::1)
pairs=0
for to in 10.9.0.2 10.9.0.12 fd09::2 fd09::12; do
	sources=("${sources4[@]}")
	[[ $to != *:* ]] || sources=("${sources6[@]}")
	for from in "${sources[@]}"; do
		before=$(counter a released_sealed)
		# Order is not asked here: behind the wire, two processors of one receiver may change it.
		out=$(on a "$HFPROBE" udp "$to" --src "$from" --count 5)
		[ "$(json "$out" lost)$(json "$out" duplicates)$(json "$out" error_count)" = 000 ] || fail "$from to $to: $out"
		check "$(($(counter a released_sealed) - before))" -ge 1 "held packets of $from to $to released sealed"
		out=$(on a "$HFPROBE" tcp "$to" --src "$from" --count 2 --bytes 3000 --strict) || fail "$from to $to: $out"
		out=$(on a "$HFPROBE" ping "$to" --src "$from" --count 2 --strict) || fail "$from to $to: $out"
		pairs=$((pairs + 1))
		has_secure a $pairs || fail "$from to $to: no pair of its own ($(peers_in a secure) of $pairs)"
	done
done
# Each pair has its own SAs, and what it sent went through them: 5 datagrams, TCP, 2 pings.
states=$(on a ip -s xfrm state)
check_eq "$(grep -c 'proto esp' <<<"$states")" $((pairs * 2)) "SAs"
used=$(sed -n 's/.*(bytes), \([0-9]*\)(packets).*/\1/p' <<<"$states" | sort -n | head -1)
check "$used" -ge 10 "packets through the least used of them"
check_eq "$(counter a held_stray)" 0 "strays"
capture_stop
judge --expect 'marker=0,clear=0,esp>100,truncated=0'

# The other pair has an SA, this one has none: held until it has its own, not sealed under the other's.
on a ip addr add 10.9.0.21/24 dev eth0
capture_start
on a "$HFPROBE" udp 10.9.0.2 --src 10.9.0.21 --count 5 --wait-ms 500 >/dev/null || true
capture_stop
judge --expect 'marker=0,clear=0'
check_eq "$(wire esp --pair 10.9.0.1 10.9.0.2)" 0 "packets under the first source's pair"

# An address that goes takes its pairs along.
have=$(peers_in a secure)
on a ip addr del 10.9.0.11/24 dev eth0
wait_for 5 has_secure a $((have - 2))
check_eq "$(on a ip xfrm state | grep -c '^src 10.9.0.11 \|dst 10.9.0.11$')" 0 "SAs of the address that went"
