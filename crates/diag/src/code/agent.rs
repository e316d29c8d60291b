//! The agent of an edge.

super::group! {
    GROUP: "the agent of an edge",
    "`landfall agent status` says what this machine is enrolled as and runs; `landfall agent enroll` enrolls it.";
    AGENT_FAILED = 790, Failed, "The agent of this machine cannot do that: it is not enrolled, or the server, the disk or the service manager refuses.";
    AGENT_ASKED_WRONGLY = 791, Usage, "The agent is asked for something that cannot be, or something is missing that nobody is there to be asked for.";
}
