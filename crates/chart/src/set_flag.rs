/// Which flag of the `--set` family a line was given with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetFlag {
    /// `--set-json`
    Json,
    /// `--set`
    Set,
    /// `--set-string`
    String,
    /// `--set-file`
    File,
    /// `--set-literal`
    Literal,
}

impl SetFlag {
    /// The flag as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            SetFlag::Json => "--set-json",
            SetFlag::Set => "--set",
            SetFlag::String => "--set-string",
            SetFlag::File => "--set-file",
            SetFlag::Literal => "--set-literal",
        }
    }
}
