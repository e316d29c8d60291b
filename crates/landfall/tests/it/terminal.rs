//! What strangers wrote, on a terminal: the binary under a pseudo terminal, and its bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// Sets the window's title, clears the screen, turns the direction of what follows, hides a character, rings.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}nimda\u{2069}\u{200b}";
/// The same as YAML writes it.
const HOSTILE_YAML: &str = r#"\e]0;owned\a\e[2J\x9b31m\u202Enimda\u2069\u200B"#;

/// As much of it as a YAML comment may hold.
const HOSTILE_COMMENT: &str = "\u{202e}nimda\u{2069}\u{200b}";

/// Runs a command with a terminal for both of its streams, and gives what the terminal was sent.
///
/// The terminal is util-linux's `script`, which every Debian has: a library would turn on features of crates that all
/// else is built with.
fn on_a_terminal(command: &Command) -> (i32, String) {
    Terminal::of(80).run(command)
}

/// A terminal, and who sits at it.
pub(crate) struct Terminal {
    columns: u16,
    typed: &'static str,
    /// What the terminal must have been sent before it is typed.
    after: &'static str,
    live: bool,
}

impl Terminal {
    /// One of so many columns, at which nobody types and nothing moves.
    pub(crate) fn of(columns: u16) -> Self {
        Terminal { columns, typed: "", after: "", live: false }
    }

    /// With somebody who types this.
    pub(crate) fn typing(self, typed: &'static str) -> Self {
        Terminal { typed, ..self }
    }

    /// With somebody who types this once the terminal was sent that, and sits there until the end.
    pub(crate) fn typing_after(self, after: &'static str, typed: &'static str) -> Self {
        Terminal { typed, after, ..self }
    }

    /// With its live line.
    pub(crate) fn live(self) -> Self {
        Terminal { live: true, ..self }
    }

    /// Runs a command there, and gives what the terminal was sent.
    pub(crate) fn run(&self, command: &Command) -> (i32, String) {
        let Terminal { columns, typed: typed_in, after, live } = self;
        let program = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<&str> = program.map(|word| word.to_str().expect("arguments are text")).collect();
        let typed = shlex::try_join(words).expect("no NUL in an argument");
        // What says that it is a terminal, should the binary say nothing.
        let typed = format!("stty rows 24 cols {columns} && test -t 1 && test -t 2 && exec {typed}");
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--echo", "never", "--command", &typed, "/dev/null"]);
        terminal.current_dir(command.get_current_dir().expect("a sandbox")).env_clear();
        terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        terminal.env("TERM", "xterm-256color");
        if !*live {
            terminal.env("LANDFALL_NO_PROGRESS", "1");
        }
        if typed_in.is_empty() {
            terminal.stdin(Stdio::null());
        } else {
            terminal.stdin(Stdio::piped());
        }
        terminal.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = terminal.spawn().expect("util-linux's script runs");
        let (mut keyboard, mut screen) = (running.stdin.take(), running.stdout.take().expect("piped"));
        let mut sent = Vec::new();
        while !String::from_utf8_lossy(&sent).contains(after) {
            let mut byte = [0];
            screen.read_exact(&mut byte).unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&sent)));
            sent.push(byte[0]);
        }
        if let Some(keyboard) = &mut keyboard {
            keyboard.write_all(typed_in.as_bytes()).expect("typed");
        }
        if after.is_empty() {
            // Nobody types any more.
            keyboard = None;
        }
        screen.read_to_end(&mut sent).expect("read");
        drop(keyboard);
        let Output { status, stderr, .. } = running.wait_with_output().expect("it ends");
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        (status.code().unwrap_or(-1), String::from_utf8(sent).expect("nothing but text is sent"))
    }
}

/// Fails the test unless all that was sent is harmless, our own colours aside.
#[track_caller]
fn assert_harmless(sent: &str, colours: bool) {
    let mut text = sent.replace("\r\n", "\n");
    if colours {
        for ours in ["[0m", "[1m", "[2m", "[31m", "[32m", "[33m", "[36m", "[39m", "[4m", "[22m"] {
            text = text.replace(&format!("\u{1b}{ours}"), "");
        }
    }
    let wrong: Vec<char> = text.chars().filter(|c| !matches!(c, '\n' | '\t') && is_obeyed(*c)).collect();
    assert!(wrong.is_empty(), "{wrong:?} reached the terminal:\n{text:?}");
}

fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

fn plain(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String) {
    let mut command = sandbox.command(arguments);
    command.env("NO_COLOR", "1");
    on_a_terminal(&command)
}

fn hostile_chart() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    // Helm refuses what its YAML may not hold: the sequences of one byte stay out of what is rendered.
    let tame = HOSTILE_YAML.replace("\\x9b31m", "");
    let chart = format!(
        "apiVersion: v2\nname: web\nversion: 0.1.0\ndescription: \"{HOSTILE_YAML}\"\nkeywords: [\"{HOSTILE_YAML}\"]\n"
    );
    sandbox.write("web/Chart.yaml", &chart);
    sandbox.write("web/templates/NOTES.txt", &format!("Welcome {HOSTILE}\n"));
    sandbox.write("web/README.md", &format!("# Web {HOSTILE}\n"));
    sandbox.write(
        "web/values.yaml",
        &format!("replicas: 1\nimage: example/app:1.0.0\nsettings: {{color: \"{tame}\"}}\n# {HOSTILE_COMMENT}\n"),
    );
    sandbox
}

#[test]
fn a_hostile_chart_reaches_no_terminal() {
    let sandbox = hostile_chart();
    for arguments in [
        &["show", "all", "web"][..],
        &["show", "values", "web"],
        &["helm", "show", "readme", "web"],
        &["template", "web"],
        &["helm", "template", "web"],
        &["helm", "lint", "web"],
        &["plan", "web"],
        &["plan", "web", "-o", "json"],
        &["plan", "web", "-o", "yaml"],
        &["up", "web", "--once", "--yes", "--no-wait"],
    ] {
        let (code, sent) = plain(&sandbox, arguments);
        assert!(code == 0 && !sent.is_empty(), "{arguments:?}: {code}\n{sent:?}");
        assert_harmless(&sent, false);
    }
    let (_, sent) = plain(&sandbox, &["template", "web"]);
    assert!(sent.contains("nimda"), "the text itself is there: {sent:?}");
}

#[test]
fn into_a_pipe_data_goes_as_it_is() {
    let sandbox = hostile_chart();
    let readme = sandbox.run(&["helm", "show", "readme", "web"]).exits(0);
    assert!(readme.stdout.contains(HOSTILE), "{:?}", readme.stdout);
    let values = sandbox.run(&["show", "values", "web"]).exits(0);
    assert!(values.stdout.contains(HOSTILE_COMMENT), "{:?}", values.stdout);
}

#[test]
fn an_error_that_repeats_a_chart_is_shown() {
    let sandbox = hostile_chart();
    sandbox.write(
        "web/templates/fail.yaml",
        &format!("{{{{ fail \"no {HOSTILE_YAML}\\n::error::owned\" }}}}\n")
            .replace("\\e", "\\x1b")
            .replace("\\x9b", "\\u009b"),
    );
    for arguments in [&["template", "web"][..], &["helm", "template", "web"], &["plan", "web"]] {
        let (code, sent) = plain(&sandbox, arguments);
        assert_ne!(code, 0, "{arguments:?}: {sent}");
        assert!(sent.contains("owned"), "{sent:?}");
        assert_harmless(&sent, false);
    }
    // What is said to people is shown in files and logs, too; and a runner finds no command in it.
    let mut command = sandbox.command(&["plan", "web"]);
    command.env("GITHUB_ACTIONS", "true");
    let Ran { stderr, .. } = ran(command.output().expect("the binary runs"));
    assert_harmless(&stderr, false);
    assert!(!stderr.lines().any(|line| line.trim_start().starts_with("::")), "{stderr}");
}

