//! Whether a process is a server of ours: a number in a file says nothing of whose it is now.

use std::path::{Path, PathBuf};

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    /// Landfall, serving the cluster that is meant.
    Server,
    /// Something else.
    Other,
    /// Nothing any more, or what is about to end and has no arguments left.
    Gone,
}

/// What a process is to the cluster of a state directory.
pub(super) async fn look(pid: u32, state: &Path) -> Process {
    let Some(arguments) = arguments(pid).await.filter(|arguments| arguments.iter().any(|one| !one.is_empty())) else {
        return Process::Gone;
    };
    match is_server_of(&arguments, state, directory(pid).as_deref()) && is_landfall(pid, &arguments) {
        true => Process::Server,
        false => Process::Other,
    }
}

/// Whether a command line is `landfall cluster serve` or `landfall serve` for a state directory; one that names none serves
/// that of its working directory.
fn is_server_of(arguments: &[String], state: &Path, working_directory: Option<&Path>) -> bool {
    let serves = arguments.windows(2).skip(1).any(|two| two == ["cluster", "serve"])
        || arguments.get(1).is_some_and(|verb| verb == "serve") && is_named_as_this(&arguments[0]);
    let mut named = arguments.iter().enumerate().filter_map(|(index, argument)| match argument.as_str() {
        "--state" => arguments.get(index + 1).map(String::as_str),
        other => other.strip_prefix("--state="),
    });
    let Some(named) = named.next() else { return serves };
    let named = working_directory.map_or_else(|| PathBuf::from(named), |directory| directory.join(named));
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    serves && real(&named) == real(state)
}

/// The name of a program by its path; the system says of one that was replaced since that it is deleted.
fn program_name(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Whether a program is this one, or bears its name.
fn is_named_as_this(program: &str) -> bool {
    let own = std::env::current_exe().unwrap_or_default();
    let name = program_name(program);
    name == "landfall" || name == program_name(&own.to_string_lossy())
}

#[cfg(target_os = "linux")]
fn is_landfall(pid: u32, _arguments: &[String]) -> bool {
    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
    program.is_ok_and(|program| is_named_as_this(&program.to_string_lossy()))
}

/// One that is just being started has a program, and no arguments for a moment; one that is about to end has neither.
#[cfg(target_os = "linux")]
async fn arguments(pid: u32) -> Option<Vec<String>> {
    const A_MOMENT: u32 = 50;
    let mut text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    for _ in 0..A_MOMENT {
        if !text.is_empty() || std::fs::read_link(format!("/proc/{pid}/exe")).is_err() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    }
    let parts = text.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
    Some(parts.collect())
}

#[cfg(target_os = "linux")]
fn directory(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

#[cfg(not(target_os = "linux"))]
fn is_landfall(_pid: u32, arguments: &[String]) -> bool {
    arguments.first().is_some_and(|program| is_named_as_this(program))
}

/// The command line as `ps` prints it: a path with spaces comes in pieces, and is then known by its last one.
#[cfg(all(unix, not(target_os = "linux")))]
async fn arguments(pid: u32) -> Option<Vec<String>> {
    let order = landfall_source::Order::new("ps", ["-ww", "-o", "command=", "-p", &pid.to_string()]);
    let text = String::from_utf8(order.run().await.ok()?.stdout).ok()?;
    let text = text.trim();
    let Some((program, rest)) = text.split_once(" cluster serve ") else { return Some(vec![text.to_owned()]) };
    let state = rest.split_once("--state ").map(|(_, state)| state.split(" --").next().unwrap_or(state).to_owned());
    let mut parts = vec![program.to_owned(), "cluster".to_owned(), "serve".to_owned()];
    parts.extend(state.into_iter().flat_map(|state| ["--state".to_owned(), state]));
    Some(parts)
}

#[cfg(windows)]
async fn arguments(pid: u32) -> Option<Vec<String>> {
    let order = landfall_source::Order::new("tasklist", ["/FO", "CSV", "/NH", "/FI", &format!("PID eq {pid}")]);
    let text = String::from_utf8(order.run().await.ok()?.stdout).ok()?;
    // The system does not say with which arguments a program was started.
    let program = text.trim().trim_start_matches('"').split(".exe").next()?.to_owned();
    Some([program.as_str(), "cluster", "serve"].map(str::to_owned).to_vec())
}

#[cfg(not(target_os = "linux"))]
fn directory(_pid: u32) -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_command_line_and_its_state_directory() {
        let line = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let shop = Path::new("/srv/shop/.landfall");
        let serving = |text: &str| is_server_of(&line(text), shop, Some(Path::new("/srv/shop")));
        assert!(serving("/usr/bin/landfall cluster serve --idle 1 --state /srv/shop/.landfall"));
        assert!(serving("landfall --state=.landfall cluster serve"));
        assert!(serving("landfall cluster serve"));
        assert!(serving("landfall serve apps --state /srv/shop/.landfall"));
        for other in [
            "landfall cluster serve --state /srv/other/.landfall",
            "landfall up --state /srv/shop/.landfall",
            "cluster serve",
            "vi cluster",
            "",
        ] {
            assert!(!serving(other), "{other}");
        }
    }

    #[tokio::test]
    async fn the_process_of_a_test_is_no_server() {
        assert_eq!(look(std::process::id(), Path::new("/srv/shop/.landfall")).await, Process::Other);
        assert_eq!(look(u32::MAX, Path::new("/srv/shop/.landfall")).await, Process::Gone);
    }

    #[test]
    fn a_program_is_known_by_its_name_after_it_was_replaced() {
        assert_eq!(program_name("/usr/bin/landfall (deleted)"), "landfall");
        assert!(is_named_as_this("/opt/landfall") && !is_named_as_this("/usr/bin/landfall-not"));
    }
}
