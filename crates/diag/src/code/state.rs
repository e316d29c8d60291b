//! Files of this machine and the state directory.

super::group! {
    GROUP: "files of this machine and the state directory",
    "State lives in `.landfall`, or where `--state` says. It can be removed when nothing runs: what is delivered is known to the cluster. One command at a time delivers to a system, removes it or resets it; whoever else comes waits, and is told for whom. On a full disk nothing that was begun is lost: make room and type the same again.";
    FILES = 600, Failed, "A file or directory of this machine cannot be read or written.";
    STATE_UNMADE = 601, Failed, "A state directory cannot be made.";
    STATE_UNLOCKED = 602, Failed, "A state directory cannot be locked.";
    STATE_UNWRITTEN = 603, Failed, "A file of the state directory cannot be written.";
    STATE_UNREMOVED = 604, Failed, "The state directory or a file of it cannot be removed.";
    NO_PLACE_FOR_STATE = 605, Usage, "There is no place for the state of a system given by address.";
    INTERRUPTED_BEFORE = 606, Interrupted, "A command was interrupted outside of a delivery.";
    ANOTHER_DELIVERS = 607, Refused, "Another command delivers to the system, removes it or resets it.";
    DISK_FULL = 608, Failed, "A disk is full.";
    OUTPUT_UNWRITTEN = 609, Failed, "Standard output cannot be written.";
    NOT_OURS = 618, Refused, "A state directory is not one that Landfall has made in that place.", "A state directory is ours where Landfall made it in this very place; `made-here.json` in it names the directory by its number and the moment of its birth, which nobody can ship. `.landfall` of a tree that is not ours, that is a link or that git has written into is moved to `.landfall/aside/1` unread. A copy, a backup or a tree that was moved to another disk looks the same: name it once (`--state DIR`) and it is taken over with its cluster and history, without what it says of servers, tokens and made clusters; then it may be moved back. A directory that `--state` names is never moved: it is refused when git tracks it, when it is another user's, or when it holds files by the names of ours that Landfall has not written.";
}
