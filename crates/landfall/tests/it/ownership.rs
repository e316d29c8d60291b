//! Whose a state directory is: what was not made here is moved aside unread, and what is not ours stays as it is.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sandbox::{Sandbox, small_chart};

/// A state directory that a stranger has put into a repository: its kubeconfig runs a program, its lock is a link to one
/// that is held, and somebody listens at its address.
struct Lure {
    ran: PathBuf,
    _listener: TcpListener,
    _held: File,
}

impl Lure {
    fn into(sandbox: &Sandbox, directory: &str) -> Lure {
        let outside = sandbox.root().parent().expect("has one").to_owned();
        let ran = outside.join("ran");
        let held = File::create(outside.join("held")).expect("made");
        held.lock().expect("locked");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = format!("https://{}", listener.local_addr().expect("bound"));
        let at = |name: &str| format!("{directory}/{name}");
        sandbox.write(
            &at("kubeconfig"),
            &format!("apiVersion: v1\nkind: Config\nclusters: [{{name: landfall, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: x, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: [\"{}\"], interactiveMode: Never}}}}}}]\ncontexts: [{{name: landfall, context: {{cluster: landfall, user: x}}}}]\ncurrent-context: landfall\n", ran.display()),
        );
        sandbox.write(
            &at("endpoint.json"),
            &format!("{{\"pid\": {}, \"server\": \"{server}\", \"http\": null, \"https\": null, \"version\": \"0\", \"started\": \"x\"}}", std::process::id()),
        );
        sandbox.write(&at("token"), "x");
        sandbox
            .write(&at("made-here.json"), "{\"inode\": 1, \"device\": 1, \"born\": null, \"directory\": \"landfall\"}");
        sandbox.write(&at(".gitignore"), "*\n");
        symlink(outside.join("held"), sandbox.root().join(at("lock"))).expect("linked");
        Lure { ran, _listener: listener, _held: held }
    }

    #[track_caller]
    fn did_not_run(&self) {
        assert!(!self.ran.exists(), "a program of the repository's ran");
    }
}

fn aside(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join(".landfall/aside/1")
}

/// A cluster with one release, its state in `.landfall`.
fn delivered() -> Sandbox {
    let sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web"]).exits(0);
    sandbox
}

#[track_caller]
fn is_delivered(sandbox: &Sandbox, more: &[&str]) {
    sandbox.run(&[&["history", "-o", "name"], more].concat()).exits(0).says("web");
}

/// Runs a script at the root.
#[track_caller]
fn shell(sandbox: &Sandbox, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(sandbox.root()).env("HOME", sandbox.root().join(".."));
    assert!(shell.status().expect("sh runs").success());
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().expect("there").permissions().mode() & 0o777
}

