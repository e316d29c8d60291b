# Completion of landfall for elvish: eval (landfall completion elvish | slurp)
use str
set edit:completion:arg-completer[landfall] = {|@words|
    var current = $words[-1]
    landfall __complete -- (all $words[1..-1]) '='$current 2>/dev/null | from-lines | each {|line|
        if (eq $line ':files') {
            edit:complete-filename $current
        } else {
            var name about = (str:split &max=2 "\t" $line"\t")
            edit:complex-candidate $name &display=$name'  '(str:trim-space $about)
        }
    }
}
