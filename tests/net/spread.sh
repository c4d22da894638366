#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 60
#
# spread = on: ESP and ESP in UDP are handed to the processors by SPI. Everything arrives, once and in order, from several peers at a
# time, in both families; each SA's packets go one way, and what is not ESP stays where it is.
#
#     a 10.9.0.1, shield and spread ---- [switch lan0] ---- b .2 c .3 d .4     private to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf smp cmd:bpftool

lan a b c d
for h in b c d; do neighbours a $h; done
private_hosts a b c d
for h in b c d; do
	pin a $h
	pin $h a
done
setting a agent 'shield = on'
setting a agent 'spread = on'
serve a
for h in a b c d; do product $h; done
grep -q "ESP is spread over $(nproc) processors" "$WORK/agent-a.log" || fail "not spread: $(<"$WORK/agent-a.log")"
spread() {
	local all
	all=$(on a "$HOLDFAST" status --json) && all=${all//[[:space:]]/}
	json "${all#*\"shield\":}" "$1"
}
check_eq "$(spread spread_over)" "$(nproc)" "processors"
before=$(spread esp_spread)
for f in addr addr6; do
	for h in b c d; do bg $h "udp-$h" "$HFPROBE" udp "$($f a)" --count 200 --rate 200 --wait-ms 30000 --strict; done
	for h in b c d; do
		await "udp-$h" 60
		check_eq "$STOPPED_RC" 0 "$h, $f: nothing lost, twice or out of order"
		on $h "$HFPROBE" tcp "$($f a)" --count 2 --bytes 100000 --strict >/dev/null
	done
done
check $(($(spread esp_spread) - before)) -ge 1200 "ESP packets handed to a processor"

# The programs' processors go with it: off at the next start.
stop agent-a
on a sed -i 's/spread = on/spread = off/' /etc/holdfast/holdfast.conf
product a
check_eq "$(spread spread_over)" 0 "processors when it is off"
before=$(spread esp_spread)
on b "$HFPROBE" udp "$(addr a)" --count 20 --wait-ms 30000 --strict >/dev/null
check_eq "$(spread esp_spread)" "$before" "ESP handed on when it is off"
