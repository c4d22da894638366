#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The main job with the product itself: two hosts that know nothing of each other but the other's key find it, negotiate
# IKEv2 and deliver the first packet sealed, whoever starts, IPv4 and IPv6, and when both start at the same moment. A
# host whose key is not the one that is pinned for its address gets nothing.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2, c 10.9.0.3 (with another key than is pinned for it)
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf

lan a b c
neighbours a b
neighbours a c
private_hosts a b c
pin a b
pin b a
pin c a
# The key that a knows for c is another one.
on a sh -c "echo '$(addr c),$(addr6 c) $(public_key b)' >>/etc/holdfast/pins"
capture_start
for h in a b c; do product "$h"; done
serve b
serve c

out=$(on a "$HFPROBE" ping "$(addr b)" --count 3 --strict) || fail "ping: $out"
out=$(on a "$HFPROBE" udp "$(addr6 b)" --count 20 --complete) || fail "udp: $out"
wait_for 15 has_secure a 2
wait_for 15 has_secure b 2
# Whose packets came before anything was decided here had SAs all the same.
[[ $(on b "$HOLDFAST" explain "$(addr a)") != *unreadable* ]] || fail "b of a: $(on b "$HOLDFAST" explain "$(addr a)")"
out=$(on b "$HFPROBE" tcp "$(addr a)" --count 1 --bytes 100 2>&1) || true # nothing listens at a: it must answer all the same

# The wrong key: nothing is delivered in either direction, the sender is told when the attempt ends.
out=$(on a "$HFPROBE" udp "$(addr c)" --count 1 --wait-ms 1500) || true
check_eq "$(json "$out" received)" 0 "answers of a host with another key than its address's"
out=$(on c "$HFPROBE" udp "$(addr a)" --count 1 --wait-ms 1500) || true
check_eq "$(json "$out" received)" 0 "answers to it"
check_eq "$(peers_in c secure)" 0 "pairs it secured"
check_eq "$(peers_in a secure)" 2 "pairs of a: those of b"
capture_stop
judge --expect 'marker=0,clear=0,esp>20,truncated=0'
check "$(wire ike)" -ge 8 "IKE messages"
