#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 800
#
# What the DNS can answer beside a good key, for a host in private-or-clear: what is forged or malformed is never reached in clear; a proved "no key" is,
# and so is what nobody proves and nobody remembers. Each time `explain` says why.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, 10.9.0.101 - .119, 10.9.1.1, 10.9.2.1 - .2, 10.9.3.1, no agent; name servers, resolver
#
# Servers that do not answer as they should are dns_bad_server's.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 bpf_tc ringbuf cmd:ldns-signzone

lan a b
host_key a
host_key b
for i in 0.{101..119} 1.1 2.1 2.2 3.1; do on b ip addr add "10.9.$i/16" dev eth0; done
on a ip route add 10.9.0.0/16 dev eth0
dns_world a
neighbours a b
configure a private-or-clear 10.9.0.0/16
asks_dns a
serve b

key=$(ipseckey_of b)
rev() { rev4 "10.9.${1/#[0-9][0-9][0-9]/0.&}"; }
long=$(printf 'x%.0s' {1..63})

# What one zone can hold.
dns_add 10.in-addr.arpa "$(rev 101). $key" "$(rev 103). TXT nothing"
dns_add 10.in-addr.arpa "$(rev 104). IPSECKEY 10 1 4 192.0.2.9 ${key##* }"
dns_add 10.in-addr.arpa "$(rev 105). IPSECKEY 10 0 4 . AAAA"
dns_add 10.in-addr.arpa "$(rev 106). TYPE45 \\# 7 0A0063 01020304"
# keys N COUNT: so many keys.
keys() { awk -v name="$(rev "$1")" -v count="$2" 'BEGIN { for (; i < count; i++) printf "%s. IPSECKEY 10 0 4 . %042dA=\n", name, i }'; }
{ keys 107 200 && keys 115 1000 && keys 118 1350 && keys 116 5; } >>"$DNS/10.in-addr.arpa.zone"
# A good key among seven of an algorithm of the future, in an answer of more than 50 KB.
dns_add 10.in-addr.arpa "$(rev 117). $key"
awk -v name="$(rev 117)" 'BEGIN {
	for (; i < 7; i++) {
		printf "%s. IPSECKEY 10 0 99 . %04d", name, i
		for (j = 0; j < 2500; j++) printf "AAAA"
		print ""
	}
}' >>"$DNS/10.in-addr.arpa.zone"
# The longest labels, and octets that no terminal should see.
dns_add 10.in-addr.arpa "$(rev 119). PTR \\027[2J\\127\\255.$long.$long.fleet.lab."
dns_add fleet.lab "\\027[2J\\127\\255.$long.$long A 10.9.0.119" "\\027[2J\\127\\255.$long.$long $key"
dns_add 10.in-addr.arpa "$(rev 108). CNAME b.delegated.fleet.lab." "$(rev 109). CNAME loop.fleet.lab."
dns_add fleet.lab 'loop CNAME loop2' 'loop2 CNAME loop' "b.delegated $key"
dns_serve fleet.lab
dns_break 10.in-addr.arpa "$(rev 101)" IPSECKEY
# Zones in which what is not there is proved by NSEC3, or not at all: with opt-out, and without signatures.
dns_zone 3.9.10.in-addr.arpa nsec3
dns_zone 1.9.10.in-addr.arpa nsec3 optout
dns_zone 2.9.10.in-addr.arpa unsigned
dns_add 2.9.10.in-addr.arpa "$(rev 2.1). TXT nothing"
dns_serve 1.9.10.in-addr.arpa 2.9.10.in-addr.arpa
# And what a zone is as a whole: each of these addresses has one of its own.
for i in 110 111 112 113 114; do
	words=
	[ "$i" != 110 ] || words=nods
	# shellcheck disable=SC2086
	dns_zone "$(rev $i)" $words
	[ "$i" = 114 ] || dns_add "$(rev $i)" "@ $key"
	dns_serve "$(rev $i)"