/// Everything below a directory.
fn all_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.symlink_metadata().expect("there").is_dir() {
            found.extend(all_below(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn a_committed_state_directory_runs_nothing_and_is_moved_aside_by_whatever_comes_first() {
    let kubeconfig = ["cluster", "kubeconfig", "--merge"];
    let commands: [&[&str]; 9] = [
        &["status"],
        &["history"],
        &["cluster", "status"],
        &["cluster", "stop"],
        &["cluster", "operator", "off", "traefik"],
        &["helm", "list"],
        &["plan", "web"],
        &["down"],
        &kubeconfig,
    ];
    for command in commands {
        let sandbox = Sandbox::empty();
        small_chart(&sandbox, "web", "web");
        let lure = Lure::into(&sandbox, ".landfall");
        sandbox.git(&["init", "-q"]);
        sandbox.git(&["add", "-f", "-A"]);
        sandbox.git(&["commit", "-qm", "first"]);
        sandbox.run(command).says("LF0618").says("git tracks it").says(".landfall/aside/1");
        lure.did_not_run();
        assert!(aside(&sandbox).join("kubeconfig").exists(), "{command:?}");
        assert!(!sandbox.root().join("../.kube/config").exists());
        // Said once; what is new there is ours, and a delivery uses it.
        let second = sandbox.run(&["up", "web"]).exits(0);
        assert!(!second.all().contains("LF0618"), "{command:?}: {}", second.all());
        is_delivered(&sandbox, &[]);
        lure.did_not_run();
    }
}

#[test]
fn a_state_directory_of_an_unpacked_archive_runs_nothing_and_is_moved_aside() {
    let sandbox = Sandbox::empty();
    let lure = Lure::into(&sandbox, ".landfall");
    sandbox.run(&["status"]).exits(0).says("LF0618").says("something else has made it");
    lure.did_not_run();
    assert!(aside(&sandbox).join("lock").is_symlink());
    // Without any marker, as closed as ours would be, and with nothing that is a link.
    let sandbox = Sandbox::empty();
    let lure = Lure::into(&sandbox, "made/.landfall");
    for name in ["made-here.json", "lock"] {
        fs::remove_file(sandbox.root().join("made/.landfall").join(name)).expect("removed");
    }
    fs::set_permissions(sandbox.root().join("made/.landfall"), fs::Permissions::from_mode(0o700)).expect("changed");
    shell(&sandbox, "tar cf - -C made .landfall | tar xpf -");
    sandbox.run(&["status"]).exits(0).says("LF0618").says("something else has made it");
    lure.did_not_run();
}

#[test]
fn a_link_in_the_place_of_the_state_directory_is_moved_and_not_followed() {
    let sandbox = Sandbox::empty();
    sandbox.write("../elsewhere/notes.txt", "mine");
    symlink("../elsewhere", sandbox.root().join(".landfall")).expect("linked");
    small_chart(&sandbox, "web", "web");
    sandbox.run(&["up", "web"]).exits(0).says("it is a link");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    assert_eq!(fs::read_dir(sandbox.root().join("../elsewhere")).expect("listed").count(), 1);
    assert!(aside(&sandbox).is_symlink());
}

#[test]
fn ones_own_state_directory_is_used_wherever_its_tree_is_moved() {
    let sandbox = delivered();
    is_delivered(&sandbox, &[]);
    let moved = sandbox.root().parent().expect("has one").join("moved");
    fs::rename(sandbox.root(), &moved).expect("moved");
    fs::create_dir(sandbox.root()).expect("made");
    let mut command = sandbox.command(&["history", "-o", "name"]);
    let seen = super::sandbox::ran(command.current_dir(&moved).output().expect("runs")).exits(0).says("web");
    assert!(!seen.all().contains("LF0618"), "{}", seen.all());
}

#[test]
fn a_copied_state_directory_is_moved_aside_and_used_where_the_user_names_it() {
    let copied = delivered().copy();
    let seen = copied.run(&["history", "-o", "name"]).exits(0).says("made elsewhere");
    assert!(!seen.stdout.contains("web"), "{}", seen.all());
    let aside = aside(&copied);
    is_delivered(&copied, &["--state", ".landfall/aside/1"]);
    // Taken over once, it is as good as one that was made here.
    fs::rename(aside, copied.root().join("own")).expect("moved");
    fs::remove_dir_all(copied.root().join(".landfall")).expect("removed");
    fs::rename(copied.root().join("own"), copied.root().join(".landfall")).expect("moved");
    is_delivered(&copied, &[]);
}

#[test]
fn the_state_directory_of_an_older_version_is_taken_over_with_its_history() {
    let sandbox = delivered();
    let state = sandbox.root().join(".landfall");
    fs::remove_file(state.join("made-here.json")).expect("removed");
    for name in ["store.db", "cluster.db"] {
        fs::set_permissions(state.join(name), fs::Permissions::from_mode(0o644)).expect("changed");
    }
    let seen = sandbox.run(&["history", "-o", "name"]).exits(0).says("web");
    assert!(!seen.all().contains("LF0618"), "{}", seen.all());
    assert!(state.join("made-here.json").exists());
    assert_eq!((mode(&state.join("store.db")), mode(&state.join("cluster.db"))), (0o600, 0o600));
    // What git tracks of it is a stranger's, whatever it looks like.
    fs::remove_file(state.join("made-here.json")).expect("removed");
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "-f", ".landfall/store.db"]);
    sandbox.run(&["history"]).exits(0).says("git tracks it");
}

#[test]
fn what_a_pull_puts_into_ones_own_state_directory_is_moved_aside_with_it() {
    let sandbox = delivered();
    let lure = Lure::into(&sandbox, "evil");
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "web"]);
    sandbox.git(&["commit", "-qm", "first"]);
    // Git overwrites what is ignored, and all of the directory is.
    fs::create_dir_all(sandbox.root().join("other")).expect("made");
    let script = "git clone -q . other/clone && cd other/clone && mkdir .landfall && cp ../../evil/kubeconfig ../../evil/endpoint.json .landfall/ && git add -f .landfall && git -c user.name=x -c user.email=x@example.com commit -qm evil && cd ../.. && git pull -q other/clone HEAD";
    shell(&sandbox, script);
    assert!(sandbox.read(".landfall/kubeconfig").contains("exec"));
    sandbox.run(&["status"]).exits(0).says("LF0618").says("git tracks it");
    lure.did_not_run();
    assert!(aside(&sandbox).join("store.db").exists(), "the history is not lost");
    let seen = sandbox.run(&["up", "web"]).exits(0);
    assert!(!seen.all().contains("LF0618"), "{}", seen.all());
    // A named one is not moved.
    sandbox.git(&["checkout", "-q", "."]);
    sandbox.run(&["status", "--state", ".landfall"]).exits(5).says("LF0618").says("git rm -r --cached");
    lure.did_not_run();
}

