//! `matrix`: each set of one generator's parameters with each of another one, whose texts may name the first's.

use serde_json::Value;

use super::generators::{Run, Stop};
use super::params::{Params, combined, put_over};

/// The most sets of parameters that a matrix is made of.
const MOST: usize = 10_000;

pub(crate) fn params(run: &mut Run<'_>, spec: &Value, depth: usize) -> Result<Vec<Params>, Stop> {
    let generators = spec.get("generators").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let [first, second] = generators else {
        let words = match generators.len() {
            0 | 1 => "found less than two generators, Matrix support only two",
            _ => "found more than two generators, Matrix support only two",
        };
        return Err(Stop::Failed(words.to_owned()));
    };
    let firsts = run
        .nested(first, &Params::new(), depth)
        .map_err(|stop| stop.while_("error failed to get params for first generator in matrix generator"))?;
    let (mut found, mut unanswered) = (Vec::new(), false);
    for a in &firsts {
        let seconds = match run.nested(second, a, depth) {
            Ok(seconds) => seconds,
            // What the others ask for is asked at once.
            Err(Stop::Unanswered) => {
                unanswered = true;
                continue;
            }
            Err(stop) => {
                return Err(stop.while_("failed to get params for second generator in the matrix generator"));
            }
        };
        if found.len() + seconds.len() > MOST {
            return Err(Stop::Failed(format!("a matrix of more than {MOST} sets of parameters is not made")));
        }
        for b in seconds {
            found.push(if run.templates.is_go() {
                let mut both = b;
                put_over(&mut both, a);
                both
            } else {
                let both = combined(a, &b);
                both.map_err(|why| {
                    format!("failed to combine string maps with merging params for the matrix generator: {why}")
                })?
            });
        }
    }
    if unanswered { Err(Stop::Unanswered) } else { Ok(found) }
}
