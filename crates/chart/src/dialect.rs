use landfall_object::order::HelmOrder;

/// Which Helm is followed, byte for byte: how manifests are cut and ordered, what becomes of nulls, how errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Dialect {
    /// Helm 3 (and 4 before 4.2): documents are trimmed on both sides.
    #[default]
    V3,
    /// Helm 4.2 and later: documents keep their trailing newlines; two more kinds have an order.
    V4,
}

impl Dialect {
    /// Its order of kinds.
    pub(crate) fn kinds(self) -> HelmOrder {
        match self {
            Dialect::V3 => HelmOrder::V3,
            Dialect::V4 => HelmOrder::V4,
        }
    }
}
