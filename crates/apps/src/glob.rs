use globset::GlobBuilder;

/// Whether a text fits a glob that knows no separators; a glob that cannot be read fits nothing.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    matches(pattern, text, false)
}

/// Whether an address fits a glob as Argo CD matches it: `*` is one part of it, `**` are many.
pub(crate) fn fits_address(pattern: &str, address: &str) -> bool {
    matches(pattern, address, true)
}

fn matches(pattern: &str, text: &str, separated: bool) -> bool {
    let glob = GlobBuilder::new(pattern).literal_separator(separated).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(text))
}
