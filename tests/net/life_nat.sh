#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# One of two agents is behind a NAT. First packets arrive through it; its keepalives hold the mapping while nobody speaks; it forgets
# the mapping and gives another port under traffic both ways: the same SAs go on, a few packets are lost; it gives another address:
# new SAs, with the key that is bound to that one. Only ESP in UDP passes.
#
#     a 10.9.0.1 ---> n 10.9.0.2 NAT ---> b 10.9.0.3      private to each other; b knows a by n's addresses
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 bpf_tc ringbuf nat

lan a n b
moved=10.9.0.22
nat_through a n b
for h in a b; do host_key "$h"; done
configure a private "$(addr b)/32"
configure b private "$(addr n)/32" "$moved/32"
pin a b
on b sh -c "echo '$(addr n),$moved $(public_key a) name=a' >>/etc/holdfast/pins"
# What n says itself, of ports that it knows nothing of, is none of theirs.
on n iptables-legacy -A OUTPUT -p icmp -j DROP
for h in a b; do product "$h"; done
serve a --no-echo
serve b
capture_start

spis() { on "$1" ip xfrm state | sed -n 's/.*proto esp spi \(0x[0-9a-f]*\).*/\1/p' | sort; }
# Where b sends to.
port() { on b ip xfrm state | sed -n '/^src 10.9.0.3 /,/encap/s/.* dport \([0-9]*\) .*/\1/p'; }
# How many b and a have missed of the two streams.
missed() {
	local line
	line=$(grep -E '"received":[0-9]{4}' "$WORK/serve-$1.log" | head -1)
	echo $(($(json "$line" seq_max) + 1 - $(json "$line" unique)))
}

out=$(on a "$HFPROBE" udp "$(addr b)" --count 20 --interval-ms 5 --wait-ms 5000) || fail "$out"
check_eq "$(json "$out" lost)" 0 "first datagrams lost"
[ "$(json "$out" reordered)" = 0 ] || [[ $(status_of a) == *'"limit":"handoff"'* ]] || fail "out of order: $out"
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
on a "$HFPROBE" tcp "$(addr b)" --count 2 --bytes 200000 --complete >/dev/null
wait_for 15 has_secure a 1
wait_for 15 has_secure b 1
check "$(port)" -ge 20000 "port of the mapping"

# ---- nobody speaks for longer than the NAT remembers: it is b that does then
for t in udp_timeout udp_timeout_stream; do on n sh -c "echo 25 >/proc/sys/net/netfilter/nf_conntrack_$t"; done
before=$(spis b)
nap 50
out=$(on b "$HFPROBE" ping "$(addr n)" --count 3 --strict) || fail "keepalives do not hold the mapping: $out"
check_eq "$(spis b)" "$before" "SAs of b"

# ---- another port, under traffic; a device that goes down takes its mappings with it
bg a to-b "$HFPROBE" flood "$(addr b)" --count 10000000 --rate 300
bg b to-a "$HFPROBE" flood "$(addr n)" --count 10000000 --rate 300
nap 1
old_port=$(port)
on n iptables-legacy -t nat -R POSTROUTING 1 -s "$(addr a)" -p udp -j MASQUERADE --to-ports 40000-49999
on n sh -c 'ip link set eth0 down; ip link set eth0 up'
new_port() { [ "$(port)" -ge 40000 ]; }
wait_for 10 new_port || fail "b still sends to port $(port)"
ok "port $old_port became $(port)"
nap 2
check_eq "$(spis b)" "$before" "SAs of b, afterwards"
enough to-b to-a
nap 1
on a "$HFPROBE" ping "$(addr b)" --count 3 --strict >/dev/null
on b "$HFPROBE" ping "$(addr n)" --count 3 --strict >/dev/null

# ---- another address
on n ip addr add "$moved/24" dev eth0
on n iptables-legacy -t nat -I POSTROUTING 1 -s "$(addr a)" -p udp -j SNAT --to-source "$moved:50000-59999"
on n sh -c 'ip link set eth0 down; ip link set eth0 up'
answered() { on a "$HFPROBE" udp "$(addr b)" --count 1 --wait-ms 300 --strict; }
wait_for 20 answered || fail "the pair does not work from another address"
on b "$HFPROBE" ping "$moved" --count 3 --strict >/dev/null
one_pair() { [ "$(spis b | wc -l)" = 2 ]; }
wait_for 40 one_pair || fail "SAs of the old address stay: $(on b ip xfrm state)"
[[ $(on b "$HOLDFAST" explain "$(addr n)") == *"begins anew"* ]] || fail "explain: $(on b "$HOLDFAST" explain "$(addr n)")"

stop serve-a
stop serve-b
few=150
[ "$LAB_TIER" != vm ] || few=600
check "$(missed b)" -le $few "missed by b"
check "$(missed a)" -le $few "missed by a"
capture_stop
judge --expect 'marker=0,clear=0,esp=0,udpesp>500,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
