#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A mark on a socket survives being held: the packet takes the route that policy routing gives that mark, on the first
# try and when it is released. Two ways lead to b; a table that only the mark chooses has the second one.
#
#             eth0 10.9.0.1 ---- [switch lan0, capture] ---- 10.9.0.2 eth0
#     a                                                                     b, also 10.9.77.1 and fd09:77::1 (lo)
#             eth1 10.8.0.1 -------------- veth ------------ 10.8.0.2 eth1  private to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
on a ip link add eth1 type veth peer name eth1 netns "${LAB_PID[b]}"
on a ip -batch - <<-EOT
	addr add 10.8.0.1/24 dev eth1
	addr add fd08::1/64 dev eth1 nodad
	link set eth1 up
EOT
on b ip -batch - <<-EOT
	addr add 10.8.0.2/24 dev eth1
	addr add fd08::2/64 dev eth1 nodad
	link set eth1 up
	addr add 10.9.77.1/32 dev lo
	addr add fd09:77::1/128 dev lo
	route add fd09::1/128 dev eth0
EOT
one_lane a eth1
one_lane b eth1
on b sh -c 'for i in all eth0 eth1; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done'
on a sh -c 'for i in all eth0 eth1; do echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; done'
on a ip -batch - <<-EOT
	route add 10.9.77.1 via 10.9.0.2 src 10.9.0.1
	route add 10.9.77.1 via 10.8.0.2 src 10.9.0.1 table 77
	route add fd09:77::1 via fd09::2 src fd09::1
	route add fd09:77::1 via fd08::2 src fd09::1 table 77
	rule add fwmark 0x4d table 77
EOT
on a ip -6 rule add fwmark 0x4d table 77
configure a private 10.9.77.1/32 fd09:77::1/128
configure b private 10.9.0.1/32 fd09::1/128
serve b
agent b --respond 10.9.0.1/32 --respond fd09::1/128
agent a --delay 200
capture_start

rx() { on b cat "/sys/class/net/$1/statistics/rx_packets"; }

for to in 10.9.77.1 fd09:77::1; do
	[[ $to == *:* ]] && from=fd09::1 || from=10.9.0.1
	before=$(rx eth1)
	out=$(on a "$HFPROBE" udp $to --src $from --mark 77 --count 10 --strict) || fail "$out"
	check $(($(rx eth1) - before)) -ge 10 "$to: held, then through the marked way"
	before=$(rx eth1)
	out=$(on a "$HFPROBE" udp $to --src $from --mark 77 --count 10 --interval-ms 1 --strict)
	check $(($(rx eth1) - before)) -ge 10 "$to: secure, through the marked way"
	before=$(rx eth1)
	out=$(on a "$HFPROBE" udp $to --src $from --count 10 --interval-ms 1 --strict)
	check $(($(rx eth1) - before)) -le 4 "$to: without a mark, through the other one"
	out=$(on a "$HFPROBE" tcp $to --src $from --mark 77 --count 3 --bytes 3000 --strict)
done
check_eq "$(counter a held)" "$(counter a released_sealed)" "held and released"
capture_stop
judge --expect 'marker=0,clear=0'
