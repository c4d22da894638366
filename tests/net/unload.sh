#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# LAB-SHORT
#
# `holdfast unload` takes everything of ours out of the kernel and nothing else: pins, programs, SAs and policies go,
# SAs, policies and traffic filters of others stay, packets flow in clear again. Not under a running agent
# unless forced; twice is no error.
#
#     a 10.9.0.1 ---- [switch lan0, capture] ---- b 10.9.0.2     private, until unloaded
#       fd09::1                                     fd09::2
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/agent.sh"
need bridge esp4 esp6 bpf_tc ringbuf cmd:bpftool

filters() { on a tc filter show dev eth0 egress && on a tc filter show dev eth0 ingress; }

private_pair 0
# Somebody else's, on the same host and interface.
on a tc qdisc add dev eth0 clsact 2>/dev/null || true
on a tc filter add dev eth0 egress protocol ip prio 77 u32 match u32 0 0 classid 1:7
on a ip -batch - <<-EOT
	xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x777 reqid 7 mode transport aead rfc4106(gcm(aes)) 0x000102030405060708090a0b0c0d0e0f10111213 128
	xfrm policy add src 192.0.2.1 dst 192.0.2.2 dir out tmpl proto esp mode transport reqid 7
EOT
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict
on a "$HFPROBE" udp "$(addr6 b)" --count 5 --wait-ms 20000 --strict
check "$(on a ls /sys/fs/bpf/holdfast | wc -l)" -ge 12 "pins"
check "$(on a ip xfrm state | grep -c '^src')" -eq 5 "SAs, one of them not ours"

! on a "$HOLDFAST" unload >"$WORK/running.out" 2>&1 || fail "unload under a running agent: $(cat "$WORK/running.out")"
grep -q 'an agent is running' "$WORK/running.out" || fail "it does not say why: $(cat "$WORK/running.out")"
ok "$(cat "$WORK/running.out")"
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict

stop agent-a
on a "$HFPROBE" udp "$(addr b)" --count 5 --wait-ms 20000 --strict
ok "without an agent the pair goes on"
on a "$HOLDFAST" unload
[ ! -e "/proc/${LAB_PID[a]}/root/sys/fs/bpf/holdfast" ] || fail "pins are left: $(on a find /sys/fs/bpf)"
check_eq "$(on a find /sys/fs/bpf -mindepth 1 | wc -l)" 0 "pins left"
check_eq "$(on a ip xfrm state | grep -c '^src')" 1 "SAs left"
on a ip xfrm state | grep 0x00000777 >/dev/null || fail "the SA that was not ours is gone"
# Per-socket entries end with their sockets; `ip` shows them with dir or socket.
check_eq "$(on a ip xfrm policy | grep -c '^src')" 1 "policies left"
filters >"$WORK/filters"
grep -q 'pref 77 u32' "$WORK/filters" || fail "the filter that was not ours is gone: $(cat "$WORK/filters")"
! grep -qi 'hf_\|holdfast' "$WORK/filters" || fail "filters of ours are left: $(cat "$WORK/filters")"
check_eq "$(on a bpftool prog show 2>/dev/null | grep -c 'name hf_egress')" "$(on b bpftool prog show 2>/dev/null | grep -c 'name hf_egress')" \
	"programs in the kernel, as b sees them"
on a "$HOLDFAST" unload
ok "a second unload is no error"

stop agent-b
on b "$HOLDFAST" unload --json
check_eq "$(on b bpftool prog show | grep -c 'name hf_' || true)" 0 "programs of ours in the kernel"
check_eq "$(on b bpftool map show | grep -c 'name hf_' || true)" 0 "maps of ours in the kernel"
capture_start
on a "$HFPROBE" udp "$(addr b)" --count 5 --strict
on a "$HFPROBE" tcp "$(addr6 b)" --count 3 --strict
capture_stop
judge --expect 'marker>10,sealed=0'
