//! `helm registry login` and `logout`.

use std::io::{self, Read as _, Write};

use landfall_diag::code;
use landfall_source::{CertificateCheck, Registry};

use super::flags::{Flags, GLOBAL, Kind, Spec, Support, flag, short};
use super::repositories::{access, credentials, scheme, wrapped};
use super::verb::{Names, Verb};
use super::{Stop, World, four, group, parse};

use Kind::{Bool, Text};
use Support::Works;

const FLAGS: &[Spec] = &[
    short("username", 'u', Text, Works, "registry username"),
    short("password", 'p', Text, Works, "registry password or identity token"),
    flag("password-stdin", Bool, Works, "read password or identity token from stdin"),
    flag("insecure", Bool, Works, "allow connections to TLS registry without certs"),
    flag("cert-file", Text, Works, "identify registry client using this SSL certificate file"),
    flag("key-file", Text, Works, "identify registry client using this SSL key file"),
    flag("ca-file", Text, Works, "verify certificates of HTTPS-enabled servers using this CA bundle"),
    flag("plain-http", Bool, Works, "use insecure HTTP connections"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["registry"],
    about: "login to or logout from a registry",
    parts: &["login", "logout"],
    flags: |_| &[FLAGS, GLOBAL],
    behind: |_| Names::Unknown,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "registry login|logout HOST [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLOBAL], words)? else { return Ok(0) };
    let (verb, host) = match flags.arguments.as_slice() {
        [verb, host, ..] if matches!(verb.as_str(), "login" | "logout") => (verb.as_str(), host),
        [verb] if matches!(verb.as_str(), "login" | "logout") => {
            return Err(Stop::Usage(format!(
                "\"helm registry {verb}\" requires at least 1 argument\n\nUsage:  helm registry {verb} [host] [flags]"
            )));
        }
        other => {
            let parts = [("login", "login to a registry"), ("logout", "logout from a registry")];
            return group(world, "registry", other.first().map(String::as_str), &parts);
        }
    };
    let host = host.strip_prefix("oci://").unwrap_or(host).trim_end_matches('/');
    let mut kept = credentials(world, &flags);
    if verb == "logout" {
        world.host.wait(kept.forget(host))?;
        writeln!(super::repositories::spoken(world, &flags)?, "Removing login credentials for {host}")?;
        return Ok(0);
    }
    let (username, password) = asked(world, &flags)?;
    kept.given = Some((username.clone(), password.clone()));
    let mut access = access(world, &flags);
    if flags.is("insecure") {
        access.certificates = CertificateCheck::Skip;
    }
    let registry = Registry::new(world.host.network.client(access), kept.clone(), scheme(world, &flags));
    world.host.wait(registry.login(host)).map_err(|error| wrapped(&format!("authenticating to {host:?}"), &error))?;
    world.host.wait(kept.keep(host, &username, &password))?;
    writeln!(super::repositories::spoken(world, &flags)?, "Login Succeeded")?;
    Ok(0)
}

fn asked(world: &World<'_>, flags: &Flags) -> Result<(String, String), Stop> {
    let username = flags.text("username").unwrap_or_default().to_owned();
    if flags.is("password-stdin") {
        let mut password = String::new();
        io::stdin().lock().read_to_string(&mut password)?;
        let end = password.strip_suffix('\n').map_or(password.len(), str::len);
        password.truncate(end);
        let end = password.strip_suffix('\r').map_or(password.len(), str::len);
        password.truncate(end);
        return Ok((username, password));
    }
    match flags.text("password").filter(|password| !password.is_empty()) {
        Some(password) => {
            if four::is_spoken(world, flags) {
                four::log(four::Level::Warn, "using --password via the CLI is insecure. Use --password-stdin", &[]);
            } else {
                writeln!(
                    landfall_terminal::err(),
                    "WARNING: Using --password via the CLI is insecure. Use --password-stdin."
                )?;
            }
            Ok((username, password.to_owned()))
        }
        None => {
            Err(Stop::words(code::BAD_HELM_ARGUMENT, "give --username and --password-stdin; nothing is asked for here"))
        }
    }
}
