#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SETUP: dns foreign
# LAB-TIMEOUT: 1500
#
# Keys from DNSSEC, and what they cost: the first packet, from sending it to its answer, to a host whose key is in the reverse tree; beside it
# the same with keys from a signed directory, and Libreswan with IPSECKEY, in turn, in the same run on the same kernel. One datagram, IPv4.
#
#     a -- b  Holdfast, keys from the DNS; in each round, of addresses that nobody asked for before
#     c -- d  Holdfast, keys from a signed directory
#     e -- f  Libreswan as Debian has it, its sample oe-dnssec-client.conf and -server.conf in what matters here: e finds f's key by
#             the address, f authenticates nobody. Its first packets are lost (first.sh), so more follow
#     ns-root, ns-tld, ns-zone, resolver
#
# asks: a does not know b's key and b knows a's; both: b does not know a's either, and asks when a's IKE_AUTH came; remembered: both know, of an
# earlier answer. Before each question the resolver forgets everything. look: the same look-up by itself (bench_dns), which is
# what may be added: asks <= directory + look, both <= directory + 2 look.
#
# hints: DNS answers forged in the resolver's name, each with another name and address; what the agent's memory is afterwards.
#
# Not measured: networks (no delay here), and many look-ups at once: on user-mode Linux all hosts and servers share one processor. dns_pace.sh
# has them.
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/../net/agent.sh"
. "$(dirname "$0")/../net/dns.sh"
. "$(dirname "$0")/../net/foreign.sh"
. "$(dirname "$0")/stat.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:minisign cmd:ldns-signzone

ROUNDS=${LAB_ROUNDS:-20} HINTS=1000000 WAIT_MS=10000
((ROUNDS >= 5)) || HINTS=20000

lan a b c d e f
for pair in "a b" "c d" "e f"; do
	# shellcheck disable=SC2086
	neighbours $pair >/dev/null
done
for h in b d f; do serve "$h"; done

# ---- who has which key

# a and b have an address for each question. Theirs are private; the lab's own, where the servers are, are clear.
nth() { echo "10.$1.$(($2 / 200)).$(($2 % 200 + 1))"; }
QUESTIONS=$((3 * ROUNDS + 6))
for h in a b; do host_key $h; done
for ((i = 0; i < QUESTIONS; i++)); do
	echo "addr add $(nth 71 $i)/32 dev eth0" >>"$WORK/a.batch"
	echo "addr add $(nth 72 $i)/32 dev eth0" >>"$WORK/b.batch"
done
on a ip -batch "$WORK/a.batch"
on b ip -batch "$WORK/b.batch"
on a ip route add 10.72.0.0/16 via "$(addr b)"
on b ip route add 10.71.0.0/16 via "$(addr a)"
configure a private 10.72.0.0/16
configure b private 10.71.0.0/16
dns_world
asks_dns a b
key_a=$(ipseckey_of a) key_b=$(ipseckey_of b)
for ((i = 0; i < QUESTIONS; i++)); do
	dns_add 10.in-addr.arpa "$(rev4 "$(nth 71 $i)"). $key_a" "$(rev4 "$(nth 72 $i)"). $key_b"
done

desk=$WORK/desk
mkdir -p "$desk"
minisign -G -W -p "$desk/fleet.pub" -s "$desk/fleet.key" >/dev/null
printf '%s\n' 'holdfast-directory 1' 'id bench' 'serial 1' "issued $(date -u +%Y-%m-%dT%H:%M:%SZ)" \
	"expires $(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)" 'scope 10.9.0.0/24' >"$desk/fleet"
for h in c d; do
	host_key $h
	"$HOLDFAST" directory add "$desk/fleet" "$(addr $h)" "$(public_key $h)" name=$h.lab >/dev/null
done
"$HOLDFAST" directory sign "$desk/fleet" --key "$desk/fleet.key" >/dev/null
for h in c d; do
	on $h sh -c 'cp "$1"/fleet "$1"/fleet.minisig "$1"/fleet.pub /etc/holdfast/' sh "$desk"
	setting $h discovery "$(printf 'directory = /etc/holdfast/fleet\ndirectory_key = /etc/holdfast/fleet.pub')"
	configure $h private "$(addr c)" "$(addr d)"
done
dns_serve 10.in-addr.arpa
for h in a b c d; do product $h; done

# ---- Libreswan

# Outside 10.0.0.0/8, of which its libunbound says by itself that there is nothing. `left` and `leftupdown` as in first.sh; hold and drop instead of passthrough, or its first packets would leave in clear.
E=198.18.0.1 F=198.18.0.2
libreswan_conf() {
	printf 'config setup\n  dnssec-rootkey-file=%s\n' "$DNS/root.anchor"
	echo "conn $1"
	sed 's/^/  /' <<-EOF
		type=tunnel
		left=$2
		right=%opportunisticgroup
		negotiationshunt=hold
		failureshunt=drop
		ikev2=insist
		leftupdown=%disabled
	EOF
	shift 2
	printf '  %s\n' "$@"
}
libreswan_start() {
	local h rsa record
	on e ip addr add $E/24 dev eth0
	on f ip addr add $F/24 dev eth0
	dns_zone 18.198.in-addr.arpa
	echo "nameserver $(addr resolver)" >"$WORK/resolv.conf"
	for h in e f; do
		nss_of $h
		on $h mount --bind "$WORK/resolv.conf" /etc/resolv.conf
		on $h mkdir -p /run/ipsec.d/policies
	done
	echo $F | into e /run/ipsec.d/policies/private
	echo $E | into f /run/ipsec.d/policies/clear-or-private
	rsa=$(<"${FOREIGN_NSS[f]}/rsa.ckaid")
	libreswan_conf private $E leftid=%null leftauth=null rightauth=rsasig rightrsasigkey=%dnsondemand auto=route | pluto e
	libreswan_conf clear-or-private $F "leftid=$F" leftauth=rsasig "leftckaid=$rsa" rightid=%null rightauth=null auto=add | pluto f
	record=$(on f /usr/libexec/ipsec/showhostkey --nssdir /run/nss --ipseckey --ckaid "$rsa" | grep -o 'IPSECKEY.*')
	dns_add 18.198.in-addr.arpa "$(rev4 $F). $record"
	dns_serve 18.198.in-addr.arpa
	wait_for 30 has_trap
}
has_trap() { whack e --status | grep -q '^000 "private.*; prospective erouted;'; }

