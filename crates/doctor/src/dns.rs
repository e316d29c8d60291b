//! Names: what they lead to from outside and from inside of the cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_diag::Severity;
use landfall_rules::Subject;
use landfall_rules::place::OUTSIDE;
use landfall_rules::routes::all_routes;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::{Area, Observation};

/// Tries of one question.
const TRIES: u32 = 2;

/// Who is asked for names.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// The servers, the first one first.
    pub servers: Vec<SocketAddr>,
    /// How long one try may take.
    pub patience: Duration,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Addresses; none when the name is there without any.
    Addresses(BTreeSet<IpAddr>),
    /// There is no such name.
    Unknown,
    /// Nobody has answered, or not what was asked.
    Silent(String),
}

impl Resolver {
    /// The servers that a resolver's configuration names (`/etc/resolv.conf`).
    pub fn configured(text: &str) -> Self {
        let servers = resolv_conf::Config::parse(text)
            .map(|config| config.nameservers.into_iter().map(|server| SocketAddr::new(server.into(), 53)).collect())
            .unwrap_or_default();
        Resolver { servers, patience: Duration::from_secs(3) }
    }

    /// Asks for a name's addresses of both families.
    #[boxed]
    pub async fn ask(&self, host: &str) -> Answer {
        let host = host.trim_end_matches('.');
        if Name::new(host).is_err() {
            return Answer::Unknown;
        }
        let mut last = Answer::Silent("no name server is known; say one with --resolver".to_owned());
        for server in &self.servers {
            let (four, six) =
                tokio::join!(self.question(*server, host, TYPE::A), self.question(*server, host, TYPE::AAAA));
            last = match (four, six) {
                (Answer::Addresses(mut four), six) => {
                    if let Answer::Addresses(six) = six {
                        four.extend(six);
                    }
                    return Answer::Addresses(four);
                }
                (Answer::Unknown, _) => return Answer::Unknown,
                (silent, _) => silent,
            };
        }
        last
    }

    async fn question(&self, server: SocketAddr, host: &str, kind: TYPE) -> Answer {
        // The port that the system chooses tells answers apart, and this number tells tries apart.
        let id = u16::from(kind) ^ (host.len() as u16).rotate_left(5);
        let mut packet = Packet::new_query(id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let Ok(name) = Name::new(host) else { return Answer::Unknown };
        packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
        let Ok(bytes) = packet.build_bytes_vec() else { return Answer::Unknown };
        let mut why = format!("{server} does not answer");
        for _ in 0..TRIES {
            let reply = match tokio::time::timeout(self.patience, datagram(server, &bytes)).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(error)) => {
                    why = format!("{server}: {error}");
                    continue;
                }
                Err(_) => continue,
            };
            let is_cut = Packet::parse(&reply).is_ok_and(|packet| packet.has_flags(PacketFlag::TRUNCATION));
            let reply = match is_cut {
                true => match tokio::time::timeout(self.patience, stream(server, &bytes)).await {
                    Ok(Ok(whole)) => whole,
                    _ => reply,
                },
                false => reply,
            };
            let Ok(packet) = Packet::parse(&reply) else {
                why = format!("{server} answers what cannot be read");
                continue;
            };
            return match packet.rcode() {
                RCODE::NoError => Answer::Addresses(
                    packet
                        .answers
                        .iter()
                        .filter_map(|record| match &record.rdata {
                            RData::A(address) => Some(IpAddr::V4(address.address.into())),
                            RData::AAAA(address) => Some(IpAddr::V6(address.address.into())),
                            _ => None,
                        })
                        .collect(),
                ),
                RCODE::NameError => Answer::Unknown,
                code => Answer::Silent(format!("{server} answers {code:?}")),
            };
        }
        Answer::Silent(why)
    }
}

async fn datagram(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let here: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(here).await?;
    // From nobody else is anything taken.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut bytes = vec![0; 4096];
    loop {
        let length = socket.recv(&mut bytes).await?;
        if length >= 2 && bytes[..2] == question[..2] {
            bytes.truncate(length);
            return Ok(bytes);
        }
    }
}

