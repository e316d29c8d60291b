//! From inside of the cluster: names and addresses as a pod sees them, and CoreDNS started again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_cluster::{Cluster, Executed, JobWait, ListOptions, Patch, WriteOptions, readiness};
use landfall_diag::{Diagnostic, code};
use landfall_doctor::{self as doctor, Answer, Area, Observation, PortState, Reached, Resolver, Sight, Speaker};
use landfall_host::{Act, Failure, Permit};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED};
use landfall_rules::Subject;
use serde_json::json;

use super::Sick;

/// Most pods that are asked in turn.
const PODS: usize = 5;
/// How long CoreDNS may take to be there again.
const RESTART: Duration = Duration::from_secs(90);
/// How long a certificate may take to become ready after that: who issues it looks again by itself.
const REISSUED: Duration = Duration::from_secs(30);

/// The public names from outside, and from a pod where that was asked for.
pub(super) async fn names(sick: &Sick<'_>, subject: &Subject<'_>) -> Result<Vec<Observation>, Failure> {
    let hosts = doctor::hosts_of(subject);
    if hosts.is_empty() {
        return Ok(vec![Observation::told(Area::Dns, "public names", "nothing is routed under a public name")]);
    }
    let expected: Vec<IpAddr> = if sick.args.expect.is_empty() {
        let declared = subject.environment.and_then(|(_, environment)| environment.hosts.as_ref()?.expect.as_ref());
        declared.iter().flat_map(|expect| expect.iter()).filter_map(|text| text.parse().ok()).collect()
    } else {
        sick.args.expect.clone()
    };
    let resolver = resolver(sick)?;
    let answers = futures::future::join_all(hosts.iter().map(|host| resolver.ask(host))).await;
    let asked: Vec<(&String, &Answer)> = hosts.iter().zip(&answers).collect();
    let mut seen: Vec<Observation> =
        asked.iter().map(|(host, answer)| doctor::outside(host, answer, &expected)).collect();
    if !sick.args.in_cluster && sick.args.fix.is_none() {
        return Ok(seen);
    }
    let inside = within(sick, &asked).await;
    let differs = inside.iter().any(|observation| observation.state == doctor::State::Wrong);
    if sick.args.fix.is_some() && differs {
        let Some(connection) = sick.connection else { return Ok(seen) };
        restart_coredns(sick, &connection.cluster).await?;
        seen.push(Observation::told(Area::Dns, "CoreDNS", "started again, and its pods are ready"));
        seen.extend(within(sick, &asked).await);
        seen.extend(certificates(sick, &connection.cluster, &hosts).await);
        return Ok(seen);
    }
    seen.extend(inside);
    Ok(seen)
}

fn resolver(sick: &Sick<'_>) -> Result<Resolver, Failure> {
    let Some(text) = &sick.args.resolver else {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        return Ok(Resolver { patience: sick.patience.min(Duration::from_secs(5)), ..Resolver::configured(&text) });
    };
    let server =
        text.parse::<SocketAddr>().or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)));
    let server = server.map_err(|_| {
        Failure::usage(
            Diagnostic::error(code::BAD_DOCTOR_ARGUMENT, format!("--resolver {text} is no address"))
                .help("as in --resolver 192.0.2.53"),
        )
    })?;
    Ok(Resolver { servers: vec![server], patience: sick.patience })
}

async fn within(sick: &Sick<'_>, asked: &[(&String, &Answer)]) -> Vec<Observation> {
    let mut seen = Vec::new();
    for (host, outside) in asked {
        let (inside, speaker) = ask_pod(sick, host).await.unwrap_or_else(|why| (Answer::Silent(why), Speaker::Program));
        seen.push(doctor::within(host, outside, &inside, &speaker));
    }
    seen
}

