//! What of a running system is reached from here.

super::group! {
    GROUP: "`landfall forward` and `logs`",
    "Names are those of services, workloads and pods that run now.";
    NOTHING_CALLED_SO = 630, Failed, "Nothing of that name can be reached.";
    WHICH_OF_THEM = 631, Failed, "Several things have that name.";
    NO_PORT = 632, Failed, "What is named has no such port.";
    CONNECTION_FAILED = 633, GoesOn, "A connection that was forwarded has failed.";
    NO_LOCAL_PORT = 634, Failed, "A local port cannot be had.";
}
