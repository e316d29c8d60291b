//! Plan (pure) and its executor: hooks, waves, apply, wait, prune, abort, resume.
