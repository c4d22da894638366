#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The lab judges itself, third part: what the judge calls IKE, ESP in UDP, a doubled sequence number,
# a marker inside something sealed, and that a VLAN tag or a short capture hides nothing from it.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2
#       eth0.7 10.7.0.1 ------ VLAN 7 ------ eth0.7 10.7.0.2
. "$(dirname "$0")/lib.sh"
need bridge vlan

lan a b
for h in a b; do
	on "$h" ip -batch - <<-EOF
		link add link eth0 name eth0.7 type vlan id 7
		addr add 10.7.0.${LAB_N[$h]}/24 dev eth0.7
		link set eth0.7 up
	EOF
done
for port in 500 4500; do bg b "serve-$port" "$HFPROBE" serve --port "$port"; done
serve b
capture_start
for to in "$(addr b)" "$(addr6 b)"; do
	on a "$HFPROBE" udp "$to" --port 500 --count 3 --strict
	# The payload begins with four bytes that are not zero, like an SPI; the four after them are the
	# same in all packets of a run, like a doubled sequence number.
	on a "$HFPROBE" udp "$to" --port 4500 --count 4 --strict
done
on a "$HFPROBE" udp 10.7.0.2 --count 5 --strict
capture_stop
judge

check_eq "$(wire ike)" 12 "IKE packets: 3 and their echoes, twice"
check_eq "$(wire udpesp)" 16 "UDP-encapsulated ESP packets: 4 and their echoes, twice"
check_eq "$(wire espdup)" 12 "doubled sequence numbers: all but the first, by direction and family"
check_eq "$(wire clear --pair 10.7.0.1 10.7.0.2)" 10 "clear packets under a VLAN tag"
check_eq "$(wire marker)" 38 "packets with the marker, whatever they call themselves"

# 40 bytes of each packet: the headers are there, the payload is not; 20 are too short for IPv6.
for len in 40 20; do
	capture_start --snaplen "$len"
	on a "$HFPROBE" udp "$(addr6 b)" --count 2 --strict
	capture_stop
	check "$(wire truncated)" -ge 4 "cut short at $len bytes and called so"
done
check_eq "$(wire marker)" 0 "markers in what was not captured"
