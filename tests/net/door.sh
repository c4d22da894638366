#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
# LAB-TIMEOUT: 300
#
# Clear text at the door: the shield's program, run by the driver, drops what ingress would, and lets in all that ESP carried, in transport
# and in tunnel mode, whose packets pass the device a second time. The same program on the kernel's own packets leaves clear
# text to ingress, which tells it from decrypted packets. Nothing in clear reaches a socket either way.
#
#     a 10.9.0.1, the program on eth0 ---- [switch lan0] ---- b 10.9.0.2     private to each other
#       fd09::1                                                 fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

pins=/sys/fs/bpf/holdfast door=/sys/fs/bpf/door

# program WHERE: on the maps of a's agent.
program() {
	local map name=hf_shield shared=()
	[ "$1" = xdpgeneric ] || name+=_driver
	for map in policy gate exempt config budget count ring; do shared+=(map name "hf_$map" pinned "$pins/hf_$map"); done
	on a mkdir -p $door
	on a bpftool prog loadall "$B/bpf/shield.bpf.o" $door/programs type xdp "${shared[@]}" pinmaps $door/maps
	on a ip link set eth0 "$1" pinned "$door/programs/$name"
}
no_program() {
	on a ip link set eth0 "$1" off
	on a rm -r $door
}
# stopped: at the door, on all processors.
stopped() { on a bpftool -j map dump pinned $door/maps/hf_shield_count | grep -o '"clear_dropped":[0-9]*' | awk -F: '{ sum += $2 } END { print sum + 0 }'; }

# heard: datagrams that a's socket has heard.
heard() {
	kill -USR1 "$(pid_of serve-a)"
	nap 0.2
	awk -F'"received":' '/"kind"/ { sum = 0 } { sum += $2 } END { print sum + 0 }' "$WORK/serve-a.log" # of the last account
}

lan a b
neighbours a b
configure a private 10.9.0.0/24 fd09::/64
configure b private 10.9.0.0/24 fd09::/64
serve b
for mode in transport tunnel; do
	for where in xdpdrv xdpgeneric; do
		option=()
		[ $mode = transport ] || option=(--tunnel)
		serve a
		agent b "${option[@]}" --respond "$(addr a)/32" --respond "$(addr6 a)/128"
		agent a "${option[@]}" --delay 20
		program $where
		for f in addr addr6; do
			on a "$HFPROBE" udp "$($f b)" --count 20 --strict >/dev/null
			on b "$HFPROBE" ping "$($f a)" --count 5 --strict >/dev/null
			on b "$HFPROBE" tcp "$($f a)" --count 3 --bytes 20000 --strict >/dev/null
			on b "$HFPROBE" udp "$($f a)" --count 3 --size 4000 --no-df --strict >/dev/null
		done
		check_eq "$(stopped)" 0 "$mode, $where: sealed packets stopped at the door"
		check_eq "$(counter a in_drop_clear)" 0 "$mode, $where: sealed packets dropped as clear"

		# b in clear, once somebody took its agent and its policies away.
		stop agent-b
		on b "$HOLDFAST" unload >/dev/null
		on b ip xfrm policy flush
		before=$(heard)
		for f in addr addr6; do on b "$HFPROBE" flood "$($f a)" --count 10 >/dev/null; done
		check_eq "$(heard)" "$before" "$mode, $where: datagrams in clear that a socket heard"
		check_eq "$(counter a in_drop_clear)" 20 "$mode, $where: dropped as clear"
		check_eq "$(stopped)" $([ $where = xdpdrv ] && echo 20 || echo 0) "$mode, $where: of these at the door"

		no_program $where
		stop serve-a
		stop agent-a
		on a "$HOLDFAST" unload >/dev/null
	done
done
