//! The embedded cluster: a Kubernetes API with simulated controllers, kubelet and virtual time.
