# What shows that the suite sees what it should: a step that passes, two that fail, one that is open, and one that is not told.
. "$(dirname "$0")/lib.sh"

passes() {
    exits 0 landfall version
    says landfall
}
step 1 'passes' passes

ends_otherwise() {
    exits 1 landfall version
    echo 'never reached'
}
step 2 'ends with another code' ends_otherwise

says_otherwise() {
    exits 0 landfall version
    says 'what nobody says'
    true
}
step 3 'says something else' says_otherwise

open 4 'nothing can do it' 'planted'
