#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Interfaces come and go. One that was there, one that appears later, the same renamed, gone and back with its old
# ifindex, gone and back with another: first packets through each are held and leave sealed, nothing leaves in clear.
# Each time the host has a new address, so that its pair is unknown.
#
#     a eth0 10.9.0.1 ------------ [switch lan0, capture] ---- b 10.9.0.2, 10.8.0.50
#       eth1, uplink 10.8.0.1-5 ---'                             fd09::2, fd08::50      private
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

lan a b
on b ip addr add 10.8.0.50/24 dev eth0
on b ip addr add fd08::50/64 dev eth0 nodad
configure a private 10.8.0.0/15 fd08::/64 fd09::/64
configure b private 10.8.0.0/15 fd08::/64 fd09::/64
serve b
agent b --respond "$(addr a)/32" --respond "$(addr6 a)/128" --respond 10.8.0.0/29 --respond fd08::/125
agent a --delay 20
capture_start

attached() { [ "$(grep -c "interface $1: attached" "$WORK/agent-a.log")" -ge "$2" ]; }

# plug NAME TIMES [index N]: a second cable; protected before it comes up.
plug() {
	on a ip link add "$1" "${@:3}" type veth peer name a1 netns "${LAB_PID[switch]}"
	on switch ip link set a1 master lan0 up
	wait_for 20 attached "$1" "$2"
}

# through NAME N: first packets of a's address N, both families.
through() {
	on a ip link set "$1" up
	on a ip addr add "10.8.0.$2/24" dev "$1"
	on a ip addr add "fd08::$2/64" dev "$1" nodad
	wait_for 5 lab_ports_forward a1
	on a "$HFPROBE" udp 10.8.0.50 --src "10.8.0.$2" --count 5 --wait-ms 20000 --complete
	on a "$HFPROBE" udp fd08::50 --src "fd08::$2" --count 5 --wait-ms 20000 --complete
	ok "$1, ifindex $(on a cat "/sys/class/net/$1/ifindex"): held and sealed"
}

on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete
on a "$HFPROBE" udp "$(addr6 b)" --count 5 --wait-ms 20000 --complete
plug eth1 1
through eth1 1
index=$(on a cat /sys/class/net/eth1/ifindex)

on a ip link set eth1 down
on a ip addr flush dev eth1
on a ip link set eth1 name uplink
through uplink 2

on a ip link del uplink
plug eth1 2 index "$index"
through eth1 3

on a ip link del eth1
plug eth1 3 index $((index + 1000))
through eth1 4

# Taken down and up again, the programs are still there.
on a ip link set eth1 down
on a ip addr flush dev eth1
through eth1 5

# The first interface has not noticed.
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete
now=$(status_of a)
check "$(json "$now" held)" -ge 50 "packets held"
check_eq "$(($(json "$now" released_sealed) + $(json "$now" passed_sealed)))" "$(json "$now" held)" "of these let go sealed"
check_eq "$(json "$now" secure)" 4 "pairs secure, those of addresses that are gone are not among them"
check_eq "$(on a ip xfrm state | grep -c '^src')" 8 "SAs"
capture_stop
judge --expect 'marker=0,esp>100,espdup=0,truncated=0' >"$WORK/judged"
cat "$WORK/judged"
# Between link-local addresses, which are in no group, an ICMP error may tell of the interface that went.
! grep -v '^fe80\|^total' "$WORK/judged" | grep ' clear=[1-9]' || fail "clear packets"

# An address that goes while no agent runs is not exempt with the next one, which takes over what is there.
exempt() { on a bpftool map dump pinned /sys/fs/bpf/holdfast/hf_exempt | grep -c flags; }
is_exempt() { [ "$(exempt)" = "$1" ]; } # ADDRESSES
before=$(exempt)
on a ip addr add 10.9.0.77/32 dev eth0
wait_for 20 is_exempt $((before + 1))
stop agent-a
on a ip addr del 10.9.0.77/32 dev eth0
agent a --delay 20
check_eq "$(exempt)" "$before" "exempt addresses with the next agent"
