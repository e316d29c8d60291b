//! What `cluster delete` and `cluster reset` print: a cluster that is gone, or that never was there.

use serde_json::{Value, json};

use crate::report::Report;
use crate::ui::Ui;

/// What has become of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    /// It was there, and is gone.
    There,
    /// There was none.
    Nothing,
}

/// A cluster that is not there any more.
pub(super) struct Removed<'a> {
    /// Its name: `embedded`, or one of this machine's.
    pub(super) name: &'a str,
    /// Whether it was there.
    pub(super) was: Was,
    /// What people are told.
    pub(super) text: &'a str,
}

impl Report for Removed<'_> {
    const KIND: &'static str = "ClusterRemoval";

    fn data(&self) -> Value {
        let cluster = match self.was {
            Was::There => "gone",
            Was::Nothing => "none",
        };
        json!({"name": self.name, "cluster": cluster})
    }

    fn text(&self, ui: &Ui) {
        ui.line(self.text);
    }

    fn names(&self, ui: &Ui) {
        if self.was == Was::There {
            ui.name(self.name);
        }
    }
}
