//! The embedded cluster and its server.

super::group! {
    GROUP: "the embedded cluster",
    "`landfall cluster status` says whether it runs, and since when; `landfall cluster stop` ends it with its data kept, `landfall cluster reset` without.";
    EMBEDDED_UNWRITTEN = 619, Failed, "The embedded cluster's state cannot be written.";
    EMBEDDED_SILENT = 620, Unreachable, "The embedded cluster is in use by a process that does not answer.";
    EMBEDDED_UNOPENED = 621, Failed, "The embedded cluster cannot be opened.";
    INGRESS = 622, Failed, "The embedded cluster's ingress cannot listen.";
    SERVER_NOT_STARTED = 623, Failed, "The embedded cluster's server did not start.";
    SERVED_ALREADY = 624, Failed, "Another process serves this embedded cluster already.";
    NO_LISTENING = 625, Failed, "The address cannot be listened on.";
    SERVER_NOT_ENDED = 626, Failed, "The embedded cluster's server is not ended: it does not end, or the process is another one.";
    NOT_RUNNING = 627, Unreachable, "The embedded cluster does not run, or is not there yet.";
    UNREADABLE_ACCESS = 628, Failed, "The way to the embedded cluster's server cannot be read.";
    SERVER_GONE = 629, Unreachable, "The embedded cluster's server has ended, or its state was removed.";
    EMBEDDED_UNTALKABLE = 661, Unreachable, "No client can be made for the embedded cluster.";
    EMBEDDED_IN_USE = 662, Failed, "The embedded cluster is in use by another process.";
}
