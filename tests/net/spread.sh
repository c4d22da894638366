#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 60
#
# spread = on, in the driver of a network card: ESP is handed to the processors by SPI, and all of it arrives, once and in order, in both
# families at a time. Off at the next start. Of an interface whose driver does not run the program it is said that ESP is not
# spread there.
#
#     a card 10.9.0.1, fd09::1, shield and spread ---- card s 10.9.0.2, fd09::2     private to each other
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf smp cards cmd:jq

lan a s
card a 10.8.0.1
card s 10.8.0.2
for h in a s; do
	on $h ip addr flush dev eth0
	on $h ip addr add "$(addr $h)/24" dev card
	on $h ip addr add "$(addr6 $h)/64" dev card nodad
done
neighbours a s
private_hosts a s
pin a s
pin s a
setting a agent 'shield = on'
setting a agent 'spread = on'
serve a
shield() { on a "$HOLDFAST" status --json | jq -r ".shield.$1"; }
both_families() {
	for f in addr addr6; do on s "$HFPROBE" ping "$($f a)" --count 3 --wait-ms 30000 --strict >/dev/null; done
	for f in addr addr6; do bg s "udp-$f" "$HFPROBE" udp "$($f a)" --count 200 --wait-ms 30000 --strict; done
	for f in addr addr6; do
		await "udp-$f" 60
		check_eq "$STOPPED_RC" 0 "$f: nothing lost, twice or out of order"
		on s "$HFPROBE" tcp "$($f a)" --count 2 --bytes 100000 --strict >/dev/null
	done
}

product s
product a
grep -q "ESP is spread over $(nproc) processors" "$WORK/agent-a.log" || fail "not spread: $(<"$WORK/agent-a.log")"
grep -q 'eth0: ESP is not spread over processors there: its driver' "$WORK/agent-a.log" || fail "eth0: not said"
check_eq "$(shield interfaces.card)" native "the shield"
check_eq "$(shield spread_over)" "$(nproc)" "processors"
both_families
check "$(shield messages.esp_spread)" -ge 400 "ESP packets handed to a processor"

stop agent-a
on a sed -i 's/spread = on/spread = off/' /etc/holdfast/holdfast.conf
product a
check_eq "$(shield spread_over)" 0 "processors when it is off"
before=$(shield messages.esp_spread)
both_families
check_eq "$(shield messages.esp_spread)" "$before" "ESP handed on when it is off"
