//! What is fetched: git, chart repositories, registries, keys; and what of it may be delivered where.

super::group! {
    GROUP: "what is fetched: git, chart repositories, registries, keys",
    "Credentials come from Helm's and Docker's own files, certificates from the system and `--ca-file`. Nothing that was fetched is kept when it is not what was promised.";
    UNREADABLE_FILE = 501, Failed, "A file of the tree cannot be read.";
    LINK_OUT = 502, Failed, "A link leads out of the tree, in a circle, or to no file of the tree.";
    TREE_TOO_LARGE = 503, Failed, "A tree or one of its files is larger than is read.";
    BAD_REPOSITORY = 504, Failed, "A git repository cannot be read.";
    NO_COMMIT = 505, Failed, "A text is no commit, branch or tag of the repository.";
    NOT_IN_TREE = 506, Failed, "There is no such path in the tree.";
    UNREADABLE_ARCHIVE = 507, Failed, "An archive is broken or hostile.";
    NO_ANSWER = 508, Unreachable, "A server does not answer, or a repository cannot be fetched.";
    BAD_PATH = 509, Failed, "A text is no path inside a tree.";
    UNTRUSTED = 510, Failed, "The certificate of a server is not trusted.";
    SERVER_REFUSED = 511, Failed, "A server or registry refused, or answered with something else than success.";
    BAD_EXCHANGE = 512, Failed, "A redirect, the size of an answer or a file of certificates is not accepted.";
    BAD_INDEX = 513, Failed, "The index of a chart repository is none.";
    NO_SUCH_CHART = 514, Failed, "A chart or version is not in the repository, or has no address there.";
    OTHER_DIGEST = 515, Failed, "What was fetched is not what was promised.";
    PROVENANCE = 516, Failed, "A chart's signature cannot be made or verified.";
    NO_INDEX = 517, Failed, "The index of a chart repository is not here.";
    NO_CHART_REPOSITORY = 518, Failed, "No chart repository is known, or none of that name.";
    BAD_ADDRESS = 519, Failed, "A text is no address of a chart or repository.";
    OTHER_CLUSTER = 520, Refused, "An environment lives on one cluster, and another was named.";
    UNCOMMITTED = 521, Refused, "The environment is protected, and what would be delivered is not committed.";
    WRITE_OUTSIDE = 522, Refused, "A commit would change a path that whoever makes it may not change.";
    BRANCH_MOVES = 523, Failed, "A branch was moved by others again and again while a commit was made for it.";
    NO_BRANCH = 524, Failed, "A repository has no branch of that name.";
    UNSIGNED_COMMIT = 525, Failed, "A commit cannot be signed as was asked for.";
    NOT_DEPLOYED = 526, Unhealthy, "What is published is not deployed: there is no token for the repository that says what runs.", "The images are there; only the line that names them was not written. Set LANDFALL_FORGE_TOKEN (with LANDFALL_FORGE_HOST), GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN and run the same command again.";
    BRANCH_PROTECTED = 527, Refused, "A branch takes no commit from whoever made it.", "The server refused the push though nobody else had moved the branch: it is protected, or a hook declined. What the server said is told beside it.";
    OWN_ECHO = 528, Refused, "A commit that Landfall itself has made is no reason for another one.";
    NO_GIT = 529, Failed, "There is no git on this machine, which is what sends commits.";
    MISSING_REFERENCE = 530, Refused, "Something that is to be delivered could not start without what is nowhere.";
    DANGLING_REFERENCE = 531, GoesOn, "Something that is to be delivered names what is nowhere.";
}