async fn stream(server: SocketAddr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(|_| std::io::Error::other("the question is too long"))?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(question).await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// The public names of a delivery: of its routes, of what was written down, of the checks over HTTPS.
pub fn hosts_of(subject: &Subject<'_>) -> Vec<String> {
    let mut hosts: BTreeSet<String> = all_routes(subject).iter().flat_map(|(_, route)| route.hosts.clone()).collect();
    if let Some((_, environment)) = subject.environment {
        hosts.extend(environment.facts.iter().flat_map(|facts| facts.hosts.iter().map(ToString::to_string)));
        let checks = environment.checks.iter().filter_map(|check| check.http.as_deref()?.strip_prefix("https://"));
        hosts.extend(checks.filter_map(|rest| rest.split(['/', ':', '?']).next()).map(str::to_owned));
    }
    let is_public = |host: &String| {
        host.contains('.') && !host.contains('*') && !host.ends_with(".localhost") && host.parse::<IpAddr>().is_err()
    };
    hosts.into_iter().filter(is_public).collect()
}

/// What a name leads to from outside, held against what was expected.
pub fn outside(host: &str, answer: &Answer, expected: &[IpAddr]) -> Observation {
    let wrong = |seen: String, cause: &str| Observation::wrong(Area::Dns, &OUTSIDE, Severity::Error, host, seen, cause);
    let wanted = || list(expected);
    match answer {
        Answer::Silent(why) => Observation::not_checked(Area::Dns, host, why.as_str()),
        Answer::Unknown => {
            let observation = wrong(
                "missing: there is no such name".to_owned(),
                "nobody finds it, the certificate authority neither",
            );
            if expected.is_empty() {
                observation
            } else {
                observation.help(format!("add a record: {host} → {}", wanted()))
            }
        }
        Answer::Addresses(found) if found.is_empty() => {
            wrong("missing: the name has no address".to_owned(), "nobody finds it, the certificate authority neither")
        }
        Answer::Addresses(found) if expected.is_empty() => {
            Observation::told(Area::Dns, host, format!("leads to {}", list(found)))
        }
        // Every address must be expected: of two, a client takes either.
        Answer::Addresses(found) if found.iter().all(|address| expected.contains(address)) => {
            Observation::fine(Area::Dns, host, format!("leads to {}", list(found)))
        }
        Answer::Addresses(found) => wrong(
            format!("wrong address: leads to {}, expected {}", list(found), wanted()),
            "visitors and the certificate authority reach another machine",
        )
        .help(format!("change the record: {host} → {}", wanted())),
    }
}

/// Who has said what a name leads to inside of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Speaker {
    /// A program in a pod, which has asked the cluster.
    Program,
    /// A simulated container of that pod, which has asked nobody: it says what `simulate:` declares.
    Simulated(String),
}

/// What a name leads to inside of the cluster, beside what it leads to outside.
pub fn within(host: &str, outside: &Answer, inside: &Answer, speaker: &Speaker) -> Observation {
    let what = format!("{host} (inside)");
    let marked = |seen: String| match speaker {
        Speaker::Program => seen,
        Speaker::Simulated(pod) => format!("~ {seen}, as it is declared for the simulated pod {pod}"),
    };
    let wrong = |seen: String, cause: &str| {
        Observation::wrong(Area::Dns, &OUTSIDE, Severity::Error, what.clone(), marked(seen), cause)
            .help("landfall doctor dns --in-cluster --fix coredns restarts CoreDNS, waits, and looks again")
    };
    match (outside, inside) {
        (_, Answer::Silent(why)) => Observation::not_checked(Area::Dns, what, why.as_str()),
        (Answer::Addresses(out), Answer::Addresses(found)) if out.is_disjoint(found) && !out.is_empty() => wrong(
            format!(
                "differs: inside {}, outside {}",
                if found.is_empty() { "nothing".to_owned() } else { list(found) },
                list(out)
            ),
            "the cluster asks itself another way than the world does: a certificate's self-check fails though the record is right",
        ),
        (Answer::Addresses(out), Answer::Unknown) if !out.is_empty() => wrong(
            format!("differs: unknown inside, {} outside", list(out)),
            "CoreDNS answers from an old or another source: a certificate's self-check fails though the record is right",
        ),
        (_, Answer::Addresses(found)) => {
            Observation::fine(Area::Dns, what, marked(format!("leads to {}", list(found))))
        }
        (_, Answer::Unknown) => Observation::told(Area::Dns, what, marked("unknown inside as outside".to_owned())),
    }
}

