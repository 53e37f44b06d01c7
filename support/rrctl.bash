# SPDX-License-Identifier: Apache-2.0
#
# bash completion of rrctl: nouns, verbs and options, out of the program's own usage.

_rrctl()
{
    local word=${COMP_WORDS[COMP_CWORD]} usage line noun= verb= i list=
    usage=$("${COMP_WORDS[0]}" --help 2>/dev/null) || return

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --store | --master-key | --client) ((i++)) ;;
            -*) ;;
            *) if [[ -z $noun ]]; then noun=${COMP_WORDS[i]}; elif [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; fi ;;
        esac
    done
    case ${COMP_WORDS[COMP_CWORD-1]} in
        -f | --file | --master-key | --rules | --key | --jwks | --secret | --out | --body)
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
    esac
    while read -r line; do
        [[ $line == "rrctl "* ]] || continue
        set -- $line
        if [[ -z $noun ]]; then
            list+=" $2"
        elif [[ $2 == "$noun" ]]; then
            [[ -z $verb && $3 =~ ^[a-z]+$ ]] && list+=" $3"
            [[ -z $verb || $3 == "$verb" ]] && list+=" $(grep -o -e '--[a-z-]*' <<<"$line" | tr '\n' ' ')"
        fi
    done <<<"$usage"
    COMPREPLY=($(compgen -W "$list --store --master-key --client --json --help" -- "$word"))
}
complete -F _rrctl rrctl
