#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Bulk flows hand the device packets of up to 64 KB (GSO). An agent that starts in the middle of one, under `private`,
# catches such packets: each is held and cut, or refused and counted, and the flow recovers. A burst by UDP_SEGMENT is
# one packet when it is held, and arrives as all its datagrams.
#
#     a 10.9.0.1, .101 ---- [switch lan0, capture] ---- b 10.9.0.2     b fixed SAs and policies, a private once its agent runs
#       fd09::1, ::101                                    fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
serve b

for f in addr addr6; do
	bg a stream-$f "$HFPROBE" stream "$($f b)" --seconds 300 --wait-ms 60000 --strict
done
nap 0.3
agent a --no-esn --delay 500
capture_start --snaplen 128
fixed_peer b "$(addr a)" "$(addr b)" && fixed_peer b "$(addr6 a)" "$(addr6 b)"
wait_for 20 has_secure a 2
nap 1
enough stream-addr stream-addr6
for f in addr addr6; do
	await stream-$f 90
	check_eq "$STOPPED_RC" 0 "$(cat "$WORK/stream-$f.log")"
done
big=$(counter a drop_too_big)
echo "held $(counter a held), cut into $(counter a segments) more, refused: $(counter a drop_slots_full) no slot, $(counter a drop_pair_full) displaced, $big"

on a ip addr add 10.9.0.101/24 dev eth0
on a ip addr add fd09::101/64 dev eth0 nodad
fixed_peer b 10.9.0.101 "$(addr b)" && fixed_peer b fd09::101 "$(addr6 b)"
segments=$(counter a segments)
on a "$HFPROBE" udp "$(addr b)" --src 10.9.0.101 --count 40 --gso 40 --size 1000 --strict --wait-ms 5000 >/dev/null
on a "$HFPROBE" udp "$(addr6 b)" --src fd09::101 --count 40 --gso 40 --size 1000 --strict --wait-ms 5000 >/dev/null
check_eq $(($(counter a segments) - segments)) 78 "datagrams beyond the first that two held bursts were cut into"
capture_stop
judge --expect 'marker=0,clear=0,esp>100'