/// The addresses in what `getent hosts` or `nslookup` prints, the server's own left out.
pub fn inside_addresses(exit: i32, output: &str) -> Answer {
    let mut found = BTreeSet::new();
    let mut of_server = false;
    for line in output.lines() {
        let lower = line.trim().to_ascii_lowercase();
        if lower.starts_with("server:") {
            of_server = true;
            continue;
        }
        if lower.starts_with("name:") || lower.is_empty() {
            of_server = false;
        }
        if of_server {
            continue;
        }
        let words = line.split_whitespace().flat_map(|word| word.split('#'));
        found.extend(words.filter_map(|word| word.trim_end_matches(',').parse::<IpAddr>().ok()));
    }
    let lower = output.to_ascii_lowercase();
    let is_unknown = ["nxdomain", "can't find", "can't resolve", "bad address", "not known", "no answer"]
        .iter()
        .any(|words| lower.contains(words));
    match (exit, found.is_empty()) {
        (_, false) => Answer::Addresses(found),
        // `getent` ends with 2 when it knows no such name, and prints nothing.
        (2, true) => Answer::Unknown,
        (_, true) if is_unknown => Answer::Unknown,
        (0, true) => Answer::Unknown,
        (code, true) => {
            let said = output.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
            Answer::Silent(format!("the pod's own tools ended with {code}: {said}"))
        }
    }
}

