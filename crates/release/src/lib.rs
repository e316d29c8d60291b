//! Helm releases: the record's wire format; install, upgrade, rollback, uninstall, test as plans.