/// Asks a pod's own tools for a name: `getent`, else `nslookup`.
async fn ask_pod(sick: &Sick<'_>, host: &str) -> Result<(Answer, Speaker), String> {
    let cluster = &sick.connection.ok_or("the cluster could not be read")?.cluster;
    let mut last = "there is no pod that could be asked".to_owned();
    for pod in pods(sick, cluster).await? {
        for words in [["nslookup", host], ["getent", "hosts"]] {
            let mut argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            if words[0] == "getent" {
                argv.push(host.to_owned());
            }
            match execute(sick, cluster, &pod, &argv).await {
                Ok(said) if is_missing(&said) => {
                    last = format!("pod {} has no tool to ask with (nslookup, getent)", pod.name());
                }
                Ok(said) => {
                    let answer = doctor::inside_addresses(said.exit, &format!("{}{}", said.stdout, said.stderr));
                    let speaker = match pod.annotation(SIMULATED) {
                        Some(_) => Speaker::Simulated(pod.name().to_owned()),
                        None => Speaker::Program,
                    };
                    return Ok((answer, speaker));
                }
                Err(why) => last = why,
            }
        }
    }
    Err(last)
}

/// Whether the container has no such program, or is simulated and declares no answer.
fn is_missing(said: &Executed) -> bool {
    matches!(said.exit, 126 | 127)
}

/// Pods to ask from: of the workload that was named, else any that is ready; those with a shell of this system first.
async fn pods(sick: &Sick<'_>, cluster: &Cluster) -> Result<Vec<Object>, String> {
    let all = cluster.list(&Gvk::new("", "v1", "Pod"), &ListOptions::default()).await.map_err(|it| it.to_string())?;
    let wanted = sick.args.from.as_deref().map(|text| text.rsplit('/').next().unwrap_or(text));
    let mut pods: Vec<Object> = all
        .into_iter()
        .filter(|pod| readiness(pod, JobWait::Ignore).is_ready() && pod.str_at("/status/phase") == Some("Running"))
        .filter(|pod| match wanted {
            Some(name) => pod.name() == name || pod.name().starts_with(&format!("{name}-")),
            None => pod.namespace() != Some("kube-system"),
        })
        .collect();
    if pods.is_empty() {
        return Err(match wanted {
            Some(name) => format!("no pod of {name} is ready"),
            None => "no pod is ready that could be asked".to_owned(),
        });
    }
    pods.truncate(PODS);
    Ok(pods)
}

async fn execute(sick: &Sick<'_>, cluster: &Cluster, pod: &Object, argv: &[String]) -> Result<Executed, String> {
    let container = pod.list_at("/spec/containers").first().and_then(|container| container["name"].as_str());
    let run = cluster.exec(pod.namespace().unwrap_or_default(), pod.name(), container, argv);
    match tokio::time::timeout(sick.patience * 2, run).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(error)) if pod.annotation(SIMULATED).is_some() && error.code() == Some(400) => {
            Err("commands in simulated pods need a served cluster: landfall cluster start".to_owned())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("pod {} did not answer in time", pod.name())),
    }
}

/// One address as a pod sees it.
pub(super) async fn reach(sick: &Sick<'_>, sight: Option<&Sight<'_>>, host: &str, port: u16) -> Observation {
    let address = format!("{host}:{port}");
    let (Some(sight), Some(connection)) = (sight, sick.connection) else {
        return Observation::not_checked(Area::Reach, address, "the cluster could not be read");
    };
    let pods = match pods(sick, &connection.cluster).await {
        Ok(pods) => pods,
        Err(why) => return Observation::not_checked(Area::Reach, address, why),
    };
    let pod = &pods[0];
    if pod.annotation(SIMULATED).is_none() {
        let mut last = Reached::NotTried("nobody could try it".to_owned());
        for pod in &pods {
            let from = format!("pod {}", pod.name());
            last = match execute(sick, &connection.cluster, pod, &doctor::reach_script(host, port)).await {
                Ok(said) if is_missing(&said) => Reached::NotTried(format!("{from} has no shell")),
                Ok(said) => doctor::reached(&said.stdout, &from),
                Err(why) => Reached::NotTried(why),
            };
            if !matches!(last, Reached::NotTried(_)) {
                break;
            }
        }
        return last.observation(&address);
    }
    if let Some(reached) = doctor::simulated_reach(sight.objects, pod, host, port) {
        return reached.observation(&address);
    }
    // What lies outside of a simulated cluster is reached from this machine, which is what its nodes would be.
    let name = if matches!(host, "host.k3d.internal" | "host.docker.internal" | "host.minikube.internal") {
        "127.0.0.1"
    } else {
        host
    };
    let how = ", from this machine (pods are simulated)".to_owned();
    match doctor::port(name, port, sick.patience).await {
        PortState::Open => Reached::Reachable(how),
        PortState::Closed => Reached::Refused(how),
        PortState::Filtered => Reached::Blocked(how),
        PortState::NameUnknown => Reached::NameUnknown(how),
        PortState::NotAsked(why) => Reached::NotTried(why),
    }
    .observation(&address)
}

