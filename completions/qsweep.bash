# shellcheck shell=bash
# Completion of qsweep for bash: commands, options, experiment files, keys of --set and their values, all asked of the program itself.
#   source completions/qsweep.bash          in this shell; installed, bash-completion finds it in PREFIX/share/bash-completion/completions
# It needs nothing but bash, and works for build/qsweep too.

# "--set" before the key, the values, or both: the words of a setting as bash cuts them at "=" (where COMP_WORDBREAKS has it).
_qsweep_setting() {  # program, text of the setting so far
  local program=$1 text=$2 key values typed
  if [[ $text != *=* ]]; then
    local place=''
    [[ $text == reference.* ]] && place=reference.
    [[ $text == sweep.*.* ]] && place=${text%"${text#sweep.*.}"}
    mapfile -t COMPREPLY < <(compgen -P "$place" -W "$("$program" keys 2>/dev/null | sed -n 's/^\([a-z_]*\.[a-z0-9_]*\) = .*/\1=/p')" -- "${text#"$place"}")
    compopt -o nospace 2>/dev/null
    return
  fi
  key=${text%%=*} typed=${text#*=}
  key=${key#reference.}
  [[ $key == sweep.*.*.* ]] && key=${key#sweep.*.}
  # Names among what is allowed; numbers and free texts are for the user to say.
  values=$("$program" keys "${key%%.*}" 2>/dev/null | awk -v key="$key" '
    /^[a-z]/ { here = $1 == key; listing = 0 }
    here && /^    allowed: / { listing = 1; sub(/^    allowed: /, "") }
    here && /^    only with / { listing = 0 }
    here && listing { line = line " " $0 }
    END { gsub(/ or /, ", ", line); count = split(line, words, /, */)
          for (i = 1; i <= count; i++) { gsub(/^ +| +$/, "", words[i]); if (words[i] ~ /^[a-z0-9_]+$/) print words[i] } }')
  local before=''
  [[ $typed == *,* ]] && before=${typed%,*},
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$values" -- "${typed##*,}")
  compopt -o nospace 2>/dev/null  # a comma may follow
}

_qsweep_files() {  # the word so far, pattern of names: such files, and folders on the way to them
  mapfile -t COMPREPLY < <(compgen -f -X "!$2" -- "$1"; compgen -d -S / -- "$1")
  compopt -o nospace 2>/dev/null
  # A single file is complete: a blank may follow.
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} != */ ]] && compopt +o nospace 2>/dev/null
}

_qsweep() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} text i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "--help $("$program" --help 2>/dev/null | sed -n 's/^  qsweep \([a-z]*\) .*/\1/p')" -- "$current")
    return
  fi
  # The words since the last option, put together: "--set" "a.b" "=" "c" is one setting.
  for ((i = COMP_CWORD; i > 1; --i)); do [[ ${COMP_WORDS[i - 1]} == -* ]] && break; done
  local option=${COMP_WORDS[i - 1]}
  printf -v text '%s' "${COMP_WORDS[@]:i:COMP_CWORD-i+1}"
  case $option in
    --set)
      if ((COMP_CWORD == i)) || [[ $current == '=' || ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]; then
        _qsweep_setting "$program" "$text"
        return
      fi ;;
  esac
  if ((COMP_CWORD == i)); then
    case $option in
      --out) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
      -o | --output) _qsweep_files "$current" '*.h5'; return ;;
      --weights | --gradients) _qsweep_setting "$program" "${option#--}.quantizer=$current"; compopt +o nospace 2>/dev/null; return ;;
      --rerun | --name | --without-weights | -*help | -h) ;;
      -*) return ;;  # a number, a part of a grid, a time
    esac
  fi
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$("$program" "$command" --help 2>/dev/null | grep -oE -- '(^ *|\[ )--?[a-z-]+' | grep -oE -- '--[a-z-]+')" -- "$current")
    return
  fi
  case $command in
    run | plan) _qsweep_files "$current" '*.ini' ;;
    show | diff) _qsweep_files "$current" '*.h5' ;;
    collect) _qsweep_files "$current" '' ;;  # folders alone
    keys) mapfile -t COMPREPLY < <(compgen -W "$("$program" keys 2>/dev/null | sed -n 's/^\([a-z_]*\)\..*/\1/p' | sort -u)" -- "$current") ;;
  esac
}

complete -F _qsweep qsweep
