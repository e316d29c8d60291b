use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// The superuser, and its password: the server listens on loopback alone and ends with its value.
const USER: &str = "landfall";
const PASSWORD: &str = "conformance";
/// The user of the operating system that Debian's package makes; the server does not run as root.
const SYSTEM_USER: &str = "postgres";

/// A server of PostgreSQL in a directory of its own.
pub(crate) struct Server {
    programs: PathBuf,
    home: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes one and starts it.
    ///
    /// # Errors
    /// PostgreSQL is not there (`apt-get install postgresql`), or does not start.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let home = tempfile::Builder::new().prefix("landfall-postgres-").tempdir()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = Server { programs, home, port, running: None };
        fs::write(server.home.path().join("password"), PASSWORD)?;
        if is_root()? {
            let owner = format!("{SYSTEM_USER}:");
            succeeded(Command::new("chown").args(["-R", &owner]).arg(server.home.path()).output()?)?;
        }
        let (data, password) = (server.data(), server.home.path().join("password"));
        let made = server
            .command("initdb")?
            .arg("-D")
            .arg(data)
            .args(["-U", USER, "-A", "scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg(format!("--pwfile={}", password.display()))
            .output()?;
        succeeded(made)?;
        server.begin()?;
        Ok(server)
    }

    /// Starts it where it does not run, and waits until it answers.
    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        let port = self.port.to_string();
        let deadline = Instant::now() + Duration::from_secs(60);
        self.running = Some(self.spawned()?);
        while Instant::now() < deadline {
            let asked = self.command("pg_isready")?.args(["-q", "-h", "127.0.0.1", "-p", &port]).status()?;
            let ended = self.running.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() {
                // Mostly because another process has its port for a moment, as the near end of a connection.
                self.running = Some(self.spawned()?);
            } else if asked.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL does not answer: {}", fs::read_to_string(self.home.path().join("log")).unwrap_or_default())
    }

    /// Its process, begun; nobody has asked yet whether it answers.
    fn spawned(&self) -> anyhow::Result<Child> {
        let log = fs::File::create(self.home.path().join("log"))?;
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "max_connections=100", "-c", "shared_buffers=32MB"]);
        Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    /// Ends it at once, as a machine that dies would, but for the disk: what was answered stays.
    pub(crate) fn end(&mut self) {
        if let Some(mut child) = self.running.take() {
            // SIGQUIT: its children go at once, and it recovers when it begins again.
            let _ended = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
            let _reaped = child.wait();
        }
    }

    /// The address of one of its databases.
    pub(crate) fn address(&self, database: &str) -> String {
        self.address_at(self.port, database)
    }

    /// The same behind another port.
    pub(crate) fn address_at(&self, port: u16, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its version.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let told = self.command("postgres")?.arg("--version").output()?;
        let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
        Ok(told.rsplit_once(") ").map_or(told.clone(), |(_, version)| version.to_owned()))
    }

    /// What a statement answers, a row a line.
    pub(crate) fn asked(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let mut command = self.command("psql")?;
        command.env("PGPASSWORD", PASSWORD).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER]);
        let told = command.args(["-v", "ON_ERROR_STOP=1", "-Atc", statement, database]).output()?;
        ensure!(told.status.success(), "{statement}: {}", String::from_utf8_lossy(&told.stderr));
        Ok(String::from_utf8_lossy(&told.stdout).trim_end().to_owned())
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// One of its programs, as a user that is not root.
    fn command(&self, program: &str) -> anyhow::Result<Command> {
        let path = self.programs.join(program);
        let mut command = if is_root()? {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(self.home.path()).env("LC_ALL", "C.UTF-8");
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the newest of Debian's versions has its programs.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs): &(u32, PathBuf)| programs.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, programs)| programs);
    newest.context("PostgreSQL is not there: apt-get install postgresql")
}

fn is_root() -> anyhow::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata(Path::new("/proc/self")).context("who runs this cannot be seen")?.uid() == 0)
}

fn succeeded(output: Output) -> anyhow::Result<()> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
