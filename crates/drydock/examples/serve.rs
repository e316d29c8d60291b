//! Serves an embedded cluster until interrupted: `serve PORT KUBECONFIG [STATE.db]`.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::net::SocketAddr;

use landfall_drydock::{Cluster, Options, Storage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().unwrap_or_else(|| "0".to_owned()).parse()?;
    let kubeconfig = arguments.next();
    let storage = arguments.next().map_or(Storage::Memory, |path| Storage::Sqlite(path.into()));
    let cluster = Cluster::open(Options { storage, ..Options::default() }).await?;
    let served = cluster.serve(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    if let Some(path) = kubeconfig {
        std::fs::write(path, served.kubeconfig())?;
    }
    eprintln!("https://{}", served.address);
    tokio::signal::ctrl_c().await?;
    Ok(())
}
