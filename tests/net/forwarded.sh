#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Packets of other hosts, which this one only routes. Nobody here can speak for their source, so there is no SA for
# them: under `private` they are dropped and their sender is told nothing wrong, under `private-or-clear` they pass in
# clear, under `clear` they always did. The host's own packets are sealed beside them. What it masquerades is its own (in
# small packets: the kernel tells nobody behind the masquerade that ESP made the path narrower).
#
#     c 10.5.0.2 ---- veth ---- 10.5.0.1 a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2   private
#       fd05::2                 fd05::1    fd09::1                                \-- d 10.9.0.3   private-or-clear
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b d
lan c
neighbours a b
neighbours a d
on c ip link set eth0 down
on c ip link add up0 type veth peer name down0 netns "${LAB_PID[a]}"
on c ip -batch - <<-EOT
	addr add 10.5.0.2/24 dev up0
	addr add fd05::2/64 dev up0 nodad
	link set up0 up
	route add default via 10.5.0.1
	route add default via fd05::1
EOT
on a ip -batch - <<-EOT
	addr add 10.5.0.1/24 dev down0
	addr add fd05::1/64 dev down0 nodad
	link set down0 up
EOT
one_lane c up0
one_lane a down0
on a sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
for h in b d; do
	on $h ip route add 10.5.0.0/24 via "$(addr a)"
	on $h ip route add fd05::/64 via "$(addr6 a)"
	serve $h
done
wait_for 15 on c "$HFPROBE" ping "$(addr b)" --strict
wait_for 15 on c "$HFPROBE" ping "$(addr6 b)" --strict
configure a private "$(addr b)/32" "$(addr6 b)/128"
configure a private-or-clear "$(addr d)/32" "$(addr6 d)/128"
fixed_peer b "$(addr a)" "$(addr b)"
fixed_peer b "$(addr6 a)" "$(addr6 b)"
capture_start
agent a --no-esn

for f in addr addr6; do
	out=$(on c "$HFPROBE" udp "$($f b)" --count 5 --wait-ms 700)
	check_eq "$(json "$out" received)" 0 "$f: answers to packets routed to a private host"
	on a "$HFPROBE" udp "$($f b)" --count 5 --strict >/dev/null
	ok "$f: the host's own packets to it arrive"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>=20'
check "$(counter a foreign)" -ge 2 "pairs refused because their source is not this host's"

capture_start
for f in addr addr6; do
	on c "$HFPROBE" udp "$($f d)" --count 5 --strict >/dev/null
	ok "$f: packets routed to a private-or-clear host arrive"
done
capture_stop
check "$(wire marker)" -ge 20 "packets of these in clear"

# ---- masqueraded: then they are the host's own, and sealed
(lab_has nftables) >/dev/null 2>&1 || { echo "masquerading not tried: no nftables here"; exit 0; }
on a nft -f - <<-EOT
	table inet nat {
		chain out {
			type nat hook postrouting priority srcnat
			oifname "eth0" masquerade
		}
	}
EOT
capture_start
for f in addr addr6; do
	on c "$HFPROBE" udp "$($f b)" --count 5 --strict --sport 5555 >/dev/null
	on c "$HFPROBE" tcp "$($f b)" --count 2 --bytes 600 --strict >/dev/null
	ok "$f: masqueraded packets arrive"
done
capture_stop
judge --expect 'marker=0,clear=0,esp>20'
