# Completion of landfall for fish: landfall completion fish > ~/.config/fish/completions/landfall.fish
function __landfall_offered
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (landfall __complete -- $words[2..] "=$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c landfall -e
complete -c landfall -f -a '(__landfall_offered)'
