//! Operators that charts rely on, simulated: they act on their kinds only where their definitions are installed.

pub(crate) mod cert_manager;
pub(crate) mod definitions;
pub(crate) mod mariadb;
pub(crate) mod sealed_secrets;
pub(crate) mod standing;
pub(crate) mod traefik;
