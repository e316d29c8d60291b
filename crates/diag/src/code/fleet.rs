//! The edge's server.

super::group! {
    GROUP: "the edge",
    "`landfall edge list` names the edges, `landfall edge explain EDGE` says why one does not run what it should, `landfall edge campaign list` how campaigns stand.";
    NO_SUCH_EDGE = 780, Usage, "There is no edge, enrollment token, release or campaign of that name.";
    BAD_RELEASE = 781, Usage, "A release of edges cannot be registered as it is.";
    UNTRUSTED_METADATA = 782, Refused, "Signed metadata of the fleet is not to be believed, or does not follow what is published.";
    EDGE_CONFLICT = 783, Refused, "An edge or campaign is not in a state in which that can be done.";
    FLEET_UNWRITTEN = 784, Failed, "What an edge's server has to keep cannot be written.";
    BAD_SIGNING_KEY = 785, Usage, "The file with a signing key cannot be read, or holds none.";
}