#[test]
fn a_process_that_is_no_server_of_this_cluster_is_not_signalled() {
    let sandbox = delivered();
    let mut innocent = Command::new("sleep").arg("60").spawn().expect("started");
    let lock = File::options().write(true).open(sandbox.root().join(".landfall/lock")).expect("there");
    lock.lock().expect("free");
    sandbox.write(
        ".landfall/endpoint.json",
        &format!("{{\"pid\": {}, \"server\": \"https://127.0.0.1:1\", \"version\": \"0\"}}", innocent.id()),
    );
    sandbox.run(&["cluster", "stop"]).exits(1).says("LF0626").says("no process was signalled");
    assert!(innocent.try_wait().expect("asked").is_none(), "it was ended");
    innocent.kill().expect("ended");
    innocent.wait().expect("ended");
}

#[test]
fn of_a_kubeconfig_that_was_replaced_nothing_but_the_authority_is_believed() {
    let mut sandbox = delivered();
    sandbox.stays(".landfall");
    sandbox.run(&["cluster", "start"]).exits(0);
    let kubeconfig = sandbox.read(".landfall/kubeconfig");
    let authority = kubeconfig.lines().find(|line| line.contains("certificate-authority-data")).expect("it names one");
    let ran = sandbox.root().join("../ran");
    sandbox.write(
        ".landfall/kubeconfig",
        &format!("apiVersion: v1\nkind: Config\nclusters:\n- name: landfall\n  cluster:\n    {}\n    server: https://203.0.113.9\n    proxy-url: http://203.0.113.9\nusers: [{{name: x, user: {{tokenFile: /etc/hostname, exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: [\"{}\"], interactiveMode: Never}}}}}}]\ncontexts: [{{name: landfall, context: {{cluster: landfall, user: x}}}}]\ncurrent-context: landfall\n", authority.trim(), ran.display()),
    );
    sandbox.run(&["status"]).exits(0).says("web");
    sandbox.run(&["helm", "list", "-A"]).exits(0).says("web");
    let shown = sandbox.run(&["cluster", "kubeconfig"]).exits(0);
    assert!(!shown.stdout.contains("exec") && !shown.stdout.contains("203.0.113.9"), "{}", shown.all());
    assert!(!ran.exists(), "a program ran");
}

#[test]
fn an_endpoint_elsewhere_is_none() {
    let sandbox = delivered();
    let lock = File::options().write(true).open(sandbox.root().join(".landfall/lock")).expect("there");
    lock.lock().expect("free");
    let endpoint = |server: &str| {
        sandbox
            .write(".landfall/endpoint.json", &format!("{{\"pid\": 1, \"server\": \"{server}\", \"version\": \"0\"}}"));
        sandbox.run(&["cluster", "status", "-o", "json"]).exits(0).json()["data"]["endpoint"].clone()
    };
    for server in ["https://203.0.113.9:443", "http://127.0.0.1:1", "https://localhost.example.com:443", "127.0.0.1:1"]
    {
        assert!(endpoint(server).is_null(), "{server}");
    }
}

