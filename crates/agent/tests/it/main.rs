//! The real binary against a server of its own protocol: enrolled, upgraded, taken back, killed.

mod server;

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use landfall_fleet::UpgradeStatus;
use landfall_fleet::protocol::{AGENT_PRODUCT, FailureClass, Progress};
use server::{Server, TOKEN};

const AGENT: &str = env!("CARGO_BIN_EXE_landfall-agent");

/// A machine with a home of its own; its watchdog ends with it.
struct Machine {
    home: tempfile::TempDir,
    watchdog: Option<Child>,
}

impl Machine {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), watchdog: None }
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("edge")
    }

    fn agent(&self, verb: &str, more: &[&str], input: &str) -> Output {
        let mut child = Command::new(AGENT)
            .arg(verb)
            .arg("--root")
            .arg(self.root())
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // Who refuses before it reads has closed its end.
        let _unread = child.stdin.take().expect("piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    fn enroll(&self, server: &Server, token: &str, more: &[&str]) -> Output {
        let mut args = vec!["--server", server.address(), "--plain-http", "--name", "Gate 7", "--token-stdin"];
        args.extend([
            "--payload",
            "kiosk",
            "--program",
            "bin/kiosk",
            "--settle-seconds",
            "1",
            "--confirm-seconds",
            "4",
        ]);
        args.extend(more);
        self.agent("enroll", &args, token)
    }

    fn run(&mut self) {
        let log =
            std::fs::File::options().create(true).append(true).open(self.home.path().join("log")).expect("a file");
        let child = Command::new(AGENT)
            .args(["run", "--root"])
            .arg(self.root())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.watchdog = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
    }

    /// Asks the watchdog to end, as a service manager or somebody at a terminal does, and waits until it has.
    fn ask_to_end(&mut self) -> Option<i32> {
        let mut watchdog = self.watchdog.take()?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(watchdog.id()).ok()?)?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok()?;
        watchdog.wait().ok()?.code()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        // What it looked after goes with it.
        if let Some(pid) =
            std::fs::read_to_string(self.root().join("payload.pid")).ok().and_then(|text| text.parse().ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
            && std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero()))
                .is_ok_and(|cwd| cwd.starts_with(self.root()))
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// An archive with one program.
fn payload(script: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let script = format!("#!/bin/sh\n{script}\n");
    let mut header = tar::Header::new_gnu();
    header.set_size(script.len() as u64);
    header.set_mode(0o755);
    builder.append_data(&mut header, "bin/kiosk", script.as_bytes()).expect("memory");
    builder.into_inner().expect("memory")
}

/// A program that is well: it notes in its own directory which version it is, and stays.
const STAYS: &str = "echo $LANDFALL_VERSION >> $LANDFALL_DATA/versions; exec sleep 1000";

fn ended(progress: &Progress, status: UpgradeStatus) -> bool {
    progress.status == status
}

