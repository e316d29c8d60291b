/// Which part of an object a write may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    #[default]
    Main,
    /// The status.
    Status,
    /// The number of replicas.
    Scale,
    /// The node of a pod.
    Binding,
    /// A namespace's finalizers.
    Finalize,
    /// Ephemeral containers of a pod.
    EphemeralContainers,
    /// A pod's resources.
    Resize,
    /// The conditions of a certificate request.
    Approval,
}

impl Part {
    /// The last path element; empty for the main part.
    pub fn subresource(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Binding => "binding",
            Self::Finalize => "finalize",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Resize => "resize",
            Self::Approval => "approval",
        }
    }
}
