//! Rules about `Chart.yaml` (helm: `pkg/lint/rules/chartfile.go`).

use landfall_diag::Severity;
use landfall_sprig::{Constraint, Version};
use serde_json::Value as Json;

use super::Lint;
use crate::metadata::{API_VERSION_V1, API_VERSION_V2, Metadata};
use crate::tree::Tree;

const PATH: &str = "Chart.yaml";

/// Applies the rules.
pub(super) fn lint(tree: &Tree, lint: &mut Lint) {
    let mut error = |outcome: Result<(), String>| lint.add(Severity::Error, PATH, outcome);
    if tree.has_dir(PATH) {
        error(Err("should be a file, not a directory".to_owned()));
    }
    let (metadata, json) = match read(tree) {
        Ok(read) => read,
        Err(text) => {
            error(Err(format!("unable to parse YAML\n\t{text}")));
            return;
        }
    };
    error(check_name(&metadata));
    error(check_api_version(&metadata));
    error(check_text(&json, "version"));
    error(check_version(&metadata));
    error(check_text(&json, "appVersion"));
    error(check_maintainers(&metadata));
    error(check_sources(&metadata));
    let no_icon = metadata.icon.is_empty();
    lint.add(Severity::Info, PATH, if no_icon { Err("icon is recommended".to_owned()) } else { Ok(()) });
    let mut error = |outcome: Result<(), String>| lint.add(Severity::Error, PATH, outcome);
    if !no_icon && !is_request_url(&metadata.icon) {
        error(Err(format!("invalid icon URL '{}'", metadata.icon)));
    }
    let version = &metadata.api_version;
    if !metadata.kind.is_empty() && version != API_VERSION_V2 {
        error(Err(format!(
            "chart type is not valid in apiVersion '{version}'. It is valid in apiVersion '{API_VERSION_V2}'"
        )));
    }
    if !metadata.dependencies.is_empty() && version != API_VERSION_V2 {
        error(Err(format!(
            "dependencies are not valid in the Chart file with apiVersion '{version}'. They are valid in apiVersion '{API_VERSION_V2}'"
        )));
    }
}

fn read(tree: &Tree) -> Result<(Metadata, Json), String> {
    let bytes = tree.get(PATH).ok_or_else(|| "open Chart.yaml: no such file or directory".to_owned())?;
    let text = String::from_utf8_lossy(bytes);
    let json = crate::decode::yaml(&text).map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    let mut metadata = Metadata::default();
    metadata.read_into(&json).map_err(|error| format!("error unmarshaling JSON: while decoding JSON: {error}"))?;
    Ok((metadata, json))
}

fn check_name(metadata: &Metadata) -> Result<(), String> {
    if metadata.name.is_empty() {
        return Err("name is required".to_owned());
    }
    if metadata.name.contains('/') {
        return Err(format!("chart name {:?} is invalid", metadata.name));
    }
    Ok(())
}

fn check_api_version(metadata: &Metadata) -> Result<(), String> {
    match metadata.api_version.as_str() {
        "" => Err("apiVersion is required. The value must be either \"v1\" or \"v2\"".to_owned()),
        API_VERSION_V1 | API_VERSION_V2 => Ok(()),
        other => Err(format!("apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\"")),
    }
}

/// Versions must be written as text: `1.10` is the number 1.1.
fn check_text(json: &Json, key: &str) -> Result<(), String> {
    let found = match json.get(key) {
        None | Some(Json::String(_)) => return Ok(()),
        Some(Json::Null) => "<nil>",
        Some(Json::Bool(_)) => "bool",
        Some(Json::Number(_)) => "float64",
        Some(Json::Array(_)) => "[]interface {}",
        Some(Json::Object(_)) => "map[string]interface {}",
    };
    Err(format!("{key} should be of type string but it's of type {found}"))
}

fn check_version(metadata: &Metadata) -> Result<(), String> {
    if metadata.version.is_empty() {
        return Err("version is required".to_owned());
    }
    let version = Version::parse(&metadata.version)
        .map_err(|_| format!("version '{}' is not a valid SemVer", metadata.version))?;
    let constraint = Constraint::parse(">0.0.0-0").map_err(|error| error.to_string())?;
    constraint.validate(&version).map_err(|reasons| format!("version {}", reasons.first().map_or("", String::as_str)))
}

