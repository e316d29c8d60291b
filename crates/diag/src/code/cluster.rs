//! The cluster's API.

super::group! {
    GROUP: "the cluster's API",
    "The cluster could not be reached, or it refused a request; its own words stand in the note. Nothing is tried again by itself: the same command goes on from where it stopped.";
    API_REFUSED = 400, Failed, "The cluster refused a request.";
    UNREACHABLE = 401, Unreachable, "The cluster cannot be reached, or does not answer.";
    UNKNOWN_KIND = 402, Failed, "The cluster does not know the kind of an object.";
    FORBIDDEN = 403, Failed, "The cluster does not let this user do that.";
    NOT_FOUND = 404, Failed, "The cluster has no such object.";
    UNAUTHENTICATED = 405, Failed, "The cluster does not know this user.";
    MALFORMED_ANSWER = 406, Failed, "The cluster's answer cannot be read, or an object has no address there.";
    CONFLICT = 409, Failed, "Somebody else has changed the object meanwhile, or owns a field of it.";
    UNSERVED = 410, Failed, "An object's apiVersion is served by nobody.", "Kubernetes has removed it, the definition that brings the kind serves other versions, or no such definition is installed or delivered. The message names what replaces it, the places are the lines that write `apiVersion`. What such an object refers to is looked at when it is served.";
    WOULD_BE_REFUSED = 411, Failed, "The cluster would refuse what is to be delivered.", "Before anything is begun every object of every phase is sent to the cluster with `dryRun=All`: creations, patches and replacements as the delivery would write them, hooks among them. All that would be refused is told at once, in the server's words, and nothing is changed: no hook has run, no record is written. The helm persona keeps Helm's order and finds the same in the middle.";
    NOT_TRIED = 412, GoesOn, "Something could not be tried before the delivery.", "What the cluster's answer to a dry run would say nothing about, and why: a webhook that does not declare its side effects, one whose Service is only to come, a role or an account that the same delivery brings. Such an object is judged when it is its turn.";
    TRIED_BY_DEFINITION = 413, GoesOn, "An object was tried by the definition that comes with it.", "The kind comes with the same delivery, so the server does not know it yet. The object was held against the schema and the rules (CEL) of the definition that is delivered. Webhooks of its operator have not seen it.";
    NAMESPACE_MADE_AHEAD = 414, GoesOn, "A namespace was made to try what goes into it, and is gone again, or stays because it is not empty.", "No server tries an object in a namespace that is not there. A namespace that the delivery brings is made first, written down, and deleted again when anything is refused; a process that dies in between leaves it to the next delivery, which goes on with it. It stays where anything is in it, where somebody else delivers into it, and where not every kind can be listed: a namespace goes with all that is in it.";
    INVALID = 422, Failed, "The cluster says that an object is not valid.";
    NOT_VALID_HERE = 432, Failed, "Rendered objects are not what the schemas of Kubernetes ask for.";
}
