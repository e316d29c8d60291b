use super::sandbox::Sandbox;

#[test]
fn the_embedded_cluster_starts_says_where_and_stops() {
    let sandbox = Sandbox::empty().interactive();
    sandbox.run(&["cluster", "start"]).exits(0).says("https://127.0.0.1:");
    let kubeconfig = sandbox.run(&["cluster", "kubeconfig"]).exits(0);
    assert!(kubeconfig.stdout.contains("certificate-authority-data"));
    sandbox.run(&["cluster", "start"]).exits(0);
    sandbox.run(&["cluster", "stop"]).exits(0);
    sandbox.run(&["cluster", "status"]).says("not running");
    sandbox.run(&["cluster", "reset", "--yes"]).exits(0);
}
