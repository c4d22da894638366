#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns
# LAB-TIMEOUT: 300
#
# The lab's DNS is what it claims: good answers are secure, and each kind of badness is that kind, as libunbound sees it (by its own
# program, unbound-host) from the root and through the resolver.
#
#     a 10.9.0.1, b 10.9.0.2 ---- [switch lan0] ---- ns-root, ns-tld, ns-zone, resolver 10.9.0.3 - .6
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge netem cmd:ldns-signzone cmd:unbound-host

lan a b
host_key b
dns_world a b
name=b.fleet.lab r4=$(rev4 "$(addr b)") r6=$(rev6 "$(addr6 b)")
key=$(ipseckey_of b)
check_eq "$r6" 2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.d.f.ip6.arpa "reverse name of $(addr6 b)"

echo "-- good"
for n in "$name" "$r4" "$r6"; do dns_is_seen a "$n" IPSECKEY secure "${key#IPSECKEY }"; done
dns_is_seen a "$name" A secure "$(addr b)"
dns_is_seen a "$name" AAAA secure "$(addr6 b)"
for n in "$r4" "$r6"; do dns_is_seen a "$n" PTR secure "$name"; done
dns_is_seen a a.fleet.lab IPSECKEY secure 'has no IPSECKEY record'
dns_is_seen a nobody.fleet.lab IPSECKEY secure 'not found: 3(NXDOMAIN)'
dns_client forward >"$DNS/forward.conf"
DNS_CONF=$DNS/forward.conf dns_is_seen a "$name" IPSECKEY secure "${key#IPSECKEY }"
DNS_CONF=$DNS/forward.conf dns_is_seen a nobody.fleet.lab IPSECKEY secure 'not found: 3(NXDOMAIN)'

echo "-- bad signatures"
dns_break fleet.lab "$name" IPSECKEY
dns_is_seen a "$name" IPSECKEY bogus 'signature verification failed'
dns_is_seen a "$name" A secure
DNS_CONF=$DNS/forward.conf dns_is_seen a "$name" IPSECKEY bogus
dns_window fleet.lab '-3 days' '-1 day'
dns_is_seen a "$name" IPSECKEY bogus 'signature expired'
dns_window fleet.lab '+1 day' '+3 days'
dns_is_seen a "$name" IPSECKEY bogus 'signature before inception date'
dns_stranger fleet.lab
dns_is_seen a "$name" IPSECKEY bogus
dns_unproved fleet.lab
dns_is_seen a "$name" IPSECKEY secure
dns_is_seen a nobody.fleet.lab IPSECKEY bogus
dns_is_seen a a.fleet.lab IPSECKEY bogus
dns_serve fleet.lab
dns_is_seen a "$name" IPSECKEY secure
dns_is_seen a nobody.fleet.lab IPSECKEY secure

echo "-- delegations"
dns_zone poor.lab nods
dns_add poor.lab "h $key"
dns_serve poor.lab
dns_is_seen a h.poor.lab IPSECKEY insecure "${key#IPSECKEY }"
dns_is_seen a nobody.poor.lab IPSECKEY insecure NXDOMAIN
dns_zone plain.lab unsigned
dns_add plain.lab "h $key"
dns_serve plain.lab
dns_is_seen a h.plain.lab IPSECKEY insecure
dns_zone three.lab nsec3
dns_add three.lab "h $key"
dns_serve three.lab
dns_is_seen a h.three.lab IPSECKEY secure
dns_is_seen a nobody.three.lab IPSECKEY secure NXDOMAIN
dns_zone out.lab optout
dns_add out.lab "h $key"
dns_zone child.out.lab unsigned
dns_serve out.lab
dns_is_seen a h.out.lab IPSECKEY secure
dns_is_seen a nobody.out.lab IPSECKEY insecure NXDOMAIN
dns_is_seen a nobody.child.out.lab IPSECKEY insecure
dns_zone site.private island
dns_add site.private "h $key"
dns_serve site.private
dns_is_seen a h.site.private IPSECKEY secure NXDOMAIN # by the root
{
	printf 'server:\n\ttrust-anchor-file: "%s"\nstub-zone:\n\tname: site.private\n\tstub-addr: %s\n' \
		"$DNS/site.private.anchor" "$(addr ns-zone)"
} >"$DNS/island.conf"
DNS_CONF=$DNS/island.conf dns_is_seen a h.site.private IPSECKEY secure "${key#IPSECKEY }"

echo "-- aliases (RFC 2317)"
dns_drop 10.in-addr.arpa "^$r4"
dns_add 10.in-addr.arpa "$r4. CNAME 2.of.fleet.lab."
dns_add fleet.lab "2.of $key" 'loop CNAME pool' 'pool CNAME loop'
dns_serve 10.in-addr.arpa fleet.lab
dns_is_seen a "$r4" IPSECKEY secure "${key#IPSECKEY }"
[[ $(dns_ask a loop.fleet.lab IPSECKEY) != secure*"${key#IPSECKEY }"* ]] || fail "a loop has an end"

echo "-- slow and silent servers"
dns_slow ns-zone 300
before=$(mono_ns)
dns_is_seen a "$name" IPSECKEY secure
check $((($(mono_ns) - before) / 1000000)) -ge 300 'ms that an answer of a slow server takes'
dns_slow ns-zone 0
dns_silent ns-zone
bg a waits unbound-host -C "$DNS/host.conf" -v -t A "$name"
nap 1
is_running waits || fail "who asks a silent server does not wait: $(cat "$WORK/waits.log")"
dns_awake ns-zone
await waits 60
grep -q '(secure)' "$WORK/waits.log" || fail "the server is awake: $(cat "$WORK/waits.log")"
ok "a server that was silent answers again"
