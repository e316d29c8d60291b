//! Where the two sides come from.

use anyhow::Context;

use super::play::{Side, now};
use crate::embedded::{Embedded, Shape};
use crate::http::Endpoint;
use crate::testbed::{Component, Layout, Running};

/// Which server stands on the other side.
#[derive(Debug, Clone)]
pub(crate) enum Other {
    /// The embedded cluster.
    Embedded,
    /// A second real control plane: shows that the comparison itself is fair.
    Real,
    /// A server that runs already.
    Served(Endpoint),
}

/// A pair of servers; they end with this value.
pub(crate) struct Sides {
    pub(crate) real: Side,
    pub(crate) other: Side,
    _running: Vec<Running>,
    _embedded: Option<Embedded>,
}

impl Sides {
    /// Starts what is needed; with `controllers`, a whole control plane, else the API alone.
    pub(crate) fn start(other: &Other, controllers: bool) -> anyhow::Result<Self> {
        let (real, real_running) = real(controllers)?;
        let mut running = vec![real_running];
        let mut embedded = None;
        let other = match other {
            Other::Embedded => {
                let shape = if controllers { Shape::Whole } else { Shape::ApiOnly };
                let since = now();
                let cluster = embedded.insert(Embedded::start(shape, 0)?);
                Side::new(cluster.endpoint().clone(), since)?
            }
            Other::Real => {
                let (side, second) = self::real(controllers)?;
                running.push(second);
                side
            }
            Other::Served(endpoint) => Side::new(endpoint.clone(), now() - 3600)?,
        };
        Ok(Self { real, other, _running: running, _embedded: embedded })
    }
}

/// A real control plane of its own.
pub(crate) fn real(controllers: bool) -> anyhow::Result<(Side, Running)> {
    let since = now();
    let mut layout = Layout::on_free_ports()?;
    if !controllers {
        layout = layout.with(&[Component::Etcd, Component::ApiServer]);
    }
    let running = Running::start(layout).context("the real control plane did not start")?;
    let side = Side::new(running.testbed().endpoint()?, since)?;
    Ok((side, running))
}
