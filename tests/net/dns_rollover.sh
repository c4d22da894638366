#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 900
#
# A key roll-over in the DNS while traffic runs: the zone has the old key and the next one, then only the next; the host takes its next key in
# between. The peer notices before the record ends, makes new SAs with the next key first and lets the old ones go then: no datagram is lost,
# none is in clear, and the old key makes no new SA. Where the host does not use its next key the old SAs end, one life of the record later.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/directory.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a b
private_hosts a b
dns_world a b
neighbours a b
asks_dns a b
# The least time that a finding lives, in the reverse tree only.
sed -i 's/ IPSECKEY/ 60&/' "$DNS/10.in-addr.arpa.zone"
dns_drop fleet.lab IPSECKEY
dns_serve 10.in-addr.arpa fleet.lab
serve b
product a
product b

drop_key() { dns_drop 10.in-addr.arpa "${1//+/\\+}"; }
explains() { [[ $(on a "$HOLDFAST" explain "$(addr b)" | tr -s '[:space:]' ' ') == *"$1"* ]]; }
# The key that the SAs of a were made with, as `peers` tells it.
proved() { json "$(on a "$HOLDFAST" peers "$(addr b)" --json)" key; }

out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b: $out"
has_secure a 1 || fail "b is not secure: $(on a "$HOLDFAST" explain "$(addr b)")"
old=$(ipseckey_of b)
sas=$(spis_to a b)
first=$(proved)
[ -n "$first" ] || fail "peers does not tell the key: $(on a "$HOLDFAST" peers "$(addr b)" --json)"

capture_start
bg a stream "$HFPROBE" udp "$(addr b)" --count 1000000 --interval-ms 50 --wait-ms 30000 --strict

echo "-- the next key beside the old one: the SAs stay"
on b sh -c 'umask 077 && openssl genpkey -algorithm ed25519 -out /etc/holdfast/key.next'
next=$(on b openssl pkey -in /etc/holdfast/key.next -pubout -outform DER | tail -c 32 | base64)
dns_add 10.in-addr.arpa "$(rev4 "$(addr b)"). 60 IPSECKEY 10 0 4 . $next"
dns_serve 10.in-addr.arpa
wait_for 200 explains '2 keys in the reverse tree' || fail "the next key was not noticed: $(on a "$HOLDFAST" explain "$(addr b)")"
check_eq "$(spis_to a b)" "$sas" "SAs with both keys there"

echo "-- the next one alone, which the host has not taken yet: the old SAs go on for a while"
drop_key "${old##* }"
sed -i 's/ 60 IPSECKEY/ 120 IPSECKEY/' "$DNS/10.in-addr.arpa.zone" # time enough to take it
dns_serve 10.in-addr.arpa
wait_for 200 explains 'renewed: the key it proved is not among those' || fail "not noticed: $(on a "$HOLDFAST" explain "$(addr b)")"
check_eq "$(proved)" "$first" "the key of the SAs meanwhile"

echo "-- and now it takes it"
on b mv /etc/holdfast/key.next /etc/holdfast/key.pem
kill -HUP "$(pid_of agent-b)"
is_next() { [ "$(proved)" != "$first" ]; }
wait_for 100 is_next || fail "no SAs with the next key: $(on a "$HOLDFAST" explain "$(addr b)")"
wait_for 60 dns_says agent-a 'have taken the place of those of its last one' || fail "the old SAs stand: $(on a "$HOLDFAST" peers "$(addr b)")"
gone() { ! grep -qF "$sas" <<<"$(spis_to a b)"; }
wait_for 60 gone || fail "the old SAs stand: $(spis_to a b)"

enough stream
await stream 60
capture_stop
[ "$STOPPED_RC" = 0 ] || {
	for h in a b; do on $h sh -c 'cat /proc/net/xfrm_stat; nstat -asz | awk "\$2 > 0"'; done
	on a "$HOLDFAST" explain "$(addr b)"
	on b "$HOLDFAST" explain "$(addr a)"
	"$WIREJUDGE" --list "$WORK/wire.pcap" | awk '$4 == "esp"' | tail -n 400
	fail "datagrams were lost: $(<"$WORK/stream.log")"
}
ok "$(json "$(<"$WORK/stream.log")" sent) datagrams through the roll-over"
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0'

echo "-- a next key that the host does not use: the SAs end, and nothing leaves in clear"
capture_start
third=$(on b sh -c 'openssl genpkey -algorithm ed25519 -outform DER | openssl pkey -inform DER -pubout -outform DER | tail -c 32 | base64')
drop_key "$next"
dns_add 10.in-addr.arpa "$(rev4 "$(addr b)"). 60 IPSECKEY 10 0 4 . $third"
dns_serve 10.in-addr.arpa
wait_for 400 dns_says agent-a 'the peer has not used its next key in time' || fail "the SAs stand: $(on a "$HOLDFAST" explain "$(addr b)")"
out=$(on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 3000 2>&1) || true
check_eq "$(json "$out" received)" 0 "answers from b with a key that is not in the DNS"
has_secure a 0 || fail "a new SA with an old key: $(on a "$HOLDFAST" peers "$(addr b)")"
capture_stop
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0'