fn list<'a>(addresses: impl IntoIterator<Item = &'a IpAddr>) -> String {
    addresses.into_iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn at(addresses: &[&str]) -> Answer {
        Answer::Addresses(addresses.iter().map(|text| text.parse().expect("an address")).collect())
    }

    #[test]
    fn ez_071_each_host_is_fine_missing_or_wrong() {
        let expected = ["203.0.113.10".parse().expect("an address")];
        let seen = |answer: &Answer| outside("api.example.com", answer, &expected);
        assert_eq!(seen(&at(&["203.0.113.10"])).state, State::Fine);
        assert!(seen(&Answer::Unknown).seen.starts_with("missing"));
        assert!(seen(&at(&["203.0.113.10", "198.51.100.1"])).seen.starts_with("wrong address"));
        assert_eq!(seen(&Answer::Silent("no answer".into())).state, State::NotChecked);
    }

    #[test]
    fn se_069_a_difference_inside_is_a_finding_of_its_own() {
        let out = at(&["203.0.113.10"]);
        assert_eq!(within("h", &out, &at(&["203.0.113.10"]), &Speaker::Program).state, State::Fine);
        for inside in [at(&["10.0.0.1"]), Answer::Unknown] {
            let seen = within("h", &out, &inside, &Speaker::Program);
            assert_eq!((seen.state, seen.help.len()), (State::Wrong, 1));
            assert!(seen.finding.as_ref().is_some_and(|it| it.help.contains("--fix coredns")), "{seen:?}");
        }
        assert_eq!(within("h", &out, &Answer::Silent("x".into()), &Speaker::Program).state, State::NotChecked);
    }

    #[test]
    fn what_a_simulated_container_says_of_a_name_is_marked_as_declared() {
        let (out, pod) = (at(&["203.0.113.10"]), Speaker::Simulated("web-0".into()));
        for inside in [at(&["203.0.113.10"]), at(&["10.0.0.1"]), Answer::Unknown] {
            let seen = within("h", &out, &inside, &pod).seen;
            assert!(seen.starts_with("~ ") && seen.ends_with("declared for the simulated pod web-0"), "{seen}");
            assert!(!within("h", &out, &inside, &Speaker::Program).seen.contains('~'));
        }
    }

    #[test]
    fn lf133_a_name_that_leads_elsewhere_inside_is_found_whatever_it_is_called() {
        for host in ["h.example.com", "a.b.c.example.org", "x", "xn--bcher-kva.example"] {
            for (one, other) in
                [("203.0.113.10", "10.0.0.1"), ("192.0.2.7", "192.0.2.8"), ("2001:db8::1", "203.0.113.10")]
            {
                let wrong = within(host, &at(&[one]), &at(&[other]), &Speaker::Program);
                assert!(wrong.finding.as_ref().is_some_and(|it| it.rule == "LF133" && it.fails()), "{host} {wrong:?}");
                let both = within(host, &at(&[one, other]), &at(&[other, one]), &Speaker::Program);
                assert!(both.finding.is_none() && both.state == State::Fine, "{host} {both:?}");
            }
        }
    }

    /// A name server on loopback that knows one name.
    async fn server(known: &'static str, address: [u8; 4]) -> SocketAddr {
        use simple_dns::ResourceRecord;
        use simple_dns::rdata::A;
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a port");
        let here = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut bytes = vec![0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let asked = Packet::parse(&bytes[..length]).expect("a question");
                let question = asked.questions[0].clone();
                let mut reply = Packet::new_reply(asked.id());
                if question.qname.to_string() != known {
                    *reply.rcode_mut() = RCODE::NameError;
                } else if question.qtype == QTYPE::TYPE(TYPE::A) {
                    let data = RData::A(A { address: u32::from_be_bytes(address) });
                    let name = Name::new(known).expect("a name");
                    reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
                }
                reply.questions.push(question);
                let bytes = reply.build_bytes_vec().expect("a reply");
                let _sent = socket.send_to(&bytes, from).await;
            }
        });
        here
    }

    #[tokio::test]
    async fn lp_031_a_name_server_is_asked_for_each_host() {
        let resolver = Resolver {
            servers: vec![server("api.example.com", [203, 0, 113, 10]).await],
            patience: Duration::from_secs(5),
        };
        assert_eq!(resolver.ask("api.example.com").await, at(&["203.0.113.10"]));
        assert_eq!(resolver.ask("app.example.com").await, Answer::Unknown);
        let nobody = UdpSocket::bind(("127.0.0.1", 0)).await.expect("a port");
        let silent =
            Resolver { servers: vec![nobody.local_addr().expect("an address")], patience: Duration::from_millis(50) };
        assert!(matches!(silent.ask("api.example.com").await, Answer::Silent(_)));
        assert!(matches!(Resolver::configured("").ask("h.example.com").await, Answer::Silent(_)));
        assert_eq!(
            Resolver::configured("nameserver 192.0.2.1\n").servers,
            ["192.0.2.1:53".parse().expect("an address")]
        );
    }

    #[test]
    fn what_lookup_tools_print_is_understood() {
        let busybox = "Server:\t\t10.43.0.10\nAddress:\t10.43.0.10:53\n\nNon-authoritative answer:\nName:\tapi.example.com\nAddress: 203.0.113.10\n";
        assert_eq!(inside_addresses(0, busybox), at(&["203.0.113.10"]));
        assert_eq!(inside_addresses(0, "203.0.113.10    api.example.com\n"), at(&["203.0.113.10"]));
        let none = "Server:\t\t10.43.0.10\nAddress:\t10.43.0.10:53\n\n** server can't find api.example.com: NXDOMAIN\n";
        assert_eq!(inside_addresses(1, none), Answer::Unknown);
        assert_eq!(inside_addresses(2, ""), Answer::Unknown);
        assert!(matches!(inside_addresses(127, "sh: nslookup: not found"), Answer::Silent(_)));
    }
}
