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
    SOPS_CIPHERTEXT = 958, Failed, "An object would get what SOPS encrypted in place of the value.";
    NO_SECRETS = 940, Usage, "The environment declares no secrets, or no such key.", "`secrets:` of an environment in landfall.yaml names the Secret that the pods read, the file that holds its values sealed, and each key with how it comes to be. No value stands there.";
    DECLARATION = 941, Usage, "The declaration of a key contradicts itself.";
    UNSAVED = 942, Refused, "In a protected environment nothing is sealed with a key that no backup has.", "Whoever loses the cluster loses the key that opens what was sealed for it. `landfall secrets backup FILE --recipient age1…` saves all keys, and the ledger beside them on the cluster remembers which; a newer key is unsaved until the next backup.";
    STILL_UNSAVED = 943, GoesOn, "A sealing key, or a key that is generated once, is in no backup.";
    NOT_BORN = 944, Refused, "A value may not be made anew.", "What was generated once, what is sealed under a lost key and what a volume was initialised with is never replaced by a new value. Where it is lost indeed, `--accept KEY` says so.";
    NOT_GIVEN = 945, Usage, "A value that somebody has was not given.";
    IN_ARGUMENTS = 946, Refused, "A secret's value stands on the command line.", "Others on the machine see the arguments of every process, and the shell keeps them. Give the value by `--stdin` or `--from-file`.";
    NOT_ACCEPTED = 947, Refused, "A change would make something invalid, and nobody has said that this is meant.";
    HELD = 956, Failed, "The file that holds sealed values cannot be read, or not be changed in place.";
    BORN_ALREADY = 949, Refused, "The keys that are generated once are there already.";
    UNCOMMITTED_SECRETS = 950, Failed, "git did not commit or push what was sealed.";
    PLAIN_VALUES = 951, Usage, "Plain values go to a terminal or a file of their owner's alone.";
    UNMADE = 952, Failed, "A value could not be made.";
    INCOMPLETE = 953, Failed, "A secret is not as it is declared.";
    ANOTHER_BORN = 957, Refused, "A Secret would be born with another value than the one that was generated.", "A key that is generated once has its fingerprint in landfall.yaml. A value that does not fit it is refused before anything holds it: once it lives, it is the value that is guarded.";
    LIVES_ELSEWHERE = 959, Refused, "A value that is generated once lives at another place, or under another name, than it is declared.", "What is sealed opens for the name and the namespace that it was sealed for. `landfall secrets init --from NAMESPACE/SECRET` takes over what lives there; nothing of it is lost there by that.";
    UNREMEMBERED = 955, GoesOn, "What was written of secrets is not remembered on the cluster.";
    WHICH_SECRET_NAMESPACE = 954, Usage, "It is not known in which namespace a Secret is to be.";
}
