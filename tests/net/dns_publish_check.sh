#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 240
#
# `holdfast publish --check` says whether others see a host's records, and of each what is missing: not published, another key, a zone
# without DS, without keys, a broken signature, no reverse zone at all.
#
#     b 10.9.0.1, 172.20.0.9 ---- [switch lan0] ---- name servers, resolver 10.9.0.5
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge cmd:ldns-signzone cmd:jq

lan b
dns_world b # its addresses and names, no key yet
host_key b
asks_dns b

# checked CODE STATES: the exit code, and the state of each record and each address by name, in order.
checked() {
	local rc=0
	on b "$HOLDFAST" publish b.fleet.lab --check --json >"$WORK/checked" || rc=$?
	check_eq "$rc $(jq -r '[.checks[].state] | join(" ")' "$WORK/checked")" "$*" "$WHAT"
}
# says TEXT: one of the sentences has it.
says() { jq -r '.checks[].text' "$WORK/checked" | grep -F -- "$1" >/dev/null || fail "$WHAT: no \"$1\" in $(cat "$WORK/checked")"; }

WHAT='nothing published'
checked 1 missing missing missing
says 'the name is there, without a key'

WHAT='all published'
on b "$HOLDFAST" publish b.fleet.lab >"$WORK/records"
while read -r line; do
	dns_above "${line%%. *}"
	dns_add "$REPLY" "$line"
done <"$WORK/records"
dns_serve
checked 0 good good good good good
on b "$HOLDFAST" publish b.fleet.lab --check >"$WORK/text"
grep -q 'Others can find each address' "$WORK/text" || fail "as text: $(cat "$WORK/text")"

WHAT='no DS of one reverse zone'
dns_words 10.in-addr.arpa nods
dns_serve . 10.in-addr.arpa
checked 1 unsigned good good unconfirmed good
says 'no DS of zone 10.in-addr.arpa. in the zone above'
WHAT='one reverse zone not signed'
dns_words 10.in-addr.arpa unsigned
dns_serve . 10.in-addr.arpa
checked 1 unsigned good good unconfirmed good
says 'zone 10.in-addr.arpa. has no keys'
dns_words 10.in-addr.arpa
dns_serve . 10.in-addr.arpa

WHAT='a broken signature, found by name all the same'
dns_break 10.in-addr.arpa "$(rev4 "$(addr b)")" IPSECKEY
checked 0 bogus good good good good
dns_serve 10.in-addr.arpa

WHAT='a new key that was not published'
on b openssl genpkey -algorithm ed25519 -out /etc/holdfast/key.pem
checked 1 stale stale stale
says "1 other key is there, not this host's"
WHAT='beside the old one'
dns_add fleet.lab "$(on b "$HOLDFAST" publish b.fleet.lab | grep '^b.fleet.lab')"
dns_serve fleet.lab
checked 0 stale stale good good good
says 'beside 1 other key'

WHAT='an address without reverse zone'
on b ip addr add 172.20.0.9/32 dev eth0
rc=0
on b "$HOLDFAST" publish b.fleet.lab --check --json >"$WORK/checked" || rc=$?
check_eq "$rc" 1 "$WHAT"
says 'no reverse zone'
says 'A record of b.fleet.lab. lacks it'

WHAT='nobody answers'
stop resolver
rc=0
on b "$HOLDFAST" publish b.fleet.lab --check >"$WORK/text" || rc=$?
check_eq "$rc" 1 "$WHAT"
grep -q 'nobody answers' "$WORK/text" || fail "$WHAT: $(cat "$WORK/text")"
