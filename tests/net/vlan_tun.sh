#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Devices that are not plain Ethernet: VLANs, seen by the programs on the VLAN device and on the one below, and by the
# one below alone; VLANs in VLANs, whose inner tag stands in the packet, with and without reorder_hdr; and a tun device,
# whose packets begin with the IP header. First packets through each are held and leave sealed, nothing in clear.
#
#     a eth0.7, eth0.8 ------------------ eth0 -- [switch lan0, capture] -- eth0 --- the same b     all private
#     c eth0.9, eth0.10, eth0.9.20-21 --- eth0 --'      c protects eth0 only
#     a tun0 --------------------- [recorded relay] ----------------- tun0 b
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf vlan tun

# Link N has 10.7.0.(4N+1) and fd07::(4N+1) on one side, the address after that on b's.
side() { echo $((4 * $1 + $2)); }
# link HOST DEVICE N SIDE: addresses, up.
link() {
	on "$1" ip addr add "10.7.0.$(side "$3" "$4")/30" dev "$2"
	on "$1" ip addr add "fd07::$(printf %x "$(side "$3" "$4")")/126" dev "$2" nodad
	on "$1" ip link set "$2" up
}
# vlan HOST BELOW ID N [reorder_hdr off]
vlan() {
	on "$1" ip link add link "$2" name "$2.$3" type vlan id "$3" "${@:5}"
	on b ip link add link "$2" name "$2.$3" type vlan id "$3" "${@:5}"
	link "$1" "$2.$3" "$4" 1
	link b "$2.$3" "$4" 2
}

lan a b c
vlan a eth0 7 0
vlan a eth0 8 1 reorder_hdr off
vlan c eth0 9 2
vlan c eth0 10 3 reorder_hdr off
vlan c eth0.9 20 5
vlan c eth0.9 21 6 reorder_hdr off
bg switch relay "$HFPROBE" tun tun0 "${LAB_PID[a]}" "${LAB_PID[b]}" "$WORK/tun.pcap"
wait_for 5 grep -q relaying "$WORK/relay.log"
link a tun0 4 1
link b tun0 4 2
for h in a b c; do configure $h private 10.7.0.0/24 fd07::/64; done
setting c agent 'interfaces = eth0'
serve b
agent b --respond 10.7.0.0/27 --respond fd07::/123
agent a --delay 20
agent c --delay 20
capture_start

# through HOST N WHAT: first packets of link N.
through() {
	local r4 r6
	r4=10.7.0.$(side "$2" 2)
	r6=fd07::$(printf %x "$(side "$2" 2)")
	on "$1" "$HFPROBE" udp "$r4" --count 5 --wait-ms 20000 --complete
	on "$1" "$HFPROBE" udp "$r6" --count 5 --wait-ms 20000 --complete
	on "$1" "$HFPROBE" tcp "$r4" --count 2 --bytes 6000 --wait-ms 20000 --strict
	on "$1" "$HFPROBE" tcp "$r6" --count 2 --bytes 6000 --wait-ms 20000 --strict
	on "$1" "$HFPROBE" ping "$r6" --count 3 --wait-ms 20000 --complete
	ok "$3"
}
through a 0 "VLAN, programs on eth0.7 and eth0"
through a 1 "VLAN without reorder_hdr, programs on eth0.8 and eth0"
through c 2 "VLAN, programs on eth0 only"
through c 3 "VLAN without reorder_hdr, programs on eth0 only"
through c 5 "VLAN in VLAN, programs on eth0 only"
through c 6 "VLAN in VLAN without reorder_hdr, programs on eth0 only"
through a 4 "tun"
for h in a c; do
	now=$(status_of $h)
	check "$(json "$now" held)" -ge 20 "$h: packets held"
	check_eq $(($(json "$now" released_sealed) + $(json "$now" passed_sealed))) "$(json "$now" held)" "of these let go sealed"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>100,truncated=0'
stop relay
# Each ESP packet was there once; what else the tun carried is ND's business.
"$WIREJUDGE" --expect 'marker=0,clear=0,esp>30,espdup=0,truncated=0' "$WORK/tun.pcap"
