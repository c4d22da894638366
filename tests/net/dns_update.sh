#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns bind
# LAB-TIMEOUT: 240
#
# What `holdfast publish --nsupdate` prints goes unchanged through nsupdate(1) to a server that takes dynamic updates with a TSIG key and signs
# by itself (BIND), for a name and both reverse zones. Then others find the host. Nobody publishes without the key.
#
#     a 10.9.0.1, b 10.9.0.2 ---- [switch lan0, capture] ---- primary 10.9.0.3, ns-root, ns-tld, ns-zone, resolver
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
. "$(dirname "$0")/dns.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:ldns-key2ds cmd:jq

BIND=$B/lab/bind
ZONES=(dyn.lab 9.10.in-addr.arpa 0.0.0.0.9.0.d.f.ip6.arpa)

bind_run() { # HOST PROGRAM ARGUMENTS...
	local h=$1 program=$BIND/$2
	shift 2
	on "$h" env "LD_LIBRARY_PATH=$BIND/libraries" "$program" "$@"
}

# primary_conf: anybody with the key may change IPSECKEY records, and nothing else.
primary_conf() {
	local zone
	cat "$WORK/tsig.key"
	cat <<-END
		options {
			directory "$WORK/primary";
			listen-on { any; };
			recursion no;
			dnssec-validation no;
			pid-file none;
			session-keyfile none;
		};
		controls { };
	END
	for zone in "${ZONES[@]}"; do
		cat <<-END
			zone "$zone" {
				type primary;
				file "$zone.zone";
				dnssec-policy default;
				update-policy { grant hosts zonesub IPSECKEY; };
			};
		END
	done
}

# has_keys ZONE: the server has signed the zone, and its keys are on the disk.
has_keys() {
	compgen -G "$WORK/primary/K$1.+*.key" >/dev/null &&
		[[ $(on primary drill -D -Q @127.0.0.1 "$1" SOA 2>/dev/null) == *primary.servers.* ]] &&
		[[ $(on primary drill -D @127.0.0.1 "$1" SOA) == *RRSIG* ]]
}

lan a b primary
private_hosts a b
dns_world
mkdir "$WORK/primary"
bind_run primary usr/sbin/tsig-keygen -a hmac-sha256 hosts >"$WORK/tsig.key"
bind_run primary usr/sbin/tsig-keygen -a hmac-sha256 hosts >"$WORK/wrong.key"
primary_conf >"$WORK/named.conf"
for zone in "${ZONES[@]}"; do
	printf '$TTL 300\n@ SOA primary.servers. hostmaster.servers. 1 3600 600 86400 120\n@ NS primary.servers.\n' >"$WORK/primary/$zone.zone"
done
for h in a b; do
	printf '%s A %s\n%s AAAA %s\n' $h "$(addr $h)" $h "$(addr6 $h)" >>"$WORK/primary/dyn.lab.zone"
	echo "$(rev4 "$(addr $h)"). PTR $h.dyn.lab." >>"$WORK/primary/9.10.in-addr.arpa.zone"
	echo "$(rev6 "$(addr6 $h)"). PTR $h.dyn.lab." >>"$WORK/primary/0.0.0.0.9.0.d.f.ip6.arpa.zone"
done
bg primary primary env "LD_LIBRARY_PATH=$BIND/libraries" "$BIND/usr/sbin/named" -g -c "$WORK/named.conf"
dns_add . "primary.servers. A $(addr primary)"
for zone in "${ZONES[@]}"; do
	wait_for 60 has_keys "$zone" || fail "the primary does not serve $zone signed: $(tail -n 5 "$WORK/primary.log")"
	DNS_ON[$zone]=primary DNS_WORDS[$zone]=''
	ldns-key2ds -n -2 "$WORK/primary/K$zone".+*.key >"$DNS/$zone.anchor"
done
dns_serve . lab 10.in-addr.arpa 9.0.d.f.ip6.arpa
dns_is_seen a b.dyn.lab A secure "$(addr b)"
dns_is_seen a "$(rev4 "$(addr b)")" IPSECKEY secure 'has no IPSECKEY record'

# As on any host: nsupdate(1) asks the resolver for the zone's primary.
echo "nameserver $(addr resolver)" >"$WORK/resolv.conf"
asks_dns a b
for h in a b; do
	neighbours $h primary >/dev/null
	on $h mount --bind "$WORK/resolv.conf" /etc/resolv.conf
	on $h "$HOLDFAST" publish $h.dyn.lab --nsupdate >"$WORK/$h.script"
done
check_eq "$(grep -c '^update add ' "$WORK/b.script")" 3 "updates in the script of b"

updated() { bind_run "$1" usr/bin/nsupdate ${2:+-k "$2"} "$WORK/$1.script" >"$WORK/nsupdate.$1" 2>&1; }
! updated b || fail "the primary takes an update without a key"
grep -q REFUSED "$WORK/nsupdate.b" || fail "without a key: $(cat "$WORK/nsupdate.b")"
! updated b "$WORK/wrong.key" || fail "the primary takes an update with another key"
! on b "$HOLDFAST" publish b.dyn.lab --check >"$WORK/text" || fail "published without the key: $(cat "$WORK/text")"
grep -q 'not published' "$WORK/text" || fail "nothing published: $(cat "$WORK/text")"
for h in a b; do
	updated $h "$WORK/tsig.key" || fail "the script of $h: $(cat "$WORK/nsupdate.$h")"
done
dns_forget
on b "$HOLDFAST" publish b.dyn.lab --check --json >"$WORK/checked" || fail "b after the update: $(cat "$WORK/checked")"
check_eq "$(jq -r '[.checks[].state] | join(" ")' "$WORK/checked")" 'good good good good good' 'what b published, as others see it'

neighbours a b
for h in a b; do
	serve $h
	product $h
done
capture_start
out=$(on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --complete) || fail "to b: $out; $(on a "$HOLDFAST" explain "$(addr b)")"
out=$(on b "$HFPROBE" udp "$(addr6 a)" --count 5 --wait-ms 20000 --complete) || fail "to a: $out; $(on b "$HOLDFAST" explain "$(addr6 a)")"
capture_stop
check_eq "$(on a "$HOLDFAST" peers | grep -c dnssec-reverse)" 2 'pairs of a with a key in the reverse tree'
judge --pair "$(addr a)" "$(addr b)" --expect 'marker=0,clear=0,esp>=10'
judge --pair "$(addr6 a)" "$(addr6 b)" --expect 'marker=0,clear=0,esp>=10'
