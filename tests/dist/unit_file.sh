#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# dist/holdfast.service as systemd reads it: no line that it does not understand, hardened by its own count, and with room for every
# system call that the agent's own list has. That the agent runs with its capabilities is tests/net/confined.sh's.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo 'SKIP: systemd-analyze is not here'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unit=$work/holdfast.service
sed "s|@SBINDIR@|$HF_BUILD|" "$HF_SRC/dist/holdfast.service" >"$unit"

out=$(systemd-analyze verify --man=no "$unit" 2>&1) || { echo "$out"; exit 1; }
# It warns without failing, also about units of the machine.
if grep -F "$unit" <<<"$out"; then exit 1; fi

# 0 is best, 10 worst, here in tenths. A plain unit has 9.6.
systemd-analyze security --offline=true --no-pager --threshold=30 "$unit" >"$work/security" 2>&1 ||
	{ grep -v '^✓' "$work/security"; exit 1; }
tail -n 1 "$work/security"

# set_of NAME: the system calls of a set of systemd's, those of the sets in it too.
set_of() {
	local line
	systemd-analyze syscall-filter --no-pager "$1" | sed '/^ *#/d; s/^ *//; 1d' | while read -r line; do
		case $line in
		@*) set_of "$line" ;;
		?*) echo "$line" ;;
		esac
	done
}
for word in $(sed -n 's/^SystemCallFilter=//p' "$unit"); do
	case $word in
	@*) set_of "$word" ;;
	*) echo "$word" ;;
	esac
done | sort -u >"$work/unit-calls"
sed -n '/^static const char \*const allowed/,/^};/p' "$HF_SRC/agent/daemon/confine.c" | grep -o '"[a-z0-9_]*"' | tr -d '"' | sort -u >"$work/agent-calls"
[ "$(wc -l <"$work/agent-calls")" -ge 80 ] || { echo 'the list in agent/daemon/confine.c was not found'; exit 1; }
missing=$(comm -13 "$work/unit-calls" "$work/agent-calls")
[ -z "$missing" ] || { echo "allowed by the agent, not by the unit: $missing"; exit 1; }
# What it takes to become confined.
for call in seccomp prctl capset; do
	grep -qx "$call" "$work/unit-calls" || { echo "the unit does not allow $call"; exit 1; }
done
