#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 120
#
# spread = on, on two processors: how much more ESP a host opens when its agent hands it to both by SPI. Sealed datagrams of eight SAs, which fall
# to the processors in equal parts, are recorded once, and sent again and again at a rate that is beyond what is opened: so sealing them costs
# nothing here. The SAs check no sequence numbers, or they would be turned away as old before they are opened. Counted is what the SAs have opened; off
# and on in turn, by two starts of the agent.
#
# The sender and the emulator's cable want processors, too: how long the guest's were idle while packets came is said beside the ratio.
#
#     a card 10.9.0.1, shield ----- card s 10.9.0.2, eight SAs of 10.9.7.1 to 8, made by hand
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 bpf_tc ringbuf smp cards cmd:tcpreplay

ROUNDS=${LAB_ROUNDS:-5} SAS=8 SIZE=1400 EACH=32 SECONDS_EACH=4

lan a s
card a 10.9.0.1
card s 10.9.0.2
for h in a s; do on $h ip addr flush dev eth0; done
on a ip route add 10.9.7.0/24 via 10.9.0.2 dev card
on a ip neigh replace 10.9.0.2 lladdr "$(on s cat /sys/class/net/card/address)" dev card
# What arrives goes nowhere: no socket, and no ICMP that says so.
on a sysctl -qw net.ipv4.icmp_ratemask=65535 net.ipv4.icmp_ratelimit=1000000

# The processor that bpf/shield_spread.h chooses for an SPI, of two.
processor() {
	local spi=$1
	spi=$(((spi & 255) << 24 | (spi >> 8 & 255) << 16 | (spi >> 16 & 255) << 8 | spi >> 24))
	echo $(((spi * 0x9e3779b1 & 0xffffffff) * 2 >> 32))
}
spis=() wanted=0
for ((spi = 0x1000; ${#spis[@]} < SAS; spi++)); do
	[ "$(processor $spi)" = $wanted ] || continue
	spis+=("$spi")
	wanted=$((1 - wanted))
done
for ((i = 0; i < SAS; i++)); do
	for h in a s; do
		echo "xfrm state add src 10.9.7.$((i + 1)) dst 10.9.0.1 proto esp spi ${spis[i]} mode transport reqid 1 replay-window 0 aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128" >>"$WORK/$h.batch"
	done
	echo "addr add 10.9.7.$((i + 1))/32 dev card" >>"$WORK/s.batch"
	echo "xfrm policy add src 10.9.7.$((i + 1)) dst 10.9.0.1 dir out tmpl proto esp mode transport reqid 1" >>"$WORK/s.batch"
done
for h in a s; do on $h ip -batch "$WORK/$h.batch"; done

opened() { on a ip -s xfrm state list dst 10.9.0.1 | awk '/[0-9]\(packets\)/ { sum += $2 } END { print sum + 0 }'; }

bg a recorder "$HFCAP" --skip eth0 --snaplen 2000 --ready "$WORK/.recorder" "$WORK/sealed.pcap"
wait_for 5 test -e "$WORK/.recorder"
for ((i = 1; i <= SAS; i++)); do on s "$HFPROBE" flood 10.9.0.1 --src "10.9.7.$i" --count $EACH --size $SIZE --rate 1000 --strict >/dev/null; done
nap 1
stop recorder
check_eq "$(opened)" $((SAS * EACH)) "recorded packets that a opens"

# idle: ticks of both processors in which they had nothing to do.
idle() { awk '/^cpu[01] / { sum += $5 + $6 } END { print sum }' /proc/stat; }

# replay PPS: packets a second that a opens while the recording is sent at that rate (0: as fast as can be), and how many processors
# of the two were idle, into $OPENED and $IDLE.
replay() {
	local from=$(($(mono_ns) / 1000)) before took spare
	local pace=(--pps "$1")
	[ "$1" != 0 ] || pace=(--topspeed)
	before=$(opened)
	spare=$(idle)
	on s taskset -c 0 tcpreplay -q -i card --preload-pcap --loop 1000000 --duration $SECONDS_EACH "${pace[@]}" "$WORK/sealed.pcap" >"$WORK/replay.log" 2>&1 || fail "tcpreplay: $(<"$WORK/replay.log")"
	took=$(($(mono_ns) / 1000 - from))
	OPENED=$((($(opened) - before) * 1000000 / took))
	IDLE=$(awk -v n=$(($(idle) - spare)) -v us=$took -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", n / hz / (us / 1e6) }')
}

configure a clear 10.9.0.0/16
setting a agent 'shield = on'
setting a agent 'spread = off'
# agent_with on|off
agent_with() {
	[ ! -e "$WORK/agent-a.log" ] || stop agent-a
	on a sed -i "s/^spread = .*/spread = $1/" /etc/holdfast/holdfast.conf
	product a
	check_eq "$(on a "$HOLDFAST" status --json | jq -r .shield.spread_over)" $([ "$1" = on ] && echo 2 || echo 0) "processors when spread is $1"
	replay 1000 # what is cold is warm
}

agent_with off
replay 0
pps=$((OPENED * 2))
for ((r = 0; r < ROUNDS; r++)); do
	declare -A got=()
	for state in $( ((r % 2)) && echo on off || echo off on); do
		agent_with $state
		replay $pps
		got[$state]=$OPENED
		echo "$OPENED" >>"$WORK/samples.$state"
		echo "$IDLE" >>"$WORK/samples.$state.idle"
		echo "$state: $OPENED opened a second of $pps sent, $IDLE processors idle; $(grep -o 'Rated.*' "$WORK/replay.log")"
	done
	awk -v on="${got[on]}" -v off="${got[off]}" 'BEGIN { print on / off }' >>"$WORK/samples.ratio"
done
for name in off on ratio; do result "spread.$name" "$(summary <"$WORK/samples.$name")"; done
for state in off on; do result "spread.idle_$state" "$(summary <"$WORK/samples.$state.idle")"; done
result spread.pps $pps
