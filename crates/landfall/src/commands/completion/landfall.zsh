#compdef landfall
# Completion of landfall for zsh: source <(landfall completion zsh), or as _landfall in a directory of $fpath
_landfall() {
    local -a offered names
    local line
    offered=("${(@f)$(landfall __complete -- "${(@)words[2,CURRENT-1]}" "=${words[CURRENT]}" 2>/dev/null)}")
    for line in "${offered[@]}"; do
        if [[ $line == :files ]]; then
            _files
        elif [[ -n $line ]]; then
            names+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#names )) && _describe -V 'landfall' names
}
if [[ $funcstack[1] == _landfall ]]; then _landfall "$@"; else compdef _landfall landfall; fi
