#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A peer whose key is known seals packets for its own SA and writes another host's address as their source: they are not taken for
# that host's, which is private and has no SA. (The kernel finds an SA by destination and SPI alone.)
#
#     a 10.9.0.1, c 10.9.0.3 (uses a's keys) ---- [switch lan0] ---- b 10.9.0.2      a and b: the product itself
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c
neighbours a b
neighbours b c
private_hosts a b
pin a b
pin b a
for h in a b; do product "$h"; done
serve b --no-echo
for to in addr addr6; do on a "$HFPROBE" ping "$($to b)" --count 3 --strict >/dev/null; done
wait_for 15 has_secure b 2

# stolen FROM AS TO: a's outbound SA and policy as c would have them, further on in its sequence.
stolen() {
	on a ip xfrm state | awk -v from="$1" -v as="$2" -v to="$3" '
		$1 == "src" { ours = $2 == from && $4 == to }
		ours && $1 == "proto" { spi = $4 }
		ours && $1 == "aead" { aead = "\"" $2 "\" " $3 " " $4 }
		END {
			print "xfrm state add src " as " dst " to " proto esp spi " spi " mode transport reqid 7 flag esn replay-window 1 replay-oseq 100 replay-oseq-hi 0 aead " aead
			print "xfrm policy add src " as " dst " to " dir out tmpl proto esp reqid 7 mode transport"
		}'
}
opened() { on b ip -s xfrm state | awk -v from="$1" '$1 == "src" { ours = $2 == from } ours && /\(bytes\), / { n += $2 } END { print n + 0 }'; }
for to in addr addr6; do
	stolen "$($to a)" "$($to c)" "$($to b)" >"$WORK/stolen"
	on c ip -batch "$WORK/stolen"
	before=$(opened "$($to a)")
	on c "$HFPROBE" udp "$($to b)" --count 5 --wait-ms 300 >/dev/null
	check "$(opened "$($to a)")" -gt "$before" "packets that b could open"
done
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
check_eq "$(on b awk '$1 == "XfrmInStateMismatch" { print $2 }' /proc/net/xfrm_stat)" 10 "packets in another's name that b dropped"
stop serve-b
check_eq "$(grep -c received "$WORK/serve-b.log" || true)" 0 "delivered"
