use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity, Spot};
use serde_json::Value;

use crate::decoded::texts;
use crate::pods::{Container, ContainerRole, PodTemplate, pod_template};
use crate::routes::{Route, all_routes, covers, exposure};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF157",
    title: "what is served over TLS is called by https",
    severity: Severity::Warning,
    why: "Behind a proxy that ends TLS a program sees plain requests. Unless it is told, it writes `http://` into its pages, \
          redirects and tokens: browsers refuse the mixed content, and issuers no longer match.",
    advice: "Write the public address with `https://`, or have the program trust the headers of its proxy.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let routes = all_routes(subject);
    let mut findings = plain_addresses(subject, &routes);
    for (desired, template) in subject.pods() {
        let Some(route) = exposure(subject, &routes, &template).filter(|route| route.secure) else { continue };
        for container in template.containers().iter().filter(|it| it.role == ContainerRole::Main) {
            findings.extend(untold(subject, desired, &template, container, route));
        }
    }
    findings
}

/// Settings that are nothing but the plain address of a host that is served over TLS only.
fn plain_addresses<'a>(subject: &Subject<'a>, routes: &[(Found<'a>, Route<'a>)]) -> Vec<Finding> {
    let secured = |host: &str| {
        let mut of_host = routes.iter().filter(|(_, route)| route.hosts.iter().any(|name| covers(name, host)));
        of_host.clone().next().is_some() && of_host.all(|(_, route)| route.secure)
    };
    let mut by_host: BTreeMap<String, Vec<(&Desired, String)>> = BTreeMap::new();
    for desired in subject.objects() {
        for (text, field) in settings(desired) {
            if let Some(host) = plain_host(&text).filter(|host| secured(host)) {
                by_host.entry(host).or_default().push((desired, field));
            }
        }
    }
    let finding = |(host, places): (String, Vec<(&Desired, String)>)| {
        let finding = RULE
            .finding(format!("`http://{host}` is written down, and `{host}` is served over TLS"))
            .keyed(host.clone())
            .because("browsers refuse what a page loads from there, and a redirect loses what was posted")
            .help(format!("write `https://{host}`"));
        places.into_iter().fold(finding, |finding, (desired, field)| finding.at(desired.spot_at(&field)))
    };
    by_host.into_iter().map(finding).collect()
}

/// What is set: variables of containers, keys of ConfigMaps, and in their texts the lines that are one setting.
fn settings(desired: &Desired) -> Vec<(String, String)> {
    if let Some(template) = pod_template(&desired.object) {
        let containers = template.containers();
        let of = |container: &Container<'_>| -> Vec<(String, String)> {
            let variables = container.env();
            variables
                .filter_map(|(at, _, variable)| {
                    Some((variable["value"].as_str()?.to_owned(), format!("{}.env[{at}].value", container.path)))
                })
                .collect()
        };
        return containers.iter().flat_map(of).collect();
    }
    if !desired.object.group().is_empty() || desired.object.kind() != "ConfigMap" {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (_, text, field) in texts(&desired.object) {
        for line in text.lines().filter(|line| text.contains('\n') && !line.trim_start().starts_with(['#', ';', '/'])) {
            let setting = line.split_once('=').or_else(|| line.split_once(": "));
            let Some((name, value)) = setting else { continue };
            let name = name.trim().to_ascii_lowercase();
            // Of a file only what is an address of its own by its name; others' addresses stand there, too.
            if ["url", "uri", "issuer", "origin"].iter().any(|word| name.ends_with(word)) {
                let value = value.trim().trim_end_matches([',', ';']).trim_matches(['"', '\'']);
                all.push((value.to_owned(), field.clone()));
            }
        }
        if !text.trim_end().contains('\n') {
            all.push((text, field));
        }
    }
    all
}

/// The host of a text that is one plain web address and nothing else.
fn plain_host(text: &str) -> Option<String> {
    let rest = text.trim().strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].strip_suffix(":80").unwrap_or(&rest[..end]);
    let is_host = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let is_one = !rest.contains(|letter: char| letter.is_whitespace() || letter == ',');
    (is_one && authority.contains('.') && authority.chars().all(is_host)).then(|| authority.to_ascii_lowercase())
}

/// A program that has to be told of the proxy in front of it: what tells it.
struct Behind {
    /// The last part of the image's name.
    image: &'static str,
    /// Its name.
    name: &'static str,
    /// Variables that tell it, each with how its value begins.
    variables: &'static [(&'static str, &'static str)],
    /// Arguments that tell it.
    arguments: &'static [(&'static str, &'static str)],
    /// What to write.
    help: &'static str,
}

