//! `conformance testbed`: one by hand.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::{Component, Layout, Testbed};
use crate::peers;
use crate::suite::Suite;

/// Starts, stops and shows a real control plane on loopback.
#[derive(Args)]
pub(crate) struct Arguments {
    /// What to do.
    action: Action,
    /// The testbed's folder; several can run at once, each with a folder and a port.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The API server's port; the two before and the three after it are used too.
    #[arg(long, default_value_t = 26443)]
    port: u16,
    /// Start the API only: no controller-manager, scheduler or kwok.
    #[arg(long)]
    api_only: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    Start,
    Stop,
    Status,
    /// Print the path of the administrator's kubeconfig.
    Kubeconfig,
    /// Stop and remove the folder.
    Reset,
}

impl Suite for Arguments {
    fn run(&self) -> anyhow::Result<ExitCode> {
        run(self)
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let folder = match &arguments.dir {
        Some(folder) => std::path::absolute(folder)?,
        None => peers::cache()?.root().join("testbed").join(arguments.port.to_string()),
    };
    match arguments.action {
        Action::Start => {
            let started = Instant::now();
            let mut layout = Layout::around(arguments.port);
            if arguments.api_only {
                layout = layout.with(&[Component::Etcd, Component::ApiServer]);
            }
            let testbed = Testbed::new(&folder, layout);
            testbed.start()?;
            println!(
                "started in {:.1} s; KUBECONFIG={}",
                started.elapsed().as_secs_f64(),
                testbed.kubeconfig().display()
            );
        }
        Action::Stop => {
            Testbed::of_folder(&folder)?.stop();
            println!("stopped");
        }
        Action::Status => {
            let running = Testbed::of_folder(&folder)?.status();
            for process in &running {
                println!("{:<24} pid {:<8} {:>5} MB", process.name, process.pid, process.memory / 1_000_000);
            }
            if running.is_empty() {
                println!("nothing runs");
                return Ok(ExitCode::FAILURE);
            }
        }
        Action::Kubeconfig => println!("{}", Testbed::of_folder(&folder)?.kubeconfig().display()),
        Action::Reset => {
            if let Ok(testbed) = Testbed::of_folder(&folder) {
                testbed.stop();
                std::fs::remove_dir_all(&folder)?;
            }
            println!("stopped and removed");
        }
    }
    Ok(ExitCode::SUCCESS)
}
