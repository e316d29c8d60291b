//! Templates with the whole function library, over fixed values.

use landfall_chart::ValueLayers;
use landfall_gotemplate::{Limits, MissingKey, Set, Value};

/// Less than a chart may take, so that an input ends soon: what takes long in spite of it takes long in one step.
const LIMITS: Limits = Limits { steps: 100_000, depth: 1_000, output_bytes: 4 << 20, held_bytes: 64 << 20 };

/// What templates find under their dot.
const VALUES: &str = "{name: web, count: 3, ratio: 0.5, on: true, none: null, list: [1, a, [x], {k: v}], map: {a: {b: c}, d: []}, text: \"a b\\nc\", big: 9223372036854775807}";

pub(crate) fn template(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let mut set = Set::new("gotpl", landfall_sprig::funcs(), MissingKey::Zero);
    if set.parse("t", text.as_bytes()).is_err() {
        return;
    }
    let mut values = ValueLayers::new();
    values.file("values.yaml", VALUES);
    let dot = Value::from(values.merge().expect("the values are written above"));
    let _refused = set.execute("t", &dot, &mut landfall_source::surroundings(), LIMITS);
}
