//! The kubeconfig.

super::group! {
    GROUP: "the kubeconfig",
    "The environment in landfall.yaml names a context; `--context` and `--kubeconfig` say otherwise.";
    NO_CONTEXT = 610, Unreachable, "The kubeconfig has no such context, or no current one.";
    BAD_CONTEXT = 611, Unreachable, "A context of the kubeconfig cannot be used.";
    NO_KUBECONFIG = 612, Unreachable, "There is no kubeconfig, and one is needed.";
    BAD_KUBECONFIG = 613, Unreachable, "The kubeconfig cannot be read.";
    NO_PERSONAL_KUBECONFIG = 614, Usage, "There is no personal kubeconfig to merge into.";
}
