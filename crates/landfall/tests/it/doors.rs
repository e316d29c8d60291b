//! The doors through which a delivery can be left half-way: a reset, a second delivery, Ctrl-C, a state directory that
//! is removed, a disk that is full, an output that takes nothing.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::sandbox::{Ran, Sandbox, ran, small_chart};

/// No command of these takes longer, however much else the machine does.
const DEADLINE: Duration = Duration::from_secs(30);

/// A chart whose hook is declared to hang, so that its delivery waits.
fn hanging(sandbox: &Sandbox) {
    sandbox.write("shop/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n");
    sandbox.write(
        "shop/templates/prepare.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: prepare\n  annotations: {helm.sh/hook: pre-install}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{name: run, image: example/run:1}]\n",
    );
    sandbox.write(
        "shop/templates/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {tag: one}\n",
    );
}

const UP: &[&str] = &["up", "shop", "-n", "shop", "--state", ".landfall"];

/// A delivery under way, which waits for its hook.
struct Waiting {
    up: Child,
}

impl Waiting {
    fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let arguments = [UP, &["--fault", "job/prepare=hang"], more].concat();
        let mut command = sandbox.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut up = command.spawn().expect("started");
        let mut lines = BufReader::new(up.stderr.take().expect("piped"));
        let mut said = String::new();
        while !said.contains("waiting for") {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("read") > 0, "it ended instead of waiting:\n{said}");
            said.push_str(&line);
        }
        // What follows is read when the delivery has ended.
        up.stderr = Some(lines.into_inner());
        Waiting { up }
    }

    fn pid(&self) -> u32 {
        self.up.id()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// How it ends, which must be soon.
    #[track_caller]
    fn end(self) -> Ran {
        ended(self.up)
    }
}

/// Waits for a command that must end by itself within the deadline.
#[track_caller]
fn ended(mut child: Child) -> Ran {
    let deadline = Instant::now() + DEADLINE;
    let mut late = false;
    while child.try_wait().expect("asked").is_none() {
        if Instant::now() >= deadline {
            late = true;
            child.kill().expect("killed");
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let ran = ran(child.wait_with_output().expect("ended"));
    assert!(!late, "it did not end within {DEADLINE:?}\n{}", ran.all());
    ran
}

fn is_alive(pid: u64) -> bool {
    // A zombie of somebody else's is no process any more.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !matches!(stat.rsplit(") ").next().and_then(|rest| rest.chars().next()), None | Some('Z'))
}

fn server(sandbox: &Sandbox) -> u64 {
    let status = sandbox.run(&["cluster", "status", "-o", "json", "--state", ".landfall"]).exits(0).json();
    status["data"]["endpoint"]["pid"].as_u64().expect("a server runs")
}

#[test]
fn reset_stop_and_down_beside_a_delivery_say_who_delivers_and_change_nothing() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    let (pid, serves) = (waiting.pid(), server(&sandbox));
    for command in [["cluster", "reset", "--yes"].as_slice(), &["cluster", "stop"], &["down"]] {
        let refused = sandbox.run(&[command, &["--timeout", "200ms", "--state", ".landfall"]].concat()).exits(5);
        refused.says(&format!("pid {pid}, landfall up")).says(&format!("kill -INT {pid}")).says("nothing was changed");
    }
    assert_eq!(server(&sandbox), serves);
    waiting.signal("-INT");
    waiting.end().exits(130);
    sandbox.run(&["cluster", "reset", "--yes", "--state", ".landfall"]).exits(0).says("are gone");
    assert!(!is_alive(serves));
}

#[test]
fn a_reset_waits_for_a_delivery_that_ends() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    let mut reset = sandbox.command(&["cluster", "reset", "--yes", "--state", ".landfall"]);
    let mut reset = reset.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut said = String::new();
    let mut lines = BufReader::new(reset.stderr.take().expect("piped"));
    lines.read_line(&mut said).expect("read");
    assert!(said.contains(&format!("pid {}", waiting.pid())), "{said}");
    waiting.signal("-TERM");
    waiting.end().exits(130);
    ended(reset).exits(0).says("are gone");
    assert!(!sandbox.root().join(".landfall").exists());
}

