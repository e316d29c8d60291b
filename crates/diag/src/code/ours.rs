//! Mistakes of our own.

super::group! {
    GROUP: "a mistake of Landfall's own",
    "Please report it, with the command and what it printed; nothing in your files explains it.";
    BUG = 700, Bug, "A part of Landfall ended unexpectedly.";
}
