#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# On veth a packet is caught before its checksum is there (CHECKSUM_PARTIAL): the device would have filled it in. What is
# held must be completed before it is re-injected, or the receiver drops it: TCP, UDP, ICMPv6, SCTP where there is one.
# And what needs no completing (ICMP, UDP without a checksum) must not be broken.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private to each other, SAs after 200 ms
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
on a ip addr add 10.9.0.101/24 dev eth0
on a ip addr add fd09::101/64 dev eth0 nodad
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/24 fd09::/64
serve b
agent b --respond 10.9.0.1/32 --respond 10.9.0.101/32 --respond fd09::1/128 --respond fd09::101/128
agent a --delay 200
capture_start

# The sum of all errors that a wrong checksum is counted as, at b.
wrong() { on b nstat -asz TcpInCsumErrors UdpInCsumErrors IcmpInCsumErrors Udp6InCsumErrors Icmp6InCsumErrors TcpInErrs \
	UdpInErrors Udp6InErrors SctpChecksumErrors 2>/dev/null | awk '/^[A-Z]/ { s += $2 } END { print s + 0 }'; }
before=$(wrong)
for from in 10.9.0.1 10.9.0.101 fd09::1 fd09::101; do
	to=$(addr b)
	[[ $from != *:* ]] || to=$(addr6 b)
	# All kinds at once, so that all are held: the pair is new.
	bg a udp "$HFPROBE" udp "$to" --src $from --count 10 --size 41 --strict --wait-ms 5000
	bg a odd "$HFPROBE" udp "$to" --src $from --count 3 --size 1001 --strict --wait-ms 5000
	bg a tcp "$HFPROBE" tcp "$to" --src $from --count 3 --bytes 5001 --strict --wait-ms 9000
	bg a ping "$HFPROBE" ping "$to" --src $from --count 5 --strict --wait-ms 5000
	for s in udp odd tcp ping; do
		await $s
		check_eq "$STOPPED_RC" 0 "$from $s: $(cat "$WORK/$s.log")"
	done
done
check "$(counter a released_sealed)" -ge 40 "packets that were held and completed"
check_eq "$(wrong)" "$before" "wrong checksums counted by the receiver"
check_eq "$(counter a drop_malformed)" 0 "held bytes that were no packet"
capture_stop
judge --expect 'marker=0,clear=0,espdup=0'
