//! Clusters of this machine, by recording stand-ins for k3d.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use super::workshop::Workshop;

/// A `k3d` that keeps its clusters in a file beside the system and gives `up` the kubeconfig of the served cluster.
const K3D: &str = r#"
here=$(dirname "$0")/..
case "$1 $2" in
    'cluster list')
        if [ -f "$here/clusters" ]; then cat "$here/clusters"; else echo '[]'; fi;;
    'cluster create')
        echo "[{\"name\":\"$3\",\"serversCount\":1,\"serversRunning\":1}]" > "$here/clusters"
        if [ -n "$KUBECONFIG" ]; then cp "$here/system/kubeconfig" "$KUBECONFIG"; fi;;
    'cluster delete')
        rm -f "$here/clusters" "$KUBECONFIG";;
    'cluster start') ;;
esac
"#;

#[test]
fn lp_026_a_cluster_is_created_once_and_deleted_only_with_a_yes() {
    let shop = Workshop::new("k3d-shop-local").with_free_ports();
    let (http, https) = shop.ports.expect("given above");
    shop.install_with("k3d", K3D);
    shop.install("docker", "");
    let create = || shop.run(&["cluster", "create", "shop-local", "--driver", "k3d", "--kubeconfig", "made"]);
    create().exits(0).says("cluster shop-local created; its context is k3d-shop-local");
    assert_eq!(
        shop.calls(),
        [
            "k3d cluster list --output json []".to_owned(),
            format!(
                "k3d cluster create shop-local --port {http}:80@loadbalancer --port {https}:443@loadbalancer --agents 1 --wait --timeout 5m0s []"
            ),
        ]
    );
    assert!(shop.sandbox.read("made").contains("k3d-shop-local"));
    create().exits(0).says("is there already");
    assert_eq!(shop.calls(), ["k3d cluster list --output json []"]);
    let delete = |more: &[&str]| {
        shop.run(&[&["cluster", "delete", "shop-local", "--driver", "k3d", "--kubeconfig", "made"], more].concat())
    };
    delete(&[]).exits(2).says("--yes");
    assert!(shop.calls().is_empty());
    delete(&["--yes"]).exits(0).says("cluster shop-local is gone");
    assert_eq!(shop.calls().last().map(String::as_str), Some("k3d cluster delete shop-local []"));
    delete(&["--yes"]).exits(0).says("there is no cluster shop-local");
}

#[test]
fn lp_026_a_busy_port_is_named_with_who_has_it() {
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = held.local_addr().expect("bound").port();
    let mut shop = Workshop::new("k3d-shop-local").with_free_ports();
    shop.ports = shop.ports.map(|(http, _)| (http, port));
    shop.install_with("k3d", K3D);
    let create = || shop.run(&["cluster", "create", "shop-local", "--driver", "k3d"]);
    create()
        .exits(1)
        .says(&format!("port {port} of this machine is busy"))
        .says(&format!("(pid {})", std::process::id()));
    shop.install_with("docker", "if [ \"$1\" = ps ]; then echo other-cluster-lb; fi\n");
    create().exits(1).says("the container `other-cluster-lb` has it");
    assert!(!shop.calls().iter().any(|call| call.contains("cluster create")));
    drop(held);
}

#[test]
fn up_makes_the_cluster_that_is_not_there_and_down_deletes_what_up_has_made() {
    let shop = Workshop::new("k3d-shop-local").with_free_ports();
    shop.install_with("k3d", K3D);
    shop.install("docker", "");
    let up = |more: &[&str]| shop.run(&[&["up", "--kubeconfig", "made", "--state", "own"], more].concat());
    let down = |more: &[&str]| shop.run(&[&["down", "--kubeconfig", "made", "--state", "own", "--yes"], more].concat());
    up(&["--dry-run"]).exits(0).says("the k3d cluster shop-local is not there yet").says("Deployment/web");
    up(&[]).exits(2).says("needs a yes");
    assert!(!shop.calls().iter().any(|call| call.contains("create")), "nothing is made without a yes");
    up(&["--yes"]).exits(0).says("delivered");
    let order: Vec<String> = shop
        .calls()
        .into_iter()
        .filter_map(|call| {
            ["k3d cluster create", "docker build ", "k3d image import"].into_iter().find(|word| call.starts_with(word))
        })
        .map(str::to_owned)
        .collect();
    assert_eq!(order, ["k3d cluster create", "docker build ", "k3d image import"]);
    up(&["--yes"]).exits(0);
    assert!(!shop.calls().iter().any(|call| call.contains("cluster create")), "it is there");
    down(&["--dry-run"]).exits(0).says("- the k3d cluster shop-local");
    down(&["--keep-data"]).exits(0);
    assert!(!shop.calls().iter().any(|call| call.contains("cluster delete")), "its data are kept");
    up(&["--yes", "--no-build"]).exits(0);
    shop.calls();
    down(&[]).exits(0).says("- shop/web").says("the cluster shop-local is gone");
    assert_eq!(shop.calls().last().map(String::as_str), Some("k3d cluster delete shop-local []"));
}

