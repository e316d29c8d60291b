/// What is wrong with an expression, and the byte at which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) at: usize,
    pub(super) what: String,
}