/// Starts CoreDNS again and waits for it; only with consent.
async fn restart_coredns(sick: &Sick<'_>, cluster: &Cluster) -> Result<(), Failure> {
    let ui = &sick.context.ui;
    let key = ObjectKey::new(Gvk::new("apps", "v1", "Deployment"), Some("kube-system"), "coredns");
    ui.status("to be mended: Deployment/coredns in kube-system is started again; names inside of the cluster are unknown for a moment");
    let (ask, deed) = ("Start CoreDNS again".to_owned(), "starting CoreDNS again".to_owned());
    // Also one's own cluster is not mended without being asked: it answers nobody for a moment.
    let permit = match sick.place.permit(Act::Mend) {
        Permit::Given => Permit::of_owner(sick.place.cluster.shown()),
        asks => asks,
    };
    sick.agreed(&permit, ask, deed).await?;
    let failed =
        |why: String| Failure::from(Diagnostic::error(code::COREDNS, "CoreDNS could not be started again").note(why));
    let stamp = jiff::Timestamp::now().to_string();
    let patch =
        json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": stamp}}}}});
    cluster
        .patch(&key, &Patch::Merge(patch), &WriteOptions::default())
        .await
        .map_err(|error| failed(error.to_string()))?;
    let deadline = tokio::time::Instant::now() + RESTART;
    loop {
        let live = cluster.get(&key).await.map_err(|error| failed(error.to_string()))?;
        if live.is_some_and(|live| readiness(&live, JobWait::Ignore).is_ready()) {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline || sick.context.host.stop.is_cancelled() {
            return Err(failed(format!("it is not ready after {} s", RESTART.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The certificates after CoreDNS was started again; those of the public names are waited for.
async fn certificates(sick: &Sick<'_>, cluster: &Cluster, hosts: &[String]) -> Vec<Observation> {
    let gvk = Gvk::new("cert-manager.io", "v1", "Certificate");
    let is_waited_for = |certificate: &&Object| {
        let mut names = certificate.list_at("/spec/dnsNames").iter().filter_map(|name| name.as_str());
        !is_issued(certificate) && names.any(|name| hosts.iter().any(|host| host == name))
    };
    let deadline = tokio::time::Instant::now() + REISSUED;
    let mut told = false;
    loop {
        let found = cluster.list(&gvk, &ListOptions::default()).await.unwrap_or_default();
        let late: Vec<String> = found.iter().filter(is_waited_for).map(name_of).collect();
        if late.is_empty() || tokio::time::Instant::now() >= deadline || sick.context.host.stop.is_cancelled() {
            let seen = |certificate: &Object| {
                let how = if is_issued(certificate) { "is ready" } else { "is not ready yet" };
                Observation::told(Area::Tls, name_of(certificate), how)
            };
            return found.iter().map(seen).collect();
        }
        if !told {
            sick.context.ui.status(&format!("waiting for what is not ready yet: {}", late.join(", ")));
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn name_of(certificate: &Object) -> String {
    format!("Certificate {}/{}", certificate.namespace().unwrap_or_default(), certificate.name())
}

fn is_issued(certificate: &Object) -> bool {
    certificate.condition("Ready").is_some_and(|ready| ready["status"] == "True")
}
