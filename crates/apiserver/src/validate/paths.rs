//! Paths below a volume.

use super::at::{At, Errors};

/// A path that stays below where it starts.
pub(super) fn relative_path(errors: &mut Errors, path: &At<'_>) {
    if path.text().starts_with('/') {
        errors.invalid(path, "must be a relative path");
    }
    no_backsteps(errors, path);
}

pub(super) fn no_backsteps(errors: &mut Errors, path: &At<'_>) {
    if path.text().split('/').any(|part| part == "..") {
        errors.invalid(path, "must not contain '..'");
    }
}

pub(super) fn local_path(errors: &mut Errors, path: &At<'_>) {
    if path.is_empty() {
        return;
    }
    relative_path(errors, path);
    if path.text().starts_with("..") && path.text() != ".." && !path.text().starts_with("../") {
        errors.invalid(path, "must not start with '..'");
    }
}
