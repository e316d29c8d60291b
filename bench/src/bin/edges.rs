//! Edges on loopback: how many check-ins a server of the fleet answers, how fast, and what that costs it and this generator.
//!
//! ```text
//! landfall serve --only fleet --listen 127.0.0.1:8480
//! edges --address 127.0.0.1:8480 --token-file token --pid PID --edges 100000 --connections 64 --seconds 60 [--rate 10000]
//! ```
//!
//! With `--rate` requests have a time at which they ought to begin, and what they wait before it counts as theirs; without, each
//! connection asks as fast as it is answered. While nobody answers, a connection is tried again ten times a second; what was due meanwhile
//! is asked for as fast as it is answered then, and `by_second` tells when the pace is kept again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

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
    rate: Option<f64>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        address: "127.0.0.1:8480".to_owned(),
        token: String::new(),
        pid: 0,
        edges: 1000,
        connections: 32,
        seconds: 10,
        rate: None,
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
            "--rate" => options.rate = Some(number()? as f64),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(options)
}

/// An edge that was enrolled, with its request as it goes over the wire.
struct Edge {
    request: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, address: address.to_owned(), buffer: vec![0; 64 * 1024] })
    }

    /// Sends a request and gives the answer's status and body.
    fn ask(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        let bad = || std::io::Error::other("this is no answer");
        self.stream.write_all(request)?;
        let (mut got, mut whole) = (0, None);
        loop {
            let read = self.stream.read(&mut self.buffer[got..])?;
            if read == 0 {
                return Err(bad());
            }
            got += read;
            if whole.is_none()
                && let Some(at) = self.buffer[..got].windows(4).position(|it| it == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&self.buffer[..at]).to_ascii_lowercase();
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
                let status = head.split(' ').nth(1).and_then(|it| it.parse::<u16>().ok()).ok_or_else(bad)?;
                whole = Some((status, at + 4, at + 4 + length.ok_or_else(bad)?));
            }
            if let Some((status, from, to)) = whole
                && got >= to
            {
                return Ok((status, self.buffer[from..to].to_vec()));
            }
        }
    }

    fn again(&mut self) -> std::io::Result<()> {
        self.stream = Connection::open(&self.address)?.stream;
        Ok(())
    }
}

fn post(path: &str, bearer: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: edges\r\nauthorization: Bearer {bearer}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn enroll(connection: &mut Connection, token: &str, number: usize) -> Result<Edge, String> {
    let device = format!("edge-bench-{number:06}-{}", std::process::id());
    let body = json!({"deviceNumber": device, "displayName": device, "platform": "linux", "arch": "x64", "edgeVersion": "1.0.0"});
    let (status, answer) =
        connection.ask(&post("/internal/edges/register", token, &body)).map_err(|error| error.to_string())?;
    let told: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    if status != 201 {
        return Err(format!("an edge is not enrolled: {told}"));
    }
    let beat = json!({
        "workerId": told["workerId"], "deviceNumber": device, "currentVersion": "1.0.0", "platform": "linux", "arch": "x64",
        "installType": "service", "activeTask": false, "runtimeState": "IDLE", "uptimeSeconds": 1,
    });
    let credential = told["credential"].as_str().unwrap_or_default();
    Ok(Edge { request: post("/internal/edges/connectivity", credential, &beat) })
}

/// Seconds of processor time, and the most memory in MiB, of a process.
fn cost(pid: &str) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
    ((ticks(11) + ticks(12)) / TICKS, resident.unwrap_or(0.0) / 1024.0)
}

fn run() -> Result<Value, String> {
    let options = Arc::new(options()?);
    let enrolling = Instant::now();
    let share = options.edges.div_ceil(options.connections);
    let workers: Vec<_> = (0..options.connections)
        .map(|worker| {
            let options = Arc::clone(&options);
            std::thread::spawn(move || -> Result<(Connection, Vec<Edge>), String> {
                let mut connection = Connection::open(&options.address).map_err(|error| error.to_string())?;
                let numbers = worker * share..((worker + 1) * share).min(options.edges);
                let edges =
                    numbers.map(|number| enroll(&mut connection, &options.token, number)).collect::<Result<_, _>>()?;
                Ok((connection, edges))
            })
        })
        .collect();
    let mut ready = Vec::new();
    for worker in workers {
        ready.push(worker.join().map_err(|_| "a connection broke".to_owned())??);
    }
    let enrolled = enrolling.elapsed();
    let (server, own) = (options.pid.to_string(), "self");
    let before = (cost(&server), cost(own));
    let failed = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let workers: Vec<_> = ready
        .into_iter()
        .filter(|(_, edges)| !edges.is_empty())
        .map(|(mut connection, edges)| {
            let (options, failed) = (Arc::clone(&options), Arc::clone(&failed));
            std::thread::spawn(move || {
                let mut took: Vec<(u64, u64)> = Vec::new();
                let between = options.rate.map(|rate| Duration::from_secs_f64(options.connections as f64 / rate));
                for number in 0_u32.. {
                    let due = between.map_or_else(Instant::now, |between| began + between * number);
                    if began.elapsed() >= Duration::from_secs(options.seconds) {
                        break;
                    }
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let edge = &edges[number as usize % edges.len()];
                    match connection.ask(&edge.request) {
                        Ok((201, _)) => took.push((began.elapsed().as_secs(), due.elapsed().as_micros() as u64)),
                        Ok(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            while connection.again().is_err() && began.elapsed() < Duration::from_secs(options.seconds)
                            {
                                std::thread::sleep(Duration::from_millis(100));
                            }
                        }
                    }
                }
                took
            })
        })
        .collect();
    let mut by_second = vec![Vec::new(); options.seconds as usize + 1];
    for worker in workers {
        for (second, micros) in worker.join().map_err(|_| "a connection broke".to_owned())? {
            by_second[(second as usize).min(options.seconds as usize)].push(micros);
        }
    }
    // How many were answered in each second, and how long the slowest of a hundred of them took.
    let told = |took: &mut Vec<u64>| {
        took.sort_unstable();
        let slow = took.get((took.len() as f64 * 0.99) as usize).copied().unwrap_or(0);
        json!({"answered": took.len(), "p99": slow as f64 / 1000.0})
    };
    let seconds_told: Vec<Value> = by_second.iter_mut().map(told).collect();
    let mut took = by_second.concat();
    let seconds = began.elapsed().as_secs_f64();
    let after = (cost(&server), cost(own));
    took.sort_unstable();
    let at = |of: f64| took.get((took.len() as f64 * of) as usize).copied().unwrap_or(0) as f64 / 1000.0;
    let (of_server, of_own) = (after.0.0 - before.0.0, after.1.0 - before.1.0);
    Ok(json!({
        "edges": options.edges, "connections": options.connections, "rate_wanted": options.rate,
        "enrolled_per_second": options.edges as f64 / enrolled.as_secs_f64(), "seconds": seconds,
        "answered": took.len(), "failed": failed.load(Ordering::Relaxed), "answered_per_second": took.len() as f64 / seconds,
        "by_second": seconds_told, "milliseconds": {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999)},
        "server": {
            "cpu_seconds": of_server, "resident_mib": after.0.1,
            "cpu_seconds_per_million": of_server * 1e6 / (took.len().max(1) as f64),
        },
        "generator": {"cpu_seconds": of_own, "share": of_own / (of_own + of_server).max(0.001)},
    }))
}