#[test]
fn a_directory_that_was_there_before_keeps_its_mode_and_its_files() {
    let mut sandbox = Sandbox::empty();
    sandbox.stays("data");
    small_chart(&sandbox, "web", "web");
    for (name, text) in [("data/notes.txt", "mine"), ("data/.gitignore", "*.log\n"), ("data/deep/er.txt", "mine too")] {
        sandbox.write(name, text);
    }
    let data = sandbox.root().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("changed");
    let before = all_below(&data);
    for (first, last) in [
        (["cluster", "start"].as_slice(), ["cluster", "reset", "--yes"].as_slice()),
        (&["up", "web"], &["down"]),
        (&["up", "web", "--once"], &["cluster", "reset", "--yes"]),
    ] {
        sandbox.run(&[first, &["--state", "data"]].concat()).exits(0);
        assert!(data.join("cluster.db").exists(), "{first:?}");
        assert_eq!(mode(&data), 0o755);
        sandbox.run(&[last, &["--state", "data"]].concat()).exits(0).says("notes.txt");
        assert_eq!(all_below(&data), before, "{last:?}");
        assert_eq!(mode(&data), 0o755);
        assert_eq!(sandbox.read("data/.gitignore"), "*.log\n");
    }
}

#[test]
fn a_directory_whose_files_bear_the_names_of_ours_is_refused_untouched() {
    for name in ["token", "cache/a.txt", "lock", "cluster.db"] {
        let sandbox = Sandbox::empty();
        sandbox.write(&format!("data/{name}"), "mine");
        fs::set_permissions(sandbox.root().join("data"), fs::Permissions::from_mode(0o755)).expect("changed");
        for command in [["cluster", "start"].as_slice(), &["cluster", "reset", "--yes"], &["cluster", "stop"]] {
            sandbox.run(&[command, &["--state", "data"]].concat()).exits(5).says("LF0618");
        }
        assert_eq!(sandbox.read(&format!("data/{name}")), "mine");
        assert_eq!(mode(&sandbox.root().join("data")), 0o755);
        assert_eq!(fs::read_dir(sandbox.root().join("data")).expect("listed").count(), 1);
    }
}

#[test]
fn a_reset_takes_what_landfall_made_and_leaves_what_was_put_beside_it() {
    let sandbox = delivered();
    sandbox.write(".landfall/notes.txt", "mine");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0).says("are gone").says("notes.txt");
    let mut left: Vec<_> = all_below(&sandbox.root().join(".landfall"));
    left.sort();
    let names: Vec<_> = left.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, [".gitignore", "made-here.json", "notes.txt"]);
    // With nothing else in it, all of it goes.
    fs::remove_file(sandbox.root().join(".landfall/notes.txt")).expect("removed");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
    assert!(!sandbox.root().join(".landfall").exists());
    let beside: Vec<_> =
        fs::read_dir(sandbox.root()).expect("listed").map(|it| it.expect("an entry").file_name()).collect();
    assert_eq!(beside, ["web"]);
}

/// Where this process may give files away: in a directory that all share, and in a tree of somebody's own.
#[test]
fn another_users_state_directory_is_not_used_unless_the_tree_is_theirs_too() {
    let give = |path: &Path| {
        let all = all_below(path).into_iter().chain([path.to_owned()]);
        all.into_iter().all(|path| std::os::unix::fs::lchown(path, Some(12345), Some(12345)).is_ok())
    };
    let sandbox = delivered();
    if !give(&sandbox.root().join(".landfall")) {
        return;
    }
    sandbox.run(&["history"]).exits(0).says("LF0618").says("another user");
    let sandbox = delivered();
    assert!(give(sandbox.root()));
    is_delivered(&sandbox, &[]);
    let seen = sandbox.run(&["status"]).exits(0);
    assert!(!seen.all().contains("LF0618"), "{}", seen.all());
}

#[test]
fn all_of_a_state_directory_is_its_owners_alone() {
    let mut sandbox = Sandbox::empty();
    small_chart(&sandbox, "web", "web");
    let state = sandbox.root().join(".landfall");
    let check = |when: &str| {
        assert_eq!(mode(&state), 0o700, "{when}");
        let files = all_below(&state);
        assert!(files.len() > 3, "{when}");
        for path in files {
            assert_eq!(mode(&path) & 0o077, 0, "{when}: {}", path.display());
        }
    };
    sandbox.run(&["up", "web", "--once"]).exits(0);
    check("after a delivery in one process");
    sandbox.stays(".landfall");
    sandbox.run(&["up", "web", "--set", "replicas=2"]).exits(0);
    check("with a server");
    sandbox.run(&["cluster", "kubeconfig", "--merge"]).exits(0);
    assert_eq!(mode(&sandbox.root().join("../.kube/config")), 0o600);
    sandbox.run(&["install", "other", "web"]).exits(0);
    check("after a verb of Helm's");
    sandbox.run(&["cluster", "stop"]).exits(0);
    check("after the server");
}