# Its initiator does not wait for the answer: where that comes after IKE_AUTH's, authentication fails, and failureshunt holds from then on. So there
# is one sample, of a pluto that has asked nothing before: null = no answer in 20 s. Beside it, Holdfast's first of all.
found_by_libreswan() {
	local out ms=null
	dns_forget
	out=$(on e "$HFPROBE" udp $F --count 1000 --interval-ms 20 --wait-ms 100 --linger-ms 0)
	[ "$(json "$out" received)" = 0 ] || ms=$((($(json "$out" first_recv_ns) - $(json "$out" first_send_ns)) / 1000000))
	result dns.cold.libreswan_ms $ms
	grep -o 'authentication failed.*' "$WORK/pluto-e.log" || true
}
libreswan_start

# ---- one question, one packet

mkfifo "$WORK/look" "$WORK/looked"
bg a look "$B/tests/bench/bench_dns" look "$(addr resolver)" "$DNS/root.anchor" "$WORK/look" "$WORK/looked"
exec {LOOKED}<>"$WORK/looked"
look() { # ADDRESS
	local us outcome
	dns_forget
	echo "$1" >"$WORK/look"
	read -r -t 60 -u "$LOOKED" _ us outcome || fail "no look-up of $1: $(cat "$WORK/look.log")"
	[ "$outcome" = keys ] || fail "look-up of $1: $outcome"
	echo "$us" >>"$WORK/samples.look"
}

# first CELL HOST ADDRESS [HFPROBE OPTION]...: a sample in milliseconds.
first() {
	local cell=$1 h=$2 to=$3 out
	shift 3
	out=$(on "$h" "$HFPROBE" udp "$to" --count 1 --wait-ms $WAIT_MS --linger-ms 0 "$@")
	[ "$(json "$out" received)" = 1 ] || fail "$cell: no answer from $to: $out; $(on "$h" "$HOLDFAST" explain "$to")"
	echo "$(json "$out" first_reply_us)" >>"$WORK/samples.$cell"
}

has_none() { [[ $(on "$1" "$HOLDFAST" peers "$2" 2>&1) != *secure* ]]; }
strangers() { # HOST ADDRESS PEER ADDRESS
	on "$1" "$HOLDFAST" forget "$4" >/dev/null
	on "$3" "$HOLDFAST" forget "$2" >/dev/null
	wait_for 10 has_none "$1" "$4"
	wait_for 10 has_none "$3" "$2"
}

# Numbers 0 to 5 are not new: 0 is a's and b's first, which loads what is loaded once; 1 is the pair that is remembered.
NEXT=6
remembered() {
	first remembered a "$(nth 72 1)" --src "$(nth 71 1)"
	strangers a "$(nth 71 1)" b "$(nth 72 1)"
}
asks() {
	dns_forget
	first asks a "$(nth 72 $NEXT)" --src "$(nth 71 1)"
	NEXT=$((NEXT + 1))
}
both() {
	dns_forget
	first both a "$(nth 72 $NEXT)" --src "$(nth 71 $NEXT)"
	NEXT=$((NEXT + 1))
}
listed() {
	first directory c "$(addr d)"
	strangers c "$(addr c)" d "$(addr d)"
}

dns_forget
first cold a "$(nth 72 0)" --src "$(nth 71 0)"
result dns.cold.holdfast_ms "$(awk '{ print $1 / 1000 }' "$WORK/samples.cold")"
found_by_libreswan
remembered
listed
look "$(nth 72 0)"
rm "$WORK"/samples.*

capture_start
for ((r = 0; r < ROUNDS; r++)); do
	listed
	remembered
	asks
	both
	look "$(nth 72 $NEXT)"
	NEXT=$((NEXT + 1))
done
capture_stop
judge --pair "$(nth 71 1)" "$(nth 72 1)" --expect 'marker=0,clear=0,esp>0' >"$WORK/judge.log"
judge --pair "$(addr c)" "$(addr d)" --expect 'marker=0,clear=0,esp>0' >"$WORK/judge.log"
for cell in directory remembered asks both; do result "dns.first.$cell" "$(summary 1e3 <"$WORK/samples.$cell")"; done
result dns.look "$(summary 1e3 <"$WORK/samples.look")"

# ---- 10^6 hints

rss() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(pid_of agent-a)/status"; }
stop agent-a
product a
before=$(rss)
on ns-tld "$B/tests/bench/bench_dns" forge "$(addr resolver)" "$(addr a)" $HINTS >"$WORK/forged"
nap 1
wait_for 60 agent_up a
result dns.hints "$(printf '{"sent":%d,"heard":%d,"kept":%d,"rss_before_kb":%d,"rss_after_kb":%d}' "$(json "$(cat "$WORK/forged")" sent)" \
	"$(counter a answers)" "$(counter a hints)" "$before" "$(rss)")"
