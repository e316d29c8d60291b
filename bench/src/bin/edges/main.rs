//! Edges on loopback: how many check-ins a server of the fleet answers, how fast, and what that costs it and this generator.
//!
//! ```text
//! landfall serve --only fleet --listen 127.0.0.1:8480
//! edges --address 127.0.0.1:8480 --token-file token --pid PID --edges 100000 --connections 64 --seconds 60 [--rate 10000 | --agents 15]
//! ```
//!
//! With `--rate` requests have a time at which they ought to begin, and what they wait before it counts as theirs; with `--agents` each edge
//! asks by itself, every so many seconds and as our own agent waits after failures; without, each connection asks as fast as it is
//! answered. While nobody answers, what is due by a rate is tried ten times a second and asked for as fast as it is answered then;
//! `silence` tells of the longest time without an answer, and of how edges came back after it.

mod asking;
mod connection;
mod silence;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use self::asking::{Asked, Pace, Worker};
use self::connection::{Connection, enroll};

/// Ticks of the kernel's clock in a second, in which /proc tells processor time.
const TICKS: f64 = 100.0;

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            let _printed = writeln!(std::io::stdout(), "{report:#}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            let _printed = writeln!(std::io::stderr(), "edges: {why}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    address: String,
    token: String,
    pid: u32,
    edges: usize,
    connections: usize,
    seconds: u64,
    pace: Pace,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        address: "127.0.0.1:8480".to_owned(),
        token: String::new(),
        pid: 0,
        edges: 1000,
        connections: 32,
        seconds: 10,
        pace: Pace::AsAnswered,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{arg} {value} is no number"));
        match arg.as_str() {
            "--address" => options.address = value,
            "--token-file" => {
                let text = std::fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
                text.trim().clone_into(&mut options.token);
            }
            "--pid" => options.pid = u32::try_from(number()?).map_err(|error| error.to_string())?,
            "--edges" => options.edges = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--connections" => {
                options.connections = usize::try_from(number()?).map_err(|error| error.to_string())?.max(1)
            }
            "--seconds" => options.seconds = number()?,
            "--rate" => options.pace = Pace::Rate(number()?.max(1) as f64),
            "--agents" => options.pace = Pace::Agents(Duration::from_secs(number()?.max(1))),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(options)
}

/// What a process has cost.
struct Cost {
    /// Seconds of processor time.
    seconds: f64,
    /// MiB in memory now, and at most.
    resident: f64,
    peak: f64,
}

fn cost(pid: &str) -> Cost {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let of = |name: &str| {
        let found =
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
        found.unwrap_or(0.0) / 1024.0
    };
    Cost { seconds: (ticks(11) + ticks(12)) / TICKS, resident: of("VmRSS:"), peak: of("VmHWM:") }
}

/// Enrolls all edges, over as many connections as will ask for them.
fn enrolled(options: &Options) -> Result<Vec<Worker>, String> {
    let share = options.edges.div_ceil(options.connections);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..options.connections)
            .map(|worker| {
                scope.spawn(move || -> Result<Worker, String> {
                    let mut connection = Connection::open(&options.address).map_err(|error| error.to_string())?;
                    let first = (worker * share).min(options.edges);
                    let numbers = first..(first + share).min(options.edges);
                    let beats = numbers.map(|number| enroll(&mut connection, &options.token, number));
                    Ok(Worker { beats: beats.collect::<Result<_, _>>()?, connection, first })
                })
            })
            .collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| "a connection broke".to_owned())?);
        joined.filter(|worker| !worker.as_ref().is_ok_and(|worker| worker.beats.is_empty())).collect()
    })
}

fn run() -> Result<Value, String> {
    let options = options()?;
    let enrolling = Instant::now();
    let workers = enrolled(&options)?;
    let enrolled = enrolling.elapsed();
    let (server, own) = (options.pid.to_string(), "self");
    let before = (cost(&server), cost(own));
    // By the clock that the server writes down when it has heard an edge.
    let began_at = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_secs();
    let (began, lasts) = (Instant::now(), Duration::from_secs(options.seconds));
    let (pace, connections) = (options.pace, workers.len());
    let workers: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            std::thread::spawn(move || {
                // What waited for the slowest to have enrolled its edges was idle for longer than a server keeps a connection.
                worker.connection.again();
                worker.run(pace, began, lasts, connections)
            })
        })
        .collect();
    let mut all = Asked::default();
    for worker in workers {
        let asked = worker.join().map_err(|_| "a connection broke".to_owned())?;
        all.failed += asked.failed;
        all.first_failure = all.first_failure.or(asked.first_failure);
        all.answered.extend(asked.answered);
    }
    let seconds = began.elapsed().as_secs_f64();
    let after = (cost(&server), cost(own));
    let silence = silence::longest(&mut all.answered, options.edges);
    let mut heard = vec![false; options.edges];
    all.answered.iter().for_each(|it| heard[it.edge] = true);
    let mut took: Vec<u64> = all.answered.iter().map(|it| it.took).collect();
    took.sort_unstable();
    let at = |of: f64| took.get((took.len() as f64 * of) as usize).copied().unwrap_or(0) as f64 / 1000.0;
    let (of_server, of_own) = (after.0.seconds - before.0.seconds, after.1.seconds - before.1.seconds);
    let (rate, agents) = match pace {
        Pace::AsAnswered => (None, None),
        Pace::Rate(rate) => (Some(rate), None),
        Pace::Agents(pause) => (None, Some(pause.as_secs())),
    };
    Ok(json!({
        "edges": options.edges, "connections": options.connections, "rate_wanted": rate, "agents_pause_seconds": agents,
        "enrolled_per_second": options.edges as f64 / enrolled.as_secs_f64(), "began_at": began_at, "seconds": seconds,
        "answered": took.len(), "failed": all.failed, "first_failure": all.first_failure, "answered_per_second": took.len() as f64 / seconds,
        "edges_heard": heard.into_iter().filter(|heard| *heard).count(),
        "milliseconds": {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999)},
        "silence": silence,
        "server": {
            "cpu_seconds": of_server, "resident_mib": after.0.resident, "resident_peak_mib": after.0.peak,
            "cpu_seconds_per_million": of_server * 1e6 / (took.len().max(1) as f64),
        },
        "generator": {"cpu_seconds": of_own, "share": of_own / (of_own + of_server).max(0.001)},
    }))
}
