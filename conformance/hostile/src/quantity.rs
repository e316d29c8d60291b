//! Quantities and the names of kinds.

use landfall_object::{Gvk, Quantity};

/// A quantity that was read is written as one that reads the same.
pub(crate) fn quantity(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    if let Ok(quantity) = text.parse::<Quantity>() {
        let shown = quantity.to_string();
        assert_eq!(shown.parse::<Quantity>().map(|again| again.to_string()), Ok(shown.clone()), "{text:?}");
    }
    let _gvk = Gvk::from_api_version(text, text);
}