#[test]
fn a_delivery_whose_state_directory_is_removed_ends_and_so_does_its_server() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    let serves = server(&sandbox);
    std::fs::remove_dir_all(sandbox.root().join(".landfall")).expect("removed");
    waiting.end().exits(6).says("was removed, and the embedded cluster with it");
    sandbox.until("the server has ended", || !is_alive(serves));
    sandbox.run(UP).exits(0).says("done in");
}

#[test]
fn a_delivery_whose_server_is_replaced_ends_and_the_next_one_goes_on() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    sandbox.kill_server(".landfall");
    sandbox.run(&["cluster", "start", "--state", ".landfall"]).exits(0);
    waiting.end().exits(6).says("the embedded cluster's server has ended");
    sandbox.run(UP).exits(0).says("interrupted");
}

#[test]
fn logs_and_forwards_end_with_the_cluster_that_they_come_from() {
    let sandbox = Sandbox::empty().interactive();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web", "--state", ".landfall"]).exits(0);
    let state = ["--state", ".landfall"];
    let start = |arguments: &[&str]| {
        let mut command = sandbox.command(&[arguments, &state].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
    };
    let mut forward = start(&["forward", "web", ":80"]);
    let mut first = [0];
    forward.stdout.as_mut().expect("piped").read_exact(&mut first).expect("it says where it listens");
    let mut logs = start(&["logs", "web", "-f"]);
    // A reset that comes before the first line leaves nothing to follow.
    logs.stdout.as_mut().expect("piped").read_exact(&mut first).expect("it says that nothing runs");
    sandbox.run(&[["cluster", "reset", "--yes"].as_slice(), &state].concat()).exits(0);
    ended(forward).exits(6);
    let logs = ended(logs);
    assert!([0, 6].contains(&logs.code), "{}", logs.all());
}

#[test]
fn a_second_delivery_says_for_whom_it_waits() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    let second = sandbox.run(&[UP, &["--timeout", "300ms"]].concat()).exits(5);
    second.says(&format!("pid {}, landfall up", waiting.pid())).says("waiting for its end, at most 0.3s");
    waiting.signal("-INT");
    waiting.end().exits(130);
}

#[test]
fn an_interrupted_delivery_is_called_so_by_the_terminal_the_history_and_the_status() {
    for (signal, more) in [("-INT", [].as_slice()), ("-TERM", &["--once"])] {
        let sandbox = Sandbox::empty().interactive();
        hanging(&sandbox);
        let waiting = Waiting::start(&sandbox, more);
        waiting.signal(signal);
        waiting.end().exits(130).says("interrupted").says("the same command goes on from here");
        let history = sandbox.run(&["history", "--state", ".landfall"]).exits(0);
        history.says("interrupted").says("the same command goes on from here");
        let history = sandbox.run(&["history", "-o", "json", "--state", ".landfall"]).exits(0).json();
        assert_eq!(history["data"][0]["status"], "interrupted", "{history:#}");
        let status = sandbox.run(&["status", "-o", "json", "--state", ".landfall"]).exits(4).json();
        assert_eq!(status["data"]["units"][0]["status"], "interrupted", "{status:#}");
        sandbox.run(UP).exits(0);
        let history = sandbox.run(&["history", "-o", "json", "--state", ".landfall"]).exits(0).json();
        assert_eq!(history["data"][0]["status"], "deployed", "{history:#}");
    }
}

#[test]
fn a_second_signal_ends_a_delivery_at_once() {
    let sandbox = Sandbox::empty().interactive();
    hanging(&sandbox);
    let waiting = Waiting::start(&sandbox, &[]);
    waiting.signal("-INT");
    waiting.signal("-INT");
    waiting.end().exits(130);
    sandbox.run(UP).exits(0);
}

#[test]
fn the_version_is_the_same_however_it_is_asked_for() {
    let sandbox = Sandbox::empty();
    let alone = sandbox.run(&["version"]).exits(0).stdout;
    assert!(alone.starts_with("landfall ") && alone.lines().count() == 2, "{alone}");
    assert_eq!(sandbox.run(&["--color", "never", "version"]).exits(0).stdout, alone);
}