#[test]
fn colours_are_ours_and_what_they_paint_is_shown() {
    let sandbox = hostile_chart();
    sandbox.write("web/templates/fail.yaml", "{{ fail .Values.settings.color }}\n");
    let mut command = sandbox.command(&["plan", "web"]);
    command.env("CLICOLOR_FORCE", "1");
    let (_, sent) = on_a_terminal(&command);
    assert!(sent.contains("\u{1b}[31merror"), "{sent:?}");
    assert_harmless(&sent, true);
    assert!(!sent.contains("\u{1b}[2J") && !sent.contains("\u{1b}]"), "{sent:?}");
}

#[test]
fn names_of_an_archives_entries_are_shown() {
    let sandbox = hostile_chart();
    let template = sandbox.root().join(format!("web/templates/{HOSTILE}.yaml"));
    std::fs::write(template, "a: {{ .Values.none.at.all }}\n").expect("written");
    sandbox.run(&["helm", "package", "web"]).exits(0);
    for arguments in [&["template", "web-0.1.0.tgz"][..], &["helm", "template", "web-0.1.0.tgz"], &["plan", "web"]] {
        let (code, sent) = plain(&sandbox, arguments);
        assert_ne!(code, 0, "{arguments:?}: {sent}");
        assert_harmless(&sent, false);
        assert!(sent.contains("\\x1b]0;owned"), "{arguments:?}: {sent:?}");
    }
}

/// A server that answers every request with the same; its address.
fn server(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().expect("another handle")).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _gone = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
        }
    });
    format!("http://{address}")
}

#[test]
fn what_a_server_answers_is_shown() {
    let sandbox = Sandbox::empty();
    let url = server("500 Internal", HOSTILE.to_owned());
    for arguments in [&["repo", "add", "h", &url][..], &["helm", "repo", "add", "h", &url]] {
        let (code, sent) = plain(&sandbox, arguments);
        assert_ne!(code, 0, "{sent}");
        assert_harmless(&sent, false);
    }
    let entry = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 0.1.0, appVersion: \"{HOSTILE_YAML}\", description: \"{HOSTILE_YAML}\", urls: [web.tgz]}}\n"
    );
    let url = server("200 OK", entry);
    assert_eq!(plain(&sandbox, &["repo", "add", "i", &url]).0, 0);
    for arguments in [&["search", "repo", "web"][..], &["helm", "search", "repo", "web"], &["repo", "update"]] {
        let (code, sent) = plain(&sandbox, arguments);
        assert_eq!(code, 0, "{sent}");
        assert_harmless(&sent, false);
    }
    let (_, sent) = plain(&sandbox, &["search", "repo", "web"]);
    assert!(sent.contains("owned"), "{sent:?}");
}

#[test]
fn logs_of_pods_are_shown_on_a_terminal_and_given_as_they_are_to_a_pipe() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.write(
        "landfall.yaml",
        &format!("apiVersion: landfall.dev/v1\nkind: System\nname: x\nenvironments:\n  local:\n    releases: [{{name: web, chart: web}}]\n    simulate:\n      web:\n        logs: [\"{HOSTILE_YAML} ready\"]\n"),
    );
    sandbox.run(&["up", "--yes"]).exits(0);
    let (code, sent) = plain(&sandbox, &["logs", "web"]);
    assert_eq!(code, 0, "{sent}");
    assert!(sent.contains("ready"), "{sent:?}");
    assert_harmless(&sent, false);
    let piped = sandbox.run(&["logs", "web"]).exits(0);
    assert!(piped.stdout.contains(HOSTILE), "{:?}", piped.stdout);
}

#[test]
fn names_in_a_project_file_and_of_git_are_shown() {
    let sandbox = hostile_chart();
    sandbox.write("landfall.yaml", &format!("apiVersion: landfall.dev/v1\nkind: System\nname: \"{HOSTILE_YAML}\"\n"));
    let (code, sent) = plain(&sandbox, &["plan"]);
    assert_eq!(code, 2, "{sent}");
    assert_harmless(&sent, false);
    let (code, sent) = plain(&sandbox, &["plan", "--ref", HOSTILE]);
    assert_ne!(code, 0, "{sent}");
    assert_harmless(&sent, false);
    let (code, sent) = plain(&sandbox, &["plan", "--env", HOSTILE]);
    assert_eq!(code, 2, "{sent}");
    assert_harmless(&sent, false);
}
