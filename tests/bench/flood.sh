#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: foreign
# LAB-TIMEOUT: 1200
#
# A flood of IKE_SA_INIT requests from forged addresses, on a veth of the machine's own kernel, with all its processors; beside it newcomers
# at a steady pace, each with an address of its own. Three responders in turn, in the same run, against the same flood and newcomers:
#
#     a  the engine with the shield in front, fed by daemon/doorkeeper.c, as with `shield = on`
#     b  the engine alone
#     c  strongSwan as Debian has it, with its own thresholds
#     n  the newcomers: IKE_SA_INIT, IKE_AUTH, established at both ends, DELETE
#     s  the strangers: 65,536 sites, at 10,000/s, at 100,000/s, and as fast as they can be sent
#
# It needs no ESP, which this kernel may not have: a and b are ikepeer, whose SAs stay out of the kernel, and c keeps its own in its
# process (kernel-libipsec), so it makes a route for each and forces ESP in UDP, which costs it something that the kernel's ESP would not.
#
# The strangers have processor 0, and what receives for them works there as well (a veth delivers where it was sent): the shield's work
# is done on the attacker's processor, as on a network card it would be on the card's interrupt. Responder and newcomers have processor 1. So the
# processor time of a responder is that of its process alone; `busy` is what each processor did in all.
#
# For each rate the strangers come alone first, when the shield is down (a short run does not wait for that): what the responder's process
# uses then is the flood's, and so is what its memory grows by. `handled` is what the shield judged, or what was read from the socket.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/foreign.sh"
. "$(dirname "$0")/../net/ikepeer.sh"
. "$(dirname "$0")/stat.sh"
need bridge smp bpf_tc ringbuf tun

RATES='10000 100000 0' PACE=200 SECONDS_EACH=20
((${LAB_ROUNDS:-20} >= 5)) || SECONDS_EACH=3

lan a b c n s
many_addrs n
many_lanes a b c n s
for h in a b c; do
	neighbours "$h" n >/dev/null
	neighbours "$h" s >/dev/null
	# Answers to forged addresses leave, as on a host with a default route.
	on "$h" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
	on "$h" ip route add default via "$(addr s)"
	make_key "$h" ed25519
done
make_key n ed25519

engine() { # HOST [OPTIONS]
	local h=$1
	shift
	ikepeer "$h" --key "$WORK/$h.pem" --peer-key "$WORK/n.pub" --peer-id n.lab --respond --no-kernel --quiet --sas-max 16384 "$@"
}

strongswan_in_user_space() {
	charon c 1 '
		load = random nonce openssl pem pkcs1 pkcs8 pubkey kdf kernel-libipsec kernel-netlink socket-default vici
		plugins {
			kernel-libipsec {
				allow_peer_ts = yes
			}
			# The routes that it makes are not for IKE.
			kernel-netlink {
				fwmark = !0x42
			}
			socket-default {
				fwmark = 0x42
			}
		}'
	strongswan_load c n mode=tunnel remote=%any esp=aes256gcm16-noesn
}

newcomers() { # RESPONDER
	ikepeer n --key "$WORK/n.pem" --peer-key "$WORK/$1.pub" --peer-id "$1.lab" --no-kernel --quiet --sas-max 16384 \
		--connect "$(addr "$1")" --load $PACE --from "$(many_first n)"
	taskset -acp 1 "$(pid_of ike-n)" >/dev/null
}

# ---- what can be read off, without a process where it is read under the flood

# ticks NAME: processor time of a process, in ticks of 10 ms.
ticks() {
	local stat
	read -r stat <"/proc/$(pid_of "$1")/stat"
	read -r -a stat <<<"${stat##*) }"
	echo $((stat[11] + stat[12]))
}

rss() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(pid_of "$1")/status"; }

# processors: of each, ticks busy and ticks in all.
processors() { awk '/^cpu[01] / { idle = $5 + $6; busy = $2 + $3 + $4 + $7 + $8 + $9; print busy, busy + idle }' /proc/stat; }
busy_since() { processors | paste "$1" - | awk '{ printf "%s%.0f", (NR > 1) ? "," : "[", 100 * ($3 - $1) / ($4 - $2) } END { print "]" }'; }

# shield KEY: of a's.
shield() {
	local before
	before=$(heard a ^SHIELD)
	tell a counts
	hears a ^SHIELD $((before + 1))
	json "$(grep ^SHIELD "$WORK/ike-a.log" | tail -n 1)" "$1"
}
shield_is_down() { [ "$(shield up)" = 0 ]; }

# handled HOST: IKE requests by then.
handled() {
	if [ "$1" = a ]; then
		shield init
	else
		awk '/^Udp: [0-9]/ { print $2 }' "/proc/${LAB_PID[$1]}/net/snmp"
	fi
}

# newcomers_for SECONDS: how many came through, each second, in $CAME.
newcomers_for() {
	local before from
	before=$(number n load_up) from=${EPOCHREALTIME/./}
	nap "$1"
	CAME=$((($(number n load_up) - before) * 100000000 / (${EPOCHREALTIME/./} - from)))
	CAME=$((CAME / 100)).$(printf %02d $((CAME % 100)))
}

# ---- one responder

measure() { # NAME HOST PROCESS
	local name=$1 h=$2 process=$3 rate asked cpu memory before out alone=$((SECONDS_EACH / 2 + 1))
	taskset -acp 1 "$(pid_of "$process")" >/dev/null
	newcomers "$h"
	nap 2
	newcomers_for $alone
	result "flood.$name.before" "$CAME"
	for rate in $RATES; do
		tell n load 0
		nap 1
		# Half-open SAs go after 30 s, the engine's demand 10 s later.
		[ "$h" != a ] || ((SECONDS_EACH < 20)) || wait_for 90 shield_is_down
		asked=()
		((rate == 0)) || asked=(--rate "$rate")
		before=$(handled "$h")
		cpu=$(ticks "$process") memory=$(rss "$process")
		bg s flood taskset -c 0 "$HFPROBE" strangers "$(addr "$h")" --src 11.0.0.1 --hosts 65536 --count 4000000000 "${asked[@]}"
		nap $alone
		cpu=$(($(ticks "$process") - cpu)) memory=$(($(rss "$process") - memory))
		tell n load $PACE
		nap 0.5
		processors >"$WORK/processors"
		newcomers_for $SECONDS_EACH
		out=$(busy_since "$WORK/processors")
		stop flood
		result "flood.$name.at_$rate" "$(jq -c --argjson during "$CAME" --argjson handled $(($(handled "$h") - before)) \
			--argjson cpu $cpu --argjson alone $alone --argjson memory $memory --argjson busy "$out" \
			'{during: $during, offered: (.sent / .seconds), handled: ($handled / .seconds), cpu_percent: ($cpu / $alone),
			rss_grown_kb: $memory, busy_percent: $busy}' "$WORK/flood.log")"
	done
	nap 1
	newcomers_for $alone
	result "flood.$name.after" "$CAME"
	result "flood.$name.newcomers_failed" "$(number n load_failed)"
	# Without a word: to take leave of all peers is nobody's figure here.
	stop ike-n KILL
	stop "$process" KILL
}

engine a --shield eth0
on a ip link show eth0 | grep xdpgeneric >/dev/null || fail "no shield"
measure shield a ike-a
engine b
measure bare b ike-b
strongswan_in_user_space
measure strongswan c charon-c
result flood.pace "$PACE"
result flood.seconds "$SECONDS_EACH"
