/// How the items of a list are told apart when two writers meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// The list is one value.
    Atomic,
    /// Items are scalars, each at most once.
    Set,
    /// Items are maps identified by these fields.
    Map(Box<[Box<str>]>),
}