#[test]
fn down_leaves_a_cluster_that_somebody_else_has_made() {
    let shop = Workshop::new("k3d-shop-local");
    shop.install_with("k3d", K3D);
    shop.up(&["--no-build"]).exits(0);
    shop.run(&["down", "--kubeconfig", "kubeconfig", "--state", "own", "--yes"]).exits(0).says("- shop/web");
    assert!(shop.calls().is_empty(), "k3d is not asked about a cluster that is not ours");
}

#[test]
fn down_leaves_a_cluster_that_up_has_let_go_of_while_it_waited() {
    let shop = Workshop::new("k3d-shop-local").with_free_ports();
    shop.install_with("k3d", K3D);
    shop.install("docker", "");
    shop.run(&["up", "--kubeconfig", "made", "--state", "own", "--yes", "--no-build"]).exits(0);
    shop.calls();
    let state = shop.sandbox.root().join("own");
    // An `up` that is under way, and that will see that somebody else has made the cluster.
    let delivers = File::create(state.join("delivery.lock")).expect("made");
    delivers.lock().expect("locked");
    let mut down = shop.command(&["down", "--kubeconfig", "made", "--state", "own", "--yes"]);
    let mut down = down.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut said = String::new();
    let mut lines = BufReader::new(down.stderr.take().expect("piped"));
    lines.read_line(&mut said).expect("read");
    assert!(said.contains("another delivery of this system is under way"), "{said}");
    std::fs::remove_file(state.join("made-cluster")).expect("`up` has written it");
    drop(delivers);
    super::sandbox::ran(down.wait_with_output().expect("ended")).exits(0).says("- shop/web");
    assert!(!shop.calls().iter().any(|call| call.contains("cluster delete")), "it is not ours any more");
}

#[test]
fn every_step_of_k3d_that_fails_is_told_and_leaves_nothing_to_delete() {
    let shop = Workshop::new("k3d-shop-local").with_free_ports();
    shop.install("docker", "");
    let up = || shop.run(&["up", "--kubeconfig", "made", "--state", "own", "--yes"]);
    let failing = |step: &str| {
        shop.install_with("k3d", &format!("if [ \"$1 $2\" = '{step}' ]; then echo 'no daemon'; exit 1; fi\n{K3D}"));
    };
    failing("cluster list");
    up().exits(1).says("the clusters of this machine cannot be listed").says("no daemon");
    failing("cluster create");
    up().exits(1).says("the cluster `shop-local` cannot be created").says("no daemon");
    assert!(!shop.sandbox.root().join("own/made-cluster").exists());
    // Without k3d the kubeconfig is what is missing, as for any other context.
    let bare = Workshop::new("k3d-shop-local");
    bare.sandbox.write("empty", "apiVersion: v1\nkind: Config\n");
    bare.run(&["up", "--kubeconfig", "empty", "--state", "own", "--yes", "--no-build"])
        .exits(6)
        .says("the kubeconfig has no context `k3d-shop-local`");
    bare.run(&["cluster", "create", "shop-local", "--driver", "k3d"]).exits(6).says("k3d is not installed");
    bare.run(&["cluster", "create", "-x", "--driver", "k3d"]).exits(2);
}

#[test]
fn a_protected_cluster_is_never_made_nor_deleted() {
    let shop = Workshop::new("k3d-shop-local");
    shop.sandbox.edit("landfall.yaml", "{context: k3d-shop-local}", "{context: k3d-shop-local, protected: true}");
    shop.install_with("k3d", K3D);
    shop.install("docker", "");
    shop.run(&["up", "--kubeconfig", "made", "--state", "own", "--yes", "--dirty", "--no-build"]).exits(6);
    assert!(shop.calls().is_empty());
}

#[test]
fn a_real_docker_and_k3d_do_what_their_stand_ins_say() {
    // Real ones make a cluster of their own below; a machine without them has nothing to try, and says so.
    let answers = |program: &str, word: &str| {
        std::process::Command::new(program).arg(word).output().is_ok_and(|output| output.status.success())
    };
    let real = answers("docker", "info") && answers("k3d", "version");
    if !real {
        return;
    }
    let free =
        || std::net::TcpListener::bind("0.0.0.0:0").and_then(|held| held.local_addr()).expect("a free port").port();
    let (sandbox, http, https) = (super::sandbox::Sandbox::empty(), free().to_string(), free().to_string());
    let name = format!("landfall-{}", std::process::id());
    let run = |verb: &str, more: &[&str]| {
        let words = ["cluster", verb, name.as_str(), "--driver", "k3d", "--kubeconfig", "made"];
        let mut command = sandbox.command(&[&words, more].concat());
        command.env("LANDFALL_HTTP_PORT", &http).env("LANDFALL_HTTPS_PORT", &https);
        super::sandbox::ran(command.output().expect("runs"))
    };
    run("create", &[]).exits(0);
    run("create", &[]).exits(0).says("is there already");
    run("delete", &["--yes"]).exits(0);
}
