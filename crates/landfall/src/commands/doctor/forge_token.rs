//! Which token a forge is given: the one that belongs to its host.

use landfall_source::{host_of, is_mutant};

/// A variable that holds a token, and whose it is.
struct Token {
    variable: &'static str,
    /// Hosts of forges that everybody knows.
    hosts: &'static [&'static str],
    /// Variables that name further hosts, as a host or an address.
    named_by: &'static [&'static str],
}

const TOKENS: [Token; 4] = [
    Token {
        variable: "LANDFALL_FORGE_TOKEN",
        hosts: &["github.com", "gitlab.com", "codeberg.org"],
        named_by: &["LANDFALL_FORGE_HOST"],
    },
    Token { variable: "GITHUB_TOKEN", hosts: &["github.com"], named_by: &["GITHUB_SERVER_URL", "GITHUB_API_URL"] },
    Token { variable: "GITLAB_TOKEN", hosts: &["gitlab.com"], named_by: &["CI_SERVER_HOST", "CI_SERVER_URL"] },
    Token { variable: "GITEA_TOKEN", hosts: &["codeberg.org"], named_by: &["GITEA_SERVER_URL"] },
];

/// The token for the API at an address, where there is one.
///
/// Which repository is looked at, and so which host, is what a clone says of itself: a token is given to a host only
/// where the user named both, by a variable or by `--api` (`named`). A host that `LANDFALL_FORGE_HOST` names gets
/// no other token than that one.
pub(crate) fn token_for<'e>(
    api: &str,
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<&'e str>,
) -> Option<&'e str> {
    let host = owner_of(api);
    let is_typed = named.is_some_and(|named| owner_of(named) == host);
    TOKENS.iter().find_map(|token| {
        let value = variable(token.variable).filter(|value| !value.is_empty())?;
        let named: Vec<String> = token.named_by.iter().filter_map(|name| variable(name)).map(owner_of).collect();
        // Who names a host means it instead of the known ones.
        let is_own =
            token.hosts.contains(&host.as_str()) && (named.is_empty() || token.variable != "LANDFALL_FORGE_TOKEN");
        (is_typed || is_own || named.contains(&host) || is_mutant("forge-tokens")).then_some(value)
    })
}

/// What is said where a variable names a host without the port that it is at: that is another host.
pub(crate) fn without_its_port<'e>(api: &str, variable: impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let host = owner_of(api);
    let (name, _) = host.rsplit_once(':')?;
    let set = TOKENS.iter().filter(|token| variable(token.variable).is_some_and(|value| !value.is_empty()));
    let mut named =
        set.flat_map(|token| token.named_by).filter(|by| variable(by).is_some_and(|it| owner_of(it) == name));
    let by = named.next()?;
    Some(format!("{by} names {name}, and this is {host}: a token belongs to a host with its port"))
}

/// The host of a forge by its own address or its API's.
fn owner_of(address: &str) -> String {
    let host = host_of(address).to_ascii_lowercase();
    host.strip_prefix("api.").filter(|rest| *rest == "github.com").map_or(host.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given<'e>(set: &'e [(&'e str, &'e str)]) -> impl Fn(&str) -> Option<&'e str> {
        |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    #[test]
    fn a_token_goes_to_its_own_host_and_to_no_other_that_a_clone_names() {
        let set = [("GITHUB_TOKEN", "hub"), ("GITLAB_TOKEN", "lab"), ("GITEA_TOKEN", "tea")];
        let token = |api: &str| token_for(api, None, given(&set));
        assert_eq!(token("https://api.github.com"), Some("hub"));
        assert_eq!(token("https://gitlab.com/api/v4"), Some("lab"));
        for elsewhere in [
            "https://gitlab.evil.example/api/v4",
            "https://gitea.evil.example/api/v1",
            "https://github.com.evil.example/api/v3",
            "https://api.github.com:444",
            "",
        ] {
            assert_eq!(token(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_host_that_is_named_without_its_port_is_another_one_and_that_is_said() {
        let named = [("LANDFALL_FORGE_TOKEN", "own"), ("LANDFALL_FORGE_HOST", "git.shop.example")];
        let api = "https://git.shop.example:8443/api/v1";
        assert_eq!(token_for(api, None, given(&named)), None);
        let said = without_its_port(api, given(&named)).expect("said");
        assert!(
            said.contains("LANDFALL_FORGE_HOST names git.shop.example, and this is git.shop.example:8443"),
            "{said}"
        );
        for other in ["https://git.shop.example/api/v1", "https://git.other.example:8443/api/v1"] {
            assert_eq!(without_its_port(other, given(&named)), None, "{other}");
        }
        assert_eq!(without_its_port(api, given(&named[1..])), None, "without a token nothing is wrong with the name");
    }

    #[test]
    fn a_host_of_ones_own_is_named_by_a_variable_or_on_the_command_line() {
        let named = [("LANDFALL_FORGE_TOKEN", "own"), ("LANDFALL_FORGE_HOST", "git.shop.example")];
        let token = |api: &str, typed| token_for(api, typed, given(&named));
        assert_eq!(token("https://git.shop.example/api/v1", None), Some("own"));
        assert_eq!(token("https://api.github.com", None), None, "it is the other host's");
        assert_eq!(token("http://127.0.0.1:3000/api/v1", Some("http://127.0.0.1:3000/api/v1")), Some("own"));
        let actions = [("GITHUB_TOKEN", "hub"), ("GITHUB_SERVER_URL", "https://git.shop.example")];
        assert_eq!(token_for("https://git.shop.example/api/v3", None, given(&actions)), Some("hub"));
    }
}
