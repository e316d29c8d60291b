//! Runs the target that LANDFALL_FUZZ_TARGET names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&hostile::Target> = LazyLock::new(|| {
    let name = std::env::var("LANDFALL_FUZZ_TARGET").unwrap_or_default();
    let known = hostile::TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(" ");
    hostile::target(&name).unwrap_or_else(|| panic!("LANDFALL_FUZZ_TARGET is {name:?}; there are: {known}"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
