#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `make install` into an empty root brings what an operator needs, completion included, and overwrites no configuration; `make
# uninstall` takes everything away but what the operator changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
make_() { "${MAKE:-make}" --no-print-directory -s -C "$HF_SRC" "$@" B="$B" DESTDIR="$root" SETUP=no; }
fail() { echo "FAIL: $*"; exit 1; }

make_ install
for file in usr/sbin/holdfast usr/lib/systemd/system/holdfast.service usr/share/bash-completion/completions/holdfast \
	usr/share/man/man1/holdfast.1 usr/share/man/man5/holdfast.conf.5 usr/share/man/man5/holdfast-directory.5 \
	usr/share/doc/holdfast/examples/holdfast.json usr/share/doc/holdfast/examples/holdfast.rules.yml \
	etc/holdfast/holdfast.conf etc/holdfast/policies/private; do
	[ -s "$root/$file" ] || fail "$file was not installed"
done
[ -x "$root/usr/sbin/holdfast" ] || fail 'the program is not executable'
grep -q '^ExecStart=/usr/sbin/holdfast run$' "$root/usr/lib/systemd/system/holdfast.service" || fail 'the unit starts another program'

# What the completion offers is what the program knows: every command of `holdfast help`, and none more.
commands() { "$root/usr/sbin/holdfast" help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | sort -u; }
# shellcheck disable=SC1091
offered=$(bash -c '. "$1/usr/share/bash-completion/completions/holdfast"; COMP_WORDS=(holdfast "") COMP_CWORD=1; _holdfast; printf "%s\n" "${COMPREPLY[@]}"' _ "$root" |
	grep -vx 'help\|version' | sort -u)
[ "$(commands | wc -l)" -ge 12 ] || fail "holdfast help names no commands: $(commands)"
diff <(commands | grep -vx 'help\|version') <(echo "$offered") || fail 'completion and help name other commands'

# An operator's own lines stay, through a second installation and after the end.
echo '10.0.0.0/8' >>"$root/etc/holdfast/policies/private"
make_ install
grep -qx '10.0.0.0/8' "$root/etc/holdfast/policies/private" || fail 'the second installation overwrote a policy'
make_ uninstall
left=$(cd "$root" && find . -type f)
[ "$left" = ./etc/holdfast/policies/private ] || fail "left behind: $left"
rm "$root/etc/holdfast/policies/private"
make_ install
make_ uninstall
left=$(cd "$root" && find . -type f)
[ -z "$left" ] || fail "left behind: $left"
