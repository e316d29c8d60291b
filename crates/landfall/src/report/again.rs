//! How a command that is advised names the place of the one that advises it.

use std::path::Path;

use landfall_delivery::ObjectName;
use landfall_host::shell_word;
use landfall_project::EnvironmentName;

use crate::arguments::is_written_as_path;
use crate::context::Context;

/// What further commands repeat: `-C DIR` in front, the target behind the verb, the state directory and the environment
/// at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Again {
    front: Vec<String>,
    target: Option<String>,
    end: Vec<String>,
}

impl Again {
    /// What was typed of the place.
    pub(crate) fn of(context: &Context, target: Option<&str>, environment: Option<&EnvironmentName>) -> Self {
        let word = |text: &str| shell_word(Path::new(text));
        let front = context.elsewhere.iter().flat_map(|directory| ["-C".to_owned(), word(directory)]).collect();
        let env = &context.host.env;
        let state =
            context.host.state.as_deref().filter(|state| env.get("LANDFALL_STATE").map(Path::new) != Some(state));
        let mut end: Vec<String> = Vec::new();
        end.extend(state.iter().flat_map(|state| ["--state".to_owned(), shell_word(state)]));
        let environment = environment.filter(|name| env.get("LANDFALL_ENV") != Some(name));
        end.extend(environment.iter().flat_map(|name| ["--env".to_owned(), word(name)]));
        Again { front, target: target.map(|target| word(&as_path(target))), end }
    }

    /// A verb with its names, about the same place.
    pub(crate) fn verb(&self, verb: &str, names: &[&str]) -> String {
        let front = self.front.iter().map(String::as_str);
        let behind = self.target.as_deref().into_iter().chain(names.iter().copied());
        let words = ["landfall"].into_iter().chain(front).chain([verb]).chain(behind);
        words.chain(self.end.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// A target as no verb takes it for a name.
fn as_path(target: &str) -> String {
    let may_be_name = !target.contains('/') || ObjectName::parse(target).is_some_and(|name| name.is_common());
    if may_be_name && !is_written_as_path(target) { format!("./{target}") } else { target.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_of_a_place_is_repeated() {
        assert_eq!(Again::default().verb("logs", &["SERVICE"]), "landfall logs SERVICE");
        let again = Again {
            front: vec!["-C".to_owned(), "shop".to_owned()],
            target: Some("./web".to_owned()),
            end: vec!["--env".to_owned(), "prod".to_owned()],
        };
        assert_eq!(again.verb("logs", &["SERVICE"]), "landfall -C shop logs ./web SERVICE --env prod");
    }

    #[test]
    fn a_target_is_written_so_that_it_is_no_name() {
        for (typed, written) in [
            ("web", "./web"),
            ("examples/shop", "examples/shop"),
            ("deployment/web", "./deployment/web"),
            ("../web", "../web"),
            ("https://host/x.git#v1", "https://host/x.git#v1"),
        ] {
            assert_eq!(as_path(typed), written);
        }
    }
}
