//! A test's hook at the edges of all that a delivery writes: its journal (the engine's), and, here, the requests that change
//! the cluster. Where nobody listens no client is wrapped.

use std::sync::Arc;

use landfall_engine::Probe;

/// A client that passes a point before and after each request that may change something.
pub(crate) fn around(client: kube::Client, probe: Arc<dyn Probe>) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let (client, probe) = (client.clone(), Arc::clone(&probe));
        async move {
            if !changes(request.method(), request.uri()) {
                return client.send(request).await;
            }
            let what = format!("{} {}", request.method(), request.uri().path());
            let killed = |_| kube::Error::Service("a test has ended the run here".into());
            probe.reach(format_args!("before {what}")).map_err(killed)?;
            let answer = client.send(request).await;
            probe.reach(format_args!("after {what}")).map_err(killed)?;
            answer
        }
    });
    kube::Client::new(service, namespace)
}

/// Whether a request changes the cluster; a dry run and an access review do not.
fn changes(method: &http::Method, uri: &http::Uri) -> bool {
    *method != http::Method::GET
        && !uri.query().is_some_and(|query| query.contains("dryRun="))
        && !uri.path().starts_with("/apis/authorization.k8s.io/")
}
