#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 600
#
# A key from the DNS lives as long as its record: it is asked for again when that ends. Nobody answering ends nothing, and opens nothing. A
# proof that the key is gone ends its SAs, and what was remembered of the host with them: its prefix's group decides again.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a b
for h in a b; do
	host_key "$h"
	configure "$h" private-or-clear "$(addr a)" "$(addr b)"
done
dns_world a b
neighbours a b
# The least time that a finding lives.
sed -i 's/ IPSECKEY/ 60&/' "$DNS/10.in-addr.arpa.zone"
# And only there: the name's would be found when this one is gone.
dns_drop fleet.lab IPSECKEY
dns_serve 10.in-addr.arpa fleet.lab
asks_dns a b
serve b
product a
product b

out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b: $out"
has_secure a 1 || fail "b is not secure: $(on a "$HOLDFAST" explain "$(addr b)")"
check_eq "$(json "$(status_of a)" known)" 1 "known peers of a"
sas=$(spis_to a b)

echo "-- nobody answers, for longer than the record lives"
dns_silent ns-zone
dns_forget
asks() { [[ $(on a "$HOLDFAST" explain "$(addr b)" | tr -s '[:space:]' ' ') == *'could not be asked'* ]]; }
wait_for 150 asks || fail "it was not asked again: $(on a "$HOLDFAST" explain "$(addr b)")"
check_eq "$(spis_to a b)" "$sas" "SAs while nobody answers"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b, sealed: $out"
echo "-- nor is it reached in clear without an SA"
capture_start
stop agent-b
on b "$HOLDFAST" unload >/dev/null
stop agent-a
on a ip xfrm state flush
on a ip xfrm policy flush
product a
out=$(on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 8000 2>&1) || true
check_eq "$(json "$out" received)" 0 "answers from b, known and not to be asked for"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0'

echo "-- it comes back, and then withdraws its key"
dns_awake ns-zone
product b
secured() { on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 2000 >/dev/null 2>&1; has_secure a 1; }
wait_for 150 secured || fail "not secure again: $(on a "$HOLDFAST" explain "$(addr b)")"
dns_drop 10.in-addr.arpa "^$(rev4 "$(addr b)")"
dns_serve 10.in-addr.arpa
ended() { has_secure a 0; }
wait_for 150 ended || fail "the SAs stand: $(on a "$HOLDFAST" explain "$(addr b)")"
[[ $(on a "$HOLDFAST" explain "$(addr b)" | tr -s '[:space:]' ' ') == *'withdrawn: the key it proved is over: DNSSEC: proved that'* ]] ||
	fail "explain: $(on a "$HOLDFAST" explain "$(addr b)")"
stop agent-b
on b "$HOLDFAST" unload >/dev/null
in_clear() { on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 2000 --strict >/dev/null 2>&1; }
wait_for 60 in_clear || fail "not in clear: $(on a "$HOLDFAST" explain "$(addr b)")"
check_eq "$(json "$(status_of a)" known)" 0 "known peers of a"
