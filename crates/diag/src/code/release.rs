//! Releases and their records.

super::group! {
    GROUP: "a release and its records",
    "Records are the Secrets (or ConfigMaps) in which Helm keeps a release. `landfall history` shows them, also those that stock helm has written.";
    BAD_RELEASE_NAME = 300, Failed, "A text cannot be the name of a recorded release.";
    NO_RELEASE = 301, Failed, "There is no release of that name.";
    NO_REVISION = 302, Failed, "The release has no such revision.";
    NAME_IN_USE = 303, Failed, "There is a release of that name already.";
    NOTHING_DEPLOYED = 304, Failed, "The release has no revision that is deployed.";
    PENDING = 305, Failed, "Another operation on the release is in progress, or died.";
    ALREADY_DELETED = 306, Failed, "The release is uninstalled already.";
    SYSTEM_LABEL = 307, Failed, "A label was given that Helm keeps for itself.";
    FOREIGN_OBJECT = 308, Refused, "An object of the release is there already and belongs to somebody else.";
    UNBUILDABLE = 309, Failed, "A rendered or recorded manifest cannot be made into objects.";
    DAMAGED_RECORD = 310, Failed, "A release's record cannot be read.";
    RECORD_UNSTORED = 311, Failed, "A release's record cannot be stored.";
    HISTORY_UNWRITTEN = 312, GoesOn, "The delivery is done and could not be added to the history.";
    NO_TEST_POD = 313, Failed, "The pod of a test is not there.";
    INTERRUPTED_FINISHED = 314, GoesOn, "A delivery that was interrupted has been brought to its end.";
    NEVER_FINISHED = 315, GoesOn, "A revision that was never finished is now marked as failed.";
    NOTHING_CHANGED = 320, GoesOn, "Nothing was changed.";
}
