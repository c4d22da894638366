#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-TIMEOUT: 240
#
# Addresses of the host itself change while packets flow both ways: one goes and another comes, the first comes back, the interface
# goes down and up, a new interface appears. SAs of an address that is gone go and the log says so, new ones are made at need, those
# of an address that stays go on; nothing leaves in clear.
#
#     a 10.9.0.1, 10.9.0.51 ---- [switch lan0, capture] ---- b 10.9.0.2      private to each other, the product itself
#       fd09::1                                                fd09::2
#       10.10.0.1 eth1 ------------------------------- eth1 10.10.0.2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b
neighbours a b
other=10.9.0.51
for h in a b; do
	host_key "$h"
	configure "$h" private 10.9.0.0/24 fd09::/64 10.10.0.0/24
done
on a sh -c "echo '$(addr b),$(addr6 b),10.10.0.2 $(public_key b)' >>/etc/holdfast/pins"
on b sh -c "echo '$(addr a),$(addr6 a),$other,10.10.0.1 $(public_key a)' >>/etc/holdfast/pins"
for h in a b; do
	product "$h"
	serve "$h"
done
for to in addr addr6; do on a "$HFPROBE" ping "$($to b)" --count 3 --strict >/dev/null; done
wait_for 15 has_secure a 2
capture_start
bg a to-b "$HFPROBE" flood "$(addr b)" --count 10000000 --rate 200
bg b to-a "$HFPROBE" flood "$(addr a)" --count 10000000 --rate 200
nap 1

# spis HOST ADDRESS: of the SAs that the host has with this address at one end.
spis() { on "$1" ip xfrm state | grep -A1 -E "^src ($2 dst .*|.* dst $2)\$" | sed -n 's/.*proto esp spi \(0x[0-9a-f]*\).*/\1/p' | sort; }
none() { [ -z "$(spis "$1" "$2")" ]; }
answered() { on "$1" "$HFPROBE" udp "$2" --count 1 --wait-ms 300 --strict; }
to_b() {
	local out
	out=$(on a "$HFPROBE" udp "$1" --count 20 --interval-ms 5 --wait-ms 5000) || fail "$out"
	check_eq "$(json "$out" lost)" 0 "lost on the way to $1 and back"
}

# ---- one address goes, another comes
on a ip addr del "$(addr a)/24" dev eth0
on a ip addr add "$other/24" dev eth0
wait_for 10 none a "$(addr a)" || fail "SAs of an address that is gone: $(spis a "$(addr a)")"
grep -q "$(addr a): no address of this host any more" "$WORK/agent-a.log" || fail "nothing in the log about it"
to_b "$(addr b)"
on b "$HFPROBE" ping "$other" --count 3 --strict >/dev/null
check_eq "$(spis a "$other" | wc -l)" 2 "SAs of the new address"
ok "from $(addr a) to $other"

# ---- the first one is back; b still has its SAs with it, and sends
on a ip addr add "$(addr a)/24" dev eth0
wait_for 20 answered b "$(addr a)" || fail "the address that came back is not reached"
wait_for 40 has_secure a 3
ok "$(addr a) is back"

# ---- the interface goes down and up: IPv4 addresses stay, IPv6 ones do not
before=$(spis a "$other")
on a ip link set eth0 down
nap 0.5
none a "$(addr6 a)" || fail "SAs of an IPv6 address that is gone: $(spis a "$(addr6 a)")"
on a ip link set eth0 up
on a ip addr add "$(addr6 a)/64" dev eth0 nodad
wait_for 20 answered a "$(addr b)" || fail "the interface is up and nothing passes"
check_eq "$(spis a "$other")" "$before" "SAs of an address that stayed"
wait_for 20 answered a "$(addr6 b)" || fail "IPv6 does not work again"

# ---- a new interface
on a ip link add eth1 type veth peer name eth1 netns "${LAB_PID[b]}"
on b ip addr add 10.10.0.2/24 dev eth1
on b ip link set eth1 up
on a ip addr add 10.10.0.1/24 dev eth1
on a ip link set eth1 up
to_b 10.10.0.2
check_eq "$(spis a 10.10.0.1 | wc -l)" 2 "SAs on the new interface"

enough to-b
stop to-a
for h in a b; do check_eq "$(counter "$h" in_drop_clear)" 0 "clear packets that came to $h"; done
capture_stop
judge --expect 'marker=0,clear=0,esp>500,truncated=0' >"$WORK/judged" || { cat "$WORK/judged"; fail "the wire"; }
