#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 400
#
# What the programs cost a TCP stream. The same number of bytes each time, about half a second, programs off and on in turn
# on both hosts (off on, on off, ...). In the ESP rounds SAs and policies are made by hand, the same in every round, and the
# gate says SECURE; in the clear rounds the policy's group is `clear` and there is no XFRM. The ratio is the median of
# the ratios of neighbouring rounds, so that what else the machine does hurts both of a pair alike. Aim: ESP 0.97 or better.
#
# Not measured: the agent (it is not in the path), several streams, hardware. User-mode Linux has neither JIT nor AES
# instructions: programs and ciphers both cost many times what they cost on a real kernel.
#
#     a 10.9.0.1 ===ESP=== b 10.9.0.2       c 10.9.0.3 ---clear--- d 10.9.0.4
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 esp6 bpf_tc ringbuf

ROUNDS_ESP=${LAB_ROUNDS:-40} BYTES_ESP=20000000
ROUNDS_CLEAR=${LAB_ROUNDS:-20} BYTES_CLEAR=300000000

lan a b c d
esp_static a b
serve b
serve d
bg a gate-a "$B/tests/bench/bench_attach" eth0 "$(addr a)" "$(addr b)"
bg b gate-b "$B/tests/bench/bench_attach" eth0 "$(addr b)" "$(addr a)"
bg c gate-c "$B/tests/bench/bench_attach" eth0
bg d gate-d "$B/tests/bench/bench_attach" eth0
for h in a b c d; do wait_for 20 grep -q off "$WORK/gate-$h.log"; done

switched() { [ "$(tail -n 1 "$WORK/gate-$1.log")" = "$2" ]; }

# programs on|off HOST...
programs() {
	local to=$1 h
	shift
	for h; do
		! switched "$h" "$to" || continue
		kill -USR1 "$(pid_of "gate-$h")"
		wait_for 5 switched "$h" "$to"
	done
}

stream() { # FROM TO BYTES
	local out
	out=$(on "$1" "$HFPROBE" stream "$(addr "$2")" --bytes "$3" --wait-ms 20000 --strict) || fail "stream $1 $2: $out" >&2
	json "$out" mbit_s
}

# alternate NAME FROM TO ROUNDS BYTES: files NAME.off, NAME.on and NAME.ratio, one number a round.
alternate() {
	local name=$1 from=$2 to=$3 rounds=$4 bytes=$5 i state order
	local -A got=()
	on "$from" "$HFPROBE" ping "$(addr "$to")" >/dev/null # neighbours, and the ciphers' modules
	stream "$from" "$to" "$bytes" >/dev/null
	for ((i = 0; i < rounds; i++)); do
		order='off on'
		((i % 2)) && order='on off'
		for state in $order; do
			programs "$state" "$from" "$to"
			got[$state]=$(stream "$from" "$to" "$bytes")
			echo "${got[$state]}" >>"$WORK/$name.$state"
		done
		awk -v on="${got[on]}" -v off="${got[off]}" 'BEGIN { print on / off }' >>"$WORK/$name.ratio"
	done
	programs off "$from" "$to"
	for state in off on ratio; do result "throughput.$name.$state" "$(summary <"$WORK/$name.$state")"; done
}

alternate esp a b "$ROUNDS_ESP" "$BYTES_ESP"
alternate clear c d "$ROUNDS_CLEAR" "$BYTES_CLEAR"

# The rounds measured what they say: sealed or clear, half of them through the programs.
sealed=$(on a ip -s xfrm state list src "$(addr a)" dst "$(addr b)" | awk '/[0-9]\(packets\)/ { print $2 + 0; exit }')
for h in a c; do stop "gate-$h"; done
read -r _ esp _ < <(tail -n 1 "$WORK/gate-a.log")
read -r _ _ clear < <(tail -n 1 "$WORK/gate-c.log")
check "$esp" -gt 1000 "sealed packets through the programs"
check "$sealed" -gt $((esp + 1000)) "sealed packets"
check "$clear" -gt 1000 "clear packets through the programs"
