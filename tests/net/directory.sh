# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For scenarios with a signed directory: its text, signatures, and bringing it to hosts. Sourced after agent.sh. The newest
# text and its signature are $WORK/fleet and $WORK/fleet.minisig; serials count up from 1.

SERIAL=0

# signer NAME: a key that signs directories, $WORK/NAME.key and NAME.pub.
signer() { minisign -G -W -p "$WORK/$1.pub" -s "$WORK/$1.key" >/dev/null; }

# line HOST [KEYS-OF]: the line that says that HOST's addresses have HOST's key, or another host's.
line() { echo "$(addr "$1"),$(addr6 "$1") $(public_key "${2:-$1}") name=$1"; }

# write_fleet LINE...: a text with the next serial. DAYS_AGO: it was issued so long ago, and lives for 7 days.
write_fleet() {
	local issued=$(($(date +%s) - 60 - ${DAYS_AGO:-0} * 86400))
	SERIAL=$((SERIAL + 1))
	{
		printf 'holdfast-directory 1\nid fleet.example\nserial %d\n' "$SERIAL"
		date -u -d "@$issued" '+issued %FT%TZ'
		date -u -d "@$((issued + 7 * 86400))" '+expires %FT%TZ'
		echo 'scope 10.9.0.0/24,fd09::/64'
		[ -z "${COMPLETE:-}" ] || echo "complete $COMPLETE"
		printf '%s\n' "$@"
	} >"$WORK/fleet"
}

# sign_fleet [SIGNER]
sign_fleet() { minisign -S -W -s "$WORK/${1:-fleet}.key" -m "$WORK/fleet" -x "$WORK/fleet.minisig" >/dev/null; }

# bring HOST...: the text and its signature, each put in its place at once.
bring() {
	local h
	for h; do
		on "$h" sh -c 'for f in fleet fleet.minisig; do cp "$1/$f" "/etc/holdfast/$f.new" && mv "/etc/holdfast/$f.new" "/etc/holdfast/$f"; done' \
			sh "$WORK"
	done
}

# uses_fleet HOST: its configuration.
uses_fleet() {
	on "$1" cp "$WORK/fleet.pub" /etc/holdfast/fleet.pub
	setting "$1" discovery "directory = ${2:-/etc/holdfast/fleet}"
	setting "$1" discovery 'directory_key = /etc/holdfast/fleet.pub'
	setting "$1" discovery 'directory_id = fleet.example'
}

# serial_is HOST N: the directory in force there.
serial_is() { on "$1" "$HOLDFAST" status --json | grep -E "\"directory_serial\": $2\b" >/dev/null; }

# has_problem HOST PATTERN: `status` has it in what an operator should mend.
has_problem() { on "$1" "$HOLDFAST" status --json | grep -E -- "$2" >/dev/null; }

# spis_to HOST PEER: the SAs between them, in both directions, on one line.
spis_to() {
	on "$1" ip -o xfrm state | grep -E "(src|dst) $(addr "$2")[^0-9]" | sed -n 's/.* spi \(0x[0-9a-f]*\).*/\1/p' | sort | tr '\n' ' ' || true
}

# refused WHAT PATTERN: what was brought to a is refused for that reason, and nothing else changes: the directory is still number
# $good, its SAs with b are $sas.
refused() {
	wait_for 20 has_problem a "$2" || fail "$1: $(on a "$HOLDFAST" status)"
	serial_is a "$good" || fail "$1: another directory is in force: $(on a "$HOLDFAST" status)"
	check_eq "$(spis_to a b)" "$sas" "SAs after: $1"
}
