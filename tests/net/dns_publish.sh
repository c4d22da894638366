#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 240
#
# What `holdfast publish` prints, loaded unchanged into the zones, is what makes others find the host; `holdfast lookup` tells the whole
# way, good and bad; `init` prints the same.
#
#     a 10.9.0.1, b 10.9.0.2 ---- [switch lan0] ---- name servers, resolver 10.9.0.6
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ldns-signzone cmd:jq

lan a b
dns_world a b # no keys yet
private_hosts a b
neighbours a b
asks_dns a b

# looked ADDRESS|NAME [NAME] JQ-FILTER: what `lookup` at a makes of it.
looked() {
	on a "$HOLDFAST" lookup "${@:1:$#-1}" --json >"$WORK/looked" || [ $? = 1 ] # 1: no key
	jq -r "${!#}" "$WORK/looked"
}

! on a "$HOLDFAST" lookup "$(addr b)" >"$WORK/none" || fail "a key before it was published: $(cat "$WORK/none")"
check_eq "$(looked "$(addr b)" '.addresses[0].outcome')" 'no key' 'before anything is published'
check_eq "$(looked "$(addr b)" '[.addresses[0].questions[] | .type + " " + .security] | join(", ")')" \
	'IPSECKEY secure, PTR secure, A secure, IPSECKEY secure' 'questions, and how they were answered'

for h in a b; do
	on $h "$HOLDFAST" publish $h.fleet.lab >"$WORK/$h.records"
	check_eq "$(on $h "$HOLDFAST" publish $h.fleet.lab --nsupdate | sed -n 's/^update add //p')" "$(cat "$WORK/$h.records")" "the script of $h"
	check_eq "$(on $h "$HOLDFAST" init --json | jq -r '.ipseckey[]' | sort)" \
		"$(grep 'arpa\.' "$WORK/$h.records" | sed 's/ 3600 / /' | sort)" "init at $h"
	while read -r line; do
		dns_above "${line%%. *}"
		dns_add "$REPLY" "$line"
	done <"$WORK/$h.records"
done
check_eq "$(wc -l <"$WORK/b.records")" 3 'records of b'
dns_serve

for to in "$(addr b)" "$(addr6 b)" b.fleet.lab; do
	check_eq "$(looked "$to" '[.addresses[] | .trust + " " + .keys[]] | unique | join(", ")')" "dnssec-reverse $(public_key b)" "$to"
done
dns_is_seen a "$(rev4 "$(addr b)")" IPSECKEY secure
serve b
product a
product b
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b: $out; $(on a "$HOLDFAST" explain "$(addr b)")"
has_secure a 1 || fail "not secure: $(on a "$HOLDFAST" peers)"
ok "b is found by what it printed"

# By its name only: the reverse tree has no more than that.
for h in a b; do
	dns_drop 10.in-addr.arpa "IPSECKEY"
	dns_drop 9.0.d.f.ip6.arpa "IPSECKEY"
done
dns_serve 10.in-addr.arpa 9.0.d.f.ip6.arpa
check_eq "$(looked "$(addr b)" '.addresses[0].trust + " " + .addresses[0].host')" 'dnssec-forward b.fleet.lab' "$(addr b) by its name"
dns_drop 10.in-addr.arpa " PTR b"
dns_serve 10.in-addr.arpa
check_eq "$(looked "$(addr b)" '.addresses[0].outcome')" 'no key' 'no name in the reverse tree'
check_eq "$(looked "$(addr b)" b.fleet.lab '.addresses[0].trust')" opportunistic 'a name that was only said'
dns_break fleet.lab b.fleet.lab IPSECKEY
! on a "$HOLDFAST" lookup "$(addr6 b)" >"$WORK/broken" || fail "a key with a broken signature: $(cat "$WORK/broken")"
[[ $(tr -s '[:space:]' ' ' <"$WORK/broken") == *'bogus: '*'trust: none'* ]] || fail "a broken signature: $(cat "$WORK/broken")"
ok "a broken signature is told"
