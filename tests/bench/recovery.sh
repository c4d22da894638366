#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 1500
#
# A peer reboots while a sends to it without pause, a datagram every 5 ms: how long after b's agent is up again until it answers, and
# how many datagrams are lost from then on. What was lost while b was away is not counted: that is the reboot's own time.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2      the product, a private to b
#
# told:    b's group has it begin, so ESP that it cannot open makes it begin (report_unreadable in bpf/ingress.bpf.c)
# untold:  b's group is clear-or-private, which leaves it to the other, so nothing is made of such ESP. a finds out by itself: 30 s of
#          silence, the 10 s of the reboot among them, then a question, which the new agent answers with its crash token (RFC 6290)
#
# The other side is the same in both, and b's memory of peers goes with the reboot, or what it remembers of a would have it begin as well.
# set_up is what there is to compare with: a datagram's answer when neither has SAs, everything between included. Aim: that and a round trip.
# b, which begins here, has nothing to send: it says with a message of its own that it reads, which a waits to hear (docs/DESIGN.md, order
# of installation).
#
# User-mode Linux frees BPF programs for seconds, and what ESP carried waits meanwhile: the reboot lasts until that is over.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 bpf_tc ringbuf

ROUNDS=${LAB_ROUNDS:-5} AWAY=10 INTERVAL_MS=5

lan a b
neighbours a b
private_hosts a b
pin a b
pin b a
serve b
mkfifo "$WORK/says"
exec {SAYS}<>"$WORK/says"

# agent_of_b GROUP: with a in that group. In $UP when it was up, by the clock of the capture; without a process, which takes 20 ms here.
agent_of_b() {
	local line=
	on b sh -c 'rm -f /etc/holdfast/policies/* /etc/holdfast/state/known.db*'
	configure b "$1" 10.9.0.0/24 fd09::/64
	while read -r -t 0.01 -u "$SAYS"; do :; done # what the one before said
	bg b agent-b sh -c 'exec "$1" run --foreground >"$2" 2>&1' sh "$HOLDFAST" "$WORK/says"
	until [[ $line == *'is running'* ]]; do
		read -r -t 60 -u "$SAYS" line || fail "the agent of b did not start: $line"
	done
	UP=${EPOCHREALTIME/./}000
}

answered() { on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 1000 --strict; }
has_none() { [[ $(on "$1" "$HOLDFAST" peers "$2" 2>&1) != *secure* ]]; }

# set_up: a sample of what both must do when neither has SAs, in microseconds.
set_up() {
	on a "$HOLDFAST" forget "$(addr b)" >/dev/null
	on b "$HOLDFAST" forget "$(addr a)" >/dev/null
	wait_for 10 has_none a "$(addr b)"
	wait_for 10 has_none b "$(addr a)"
	json "$(on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 20000 --strict)" first_reply_us >>"$WORK/samples.set_up"
}

# reboot NAME GROUP
reboot() {
	local name=$1 group=$2 out
	wait_for 60 answered
	# What is as young as that counts as crossing, not as of before, and no host boots faster.
	sleep 6
	bg a traffic "$HFPROBE" udp "$(addr b)" --count 4000000 --interval-ms $INTERVAL_MS --wait-ms 5000
	nap 1
	stop agent-b KILL
	on b "$HOLDFAST" unload
	[ -z "$(on b ip xfrm state)" ] || fail "SAs of b outlive its reboot"
	nap $AWAY
	capture_start --snaplen 128
	nap 0.2
	agent_of_b "$group"
	wait_for 120 has_secure b 1 || fail "$name: the pair does not work again: $(on a "$HOLDFAST" explain "$(addr b)")"
	nap 1
	enough traffic
	await traffic 60
	capture_stop >/dev/null
	out=$(<"$WORK/traffic.log")
	UP=$((UP + $(awk '$1 == "mono_minus_real_ns" { print $2 }' "$WORK/wire.pcap.stats")))
	# The SA of before is that of the capture's first ESP from a; what came with it after b was up is lost.
	"$WIREJUDGE" --list "$WORK/wire.pcap" | awk -v a="$(addr a)" -v up=$UP '
		$4 != "esp" { next }
		$2 == a && old == "" { old = $9 }
		$1 < up { next }
		$2 == a { lost += $9 == old; next }
		!answered { answered = $1 }
		END { printf "%.3f %d\n", (answered - up) / 1e6, lost; exit !answered || old == "" }' >"$WORK/sample" ||
		fail "$name: no answer in the capture: $out"
	cut -d' ' -f1 "$WORK/sample" >>"$WORK/samples.$name.ms"
	cut -d' ' -f2 "$WORK/sample" >>"$WORK/samples.$name.lost"
	json "$out" p50_us >>"$WORK/samples.round_trip"
	echo "$name: $(<"$WORK/sample") $out"
}

product a
agent_of_b private
wait_for 60 answered
set_up # once beforehand: ciphers are loaded
rm "$WORK/samples.set_up"
for ((r = 0; r < ROUNDS; r++)); do
	reboot told private
	set_up
	reboot untold clear-or-private
	set_up
done
for name in told untold; do
	result "recovery.$name.ms" "$(summary <"$WORK/samples.$name.ms")"
	result "recovery.$name.lost" "$(summary <"$WORK/samples.$name.lost")"
done
result recovery.set_up_ms "$(summary 1e3 <"$WORK/samples.set_up")"
result recovery.round_trip_ms "$(summary 1e3 <"$WORK/samples.round_trip")"
result recovery.interval_ms $INTERVAL_MS
result recovery.away_s $AWAY