const BEHIND: &[Behind] = &[Behind {
    image: "keycloak",
    name: "Keycloak",
    variables: &[("KC_PROXY_HEADERS", ""), ("KC_HOSTNAME", "https://"), ("KC_HOSTNAME_URL", "https://")],
    arguments: &[("--proxy-headers", ""), ("--hostname", "https://")],
    help: "set KC_PROXY_HEADERS=xforwarded, or KC_HOSTNAME to the whole public address",
}];

/// The first Keycloak that no longer reads `KC_PROXY` (upgrading guide of 26.0.0).
const WITHOUT_PROXY_OPTION: u64 = 26;

/// A program behind TLS that nothing tells so.
fn untold(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    route: &Route<'_>,
) -> Option<Finding> {
    let (name, tag) = name_and_tag(container.image());
    let behind = BEHIND.iter().find(|it| it.image == name)?;
    // What speaks TLS itself knows its own name.
    let serves_tls = container.env().any(|(_, name, _)| name.starts_with("KC_HTTPS_CERTIFICATE"));
    let major = tag.split('.').next().and_then(|text| text.parse::<u64>().ok());
    let by_variable = container.env().any(|(_, name, variable)| {
        let value = variable["value"].as_str();
        let begins = |with: &str| value.is_none_or(|value| value.starts_with(with));
        let old = name == "KC_PROXY" && major.is_some_and(|major| major < WITHOUT_PROXY_OPTION);
        old || behind.variables.iter().any(|(known, with)| *known == name && begins(with))
    });
    let by_argument = words(container).iter().any(|word| {
        behind.arguments.iter().any(|(option, with)| {
            word.strip_prefix(option)
                .is_some_and(|rest| rest.is_empty() || rest.trim_start_matches('=').starts_with(with))
        })
    });
    if serves_tls || by_variable || by_argument || told_elsewhere(subject, desired, template, container, behind) {
        return None;
    }
    let address = route.address();
    Some(
        RULE.finding(format!(
            "{} in container `{}` is not told that `{address}` is served over TLS",
            behind.name, container.name
        ))
        .keyed(format!("{} {}", desired.object.name(), container.name))
        .because("it writes http:// into its pages and tokens, and browsers refuse to load what it names there")
        .help(behind.help)
        .at(desired.spot_at(&format!("{}.env", container.path)))
        .at(Spot::object(None, route.object.key()).field(&*route.field)),
    )
}

/// Whether what a container takes as a whole, or mounts, may tell it.
fn told_elsewhere(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    behind: &Behind,
) -> bool {
    let namespace = desired.object.namespace();
    let tells = |kind: &str, name: &str| match subject.find("", kind, namespace, name) {
        Some(found) => texts(found.object()).iter().any(|(key, text, _)| {
            let option = |known: &str| known.trim_start_matches("KC_").to_ascii_lowercase().replace('_', "-");
            behind.variables.iter().any(|(known, _)| key == known || text.contains(&format!("{}=", option(known))))
        }),
        // What is not seen may say anything.
        None => true,
    };
    let sources = container.value["envFrom"].as_array().into_iter().flatten();
    let taken = sources.into_iter().any(|source| {
        let of = |field: &str, kind: &str| source.pointer(field).and_then(Value::as_str).map(|name| tells(kind, name));
        of("/configMapRef/name", "ConfigMap").or_else(|| of("/secretRef/name", "Secret")).unwrap_or(true)
    });
    let mounts = container.value["volumeMounts"].as_array().into_iter().flatten();
    let configured = mounts
        .filter(|mount| mount["mountPath"].as_str().is_some_and(|at| at.contains("/conf")))
        .filter_map(|mount| template.volumes().iter().find(|volume| volume["name"] == mount["name"]))
        .any(|volume| volume["configMap"]["name"].as_str().is_none_or(|name| tells("ConfigMap", name)));
    taken || configured
}

fn words(container: &Container<'_>) -> Vec<String> {
    let lists =
        ["command", "args"].into_iter().flat_map(|field| container.value[field].as_array().into_iter().flatten());
    lists.filter_map(Value::as_str).flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The last part of an image's name, and its tag.
fn name_and_tag(image: &str) -> (&str, &str) {
    let image = image.split('@').next().unwrap_or(image);
    let image = image.rsplit('/').next().unwrap_or(image);
    image.split_once(':').unwrap_or((image, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_that_is_one_plain_address_has_a_plain_host() {
        assert_eq!(plain_host("http://App.example.com/login"), Some("app.example.com".to_owned()));
        assert_eq!(plain_host(" http://app.example.com:80 "), Some("app.example.com".to_owned()));
        for text in [
            "https://app.example.com",
            "http://app.example.com:8080",
            "http://redis:6379",
            "see http://a.b.c",
            "http://a.example.com,https://b.example.com",
            "http://${HOST}.example.com",
        ] {
            assert_eq!(plain_host(text), None, "{text}");
        }
        assert_eq!(name_and_tag("quay.io/keycloak/keycloak:26.0@sha256:00"), ("keycloak", "26.0"));
    }
}