/// A machine that runs version 1.0.0 of the payload.
fn upgraded(server: &Server) -> Machine {
    let mut machine = Machine::new();
    let output = machine.enroll(server, TOKEN, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    server.publish("kiosk", "1.0.0", 1, "kiosk.tar", payload(STAYS));
    server.desire("kiosk", "1.0.0", "kiosk.tar");
    machine.run();
    server.wait("1.0.0 runs", |heard| heard.version("kiosk") == Some("1.0.0"));
    machine
}

#[test]
fn what_is_asked_to_end_leaves_nothing_running() {
    let server = Server::start();
    let mut machine = upgraded(&server);
    let pid = std::fs::read_to_string(machine.root().join("payload.pid")).expect("it runs");
    let place = PathBuf::from(format!("/proc/{}/cwd", pid.trim()));
    assert!(place.exists());
    assert_eq!(machine.ask_to_end(), Some(0), "{}", machine.log());
    assert!(!place.exists(), "the payload is ended with it: {}", machine.log());
    assert!(machine.log().contains("edge.runtime.stopped"), "{}", machine.log());
    // And it goes on where it was.
    machine.run();
    server.wait("1.0.0 runs again", |heard| heard.version("kiosk") == Some("1.0.0"));
}

#[test]
fn lp_080_a_token_is_read_from_standard_input_and_kept_nowhere() {
    let server = Server::start();
    let machine = Machine::new();
    let output = machine.enroll(&server, TOKEN, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("wk_live_") && !said.contains("etr_live_"), "{said}");
    for file in ["agent.json", "credential.json"] {
        let text = std::fs::read_to_string(machine.root().join(file)).expect("kept");
        assert!(!text.contains("etr_live_"), "{file} keeps the token");
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(machine.root().join(file)).expect("kept").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let help = machine.agent("enroll", &["--help"], "");
    assert!(!String::from_utf8_lossy(&help.stdout).contains("--token <"), "a token could be an argument");
    // Once is enough: the second time it says so, and how to do it all the same.
    let again = machine.enroll(&server, TOKEN, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("--again"));
}

#[test]
fn a_health_command_is_taken_with_its_flags() {
    let server = Server::start();
    let typed = [
        (&["--health-command", "bin/health"][..], &["bin/health"][..]),
        (&["--health-command", "bin/health", "now"], &["bin/health", "now"]),
        (&["--health-command", "bin/health --port 80 -q"], &["bin/health", "--port", "80", "-q"]),
        (&["--health-command", "'bin/my health' --say \"it's up\" ''"], &["bin/my health", "--say", "it's up", ""]),
    ];
    for (args, kept) in typed {
        let machine = Machine::new();
        let output = machine.enroll(&server, TOKEN, args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let settings = std::fs::read_to_string(machine.root().join("agent.json")).expect("kept");
        let settings: serde_json::Value = serde_json::from_str(&settings).expect("JSON");
        assert_eq!(settings["payload"]["healthCommand"], serde_json::json!(kept), "{args:?}");
        // What to type next is what works for this place.
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let next = format!("landfall-agent run --root {}", machine.root().display());
        assert!(said.contains(&next), "{said}");
    }
    for bad in ["bin/health 'open", "  "] {
        let machine = Machine::new();
        let output = machine.enroll(&server, TOKEN, &["--health-command", bad]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), machine.root().join("agent.json").exists()), (Some(2), false), "{said}");
        assert!(said.contains("--health-command"), "{said}");
    }
}

#[test]
fn lp_082_a_token_that_is_not_taken_is_told_with_both_commands() {
    let server = Server::start();
    let machine = Machine::new();
    let output = machine.enroll(&server, "etr_live_deadbeef_0", &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("landfall edge token create") && said.contains("landfall edge token revoke"), "{said}");
    assert!(!said.contains("deadbeef"), "{said}");
    assert!(!machine.root().join("agent.json").exists());
}

/// One document, as every verb of `landfall` prints it.
#[test]
fn how_it_stands_is_told_to_programs_in_the_one_envelope() {
    let server = Server::start();
    let machine = Machine::new();
    let status = |format: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_landfall-agent"));
        let output = command.args(["status", "-o", format, "--root"]).arg(machine.root()).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let read = |format: &str, text: &str| -> serde_json::Value {
        let read = if format == "yaml" {
            landfall_yaml::to_json_strict(text).map_err(|error| error.to_string())
        } else {
            serde_json::from_str(text).map_err(|error| error.to_string())
        };
        read.unwrap_or_else(|error| panic!("no {format}: {error}: {text}"))
    };
    for format in ["json", "yaml"] {
        let (code, text) = status(format);
        let told = read(format, &text);
        assert_eq!((code, &told["schema"]), (Some(1), &"landfall.dev/v1/Failure".into()), "{text}");
        assert_eq!((&told["ok"], &told["exit"]), (&false.into(), &1.into()), "{text}");
        assert_eq!(told["data"]["diagnostics"][0]["code"], "LF0790", "{text}");
    }
    assert!(machine.enroll(&server, TOKEN, &["--device-number", "edge-7"]).status.success());
    let (_, json) = status("json");
    let told = read("json", &json);
    assert_eq!((&told["schema"], &told["ok"]), (&"landfall.dev/v1/AgentStatus".into(), &true.into()), "{json}");
    assert_eq!((&told["exit"], &told["data"]["deviceNumber"]), (&0.into(), &"edge-7".into()), "{json}");
    assert_eq!(read("yaml", &status("yaml").1), told);
    assert_eq!(status("name"), (Some(0), "edge-7\n".to_owned()));
    assert!(status("table").1.starts_with("edge "));
}

#[test]
fn lp_083_a_number_that_is_taken_is_told() {
    let server = Server::start();
    let machine = Machine::new();
    let output = machine.enroll(&server, TOKEN, &["--device-number", "taken"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the number taken exists already"));
}

#[test]
fn a_number_that_was_made_up_is_made_up_again_when_it_is_taken() {
    let server = Server::start();
    let machine = Machine::new();
    server.numbers_are_taken(2);
    let output = machine.enroll(&server, TOKEN, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("edge-gate-7-"));
    // Not for ever.
    let another = Machine::new();
    server.numbers_are_taken(100);
    assert_eq!(another.enroll(&server, TOKEN, &[]).status.code(), Some(1));
    assert!(!another.root().join("agent.json").exists());
}

#[test]
fn what_is_ready_waits_for_its_window_and_goes_when_it_is_cancelled() {
    let server = Server::start();
    let mut machine = upgraded(&server);
    let over = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
    for (version, counter) in [("2.0.0", 2), ("3.0.0", 3)] {
        server.forget();
        server.publish("kiosk", version, counter, "kiosk.tar", payload(STAYS));
        server.desire_until("kiosk", version, "kiosk.tar", over);
        server.wait("it is ready", |heard| heard.said(UpgradeStatus::Restarting));
        server.wait_for_check_ins(3);
        assert!(server.progress().iter().all(|progress| !ended(progress, UpgradeStatus::Succeeded)), "it switched");
        if counter == 2 {
            // A new start is no reason to switch either.
            machine.kill();
            machine.run();
            server.wait_for_check_ins(3);
            assert!(server.progress().iter().all(|progress| !ended(progress, UpgradeStatus::Succeeded)), "it switched");
            server.window_stays_open();
            server.wait("2.0.0 runs", |heard| heard.version("kiosk") == Some("2.0.0"));
        } else {
            server.cancel();
            server.wait("FAILED", |heard| heard.said(UpgradeStatus::Failed));
            assert!(server.reasons().iter().any(|reason| reason.contains("no longer wants")), "{:?}", server.reasons());
        }
    }
    server.wait("2.0.0 still runs", |heard| heard.version("kiosk") == Some("2.0.0"));
    assert_eq!(running(&machine), 1);
}

#[test]
fn lp_075_nothing_is_begun_while_the_payload_is_busy() {
    let server = Server::start();
    let machine = upgraded(&server);
    std::fs::write(machine.root().join("busy"), "").expect("made");
    server.publish("kiosk", "2.0.0", 2, "kiosk.tar", payload(STAYS));
    server.desire("kiosk", "2.0.0", "kiosk.tar");
    server.wait_for_check_ins(4);
    assert!(server.progress().iter().all(|progress| progress.attempt != server.attempt()), "it began");
    std::fs::remove_file(machine.root().join("busy")).expect("removed");
    server.wait("2.0.0 runs", |heard| heard.version("kiosk") == Some("2.0.0"));
}

#[test]
fn lp_076_an_upgrade_is_told_in_its_order_over_a_download_that_breaks_off() {
    let server = Server::start();
    let machine = upgraded(&server);
    server.forget();
    server.break_off_once();
    server.publish("kiosk", "2.0.0", 2, "kiosk.tar", payload(&format!("{STAYS} # {}", "x".repeat(300_000))));
    server.desire("kiosk", "2.0.0", "kiosk.tar");
    server.wait("2.0.0 runs", |heard| heard.version("kiosk") == Some("2.0.0"));
    let mut told: Vec<_> = server.progress().into_iter().map(|progress| progress.status).collect();
    told.dedup();
    assert_eq!(
        told,
        [UpgradeStatus::Downloading, UpgradeStatus::Verifying, UpgradeStatus::Restarting, UpgradeStatus::Succeeded]
    );
    assert!(server.ranges() > 0, "it began anew");
    let versions = std::fs::read_to_string(machine.root().join("data/versions")).expect("its own directory");
    assert_eq!(versions, "1.0.0\n2.0.0\n", "an upgrade touched the payload's own files: {}", machine.log());
}

#[test]
fn a_payload_comes_by_a_delta_and_whole_where_that_is_gone() {
    let server = Server::start();
    let machine = upgraded(&server);
    let long = |script: &str| payload(&format!("{script} # {}", "x".repeat(200_000)));
    server.publish("kiosk", "2.0.0", 2, "kiosk.tar", long(STAYS));
    server.desire("kiosk", "2.0.0", "kiosk.tar");
    server.wait("2.0.0 runs", |heard| heard.version("kiosk") == Some("2.0.0"));
    // Made of what runs; the transfer breaks off once.
    server.break_off_once();
    let script = format!("{STAYS} # another");
    let [whole, delta] = server.publish_after(("kiosk", "2.0.0"), "3.0.0", 3, "kiosk.tar", long(&script));
    server.desire("kiosk", "3.0.0", "kiosk.tar");
    server.wait("3.0.0 runs", |heard| heard.version("kiosk") == Some("3.0.0"));
    assert!(server.was_asked_for(&delta) && !server.was_asked_for(&whole), "{}", machine.log());
    assert!(server.ranges() > 0, "it began anew");
    // The server has lost the delta: nothing fails for it.
    server.forget();
    let [whole, delta] = server.publish_after(("kiosk", "3.0.0"), "4.0.0", 4, "kiosk.tar", long(STAYS));
    server.lose(&delta);
    server.desire("kiosk", "4.0.0", "kiosk.tar");
    server.wait("4.0.0 runs", |heard| heard.version("kiosk") == Some("4.0.0"));
    assert!(server.was_asked_for(&delta) && server.was_asked_for(&whole));
    assert!(machine.log().contains("edge.upgrade.delta_left"), "{}", machine.log());
    assert!(!server.progress().iter().any(|progress| ended(progress, UpgradeStatus::Failed)), "{:?}", server.reasons());
    let versions = std::fs::read_to_string(machine.root().join("data/versions")).expect("its own directory");
    assert_eq!(versions, "1.0.0\n2.0.0\n3.0.0\n4.0.0\n");
}

#[test]
fn lp_088_a_version_that_does_not_confirm_itself_is_taken_back_whatever_way_it_fails() {
    let server = Server::start();
    let machine = upgraded(&server);
    for (counter, script) in [(2, "exit 1"), (3, "kill -9 $$"), (4, "exec /nowhere"), (5, "sleep 0.3; kill -SEGV $$")] {
        server.forget();
        let version = format!("{counter}.0.0");
        server.publish("kiosk", &version, counter, "kiosk.tar", payload(script));
        server.desire("kiosk", &version, "kiosk.tar");
        server.wait("ROLLED_BACK", |heard| heard.said(UpgradeStatus::RolledBack));
        let report =
            server.progress().into_iter().find(|progress| ended(progress, UpgradeStatus::RolledBack)).expect("told");
        assert_eq!(report.failure, Some(FailureClass::Boot), "{script}");
        server.wait("1.0.0 runs", |heard| heard.version("kiosk") == Some("1.0.0"));
    }
    assert_eq!(running(&machine), 1, "what ran before runs again");
}

/// How many payloads run.
fn running(machine: &Machine) -> usize {
    let entries = std::fs::read_dir("/proc").expect("Linux");
    entries
        .flatten()
        .filter(|entry| {
            std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|cwd| cwd.starts_with(machine.root().join("payload")))
                && std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| !stat.contains(") Z "))
        })
        .count()
}

/// The programs that run as workers, by their files.
fn workers(machine: &Machine) -> Vec<PathBuf> {
    let root = machine.root();
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let is_worker = |path: &Path| {
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let arguments: Vec<_> = arguments.split(|byte| *byte == 0).collect();
        arguments.get(1) == Some(&b"work".as_slice()) && arguments.get(3) == Some(&root.as_os_str().as_bytes())
    };
    let workers = entries.flatten().filter(|entry| is_worker(&entry.path()));
    workers.filter_map(|entry| std::fs::read_link(entry.path().join("exe")).ok()).collect()
}

#[test]
fn an_agent_replaces_itself_and_does_not_run_under_another_versions_name() {
    let server = Server::start();
    let machine = upgraded(&server);
    let bytes = std::fs::read(AGENT).expect("the binary");
    // The same bytes, released as what they say that they are.
    server.publish(AGENT_PRODUCT, landfall_agent::VERSION, 1, "landfall-agent", bytes.clone());
    server.desire(AGENT_PRODUCT, landfall_agent::VERSION, "landfall-agent");
    server.wait("SUCCEEDED", |heard| heard.came_to(UpgradeStatus::Succeeded));
    assert_eq!(workers(&machine), [machine.root().join("agent/a/landfall-agent")], "it runs out of the slot");
    // And relabelled: rightly signed, but not what they say.
    server.publish(AGENT_PRODUCT, "9.9.9", 2, "landfall-agent", bytes);
    server.desire(AGENT_PRODUCT, "9.9.9", "landfall-agent");
    server.wait("ROLLED_BACK", |heard| heard.came_to(UpgradeStatus::RolledBack));
    server.wait("the one before", |heard| heard.version(AGENT_PRODUCT) == Some(landfall_agent::VERSION));
    assert!(machine.log().contains("does not run under another's name"), "{}", machine.log());
    // One that hangs says nothing: its time runs out.
    server.publish(AGENT_PRODUCT, "9.9.10", 3, "landfall-agent", b"#!/bin/sh\nexec sleep 1000\n".to_vec());
    server.desire(AGENT_PRODUCT, "9.9.10", "landfall-agent");
    server.wait("ROLLED_BACK", |heard| heard.came_to(UpgradeStatus::RolledBack));
    assert!(server.reasons().iter().any(|reason| reason.contains("within 4 seconds")), "{:?}", server.reasons());
    assert_eq!(workers(&machine), [machine.root().join("agent/a/landfall-agent")], "what ran before runs again");
}

#[test]
fn a_version_without_a_signature_or_a_consent_is_refused_in_words() {
    let server = Server::start();
    let machine = upgraded(&server);
    // Named by the server, and in no signed targets.
    server.desire("kiosk", "7.7.7", "kiosk.tar");
    server.wait("FAILED", |heard| heard.came_to(UpgradeStatus::Failed));
    let reasons = server.reasons();
    assert!(reasons.iter().any(|reason| reason.contains("no signed artifact of kiosk 7.7.7")), "{reasons:?}");
    // Going back needs a consent.
    server.publish("kiosk", "2.0.0", 2, "kiosk.tar", payload(STAYS));
    server.desire("kiosk", "2.0.0", "kiosk.tar");
    server.wait("2.0.0 runs", |heard| heard.version("kiosk") == Some("2.0.0"));
    server.forget();
    server.desire("kiosk", "1.0.0", "kiosk.tar");
    server.wait("FAILED", |heard| heard.said(UpgradeStatus::Failed));
    server.consent("kiosk", "1.0.0");
    server.desire("kiosk", "1.0.0", "kiosk.tar");
    server.wait("1.0.0 runs", |heard| heard.version("kiosk") == Some("1.0.0"));
    // Other bytes than those that were signed.
    server.publish("kiosk", "3.0.0", 3, "kiosk.tar", payload(STAYS));
    server.exchange("kiosk", "3.0.0", payload("touch exchanged"));
    server.forget();
    server.desire("kiosk", "3.0.0", "kiosk.tar");
    server.wait("FAILED", |heard| heard.said(UpgradeStatus::Failed));
    assert!(
        server.reasons().iter().any(|reason| reason.contains("SHA-256") || reason.contains("signed")),
        "{:?}",
        server.reasons()
    );
    assert!(!Path::new(&machine.root().join("payload/a/exchanged")).exists());
}

#[test]
fn lp_084_a_new_credential_is_taken_without_anybody_going_there() {
    let server = Server::start();
    let machine = upgraded(&server);
    let fresh = server.rotate();
    server.wait("it speaks with the new one", |heard| heard.credential() == fresh);
    // Even when the old one is gone.
    server.revoke_all_but(&fresh);
    server.wait_for_check_ins(3);
    let kept = std::fs::read_to_string(machine.root().join("credential.json")).expect("kept");
    assert!(kept.contains(&fresh));
    assert!(!machine.log().contains("wk_live_"), "a log has a credential");
}

#[test]
fn kill_9_of_the_watchdog_at_any_status_leaves_one_payload_that_goes_on() {
    let server = Server::start();
    let mut machine = upgraded(&server);
    let statuses = [UpgradeStatus::Downloading, UpgradeStatus::Verifying, UpgradeStatus::Restarting];
    for (counter, status) in (2..).zip(statuses) {
        server.forget();
        let version = format!("{counter}.0.0");
        server.publish("kiosk", &version, counter, "kiosk.tar", payload(STAYS));
        server.desire("kiosk", &version, "kiosk.tar");
        server.wait("the moment", |heard| heard.said(status));
        machine.kill();
        machine.run();
        server.wait("the new version runs", |heard| heard.version("kiosk") == Some(version.as_str()));
        assert_eq!(running(&machine), 1, "killed at {status:?}");
    }
    server.wait("each start has a name of its own", |heard| heard.boots().len() == 4);
    let status = machine.agent("status", &[], "");
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("kiosk: 4.0.0") && text.contains("can go back to 3.0.0"), "{text}");
}
