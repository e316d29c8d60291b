//! The machine around a cluster: clusters made of containers, builds of images, ports, and forwards to pods.
//!
//! ```text
//! NamedBuild (service, image, arguments) ─► image_builds: places in the tree ─► Builder::build ─► Builder::ship
//! ForwardWish ─► find_forward ─► Forward::serve
//! ```
//!
//! Invariants: nothing here renders or knows what a delivery is, images and arguments come as values; programs are started
//! with `source`'s `Order` alone; nothing prints, asks or reads the environment.

mod build;
mod forward;
mod image_name;
mod k3d;
mod ports;

pub use build::{Builder, DockerBuild, ImageBuild, Imported, NamedBuild, Shipping, image_builds};
pub use forward::{Forward, ForwardEvent, ForwardWish, PortPair, find_forward};
pub use k3d::{K3d, Made};
pub use ports::holder;
