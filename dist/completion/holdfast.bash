# SPDX-License-Identifier: Apache-2.0
#
# Completion of holdfast(1) for bash. Goes to /usr/share/bash-completion/completions/holdfast.

_holdfast() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local words=

	COMPREPLY=()
	case $previous in
	--config | --socket | --keys | --key | --dir)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	if ((COMP_CWORD == 1)); then
		words='init run status peers explain watch connect forget policy directory publish lookup doctor decode unload help version'
	elif [[ $current == -* ]]; then
		case $command in
		init) words='--dir --json --help' ;;
		directory) words='--key --days --json --help' ;;
		lookup) words='--config --json --help' ;;
		publish) words='--nsupdate --check --config --json --help' ;;
		run) words='--config --foreground --help' ;;
		status | peers | explain | watch | connect | forget | doctor) words='--json --config --socket --help' ;;
		policy) words='--json --config --socket --help' ;;
		decode) words='--keys --json --help' ;;
		unload) words='--force --json --config --socket --help' ;;
		help | version) words='--json --help' ;;
		esac
	elif [[ $command == decode ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
	elif [[ $command == directory ]] && ((COMP_CWORD == 3)); then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
	elif ((COMP_CWORD == 2)); then
		case $command in
		policy) words='list test' ;;
		directory) words='show check add remove sign' ;;
		help) words='init run status peers explain watch connect forget policy directory publish lookup doctor decode unload help version' ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _holdfast holdfast
