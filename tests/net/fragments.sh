#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Datagrams larger than the MTU are caught as IP fragments. Sealed one by one they would not arrive, so what was held is
# joined, sealed, and fragmented behind ESP: each datagram arrives whole and once, and no fragment leaves in clear.
#
#     a 10.9.0.1, .100 on ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other, SAs after 200 ms
#       fd09::1, ::100 on                                    fd09::2      each size from an address of its own
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

sizes=(1473 4000 9000 20000 60000)
lan a b
neighbours a b
for ((i = 0; i < ${#sizes[@]}; i++)); do
	echo "addr add 10.9.0.$((100 + i))/24 dev eth0"
	echo "addr add fd09::$((100 + i))/64 dev eth0 nodad"
done | on a ip -batch -
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/24 fd09::/64
serve b
agent b --respond 10.9.0.96/29 --respond 10.9.0.104/29 --respond fd09::100/125
agent a --delay 200
capture_start --snaplen 128

pieces=0
for ((i = 0; i < ${#sizes[@]}; i++)); do
	size=${sizes[$i]}
	# Two of each where the pair's 128 packets and 128 KB allow it.
	count=2
	on a "$HFPROBE" udp "$(addr b)" --src 10.9.0.$((100 + i)) --no-df --size "$size" --count $count --strict --wait-ms 10000
	ok "IPv4, $size octets, held: whole"
	on a "$HFPROBE" udp "$(addr6 b)" --src fd09::$((100 + i)) --no-df --size "$size" --count $count --strict --wait-ms 10000
	ok "IPv6, $size octets, held: whole"
	# And when nothing is held any more.
	on a "$HFPROBE" udp "$(addr b)" --src 10.9.0.$((100 + i)) --no-df --size "$size" --count $count --strict
	on a "$HFPROBE" udp "$(addr6 b)" --src fd09::$((100 + i)) --no-df --size "$size" --count $count --strict
done
check "$(counter a reassembled)" -ge 100 "fragments that were joined"
check_eq "$(counter a held)" $(($(counter a released_sealed) + $(counter a reassembled))) "held = released + joined"
capture_stop
judge --expect 'marker=0,clear=0,esp>100'
