//! Versions, tags and images: what may run where, and the lines that say it.

super::group! {
    GROUP: "versions, tags and images",
    "docs/promotion.md has the rules of versions, channels and tags. A tag is written into the line that sets it and into nothing else.";
    NO_TAG_THERE = 960, Failed, "There is no tag in a values file where one was to be set.";
    DIGEST_BESIDE = 961, Refused, "A digest says what runs, and no tag beside it changes that.";
    BAD_TAG = 962, Refused, "A tag may not run: it moves, it is no version, or it is none of the environment's channel.";
    BAD_VERSION = 963, Usage, "A text is no version that a release can have.";
    BAD_STEP = 964, Failed, "A version does not follow the one before it by the rules of the product.";
    NO_IMAGE_LINE = 965, Failed, "No line of a values file of this repository sets the tag of an image.";
    IMAGE_ABSENT = 966, Refused, "An image is not in its registry.";
    OTHER_REVISION = 967, Refused, "An image was built from another commit than was said.";
    TAG_MOVED = 968, Refused, "A tag that was published has another digest now.", "A published tag never moves: what was tested under it is not what runs under it now. Publish under a new tag; the first digest stays on record in the state directory's `tags.json`.";
    NO_REMOTE = 969, Usage, "There is no repository elsewhere to push to, or no branch of it is known.";
    BAD_IMAGE_POLICY = 970, Usage, "An image policy cannot be read.";
    NO_WORKLOAD_LINE = 971, Failed, "No line of a values file of this repository sets how many replicas a workload has.";
    AUTOSCALED = 972, Refused, "An autoscaler says how many replicas a workload has.";
    HELD_BACK = 973, Refused, "A version is held back.", "Somebody has said `landfall hold VERSION --reason …`. `landfall hold --release VERSION` lets it go again.";
    NOT_TESTED = 974, Refused, "An image was never seen running where it is to be promoted from.";
    NOT_WELL = 975, Refused, "What an image runs in is not well, or one of its checks has failed or was not made.", "What was seen last counts: a later failure withdraws what was seen before, and time begins anew.";
    NOT_SOAKED = 976, Refused, "An image has not run well for as long as is declared.";
    REPORT_REFUSES = 977, Refused, "A report (SARIF) has findings, or there is none and one is wanted.";
    NOT_VOUCHED = 978, Refused, "An image is not signed, or something is not attested of it, with the key that is declared.", "Signatures and attestations are read as cosign puts them beside an image with a key: the tags `sha256-HEX.sig` and `sha256-HEX.att`.";
    DATA_NOT_READY = 979, Refused, "The receiving environment says that something which customers' data needs is open.";
    NO_PROMOTION = 980, Usage, "No such promotion is declared.";
    NOT_AN_OWNER = 981, Refused, "Whoever asks for a promotion is none of its owners.";
    MIXED_VERSIONS = 982, Refused, "Images that go together have not one version.";
    GOES_BACK = 983, Refused, "What is to be promoted comes before what is there.", "Going back is no promotion: `landfall images set TAG --env E --allow-older --push` writes an older tag that is published.";
    TAG_TAKEN = 984, Refused, "A tag that is to be given has another image already.", "A published tag never moves. Build the next version instead.";
    NO_FORGE = 985, Usage, "A pull request is wanted, and it is not known from whom.";
    REHEARSAL_REFUSES = 986, Refused, "The rehearsal of a promotion found what would fail.";
    BAD_REPORT = 987, Usage, "A file is no report in SARIF.";
    BAD_KEY = 988, Usage, "A file is no public key that signatures are verified with.";
    NEVER_THERE = 994, Refused, "A tag is set by hand where it never ran, and where what is new goes by a promotion.", "Where `promotion:` of the delivered branch leads to an environment, `images set`, `images scan` and `rollback` go back there to what it has had, and `landfall promote` goes forward.";
    NOT_LOOKED_AT = 998, Refused, "A tag is set unlooked at where a promotion leads.", "A published tag that was moved is another image than the one that ran there, and only its registry says so. `--unchecked` is for environments that no promotion leads to; where the registry cannot be asked and it is urgent, `--break-glass REASON` is the way.";
    FOREIGN_COMMITS = 995, Refused, "On a branch of Landfall's own there are commits of others.", "A pull request of Landfall has one commit of its own on the tip of the branch that it goes to. What others have put there would be merged along with it.";
    OTHER_PROMOTION = 996, Refused, "A promotion is known under the same name, and is another one.";
    NO_HOLD = 990, Failed, "A version that is to be released is not held back.";
    NOTHING_KNOWN = 989, Failed, "Nothing is known of a commit: no image says that it was built from it.";
    ONE_LINE_FOR_BOTH = 997, Refused, "Two environments read one line, so that a promotion between them would change both.";
}