done
dns_break 10.in-addr.arpa "$(rev 101)" IPSECKEY
dns_window "$(rev 111)" '-3 days' '-1 day'
dns_window "$(rev 112)" '+1 day' '+3 days'
dns_stranger "$(rev 113)"
dns_unproved "$(rev 114)"

product a
capture_start

# meets N closed|clear WORDS: a datagram to 10.9.0.N is not answered and nothing of it is on the wire, or it is answered; explain has the words.
closed=()
meets() {
	local to out
	to=10.9.${1/#[0-9][0-9][0-9]/0.&}
	out=$(on a "$HFPROBE" udp "$to" --count 1 --wait-ms "$([ "$2" = clear ] && echo 20000 || echo 3000)" 2>&1) || true
	check_eq "$(json "$out" received)" "$([ "$2" = clear ] && echo 1 || echo 0)" "answers from $to ($3)"
	[ "$2" = clear ] || closed+=("$to")
	out=$(on a "$HOLDFAST" explain "$to" | tr -s '[:space:]' ' ')
	[[ $out == *"$3"* ]] || fail "explain $to does not say \"$3\": $out"
	[ "$2" = clear ] || [[ $out == *'they are dropped and their senders are told'* ]] || fail "explain foretells something else: $out"
	ok "$to: $2, $3"
}

meets 101 closed 'IPSECKEY in the reverse tree is bogus: '
meets 102 clear 'proved that the reverse tree has no key of it'
meets 103 clear 'proved that the reverse tree has no key of it'
meets 104 clear 'its gateway, 192.0.2.9'
meets 105 closed 'has a wrong record: its EdDSA key has 3 octets'
meets 106 clear 'its key is of algorithm 99 (unknown)'
meets 107 closed 'there are 200 records, and a name may have 8'
meets 115 closed 'there are 1000 records, and a name may have 8'
meets 3.1 clear 'proved that the reverse tree has no key of it'
# Nearly the 64 KB that any answer can have.
meets 118 closed 'there are 1350 records, and a name may have 8'
meets 1.1 clear 'no key in the reverse tree, but nobody signs there'
meets 2.1 clear 'no key in the reverse tree, but nobody signs there'
meets 2.2 clear 'no key in the reverse tree, but nobody signs there'
meets 109 clear 'the reverse tree could not be asked for its key'
meets 110 clear '1 key in the reverse tree, not signed'
meets 111 closed 'signature expired'
meets 112 closed 'signature before inception date'
meets 113 closed 'is bogus'
meets 114 closed 'is bogus'

echo "-- RFC 2317: the key is behind a CNAME, and only its owner's address is reached with it"
on a "$HFPROBE" udp 10.9.0.108 --count 1 --wait-ms 100 >/dev/null || true
out=$(on a "$HOLDFAST" explain 10.9.0.108 | tr -s '[:space:]' ' ')
[[ $out == *'1 key in the reverse tree, secure'* && $out == *'IKE starts'* ]] || fail "behind a CNAME: $out"

echo "-- usable keys, which b does not have an agent for"
# finds N WORDS
finds() {
	local to=10.9.0.$1 out
	on a "$HFPROBE" udp "$to" --count 1 --wait-ms 100 >/dev/null || true
	out=$(on a "$HOLDFAST" explain "$to")
	[[ $out != *[![:print:][:space:]]* ]] || fail "explain prints what no terminal should see: $out"
	out=$(tr -s '[:space:]' ' ' <<<"$out")
	[[ $out == *"$2"* && $out == *'IKE starts'* ]] || fail "explain $to does not say \"$2\": $out"
	ok "$to: $2"
}
finds 116 '5 keys in the reverse tree, secure'
finds 117 '1 key in the reverse tree, secure'
finds 119 "$long"
capture_stop
for to in "${closed[@]}"; do judge --pair "$(addr a)" "$to" --expect 'marker=0,clear=0'; done