fn check_maintainers(metadata: &Metadata) -> Result<(), String> {
    for maintainer in &metadata.maintainers {
        let Some(maintainer) = maintainer else { return Err("a maintainer entry is empty".to_owned()) };
        let name = &maintainer.name;
        if name.is_empty() {
            return Err("each maintainer requires a name".to_owned());
        }
        if !maintainer.email.is_empty() && !is_email(&maintainer.email) {
            return Err(format!("invalid email '{}' for maintainer '{name}'", maintainer.email));
        }
        if !maintainer.url.is_empty() && !is_url(&maintainer.url) {
            return Err(format!("invalid url '{}' for maintainer '{name}'", maintainer.url));
        }
    }
    Ok(())
}

fn check_sources(metadata: &Metadata) -> Result<(), String> {
    match metadata.sources.iter().find(|source| !is_request_url(source)) {
        Some(source) => Err(format!("invalid source URL '{source}'")),
        None => Ok(()),
    }
}

/// `govalidator.IsRequestURL`: what `url.ParseRequestURI` takes, with a scheme.
fn is_request_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let well_named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !well_named || text.bytes().any(|b| b < b' ' || b == 0x7f) {
        return false;
    }
    let rest = rest.split('?').next().unwrap_or("");
    if !rest.starts_with('/') {
        // `data:` and its like are taken as they are.
        return true;
    }
    let Some(rest) = rest.strip_prefix("//") else { return is_escaped(rest) };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    is_authority(authority) && is_escaped(path)
}

/// Whether every `%` is followed by two digits.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// Whether Go takes that for a host with what may stand around it.
fn is_authority(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let user_fine = user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b));
    let (name, port) = match host.strip_prefix('[') {
        Some(inside) => match inside.rsplit_once(']') {
            Some(parts) => parts,
            None => return false,
        },
        None => host.rfind(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port_fine =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let name_fine =
        name.bytes().all(|b| b >= 0x80 || b.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"%".contains(&b));
    user_fine && is_escaped(user) && port_fine && name_fine && is_escaped(name)
}

/// `govalidator.IsURL`, as far as pages of people go: an optional scheme and a host with a dot, or localhost.
fn is_url(text: &str) -> bool {
    if text.is_empty() || text.len() >= 2083 || text.len() <= 3 || text.starts_with('.') || text.contains(' ') {
        return false;
    }
    let rest = match text.split_once("://") {
        Some((scheme, rest)) => {
            if !["ftp", "tcp", "udp", "http", "https", "ws", "wss", "irc", "rtmp"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(scheme))
            {
                return false;
            }
            rest
        }
        None => text,
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = host.rsplit('@').next().unwrap_or(host);
    if host.starts_with('[') {
        return host.contains(']');
    }
    let (host, port) = host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    let port_fine = port.is_none_or(|port| (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()));
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    port_fine
        && (host.eq_ignore_ascii_case("localhost")
            || host.contains('.') && host.trim_end_matches('.').split('.').all(label))
}

/// `govalidator.IsEmail`, without the quoted forms nobody writes.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let dotted = |text: &str, fits: &dyn Fn(char) -> bool| {
        !text.is_empty() && text.split('.').all(|part| !part.is_empty() && part.chars().all(fits))
    };
    let label = |c: char| c.is_alphanumeric() || c == '-';
    let top = domain.rsplit('.').next().unwrap_or("");
    dotted(local, &atom)
        && domain.contains('.')
        && dotted(domain, &label)
        && top.starts_with(|c: char| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_are_addresses_as_go_reads_them() {
        for fine in
            ["https://a.b/c d", "http://u:p@a.b:80/x?y z", "data:image/png;base64,AA==", "file:///x", "http://[::1]:8/"]
        {
            assert!(is_request_url(fine), "{fine}");
        }
        for wrong in [
            "https://${NAME}.org/icon",
            "a.b/c",
            "/c",
            "http://a b/c",
            "https://a.b/%zz",
            "http://a:b/",
            "http://a.b/\n",
        ] {
            assert!(!is_request_url(wrong), "{wrong}");
        }
    }
}
