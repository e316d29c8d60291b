//! Secrets: sealing, keys and their backups.

super::group! {
    GROUP: "secrets, sealing keys and their backups",
    "No value and no key is in any message. `landfall secrets seal --help` prints kubeseal's flags; a value opens only with the keys of the cluster that it was sealed for, under its own name in its own namespace unless its scope says more.";
    UNSEALED = 930, Failed, "A Secret could not be sealed, or a SealedSecret not be opened.";
    BAD_SEAL_ARGUMENT = 931, Usage, "The flags are not kubeseal's.";
    BACKUP_AUDIENCE = 932, Usage, "Nobody is named who could open a backup, or who opens it.";
    BACKUP_CLOSED = 933, Failed, "A backup does not open, or holds something else.";
    NOTHING_TO_SAVE = 934, Failed, "There is neither a sealing key nor a key that is generated once.";
    RESTORED_OTHERWISE = 935, Refused, "A Secret that is to be restored is there with another value.";
    DRILL_FAILED = 936, Failed, "With a backup alone not everything could be opened again.";
    SOPS_CLOSED = 948, Failed, "A values file or a manifest that SOPS encrypted does not open.";
}
