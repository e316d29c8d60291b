//! Machines, builds, addons, rehearsals and snapshots.

super::group! {
    GROUP: "machines, builds and addons",
    "`landfall doctor` looks at what this machine lacks.";
    NO_BUILDER = 615, Unreachable, "Nothing on this machine builds images.";
    BUILD_FAILED = 616, Failed, "An image cannot be built.";
    IMAGE_NOT_BROUGHT = 617, Failed, "Images were built and could not be brought to the cluster.";
    ADDON_THERE = 640, Failed, "An addon is installed already, elsewhere.";
    BAD_K3D_LIST = 641, Failed, "k3d's list of clusters cannot be read.";
    NO_K3D = 642, Unreachable, "k3d is not installed.";
    K3D_FAILED = 643, Failed, "k3d has failed.";
    PORT_BUSY = 644, Failed, "A port of this machine is busy.";
    NO_SMOKE = 645, Failed, "This builder runs no images.";
    SMOKE_UNSTARTED = 646, Failed, "A built image cannot be started or watched.";
    SMOKE_FAILED = 647, Unhealthy, "A built image ends at once, or badly.";
    ADDON_MISSING = 648, GoesOn, "An addon is declared and not installed.";
    COREDNS = 653, Failed, "CoreDNS could not be started again.";
    DOCUMENTS_UNWRITTEN = 655, Failed, "A document that was to be mended cannot be read or written.";
    NO_RANDOMNESS = 656, Failed, "The machine gives no randomness for a key.";
    NO_THREADS = 660, Bug, "The process cannot start its threads.";
}

super::group! {
    REHEARSED: "rehearsals and snapshots",
    "A rehearsal works on a simulated cluster of its own, and changes nothing.";
    REHEARSAL_CLUSTER = 650, Failed, "The simulated cluster of a rehearsal cannot be opened or made ready.";
    REHEARSAL_JOURNAL = 651, Failed, "The journal of a rehearsal cannot be opened.";
    SNAPSHOT_UNWRITTEN = 652, Failed, "A snapshot of a cluster cannot be written.";
    RESTLESS = 654, Failed, "Simulated controllers do not come to rest: they write over each other.";
}
