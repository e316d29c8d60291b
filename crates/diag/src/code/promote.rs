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
}