/// What prints data, in a directory with a chart and nothing delivered.
const PRINTS: &[&[&str]] = &[
    &["--help"],
    &["up", "--help"],
    &["schema"],
    &["completion", "bash"],
    &["version"],
    &["version", "--env"],
    &["rules"],
    &["explain", "LF0203"],
    &["template", "web"],
    &["helm", "template", "web"],
    &["helm", "version", "--template", "x"],
    &["helm", "--help"],
    &["show", "chart", "web"],
    &["lint", "web"],
    &["plan", "web"],
    &["plan", "web", "-o", "json"],
    &["status"],
    &["history", "-o", "json"],
    &["cluster", "status"],
    &["graph", "web"],
    &["rehearse", "web"],
];

#[test]
fn an_output_that_takes_nothing_is_an_error_of_every_command() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    for arguments in PRINTS {
        let well = sandbox.run(arguments);
        assert!(!well.stdout.is_empty(), "{arguments:?} prints nothing: {}", well.all());
        let full = std::fs::File::options().write(true).open("/dev/full").expect("there is such a device");
        let output = sandbox.command(arguments).stdout(full).stderr(Stdio::piped()).output().expect("runs");
        let told = ran(output);
        let wanted = if well.code == 0 { 1 } else { well.code };
        assert_eq!(told.code, wanted, "{arguments:?}: {}", told.all());
        assert!(told.stderr.contains("No space left on device"), "{arguments:?}: {}", told.all());
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    for arguments in PRINTS {
        let well = sandbox.run(arguments);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = sandbox.command(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("runs");
        let told = ran(output);
        assert_eq!(told.code, well.code, "{arguments:?}: {}", told.all());
        assert!(!told.stderr.contains("Broken pipe"), "{arguments:?}: {}", told.all());
    }
}

/// The same command where no file may grow beyond a size, as on a disk that is full: the limit needs no rights.
fn limited(command: &Command, kibibytes: u32) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\"", "bash", &kibibytes.to_string()]);
    shell.arg(command.get_program()).args(command.get_args()).env_clear().stdin(Stdio::null());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.get_current_dir().expect("a sandbox has one"));
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[test]
fn a_disk_that_is_full_is_called_so_at_once_down_works_and_the_next_delivery_repairs() {
    for (kibibytes, more) in [(0, ["--once"].as_slice()), (0, &[]), (24, &[]), (64, &[]), (160, &[]), (320, &[])] {
        let mut sandbox = Sandbox::empty();
        sandbox.stays(".landfall");
        small_chart(&sandbox, "web", "web");
        let up = [["up", "web", "--state", ".landfall"].as_slice(), more].concat();
        let of = |arguments: &[&str]| ended(limited(&sandbox.command(arguments), kibibytes).spawn().expect("started"));
        let full = of(&up);
        if full.code != 0 {
            full.exits(1).says("the disk that holds").says("is full");
        }
        let down = of(&["down", "--state", ".landfall"]);
        assert_eq!(down.code, 0, "{kibibytes} KiB: {}", down.all());
        // What cannot be read for want of room may be the book of other environments: it stays, and nothing else does.
        let left = std::fs::read_dir(sandbox.root().join(".landfall")).map(|entries| {
            let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
            names
                .filter(|name| {
                    !name.starts_with("store.") && !["made-here.json", ".gitignore"].contains(&name.as_str())
                })
                .collect::<Vec<_>>()
        });
        let is_told = down.all().contains("the book of the system stays in the state directory");
        assert!(
            left.as_ref().map_or(!is_told, |left| is_told && left.is_empty()),
            "{kibibytes} KiB: {left:?} {}",
            down.all()
        );
        let again = of(&up);
        if again.code != 0 {
            again.exits(1).says("is full");
        }
        // A server that was started under the limit keeps it.
        sandbox.run(&["cluster", "stop", "--state", ".landfall"]).exits(0);
        // With room the same command repairs what the full disk has left.
        sandbox.run(&up).exits(0);
        let history = sandbox.run(&["history", "-o", "json", "--state", ".landfall"]).exits(0).json();
        assert_eq!(history["data"][0]["status"], "deployed", "{kibibytes} KiB: {history:#}");
    }
}
