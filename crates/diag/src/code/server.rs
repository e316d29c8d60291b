//! The server's API, and what is asked of Applications.

super::group! {
    GROUP: "the server and its Applications",
    "`landfall app list` names the Applications, `landfall app get NAME` says how one stands, `landfall token list` which tokens there are.";
    NO_SUCH_APPLICATION = 720, Usage, "There is no Application of that name, or none that the token may see.";
    WHICH_APPLICATION = 721, Usage, "Applications of that name live in several namespaces.";
    UNKNOWN_TOKEN = 722, Refused, "The server wants a token, and none was given, or it is not known, revoked or past its time.";
    TOO_SMALL_SCOPE = 723, Refused, "The token is not for that: its scopes or projects are too small.";
    OPERATION_UNDER_WAY = 724, Failed, "An operation of the Application is under way, and another one begins only after it.";
    NO_OPERATION = 725, Failed, "No operation of the Application is under way that could be ended.";
    CANNOT_ROLL_BACK = 726, Refused, "The Application cannot be rolled back to that delivery.";
    PINNED = 727, Refused, "The Application is pinned to a revision, and another one was asked for.";
    SERVER_SILENT = 728, Unreachable, "The server that is asked about Applications does not answer, or none runs that would act on them.";
    STRANGE_ANSWER = 729, Failed, "The server's answer is not one of Landfall's API.";
    NOT_SO_IN_TIME = 730, Unhealthy, "An Application did not become what was waited for.";
    UNAUDITED = 731, Failed, "The audit log cannot be written, so nothing was changed.";
    UNREADABLE_TOKEN = 732, Usage, "The file with the token cannot be read, or holds none.";
    NO_SUCH_TOKEN = 733, Usage, "There is no token of that name that could be revoked.";
    BAD_REQUEST = 734, Usage, "The request is not what the API takes there.";
    SYNC_FAILED = 735, Failed, "The sync of an Application has failed.";
    SYNCS_BY_ITSELF = 736, Refused, "The Application syncs by itself, so that another revision would be undone at once.";
    PLAIN_SERVER = 737, Refused, "A token would be sent to another machine where everybody on the way could read it.";
    BEING_DELETED = 738, Failed, "The Application is being deleted.";
    BAD_PIN = 739, Failed, "The annotation that pins an Application cannot be read.";
    NOT_SIGNED_IN = 740, Refused, "The name or the password is not right, or the account takes no tries for a while.";
    PASSWORD_MUST_CHANGE = 741, Refused, "The account's first password has to be changed before anything else is answered.";
    WEAK_PASSWORD = 742, Usage, "The password is too easily guessed.";
    NO_SUCH_ACCOUNT = 743, Usage, "There is no account of that name.";
    ACCOUNT_EXISTS = 744, Usage, "There is an account of that name already.";
    NO_ROLE_FOR_IT = 745, Refused, "No role of whoever asks permits that.";
    BAD_POLICY = 746, Usage, "The policy of roles has a line that cannot be read.";
    KEPT_ELSEWHERE = 779, Refused, "Another server keeps the Applications of this cluster, and what is asked for of a protected one counts there alone.";
    SIDE_DOOR = 747, Refused, "Something of a protected Application was written past its owners and its base branch.";
    FOREIGN_PAGE = 748, Refused, "A browser's session changes something only for the server's own pages.";
    BUSY_SIGNING_IN = 749, Failed, "Too many sign in at once.";
    ISSUER_FAILED = 750, Refused, "What the issuer of identities says is not to be believed.";
    ISSUER_SILENT = 756, Unreachable, "The issuer of identities does not answer.", "Nobody is let in by it meanwhile; sessions that were begun go on, and so do accounts of the server's own and tokens.";
    TOO_MUCH_ACCESS = 751, Refused, "An identity may do what it must not.";
    NO_CI_IDENTITY = 752, Refused, "Nothing is declared for a CI job that its forge vouches for, or more than one thing.";
    BAD_CI_IDENTITIES = 753, Usage, "What is declared of CI jobs cannot be read, or would let in whom nobody means.";
    NO_SUCH_CREDENTIALS = 754, Usage, "The server has no login for that address.";
    CREDENTIALS_TAKEN = 755, Refused, "A Secret that is not Landfall's own is the login for that address.";
    BAD_SINK = 770, Usage, "A variable does not say whom news are told to.";
    MANAGED_RELEASE = 771, Refused, "A release is delivered by an Application, and would be changed past it.";
    NO_ARGO = 772, Usage, "No controller of Argo CD is there, or none that was laid to rest.";
    MIGRATION_CHANGES = 773, Refused, "Taking Applications over would change what runs.";
    STILL_RUNS = 774, Failed, "A controller of Argo CD was to be laid to rest, and still runs.";
    BAD_HOOK_SECRETS = 775, Failed, "The file with the secrets of webhooks cannot be read.";
    BAD_ROOT_PATH = 776, Usage, "The path below which the server answers is none.";
    BAD_DATABASE = 777, Usage, "The address of a database is none of PostgreSQL, or something that replicas need is missing beside it.";
    NO_JOURNAL_KEY = 778, Failed, "The Secret with the key that replicas seal their journal with holds none.";
}
